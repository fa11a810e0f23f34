"""Bitcast: the same bits read as another dtype. MIL has no view of bits: all is arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, BY_NAME, F16, F32, I32, DType
from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, LogicalAnd, LogicalOr, Mul, Sub
from coremlc.ops.bit_patterns import bits, of_bits, width
from coremlc.ops.compare import Equal, GreaterOrEqual, LessThan, NotEqual
from coremlc.ops.convert_dtype import ConvertDType, to_int32
from coremlc.ops.gather import gather
from coremlc.ops.leaves import Constant, constant
from coremlc.ops.selection import Where
from coremlc.ops.shape import Concatenate, Reshape, Slice
from coremlc.ops.shifts import ShiftLeft, ShiftRightLogical
from coremlc.ops.unary import Abs, Neg

_BF16 = BY_NAME["BFloat16"]
_PARTS = {F16: (10, 15), _BF16: (7, 127), F32: (23, 127)}
"""(bits of the mantissa, bias of the exponent) of the floats that have a form."""


@register
@dataclass(frozen=True)
class Bitcast(Op):
    """`(x: T[..]) -> U[..]`: a narrower U appends an axis, a wider one consumes the last.

    C1 equal widths, or one a multiple of the other, of which the last dim of a narrower x is the
    ratio. C2 not bool, not complex.
    Little-endian: element 0 is the low part. Source: GoMLX `Bitcast`; StableHLO `bitcast_convert`.
    Decomposes to shifts and conversions; floats to comparisons with powers of 2. Every NaN has the
    bits of the quiet one without sign: MIL cannot see more. Float64 has no form: Core ML lacks it.
    """

    native = True
    exactness = Exactness.EXACT
    target_dtype: DType

    def infer(self, x: TensorType) -> TensorType:
        old, new = x.dtype, self.target_dtype
        if any(d is BOOL or d.is_complex for d in (old, new)):  # C2
            raise ShapeError(f"bitcast of {x} to {new}", fix="use numbers, not bool or complex")
        if old.bits >= new.bits and old.bits % new.bits == 0:
            ratio = old.bits // new.bits
            return TensorType(new, x.shape if ratio == 1 else (*x.shape, ratio))
        ratio = new.bits // old.bits
        if new.bits % old.bits or not x.rank or x.shape[-1] != ratio:  # C1
            raise ShapeError(f"bitcast of {x} to {new}", fix=f"make its last axis {ratio}")
        return TensorType(new, x.shape[:-1])

    def evaluate(self, x: Array) -> Array:
        old, new = width(x), self.target_dtype.bits
        split = (bits(x)[..., None] >> np.arange(old, dtype=np.uint64)) & np.uint64(1)
        shape = x.shape if old >= new else x.shape[:-1]
        groups = split.reshape(*shape, max(1, old // new), new)
        numbers = (groups << np.arange(new, dtype=np.uint64)).sum(-1, dtype=np.uint64)
        result = of_bits(numbers, self.target_dtype.numpy)
        return result if old > new else result.reshape(shape)

    def decompose(self, g: Graph, x: Node) -> Node:
        old, new = x.type.dtype, self.target_dtype
        if old is new:
            return x
        for dtype in (old, new):
            if not dtype.is_integer and dtype not in _PARTS:
                raise RefusedError(
                    f"Bitcast of {dtype.name}: Core ML has no such bits", fix="use Float32"
                )
        if old.is_float:
            x = _float_bits(g, x)
        x = _regrouped(g, x, new.bits)
        return _float_of(g, x, new) if new.is_float else g.add(ConvertDType(new), x)


def _unsigned(bits: int) -> DType:
    return BY_NAME[f"Uint{bits}"]


def _regrouped(g: Graph, x: Node, width: int) -> Node:
    """Integers of another width with the same bits, without sign."""
    own = x.type.dtype.bits
    unsigned = _unsigned(width)
    if own == width:
        return g.add(ConvertDType(unsigned), x)
    if own > width:
        parts = []
        for i in range(0, own, width):
            moved = g.add(ShiftRightLogical(), x, _count(g, x, i)) if i else x
            part = g.add(ConvertDType(unsigned), moved)
            parts.append(g.add(Reshape((*x.type.shape, 1)), part))
        return g.add(Concatenate(x.type.rank), *parts)
    plain = g.add(ConvertDType(_unsigned(own)), x)
    total: Node | None = None
    for i in range(width // own):
        part = g.add(Reshape(x.type.shape[:-1]), _last(g, plain, i))
        wide = g.add(ConvertDType(unsigned), part)
        moved = g.add(ShiftLeft(), wide, _count(g, wide, i * own)) if i else wide
        total = moved if total is None else g.add(Add(), total, moved)
    assert total is not None
    return total


def _count(g: Graph, x: Node, count: int) -> Node:
    return g.add(constant(x.type.dtype, count))


def _last(g: Graph, x: Node, i: int) -> Node:
    zeros = (0,) * (x.type.rank - 1)
    return g.add(Slice((*zeros, i), (*x.type.shape[:-1], i + 1), (1,) * x.type.rank), x)


def _f(g: Graph, x: float) -> Node:
    return g.add(constant(F32, x))


def _scaled(g: Graph, x: Node, factor: float) -> Node:
    return g.add(Mul(), x, _f(g, factor))


def is_negative(g: Graph, x: Node) -> Node:
    """Whether the sign bit of a number is set: -0 has a reciprocal below 0."""
    below = g.add(LessThan(), g.add(Div(), _f(g, 1.0), x), _f(g, 0.0))
    return g.add(LogicalOr(), g.add(LessThan(), x, _f(g, 0.0)), below)


def _float_bits(g: Graph, x: Node) -> Node:
    """The bits of floats as unsigned integers of their width.

    The size is brought into [1, 2) by powers of 2, each exact, and its exponent counted; what is
    below stays below 1, and that is how such a number is written.
    """
    dtype = x.type.dtype
    mantissa, bias = _PARTS[dtype]
    wide = g.add(ConvertDType(F32), x)
    size = g.add(Abs(), wide)
    finite = g.add(LessThan(), size, _f(g, np.inf))
    number = g.add(Where(), finite, size, _f(g, 0.0))
    lift = 2.0 ** (bias - 1)
    small = g.add(LessThan(), number, _f(g, 1.0))
    number = g.add(Where(), small, _scaled(g, number, lift), number)
    i32 = ConvertDType(I32)
    field = g.add(Where(), small, _count32(g, 0), _count32(g, bias - 1))
    step = (bias + 1) // 2
    while step:
        large = g.add(GreaterOrEqual(), number, _f(g, 2.0**step))
        number = g.add(Where(), large, _scaled(g, number, 2.0**-step), number)
        count = g.add(Mul(), g.add(i32, large), _count32(g, step))
        field = g.add(Add(), field, count)
        step //= 2
    shifted = g.add(Mul(), field, _count32(g, 1 << mantissa))
    digits = g.add(to_int32(), _scaled(g, number, 2.0**mantissa))
    bits = g.add(Add(), shifted, digits)
    infinite = ((1 << (dtype.bits - 1 - mantissa)) - 1) << mantissa
    nan = infinite + (1 << (mantissa - 1))
    is_nan = g.add(NotEqual(), wide, wide)
    bits = g.add(Where(), finite, bits, _count32(g, infinite))
    signs = g.add(Mul(), g.add(i32, is_negative(g, wide)), _count32(g, 1 << (dtype.bits - 1)))
    bits = g.add(Add(), bits, signs)
    bits = g.add(Where(), is_nan, _count32(g, nan), bits)
    return g.add(ConvertDType(_unsigned(dtype.bits)), bits)


def _count32(g: Graph, number: int) -> Node:
    return g.add(constant(I32, (number + 2**31) % 2**32 - 2**31))


def _float_of(g: Graph, x: Node, dtype: DType) -> Node:
    """Floats of unsigned integers that are their bits."""
    mantissa, bias = _PARTS[dtype]
    exponents = 1 << (dtype.bits - 1 - mantissa)
    field = g.add(ShiftRightLogical(), x, _count(g, x, mantissa))
    signed = g.add(ConvertDType(I32), field)
    negative = g.add(GreaterOrEqual(), signed, _count32(g, exponents))
    drop = g.add(Mul(), g.add(ConvertDType(I32), negative), _count32(g, -exponents))
    exponent = g.add(Add(), signed, drop)
    rest = g.add(ShiftLeft(), field, _count(g, x, mantissa))
    digits = g.add(ConvertDType(I32), g.add(Sub(), x, rest))
    fraction = _scaled(g, g.add(ConvertDType(F32), digits), 2.0**-mantissa)
    normal = g.add(NotEqual(), exponent, _count32(g, 0))
    fraction = g.add(Add(), fraction, g.add(ConvertDType(F32), normal))
    powers = [2.0 ** (max(e, 1) - bias) for e in range(exponents - 1)]
    table = np.array([*powers, np.inf], np.float32).reshape(-1, 1)
    flat = g.add(Reshape((x.type.size,)), exponent)
    scales = g.add(gather(), g.add(Constant(TensorData(F32, table))), flat)
    value = g.add(Mul(), fraction, g.add(Reshape(x.type.shape), scales))
    last = g.add(Equal(), exponent, _count32(g, exponents - 1))
    is_nan = g.add(LogicalAnd(), last, g.add(NotEqual(), digits, _count32(g, 0)))
    value = g.add(Where(), is_nan, _f(g, np.nan), value)
    value = g.add(Where(), negative, g.add(Neg(), value), value)
    return g.add(ConvertDType(dtype), value)
