"""FFT: discrete Fourier transforms over the last axes.

A length is factored into stages of at most RADIX, each one matrix product; a length with a greater
prime factor goes through a convolution whose length is a power of 2 (Bluestein).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import COMPLEX, PART, WHOLE, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Mul
from coremlc.ops.complex import Complex, Conj, Real
from coremlc.ops.dot_general import matmul
from coremlc.ops.elementwise import check_dtype
from coremlc.ops.leaves import Constant
from coremlc.ops.pad import Pad, PadAxis, zero
from coremlc.ops.shape import Concatenate, Reshape, Reverse, Slice, Transpose

TYPES = ("Forward", "Inverse", "ForwardReal", "InverseReal")
RADIX = 128
"""The longest transform that is one matrix."""


@register
@dataclass(frozen=True)
class FFT(Op):
    """`(operand: C[..]) -> C[..]`; ForwardReal `(F[..]) -> C[.., n/2+1]`, InverseReal back.

    fft_type: Forward, Inverse, ForwardReal, InverseReal. fft_length: of the last 1 to 3 axes.
    C1 fft_type is one of them. C2 complex operand; ForwardReal takes float32 or float64.
    C3 1 to 3 lengths, at most the rank. C4 the dims are fft_length; InverseReal has n/2+1 last.
    Forward is unscaled, Inverse divides by the number of elements (XLA). Source: GoMLX `FFT`.
    Decomposes to stages of `matmul` and Mul by constants, for float32 parts.
    """

    exactness = Exactness.SUMMED
    fft_type: str
    fft_length: tuple[int, ...]

    def infer(self, operand: TensorType) -> TensorType:
        if self.fft_type not in TYPES:  # C1
            raise ShapeError(f"FFT of type {self.fft_type!r}", fix=f"use {', '.join(TYPES)}")
        forward_real = self.fft_type == "ForwardReal"
        check_dtype(self.kind, operand, frozenset(WHOLE) if forward_real else COMPLEX)  # C2
        count = len(self.fft_length)
        if not 1 <= count <= min(3, operand.rank):  # C3
            raise ShapeError(f"{count} lengths for {operand}", fix="transform 1 to 3 of its axes")
        *outer, n = self.fft_length
        half = n // 2 + 1
        wanted = (*outer, half if self.fft_type == "InverseReal" else n)
        if operand.shape[-count:] != wanted:  # C4
            raise ShapeError(
                f"FFT of length {list(self.fft_length)} of {operand}",
                fix=f"pad or slice its last dims to {list(wanted)}",
            )
        if forward_real:
            return TensorType(WHOLE[operand.dtype], (*operand.shape[:-1], half))
        if self.fft_type == "InverseReal":
            return TensorType(PART[operand.dtype], (*operand.shape[:-1], n))
        return operand

    def evaluate(self, operand: Array) -> Array:
        axes = tuple(range(-len(self.fft_length), 0))
        if self.fft_type == "ForwardReal":
            return np.fft.rfftn(operand, axes=axes)
        if self.fft_type == "InverseReal":
            return np.fft.irfftn(operand, self.fft_length, axes)
        f = np.fft.fftn if self.fft_type == "Forward" else np.fft.ifftn
        return np.asarray(f(operand, axes=axes))

    def decompose(self, g: Graph, operand: Node) -> Node:
        rank = operand.type.rank
        outer = tuple(range(rank - len(self.fft_length), rank - 1))
        forward = self.fft_type.startswith("Forward")
        last: Along = _real if self.fft_type == "ForwardReal" else _plain
        last = _half if self.fft_type == "InverseReal" else last
        axes = [(rank - 1, last), *[(axis, _plain) for axis in outer]]
        x = operand
        for axis, along in axes if forward else reversed(axes):
            n = self.fft_length[axis - rank]
            x = _along(g, x, axis, along, n, forward=forward)
        return x


Along = Callable[[Graph, Node, int, bool], Node]
"""(g, x: [rows, dim], length, forward) -> the transform of each row."""


def _along(g: Graph, x: Node, axis: int, f: Along, n: int, *, forward: bool) -> Node:
    rank = x.type.rank
    order = (*(a for a in range(rank) if a != axis), axis)
    x = g.add(Transpose(order), x)
    dims = x.type.shape[:-1]
    rows = f(g, g.add(Reshape((math.prod(dims), x.type.shape[-1])), x), n, forward)
    x = g.add(Reshape((*dims, rows.type.shape[-1])), rows)
    return g.add(Transpose(tuple(order.index(a) for a in range(rank))), x)


def _plain(g: Graph, x: Node, n: int, forward: bool) -> Node:
    return dft(g, x, -1) if forward else dft(g, x, 1, 1 / n)


def _real(g: Graph, x: Node, n: int, forward: bool) -> Node:
    """The half that the other half mirrors."""
    rows = x.type.shape[0]
    return g.add(Slice((0, 0), (rows, n // 2 + 1), (1, 1)), dft(g, x, -1))


def _half(g: Graph, x: Node, n: int, forward: bool) -> Node:
    """The mirrored half joined to it; imaginary parts at 0 and n/2 do not reach the real result."""
    rows, half = x.type.shape
    if n > half:
        mirrored = g.add(Slice((0, 1), (rows, n - half + 1), (1, 1)), x)
        x = g.add(Concatenate(1), x, g.add(Conj(), g.add(Reverse((1,)), mirrored)))
    return g.add(Real(), dft(g, x, 1, 1 / n))


def dft(g: Graph, x: Node, sign: int, scale: float = 1.0) -> Node:
    """Scale * sum over j of x[j] e^(sign 2 pi i j k / n) for each k, along rows `x` [rows, n].

    x is complex, or real. With n = a b: transforms of length a of each b-th element, a twist, and
    transforms of length b (Cooley and Tukey).
    """
    rows, n = x.type.shape
    if n <= RADIX:
        return _product(g, x, roots(n, np.outer(np.arange(n), np.arange(n)), sign) * scale)
    a = stage(n)
    if a == 1:
        return _bluestein(g, x, sign, scale)
    b = n // a
    x = g.add(Transpose((0, 2, 1)), g.add(Reshape((rows, a, b)), x))
    x = dft(g, g.add(Reshape((rows * b, a)), x), sign)
    x = g.add(Reshape((rows, b, a)), x)
    x = g.add(Mul(), x, _known(g, x.type.dtype, _twist(a, b, sign)))
    x = g.add(Reshape((rows * a, b)), g.add(Transpose((0, 2, 1)), x))
    x = g.add(Reshape((rows, a, b)), dft(g, x, sign, scale))
    return g.add(Reshape((rows, n)), g.add(Transpose((0, 2, 1)), x))


def stage(n: int) -> int:
    """The length of the first stage of n: a divisor that leaves as few stages as may be, alike.

    1 if a prime factor is above RADIX: then there are none.
    """
    if max(_primes(n)) > RADIX:
        return 1
    count = math.ceil(math.log(n) / math.log(RADIX) - 1e-9)
    ideal = n ** (1 / count)
    divisors = [d for d in range(2, RADIX + 1) if n % d == 0]
    return min(divisors, key=lambda d: abs(math.log(d / ideal)))


def _primes(n: int) -> list[int]:
    found, p = [], 2
    while p * p <= n:
        if n % p:
            p += 1
            continue
        found.append(p)
        n //= p
    return [*found, n]


def roots(n: int, powers: Array, sign: int) -> Array:
    """e^(sign 2 pi i powers / n), the powers reduced before they are rounded."""
    result: Array = np.exp(sign * 2j * np.pi * (powers % n) / n)
    return result


def _twist(a: int, b: int, sign: int) -> Array:
    """Roots of unity [1, b, a]: element (k, j) is turned by the root j k."""
    return roots(a * b, np.outer(np.arange(b), np.arange(a)), sign)[None]


def _bluestein(g: Graph, x: Node, sign: int, scale: float) -> Node:
    """Jk = (j^2 + k^2 - (k - j)^2) / 2: a chirp, a convolution with its inverse, a chirp."""
    rows, n = x.type.shape
    j = np.arange(n)
    chirp = roots(2 * n, j * j, sign)
    size = 1 << (2 * n - 2).bit_length()
    filter_ = np.zeros(size, np.complex128)
    filter_[:n] = np.conj(chirp)
    filter_[size - n + 1 :] = np.conj(chirp[:0:-1])
    dtype = x.type.dtype
    if not dtype.is_complex:
        re, im = (g.add(Mul(), x, _known(g, dtype, w[None])) for w in (chirp.real, chirp.imag))
        x = g.add(Complex(), re, im)
    else:
        x = g.add(Mul(), x, _known(g, dtype, chirp[None]))
    dtype = x.type.dtype
    x = g.add(Pad((PadAxis(), PadAxis(end=size - n))), x, zero(g, dtype))
    x = g.add(Mul(), dft(g, x, -1), _known(g, dtype, np.fft.fft(filter_)[None] / size))
    x = g.add(Slice((0, 0), (rows, n), (1, 1)), dft(g, x, 1))
    return g.add(Mul(), x, _known(g, dtype, chirp[None] * scale))


def _product(g: Graph, x: Node, matrix: Array) -> Node:
    """Rows of x times a complex matrix; two real products if x is real."""
    dtype = x.type.dtype
    if dtype.is_complex:
        return g.add(matmul(), x, _known(g, dtype, matrix))
    re, im = (g.add(matmul(), x, _known(g, dtype, part)) for part in (matrix.real, matrix.imag))
    return g.add(Complex(), re, im)


def _known(g: Graph, dtype: DType, values: Array) -> Node:
    array = np.ascontiguousarray(values, dtype.numpy)
    return g.add(Constant(TensorData(dtype, array)))
