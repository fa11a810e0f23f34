"""BitCount and Clz. MIL has none: bytes and a table, and comparisons with powers of 2.

Lowered for int32 only: the legalizer gives other widths their meaning (passes/words).
"""

from __future__ import annotations

import numpy as np

from coremlc.dtypes import INTEGER
from coremlc.ir.op import Array, Range
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.bit_patterns import bits, of_bits, width
from coremlc.ops.bitwise import flat, summed
from coremlc.ops.elementwise import Elementwise, row

_ONES = np.array([i.bit_count() for i in range(256)], np.int32)
_BYTES = np.array([1, 1 << 8, 1 << 16, 1 << 24], np.int32)
_POWERS = np.array([1 << i for i in range(31)], np.int32)


def _bit_count(x: Array) -> Array:
    return of_bits(np.bitwise_count(bits(x)).astype(np.uint64), x.dtype)


def _clz(x: Array) -> Array:
    rest = bits(x)
    zeros = np.full(rest.shape, width(x), np.uint64)
    for _ in range(width(x)):
        zeros -= rest != 0
        rest = rest >> np.uint64(1)
    return of_bits(zeros, x.dtype)


def _lower_bit_count(m: Builder, x: Value) -> Value:
    digits = m.mod(x=m.floor_div(x=flat(m, x), y=_BYTES), y=256)
    ones = m.gather(x=_ONES, indices=digits, axis=0)
    return summed(m, ones, x.tensor.shape)


def _lower_clz(m: Builder, x: Value) -> Value:
    """Below 0 it is 0, else 1 and how many of 1, 2, 4 .. 2^30 are greater."""
    above = m.cast(x=m.less(x=flat(m, x), y=_POWERS), dtype="int32")
    count = m.add(x=summed(m, above, x.tensor.shape), y=1)
    return m.mul(x=count, y=m.cast(x=m.greater_equal(x=x, y=0), dtype="int32"))


def _width_range(self: Elementwise, types: tuple[TensorType, ...], x: Range) -> Range:
    return 0, types[0].dtype.bits


BitCount = row(
    "BitCount",
    "`(x: I[..]) -> I[..]`: how many bits are set. MIL: bytes and a table (`gather`).",
    1,
    INTEGER,
    _bit_count,
    _lower_bit_count,
    range_of=_width_range,
)
Clz = row(
    "Clz",
    "`(x: I[..]) -> I[..]`: zero bits above the highest set bit; the width for 0. MIL `less` than "
    "each power of two, summed.",
    1,
    INTEGER,
    _clz,
    _lower_clz,
    range_of=_width_range,
)
