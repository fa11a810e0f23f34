"""Bitwise ops, shifts and bit counts. MIL has none of them: they are arithmetic there.

Source of the meanings: GoMLX `compute.StandardOps` and XLA; docs/semantics.md where they differ. A
shift by a negative count, or by the dtype's width or more, moves every bit out.
Lowered for int32 only: the legalizer gives other widths their meaning (passes/words).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from coremlc.dtypes import BOOL, INTEGER
from coremlc.ir.op import Array, Range
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.bit_patterns import bits, of_bits, signed, width
from coremlc.ops.elementwise import Elementwise, constant, is_bool, row, select
from coremlc.ops.reduce import Reduce, all_true, any_true, odd_true, reduction
from coremlc.ops.shape import reshape

LEAST = -(2**31)
_DIGITS = np.array([1 << (4 * i) for i in range(8)], np.int64).astype(np.int32)
_POWERS = np.array([1 << min(i, 30) for i in range(32)], np.int32)
_HALVES = np.array([1] * 31 + [2], np.int32)
_WEIGHTS = np.array([1 << i for i in range(32)], np.int64).astype(np.int32)
_AND = np.array([i & j for i in range(16) for j in range(16)], np.int32)
_ONES = np.array([i.bit_count() for i in range(256)], np.int32)
_BYTES = np.array([1, 1 << 8, 1 << 16, 1 << 24], np.int32)


def _on_bits(f: np.ufunc) -> Callable[..., Array]:
    """Numpy's op on the bits: it has none of packed dtypes."""

    def evaluate(*xs: Array) -> Array:
        return of_bits(f(*map(bits, xs)), xs[0].dtype)

    return evaluate


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


def _bit_count(x: Array) -> Array:
    return of_bits(np.bitwise_count(bits(x)).astype(np.uint64), x.dtype)


def _clz(x: Array) -> Array:
    rest = bits(x)
    zeros = np.full(rest.shape, width(x), np.uint64)
    for _ in range(width(x)):
        zeros -= rest != 0
        rest = rest >> np.uint64(1)
    return of_bits(zeros, x.dtype)


def flat(m: Builder, x: Value) -> Value:
    """`x` with an axis of dim 1 at its end; rank 5 is flattened first."""
    rank = len(x.tensor.shape)
    if rank < 5:
        return m.expand_dims(x=x, axes=[rank])
    return m.reshape(x=x, shape=np.array([-1, 1], np.int32))


def _spanning(m: Builder, x: Value, y: Value) -> tuple[Value, Value, tuple[int, ...]]:
    """Both with equal rank, and of one shape if that has rank 5; the shape of the result."""
    shape: tuple[int, ...] = np.broadcast_shapes(x.tensor.shape, y.tensor.shape)  # type: ignore[arg-type]
    if len(shape) < 5:
        operands = [
            m.expand_dims(x=v, axes=list(range(len(shape)))) if shape and not v.tensor.shape else v
            for v in (x, y)
        ]
        return operands[0], operands[1], shape
    zeros = np.zeros(shape, np.int32)
    x, y = (v if v.tensor.shape == shape else m.add(x=v, y=zeros) for v in (x, y))
    return x, y, shape


def _nibbles(m: Builder, x: Value) -> Value:
    return m.mod(x=m.floor_div(x=flat(m, x), y=_DIGITS), y=16)


def _and_digits(m: Builder, x: Value, y: Value) -> Value:
    """By eight digits of 4 bits and a table."""
    x, y, shape = _spanning(m, x, y)
    index = m.add(x=m.mul(x=_nibbles(m, x), y=16), y=_nibbles(m, y))
    digits = m.gather(x=_AND, indices=index, axis=0)
    both = m.reduce_sum(x=m.mul(x=digits, y=_DIGITS), axes=[-1], keep_dims=False)
    return both if both.tensor.shape == shape else reshape(m, both, shape)


def _zeros(like: Value) -> Array:
    shape: tuple[int, ...] = like.tensor.shape  # type: ignore[assignment]
    return np.zeros(shape, np.int32)


def single(x: Value) -> int | None:
    """The one integer that all elements of a known MIL value are."""
    known = constant(x)
    if known is None or not known.size or np.any(known != known.flat[0]):
        return None
    return int(known.flat[0])


def runs(mask: int) -> list[tuple[int, int]]:
    """(first, end) of each run of set bits of a 32-bit mask."""
    found, at = [], 0
    while at < 32:
        if not mask >> at & 1:
            at += 1
            continue
        end = at
        while end < 32 and mask >> end & 1:
            end += 1
        found.append((at, end))
        at = end
    return found


def low_bits(m: Builder, x: Value, count: int) -> Value:
    """The lowest `count` bits of x, 0 < count <= 32."""
    if count == 32:
        return x
    if count < 31:
        return m.mod(x=x, y=1 << count)
    return m.add(x=x, y=select(m, cond=m.less(x=x, y=0), a=m.const(np.array(LEAST, np.int32)), b=0))


def _and_known(m: Builder, x: Value, mask: int) -> Value:
    total: Value | None = None
    for first, end in reversed(runs(mask & 0xFFFFFFFF)):
        part = low_bits(m, x, end)
        total = part if total is None else m.add(x=total, y=part)
        if first:
            total = m.sub(x=total, y=low_bits(m, x, first))
    return m.mul(x=x, y=0) if total is None else total


def _and(m: Builder, x: Value, y: Value) -> Value:
    for value, mask in ((x, y), (y, x)):
        number = single(mask)
        if number is not None and len(runs(number & 0xFFFFFFFF)) <= 3:
            if len(mask.tensor.shape) > len(value.tensor.shape) or any(
                a != 1 for a in mask.tensor.shape
            ):
                value = m.add(x=value, y=_zeros(mask))
            return _and_known(m, value, number)
    return _and_digits(m, x, y)


def _lower_and(m: Builder, x: Value, y: Value) -> Value:
    return _and(m, x, y)


def _lower_or(m: Builder, x: Value, y: Value) -> Value:
    return m.sub(x=m.add(x=x, y=y), y=_and(m, x, y))


def _lower_xor(m: Builder, x: Value, y: Value) -> Value:
    for value, mask in ((x, y), (y, x)):
        if single(mask) == LEAST:
            return m.add(x=value, y=mask)
        if single(mask) == -1:
            return m.sub(x=mask, y=value)
    return m.sub(x=m.add(x=x, y=y), y=m.mul(x=_and(m, x, y), y=2))


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


def _spread(m: Builder, x: Value, y: Value) -> Value:
    """`x` in the shape that it has with the constant y."""
    shape = np.broadcast_shapes(x.tensor.shape, y.tensor.shape)  # type: ignore[arg-type]
    return x if shape == x.tensor.shape else m.add(x=x, y=_zeros(y))


def _lower_left(m: Builder, x: Value, y: Value) -> Value:
    known = constant(y)
    if known is not None:
        wide = np.where((known < 0) | (known > 31), 0, 1 << np.clip(known, 0, 31).astype(np.int64))
        return m.mul(x=x, y=wide.astype(np.int32))
    return m.mul(x=x, y=_looked_up(m, _LEFT, _place(m, y)))


def _lower_arithmetic(m: Builder, x: Value, y: Value) -> Value:
    known = single(y)
    if known is not None:
        return arithmetic(m, _spread(m, x, y), known)
    place = _place(m, y)
    return _shifted(m, x, place)


def _shifted(m: Builder, x: Value, place: Value) -> Value:
    near = m.floor_div(x=x, y=_looked_up(m, _RIGHT, place))
    return m.floor_div(x=near, y=_looked_up(m, _RIGHT_REST, place))


def arithmetic(m: Builder, x: Value, count: int) -> Value:
    """`x` shifted right by a known count, its sign kept."""
    if count == 0:
        return x
    if 0 < count < 31:
        return m.floor_div(x=x, y=1 << count)
    return m.mul(x=m.cast(x=m.less(x=x, y=0), dtype="int32"), y=-1)


def _lower_logical(m: Builder, x: Value, y: Value) -> Value:
    known = single(y)
    if known is not None:
        return _logical(m, _spread(m, x, y), known)
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


def _lower_not(m: Builder, x: Value) -> Value:
    return m.sub(x=-1, y=x)


def _lower_bit_count(m: Builder, x: Value) -> Value:
    digits = m.mod(x=m.floor_div(x=flat(m, x), y=_BYTES), y=256)
    ones = m.gather(x=_ONES, indices=digits, axis=0)
    return _summed(m, ones, x)


def _summed(m: Builder, parts: Value, like: Value) -> Value:
    total = m.reduce_sum(x=parts, axes=[-1], keep_dims=False)
    shape: tuple[int, ...] = like.tensor.shape  # type: ignore[assignment]
    return total if total.tensor.shape == shape else reshape(m, total, shape)


def _lower_clz(m: Builder, x: Value) -> Value:
    """Below 0 it is 0, else 1 and how many of 1, 2, 4 .. 2^30 are greater."""
    above = m.cast(x=m.less(x=flat(m, x), y=_WEIGHTS[:31]), dtype="int32")
    count = m.add(x=_summed(m, above, x), y=1)
    return m.mul(x=count, y=m.cast(x=m.greater_equal(x=x, y=0), dtype="int32"))


def hull(*ranges: Range) -> Range:
    """What bitwise ops of such operands may give: all of the narrowest width that holds them."""
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    bits = max(high.bit_length() if high >= 0 else (~high).bit_length(), (~low).bit_length(), 0)
    if low >= 0:
        return 0, (1 << high.bit_length()) - 1
    return -(1 << bits), (1 << bits) - 1


def _and_range(x: Range, y: Range) -> Range:
    bounds = [r[1] for r in (x, y) if r[0] >= 0]
    return (0, min(bounds)) if bounds else hull(x, y)


BitwiseAnd = row(
    "BitwiseAnd",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL `mod` for masks of few runs, else digits of 4 bits "
    "and a table (`gather`).",
    2,
    INTEGER,
    _on_bits(np.bitwise_and),
    _lower_and,
    interval=_and_range,
)
BitwiseOr = row(
    "BitwiseOr",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL: the sum less the And.",
    2,
    INTEGER,
    _on_bits(np.bitwise_or),
    _lower_or,
    interval=hull,
)
BitwiseXor = row(
    "BitwiseXor",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL: the sum less twice the And.",
    2,
    INTEGER,
    _on_bits(np.bitwise_xor),
    _lower_xor,
    interval=hull,
)
BitwiseNot = row(
    "BitwiseNot",
    "`(x: I[..]) -> I[..]`. MIL `sub` from -1.",
    1,
    INTEGER,
    _on_bits(np.bitwise_not),
    _lower_not,
    interval=lambda x: (-1 - x[1], -1 - x[0]),
)
ShiftLeft = row(
    "ShiftLeft",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: lhs by rhs bits. MIL `mul` by a power from a table.",
    2,
    INTEGER,
    _shift_left,
    _lower_left,
)
ShiftRightArithmetic = row(
    "ShiftRightArithmetic",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: the top bit moves in, of unsigned lhs too (XLA). MIL "
    "`floor_div` by a power from a table.",
    2,
    INTEGER,
    _shift_right_arithmetic,
    _lower_arithmetic,
)
ShiftRightLogical = row(
    "ShiftRightLogical",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`: zeros move in. MIL `floor_div` by a power from a table, "
    "less the sign.",
    2,
    INTEGER,
    _shift_right_logical,
    _lower_logical,
)
BitCount = row(
    "BitCount",
    "`(x: I[..]) -> I[..]`: how many bits are set. MIL: bytes and a table (`gather`).",
    1,
    INTEGER,
    _bit_count,
    _lower_bit_count,
)
Clz = row(
    "Clz",
    "`(x: I[..]) -> I[..]`: zero bits above the highest set bit; the width for 0. MIL `less` than "
    "each power of two, summed.",
    1,
    INTEGER,
    _clz,
    _lower_clz,
)

TypedRange = Callable[..., Range]


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


def _width_range(self: Elementwise, types: tuple[TensorType, ...], x: Range) -> Range:
    return 0, types[0].dtype.bits


for _op, _rule in (
    (ShiftLeft, _left_range),
    (ShiftRightArithmetic, _arithmetic_range),
    (ShiftRightLogical, _logical_range),
    (BitCount, _width_range),
    (Clz, _width_range),
):
    _op.range_of = _rule  # type: ignore[method-assign, assignment]


def _bits(m: Builder, x: Value) -> Value:
    """The 32 bits of each element, along a new last axis."""
    return m.mod(x=m.floor_div(x=m.floor_div(x=flat(m, x), y=_POWERS), y=_HALVES), y=2)


def _together(m: Builder, bits: Value) -> Value:
    return m.reduce_sum(x=m.mul(x=bits, y=_WEIGHTS), axes=[-1], keep_dims=False)


def _over(m: Builder, x: Value, axes: Array, kind: str) -> Value:
    """Bit by bit: the least is And, the greatest Or, the sum's parity Xor."""
    rank, dims = len(x.tensor.shape), x.tensor.shape
    kept = [i for i in range(rank) if i not in axes]
    shape: tuple[int, ...] = tuple([dims[i] for i in kept])  # type: ignore[misc]
    if rank == 5:
        order = [*kept, *axes]
        x = m.transpose(x=x, perm=np.array(order, np.int32))
        count = int(np.prod(shape))
        x = m.reshape(x=x, shape=np.array([count, -1], np.int32))
        axes = np.array([1], np.int32)
    bits = getattr(m, kind)(x=_bits(m, x), axes=axes, keep_dims=False)
    if kind == "reduce_sum":
        bits = m.mod(x=bits, y=2)
    out = _together(m, bits)
    return out if out.tensor.shape == shape else reshape(m, out, shape)


def _reduce(kind: str, of_bool: Callable[[Builder, Value, Array], Value]) -> Callable[..., Value]:
    def lower(m: Builder, x: Value, axes: Array) -> Value:
        return of_bool(m, x, axes) if is_bool(x) else _over(m, x, axes, kind)

    return lower


def _reduced(
    name: str, doc: str, f: np.ufunc, kind: str, of_bool: Callable[..., Value]
) -> type[Reduce]:
    def evaluate(x: Array, axes: tuple[int, ...]) -> Array:
        whole = x if x.dtype == np.bool_ else bits(x)
        for axis in sorted(axes, reverse=True):
            whole = f.reduce(whole, axis)
        return np.asarray(whole) if x.dtype == np.bool_ else of_bits(whole, x.dtype)

    return reduction(
        name,
        f"`(x: T[..]) -> T[..]`, T integer or bool: {doc}",
        INTEGER | {BOOL},
        evaluate,
        _reduce(kind, of_bool),
        range=lambda self, x: hull(x, (-1, 0)) if kind == "reduce_min" and x[0] < 0 else hull(x),
    )


ReduceBitwiseAnd = _reduced(
    "ReduceBitwiseAnd",
    "And; all bits over no element. MIL `reduce_min` of the bits.",
    np.bitwise_and,
    "reduce_min",
    all_true,
)
ReduceBitwiseOr = _reduced(
    "ReduceBitwiseOr",
    "Or; 0 over no element. MIL `reduce_max` of the bits.",
    np.bitwise_or,
    "reduce_max",
    any_true,
)
ReduceBitwiseXor = _reduced(
    "ReduceBitwiseXor",
    "Xor; 0 over no element. MIL parity of `reduce_sum` of the bits.",
    np.bitwise_xor,
    "reduce_sum",
    odd_true,
)
