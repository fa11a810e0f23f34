"""Shifts. MIL has none: they are products and quotients with powers of 2 there.

A shift by a negative count, or by the dtype's width or more, moves every bit out (XLA).
Lowered for int32 only: the legalizer gives other widths their meaning (passes/words).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coremlc.dtypes import INTEGER
from coremlc.ir.op import Array, Range
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.bit_patterns import bits, of_bits, signed, width
from coremlc.ops.bitwise import low_bits, single, spread
from coremlc.ops.elementwise import Elementwise, constant, row


def _counts(x: Array, count: Array) -> tuple[Array, Array]:
    """(counts that numpy can shift uint64 by, where the count is the width or more)."""
    wide = count.astype(np.int64)
    over = (wide < 0) | (wide >= width(x))
    return np.where(over, 0, wide).astype(np.uint64), over


def _shift_left(x: Array, count: Array) -> Array:
    safe, over = _counts(x, count)
    return of_bits(np.where(over, np.uint64(0), bits(x) << safe), x.dtype)


def _shift_right_logical(x: Array, count: Array) -> Array:
    safe, over = _counts(x, count)
    return of_bits(np.where(over, np.uint64(0), bits(x) >> safe), x.dtype)


def _shift_right_arithmetic(x: Array, count: Array) -> Array:
    safe, over = _counts(x, count)
    last = np.where(over, width(x) - 1, safe.astype(np.int64))
    return of_bits((signed(bits(x), width(x)) >> last).view(np.uint64), x.dtype)


def _place(m: Builder, count: Value) -> Value:
    """Row of a table of 34: 0 for counts below 0, 33 for counts of 32 and more, else count + 1."""
    return m.add(x=m.maximum(x=m.minimum(x=count, y=32), y=-1), y=1)


def _table(over: int, rows: Iterator[int]) -> Array:
    return np.array([over, *rows, over], np.int64).astype(np.int32)


_LEFT = _table(0, (1 << k for k in range(32)))
_RIGHT = _table(1 << 30, (1 << min(k, 30) for k in range(32)))
_RIGHT_REST = _table(2, (1 + (k == 31) for k in range(32)))
_SIGN_FIX = _table(1, ((1 << 32 - k) % (1 << 32) for k in range(32)))


def _looked_up(m: Builder, table: Array, place: Value) -> Value:
    return m.gather(x=table, indices=place, axis=0)


def _lower_left(m: Builder, x: Value, y: Value) -> Value:
    known = constant(y)
    if known is not None:
        wide = np.where((known < 0) | (known > 31), 0, 1 << np.clip(known, 0, 31).astype(np.int64))
        return m.mul(x=x, y=wide.astype(np.int32))
    return m.mul(x=x, y=_looked_up(m, _LEFT, _place(m, y)))


def _lower_arithmetic(m: Builder, x: Value, y: Value) -> Value:
    known = single(y)
    if known is not None:
        return _arithmetic(m, spread(m, x, y), known)
    place = _place(m, y)
    return _shifted(m, x, place)


def _shifted(m: Builder, x: Value, place: Value) -> Value:
    near = m.floor_div(x=x, y=_looked_up(m, _RIGHT, place))
    return m.floor_div(x=near, y=_looked_up(m, _RIGHT_REST, place))


def _arithmetic(m: Builder, x: Value, count: int) -> Value:
    """`x` shifted right by a known count, its sign kept."""
    if count == 0:
        return x
    if 0 < count < 31:
        return m.floor_div(x=x, y=1 << count)
    return m.mul(x=m.cast(x=m.less(x=x, y=0), dtype="int32"), y=-1)


def _lower_logical(m: Builder, x: Value, y: Value) -> Value:
    known = single(y)
    if known is not None:
        return _logical(m, spread(m, x, y), known)
    place = _place(m, y)
    below = m.cast(x=m.less(x=x, y=0), dtype="int32")
    fix = m.mul(x=below, y=_looked_up(m, _SIGN_FIX, place))
    return m.add(x=_shifted(m, x, place), y=fix)


def _logical(m: Builder, x: Value, count: int) -> Value:
    if count == 0:
        return x
    if not 0 < count < 32:
        return m.mul(x=x, y=0)
    if count == 31:
        return m.cast(x=m.less(x=x, y=0), dtype="int32")
    return low_bits(m, m.floor_div(x=x, y=1 << count), 32 - count)


def _left_range(self: Elementwise, types: tuple[TensorType, ...], x: Range, y: Range) -> Range:
    top = max(min(y[1], types[0].dtype.bits - 1), 0)
    if y[0] < 0:
        top = types[0].dtype.bits - 1
    return min(0, x[0] << top, x[0]), max(0, x[1] << top, x[1])


def _arithmetic_range(
    self: Elementwise, types: tuple[TensorType, ...], x: Range, y: Range
) -> Range:
    dtype = types[0].dtype
    if dtype.kind == "uint" and x[1] >> (dtype.bits - 1):
        return dtype.limits
    return _moved(x, y, dtype.bits)


def _moved(x: Range, y: Range, bits: int) -> Range:
    if y[0] < 0 or y[1] >= bits:
        return min(x[0], 0), max(x[1], 0)
    values = [a >> k for a in x for k in y]
    return min(values), max(values)


def _logical_range(self: Elementwise, types: tuple[TensorType, ...], x: Range, y: Range) -> Range:
    dtype = types[0].dtype
    if x[0] >= 0:
        low, high = _moved(x, y, dtype.bits)
        return min(low, 0), high
    if y[0] < 1:
        return dtype.limits
    return 0, (1 << (dtype.bits - min(y[0], dtype.bits))) - 1


ShiftLeft = row(
    "ShiftLeft",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: lhs by rhs bits. MIL `mul` by a power from a table.",
    2,
    INTEGER,
    _shift_left,
    _lower_left,
    range_of=_left_range,
)
ShiftRightArithmetic = row(
    "ShiftRightArithmetic",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: the top bit moves in, of unsigned lhs too (XLA). MIL "
    "`floor_div` by a power from a table.",
    2,
    INTEGER,
    _shift_right_arithmetic,
    _lower_arithmetic,
    range_of=_arithmetic_range,
)
ShiftRightLogical = row(
    "ShiftRightLogical",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: zeros move in. MIL `floor_div` by a power from a table, "
    "less the sign.",
    2,
    INTEGER,
    _shift_right_logical,
    _lower_logical,
    range_of=_logical_range,
)
