"""FusedQuantizedDense and QuantizedEmbeddingLookup: weights of few bits with their scales.

Weights that are known when compiling become float32 constants. `evaluate` reads each element by
its formula, apart from the block readers of `ggml`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from coremlc.dtypes import BY_NAME, F32, I32
from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Mul, mod
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dense import ACTIVATIONS
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.gather import Gather
from coremlc.ops.ggml import FORMATS, NF4, Format, dequantize
from coremlc.ops.leaves import constant, known
from coremlc.ops.shape import BroadcastInDim, Reshape, Slice

SCHEMES = ("Linear", "NF4", "GGML")
U8 = BY_NAME["Uint8"]
Bits: TypeAlias = Any
"""Blocks as int64[bytes, blocks], and what a formula makes of them."""
STORED = frozenset(BY_NAME[name] for name in ("Int4", "Uint4", "Int8", "Uint8"))


@dataclass(frozen=True)
class Quantization:
    """How a quantized tensor is read; its scale and zero point are operands."""

    scheme: str
    block_axis: int
    block_size: int
    ggml_type: str

    @property
    def format(self) -> Format:
        return FORMATS[self.ggml_type]

    def check(self, weights: TensorType, *parameters: TensorType) -> None:
        """Contract of the weights with their scale and zero point."""
        if self.scheme not in SCHEMES:
            raise ShapeError(f"scheme {self.scheme!r}", fix=f"use {', '.join(SCHEMES)}")
        if self.scheme == "GGML":
            self._check_ggml(weights, *parameters)
            return
        if weights.dtype not in STORED or weights.rank != 2:
            raise ShapeError(f"weights {weights}", fix="give Int4, Uint4, Int8 or Uint8 [in, out]")
        if self.block_axis != 1 or self.block_size < 1:
            raise ShapeError(
                f"blocks of {self.block_size} on axis {self.block_axis}", fix="use axis 1"
            )
        wanted = TensorType(F32, (weights.shape[0], -(-weights.shape[1] // self.block_size)))
        most = 2 if self.scheme == "Linear" else 1
        if not 1 <= len(parameters) <= most or any(p != wanted for p in parameters):
            raise ShapeError(
                f"scale and zero point {', '.join(map(str, parameters))} for {weights}",
                fix=f"give {wanted}" + ("" if most == 2 else ", and no zero point"),
            )

    def _check_ggml(self, weights: TensorType, *parameters: TensorType) -> None:
        if self.ggml_type not in FORMATS:
            raise ShapeError(f"ggml_type {self.ggml_type!r}", fix=f"use {', '.join(FORMATS)}")
        size = self.format.bytes
        if weights.dtype is not U8 or weights.rank != 2 or weights.shape[1] % size:
            raise ShapeError(f"weights {weights}", fix=f"give Uint8 rows of blocks of {size} bytes")
        if parameters:
            raise ShapeError("a scale or zero point for GGML", fix="leave it out: blocks hold it")

    def columns(self, weights: TensorType) -> int:
        """Elements of a GGML row."""
        return weights.shape[1] // self.format.bytes * self.format.values

    def values(self, weights: Array, *parameters: Array) -> Array:
        """The weights as float64 [in, out]; of GGML [out, in]."""
        if self.scheme == "GGML":
            return _read(self.ggml_type, weights)
        block = np.arange(weights.shape[1]) // self.block_size
        q = weights.astype(np.int64)
        scale = parameters[0][:, block]
        if self.scheme == "NF4":
            return np.asarray(NF4.astype(np.float64)[q & 15] * scale)
        zero_point = parameters[1][:, block] if len(parameters) > 1 else 0.0
        return np.asarray(q * scale + zero_point)

    def build(self, g: Graph, weights: Node, *parameters: Node) -> Node:
        """The same in float32: a constant, or arithmetic on what is known at run time only."""
        arrays: list[Any] = [known(x) for x in (weights, *parameters)]
        if all(x is not None for x in arrays):
            return g.add(constant(F32, self._constant(*arrays)))
        if self.scheme == "GGML":
            raise RefusedError(
                f"GGML weights of type {self.ggml_type} that are known at run time only",
                fix="make them a constant of the graph, or dequantize them before",
            )
        scale, *zero_point = (self._spread(g, x, weights.type) for x in parameters)
        values = self._nf4(g, weights) if self.scheme == "NF4" else _float(g, weights)
        result = g.add(Mul(), values, scale)
        return g.add(Add(), result, *zero_point) if zero_point else result

    def _constant(self, weights: Array, *parameters: Array) -> Array:
        if self.scheme == "GGML":
            return dequantize(self.format, weights)
        size, columns = self.block_size, weights.shape[1]
        scale, *zero_point = (np.repeat(p, size, axis=1)[:, :columns] for p in parameters)
        if self.scheme == "NF4":
            result: Array = NF4[weights.astype(np.uint8) & 15]
        else:
            result = weights.astype(np.float32)
        result *= scale
        for z in zero_point:
            result += z
        return result

    def _spread(self, g: Graph, x: Node, weights: TensorType) -> Node:
        """[in, blocks] to [in, out]."""
        rows, blocks = x.type.shape
        wide = TensorType(F32, (rows, blocks, self.block_size))
        full = g.add(BroadcastInDim(wide, (0, 1)), x)
        flat = g.add(Reshape((rows, blocks * self.block_size)), full)
        return g.add(Slice((0, 0), weights.shape, (1, 1)), flat)

    def _nf4(self, g: Graph, weights: Node) -> Node:
        index = g.add(mod(), g.add(ConvertDType(I32), weights), g.add(constant(I32, 16)))
        flat = g.add(Reshape((weights.type.size,)), index)
        taken = g.add(Gather(1, (), (0,), (0,), (1,), False), g.add(constant(F32, NF4)), flat)
        return g.add(Reshape(weights.type.shape), taken)


def _float(g: Graph, x: Node) -> Node:
    return g.add(ConvertDType(F32), x)


def _read(ggml_type: str, rows: Array) -> Array:
    """Rows of GGML as float64, element by element of a block."""
    form = FORMATS[ggml_type]
    b = rows.reshape(-1, form.bytes).astype(np.int64).T
    element = _ELEMENTS[ggml_type]
    blocks = np.stack([element(b, i) for i in range(form.values)], axis=-1)
    return blocks.reshape(len(rows), rows.shape[1] // form.bytes * form.values)


def _f16(b: Bits, at: int) -> Bits:
    """The float16 at a byte of each block. b: [bytes, blocks] of int64."""
    return (b[at] | b[at + 1] << 8).astype(np.uint16).view(np.float16).astype(np.float64)


def _nibble(b: Bits, at: int, i: int) -> Bits:
    """Element i of 32: low halves of 16 bytes first."""
    return b[at + i % 16] >> i // 16 * 4 & 15


def _q4_0(b: Bits, i: int) -> Bits:
    return _f16(b, 0) * (_nibble(b, 2, i) - 8)


def _iq4_nl(b: Bits, i: int) -> Bits:
    table = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
    return _f16(b, 0) * np.array(table)[_nibble(b, 2, i)]


def _int8(x: Bits) -> Bits:
    return x - (x >> 7) * 256


def _q8_0(b: Bits, i: int) -> Bits:
    return _f16(b, 0) * _int8(b[2 + i])


def _two_bits(b: Bits, at: int, i: int) -> Bits:
    """Element i of 256: each 32 bytes hold four planes of 32."""
    return b[at + i // 128 * 32 + i % 32] >> i % 128 // 32 * 2 & 3


def _q2_k(b: Bits, i: int) -> Bits:
    scale = b[i // 16]
    return _f16(b, 80) * (scale & 15) * _two_bits(b, 16, i) - _f16(b, 82) * (scale >> 4)


def _q3_k(b: Bits, i: int) -> Bits:
    run = i // 16
    low = b[96 + run % 8] >> run // 8 * 4 & 15
    high = b[104 + run % 4] >> run // 4 * 2 & 3
    missing = 1 - (b[i % 32] >> i // 32 & 1)
    return _f16(b, 108) * (low + high * 16 - 32) * (_two_bits(b, 32, i) - 4 * missing)


def _scale_min(b: Bits, run: int) -> tuple[Bits, Bits]:
    """GoMLX's getScaleMinK4, of the 12 bytes at 4."""
    p = b[4:16]
    if run < 4:
        return p[run] & 63, p[run + 4] & 63
    return p[run + 4] & 15 | p[run - 4] >> 6 << 4, p[run + 4] >> 4 | p[run] >> 6 << 4


def _four_bits(b: Bits, at: int, i: int) -> Bits:
    """Element i of 256: each 32 bytes hold two planes of 32."""
    return b[at + i // 64 * 32 + i % 32] >> i % 64 // 32 * 4 & 15


def _q4_k(b: Bits, i: int) -> Bits:
    scale, low = _scale_min(b, i // 32)
    return _f16(b, 0) * scale * _four_bits(b, 16, i) - _f16(b, 2) * low


def _q5_k(b: Bits, i: int) -> Bits:
    scale, low = _scale_min(b, i // 32)
    q = _four_bits(b, 48, i) + (b[16 + i % 32] >> i // 32 & 1) * 16
    return _f16(b, 0) * scale * q - _f16(b, 2) * low


def _q6_k(b: Bits, i: int) -> Bits:
    half, place = i // 128, i % 128
    low = b[half * 64 + place % 64] >> place // 64 * 4 & 15
    q = low + _two_bits(b, 128, i) * 16 - 32
    return _f16(b, 208) * _int8(b[192 + i // 16]) * q


_ELEMENTS = {
    "Q4_0": _q4_0,
    "Q8_0": _q8_0,
    "IQ4_NL": _iq4_nl,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}


@register
@dataclass(frozen=True)
class FusedQuantizedDense(Op):
    """`(x: f32[.., in], weights: I[in, out], bias?, scale?, zero_point?: f32) -> f32[.., out]`.

    activation(x @ dequantized(weights) + bias). Linear: weight * scale + zero_point; NF4: table
    [weight & 15] * scale; a scale is of block_size elements of a row. GGML: weights u8[out, bytes].
    C1 the inner dims are equal. C2 the quantization fits the weights: scale and zero point are
    f32[in, blocks], block_axis 1; none for GGML, no zero point for NF4. C3 x and bias are f32, bias
    [out]. C4 a known activation, scheme and ggml_type. C5 weights of 4 or 8 bits.
    Source: GoMLX `FusedQuantizedDense`. Decomposes to DotGeneral of the weights in float32.
    """

    exactness = Exactness.SUMMED
    optional = ("bias", "scale", "zero_point")
    weights_quantization: Quantization
    activation: str
    bias: bool
    """Whether that operand is there; so the next two."""
    scale: bool
    zero_point: bool

    def infer(self, x: TensorType, weights: TensorType, *extra: TensorType) -> TensorType:
        if self.activation not in ACTIVATIONS:  # C4
            raise ShapeError(f"activation {self.activation!r}", fix=f"use {', '.join(ACTIVATIONS)}")
        bias, parameters = extra[: self.bias], extra[self.bias :]
        self.weights_quantization.check(weights, *parameters)  # C2, C4, C5
        inner, out = weights.shape
        if self._is_ggml:
            inner, out = self.weights_quantization.columns(weights), weights.shape[0]
        if x.rank < 1 or x.shape[-1] != inner:  # C1
            raise ShapeError(f"dense of {x} and {inner} inputs", fix="make the inner dims equal")
        if x.dtype is not F32 or any(b != TensorType(F32, (out,)) for b in bias):  # C3
            given = ", ".join(map(str, (x, *bias)))
            raise ShapeError(f"x and bias {given}", fix=f"give Float32, and a bias of [{out}]")
        return x.with_dim(x.rank - 1, out)

    @property
    def _is_ggml(self) -> bool:
        return self.weights_quantization.scheme == "GGML"

    def evaluate(self, x: Array, weights: Array, *extra: Array) -> Array:
        values = self.weights_quantization.values(weights, *extra[self.bias :])
        y = x @ (values.T if self._is_ggml else values)
        for b in extra[: self.bias]:
            y = y + b
        return ACTIVATIONS[self.activation].evaluate(y)

    def decompose(self, g: Graph, x: Node, weights: Node, *extra: Node) -> Node:
        values = self.weights_quantization.build(g, weights, *extra[self.bias :])
        inner = (1 if self._is_ggml else 0,)
        dot = DotGeneral((x.type.rank - 1,), (), inner, (), DotGeneralConfig(F32, F32))
        y = g.add(dot, x, values)
        for b in extra[: self.bias]:
            y = g.add(Add(), y, g.add(BroadcastInDim(y.type, (y.type.rank - 1,)), b))
        return ACTIVATIONS[self.activation].build(g, y)


@register
@dataclass(frozen=True)
class QuantizedEmbeddingLookup(Op):
    """`(data: u8[n, bytes], indices: I[.., 1]) -> f32[.., elements]`: rows of GGML, dequantized.

    C1 the scheme is GGML, without scale and zero point, and fits the data. C2 integer indices with
    a last dim of 1. An index out of range is clamped, as in Gather (the Go backend fails).
    Source: GoMLX `QuantizedEmbeddingLookup`. Decomposes to Gather from a float32 constant.
    """

    optional = ("scale", "zero_point")
    data_quantization: Quantization
    scale: bool
    """Whether that operand is there; so the next."""
    zero_point: bool

    def infer(self, data: TensorType, indices: TensorType, *extra: TensorType) -> TensorType:
        if self.data_quantization.scheme != "GGML":  # C1
            raise ShapeError(f"scheme {self.data_quantization.scheme!r}", fix="use GGML")
        self.data_quantization.check(data, *extra)
        if not indices.dtype.is_integer or indices.shape[-1:] != (1,):  # C2
            raise ShapeError(f"indices {indices}", fix="give integers with a last dim of 1")
        return TensorType(F32, (*indices.shape[:-1], self.data_quantization.columns(data)))

    def evaluate(self, data: Array, indices: Array, *extra: Array) -> Array:
        rows = data[np.clip(indices[..., 0], 0, len(data) - 1)]
        flat = rows.reshape(math.prod(rows.shape[:-1]), rows.shape[-1])
        values = self.data_quantization.values(flat)
        return values.reshape(*rows.shape[:-1], values.shape[-1])

    def decompose(self, g: Graph, data: Node, indices: Node, *extra: Node) -> Node:
        table = self.data_quantization.build(g, data)
        columns, last = table.type.shape[1], indices.type.rank - 1
        return g.add(Gather(last, (last,), (0,), (0,), (1, columns), False), table, indices)
