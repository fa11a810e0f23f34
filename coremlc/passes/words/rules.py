"""What ops mean on words: one row per op kind, as passes/rules has rows of rewrites.

A rule gets its operands as values of legal dtypes, but integers of 64 bits, and uint32, as Words.
It gives Words, or a plain value: a bool, a float, or an integer that is one signed word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from coremlc.dtypes import BOOL, F16, F32, I32, DType
from coremlc.errors import RefusedError
from coremlc.ir.graph import Value
from coremlc.ir.op import Op, Range
from coremlc.ir.types import TensorType
from coremlc.ops import (
    binary,
    bit_counts,
    bitwise,
    compare,
    reduce,
    reduce_bitwise,
    scatter,
    selection,
    shape,
    shifts,
    unary,
)
from coremlc.ops.arg_min_max import ArgMinMax
from coremlc.ops.comparator import Key
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import matmul
from coremlc.ops.dynamic_slice import DynamicSlice, DynamicUpdateSlice
from coremlc.ops.gather import gather
from coremlc.ops.sort import argsort, gather_along_axis, stable_order, take
from coremlc.passes.words.word import LEAST, Calc, Operand, Words

MAX_PARTS = 1 << 23
"""Elements up to which sums of bytes fit in a word."""


@dataclass(frozen=True)
class Case:
    """One node."""

    op: Any
    dtype: DType
    """Of its integer operands; of the result for a conversion to integers."""
    operands: tuple[TensorType, ...]
    result: TensorType
    """As the graph has them, before legalizing."""
    ranges: tuple[Range, ...]

    @property
    def signed(self) -> bool:
        return self.dtype.kind == "int"


Rule = Callable[..., Operand]
"""(calc, case, *operands) -> result."""


# -- elementwise -------------------------------------------------------------------------------


def _add(c: Calc, case: Case, x: Words, y: Words) -> Words:
    return c.add2(x, y)


def _sub(c: Calc, case: Case, x: Words, y: Words) -> Words:
    return c.sub2(x, y)


def _mul(c: Calc, case: Case, x: Words, y: Words) -> Words:
    return c.mul2(x, y)


def _neg(c: Calc, case: Case, x: Words) -> Words:
    return c.neg2(x)


def _abs(c: Calc, case: Case, x: Words) -> Words:
    return c.magnitude(x) if case.signed else x


def _sign(c: Calc, case: Case, x: Words) -> Value:
    some = c.bit(c.not_(c.is_zero(x)))
    return c.pick(c.lt(x.high, 0), -1, some) if case.signed else some


def _divided(c: Calc, case: Case, x: Words, y: Words) -> tuple[Words, Words, Value]:
    """(quotient, remainder) rounded toward 0, of what is not divided by 0; and where it is."""
    zero = c.is_zero(y)
    safe = Words(y.high, c.pick(zero, 1, y.low))
    if not case.signed:
        return (*c.udiv2(x, safe), zero)
    q, r = c.udiv2(c.magnitude(x), c.magnitude(safe))
    below = c.lt(x.high, 0)
    opposite = c.ne(c.bit(below), c.bit(c.lt(y.high, 0)))
    return c.pick2(opposite, c.neg2(q), q), c.pick2(below, c.neg2(r), r), zero


def _div(c: Calc, case: Case, x: Words, y: Words) -> Words:
    q, _, zero = _divided(c, case, x, y)
    return c.pick2(zero, c.words(-1), q)


def _rem(c: Calc, case: Case, x: Words, y: Words) -> Words:
    _, r, zero = _divided(c, case, x, y)
    return c.pick2(zero, x, r)


def _extreme(least: bool) -> Rule:
    def rule(c: Calc, case: Case, x: Words, y: Words) -> Words:
        below = c.lt2(x, y, signed=case.signed)
        return c.pick2(below, x, y) if least else c.pick2(below, y, x)

    return rule


def _clamp(c: Calc, case: Case, low: Words, x: Words, high: Words) -> Operand:
    if low.extended and high.extended and case.ranges[0][0] >= LEAST:
        word = c.narrow(x, signed=case.signed)
        return c.g.add(selection.Clamp(), low.low, word, high.low)
    return _extreme(True)(c, case, _extreme(False)(c, case, low, x), high)


def _pow(c: Calc, case: Case, x: Words, y: Words) -> Words:
    low, high = case.ranges[1]
    steps = max(high, 0).bit_length()
    power, base, e = c.words(1), x, y
    for i in range(steps):
        odd = c.eq(c.mod(e.low, 2), 1)
        power = c.pick2(odd, c.mul2(power, base), power)
        if i + 1 < steps:
            base = c.mul2(base, base)
            e = _shift_known(c, e, 1)
    if low >= 0 or not case.signed:
        return power
    odd = c.eq(c.mod(y.low, 2), 1)
    minus = c.pick2(odd, c.words(-1), c.words(1))
    inverse = c.pick2(c.eq2(x, c.words(-1)), minus, c.words(0))
    inverse = c.pick2(c.eq2(x, c.words(1)), c.words(1), inverse)
    return c.pick2(c.lt(y.high, 0), inverse, power)


def _shift_known(c: Calc, x: Words, k: int) -> Words:
    """Logical, right, 0 < k < 32."""
    return Words(c.shr(x.high, k), c.add(c.shr(x.low, k), c.shl(x.high, 32 - k)))


def _count(c: Calc, k: Words) -> Value:
    """A shift count as one word; 64 for whatever moves all bits out."""
    if c.is_(k.high, 0) and c.is_(c.bit(c.ult(k.low, 64)), 1):
        return k.low
    return c.pick(c.and_(c.eq(k.high, 0), c.ult(k.low, 64)), k.low, 64)


def _left(c: Calc, case: Case, x: Words, count: Words) -> Words:
    k = _count(c, count)
    within = c.pick(c.lt(k, 32), c.shr(x.low, c.sub(32, k)), c.shl(x.low, c.sub(k, 32)))
    return Words(c.add(c.shl(x.high, k), within), c.shl(x.low, k))


def _right(arithmetic: bool) -> Rule:
    def rule(c: Calc, case: Case, x: Words, count: Words) -> Words:
        k = _count(c, count)
        move = c.sar if arithmetic else c.shr
        near = c.add(c.shr(x.low, k), c.shl(x.high, c.sub(32, k)))
        far = move(x.high, c.sub(k, 32))
        return Words(move(x.high, k), c.pick(c.lt(k, 32), near, far))

    return rule


def _zero_extended(c: Calc, case: Case, x: Value) -> Value:
    return c.mod(x, 1 << case.dtype.bits) if case.signed else x


def _signed_again(c: Calc, case: Case, x: Value) -> Value:
    """The lowest bits as a signed number."""
    top = c.not_(c.lt(x, 1 << (case.dtype.bits - 1)))
    return c.sub(x, c.mul(c.bit(top), 1 << case.dtype.bits))


def _small(case: Case) -> bool:
    return case.dtype.bits < 32


def _shift_left(c: Calc, case: Case, x: Words, y: Words) -> Operand:
    return _left(c, case, x, y)


def _shift_right_logical(c: Calc, case: Case, x: Any, y: Any) -> Operand:
    if not _small(case):
        return _right(False)(c, case, x, y)
    moved = c.sar(_zero_extended(c, case, x), y)
    return _signed_again(c, case, moved) if case.signed else moved


def _shift_right_arithmetic(c: Calc, case: Case, x: Any, y: Any) -> Operand:
    if not _small(case):
        return _right(True)(c, case, x, y)
    if case.signed:
        return c.sar(x, y)
    return c.mod(c.sar(_signed_again(c, case, x), y), 1 << case.dtype.bits)


def _bit_count(c: Calc, case: Case, x: Any) -> Value:
    count = bit_counts.BitCount()
    if _small(case):
        return c.g.add(count, _zero_extended(c, case, x))
    return c.add(c.g.add(count, x.high), c.g.add(count, x.low))


def _clz(c: Calc, case: Case, x: Any) -> Value:
    clz = bit_counts.Clz()
    if _small(case):
        return c.sub(c.g.add(clz, _zero_extended(c, case, x)), 32 - case.dtype.bits)
    low = c.add(c.g.add(clz, x.low), 32)
    return c.pick(c.eq(x.high, 0), low, c.g.add(clz, x.high))


def _compared(*, less: bool = False, equal: bool = False, greater: bool = False) -> Rule:
    def rule(c: Calc, case: Case, x: Words, y: Words) -> Value:
        if equal and not less and not greater:
            return c.eq2(x, y)
        if less and greater:
            return c.not_(c.eq2(x, y))
        if less and not equal:
            return c.lt2(x, y, signed=case.signed)
        if greater and not equal:
            return c.lt2(y, x, signed=case.signed)
        flipped = c.lt2(y, x, signed=case.signed) if less else c.lt2(x, y, signed=case.signed)
        return c.not_(flipped)

    return rule


# -- conversion --------------------------------------------------------------------------------


def _convert(c: Calc, case: Case, x: Operand) -> Operand:
    target: DType = case.op.dtype
    if isinstance(x, Value) and x.type.dtype.is_float:
        return _from_float(c, target, x)
    x = c.wide(x) if not isinstance(x, Words) else x
    if target is BOOL:
        return c.not_(c.is_zero(x))
    if target.is_float:
        return _to_float(c, case, x)
    if target.bits < 32:
        low, high = target.limits
        return c.sub(c.mod(c.add(x.low, -low), high - low + 1), -low)
    return x if target.bits == 64 else Words(c.c(0), x.low)


def _to_float(c: Calc, case: Case, x: Words) -> Value:
    if case.operands[0].dtype.kind == "uint":
        rounded = c.round_float(x)
    else:
        size = c.round_float(c.magnitude(x))
        rounded = c.g.add(selection.Where(), c.lt(x.high, 0), c.g.add(unary.Neg(), size), size)
    return c.g.add(ConvertDType(F16), rounded) if case.op.dtype is F16 else rounded


def _from_float(c: Calc, target: DType, x: Value) -> Words:
    """Truncated, saturated; NaN is 0."""
    wide = x if x.type.dtype is F32 else c.g.add(ConvertDType(F32), x)
    low, high = target.limits
    bound = 2.0 ** high.bit_length()
    size = c.g.add(unary.Floor(), c.g.add(unary.Abs(), wide))
    inside = c.g.add(compare.LessThan(), size, c.f(bound))
    words = c.from_float(c.g.add(selection.Where(), inside, size, c.f(0.0)))
    below = c.g.add(compare.LessThan(), wide, c.f(0.0))
    over = c.not_(c.g.add(compare.LessThan(), wide, c.f(bound)))
    over = c.and_(over, c.g.add(compare.Equal(), wide, wide))
    top = c.words(high)
    if not low:
        return c.pick2(below, c.words(0), c.pick2(over, top, words))
    under = c.and_(below, c.not_(inside))
    signed = c.pick2(below, c.neg2(words), words)
    return c.pick2(under, c.words(low), c.pick2(over, top, signed))


# -- reductions --------------------------------------------------------------------------------


def _limbs(c: Calc, x: Words, bits: int) -> list[Value]:
    """Parts of `bits` bits, lowest first."""
    found = []
    for word in (x.low, x.high):
        for i in range(0, 32, bits):
            top = i + bits == 32
            moved = c.shr(word, i) if top else c.div(word, 1 << i) if i else word
            found.append(moved if top else c.mod(moved, 1 << bits))
    return found


def _carried(c: Calc, sums: list[Value], bits: int) -> Words:
    """Words of sum(sums[i] << bits * i), each of the sums in 0 .. 2^31 - 1 - carry."""
    words: list[Value] = []
    carry: Value | None = None
    per = 32 // bits
    for i, part in enumerate(sums):
        value = part if carry is None else c.add(part, carry)
        digit = c.mul(c.mod(value, 1 << bits), 1 << (bits * (i % per)))
        carry = c.div(value, 1 << bits)
        if i % per:
            words[-1] = c.add(words[-1], digit)
        else:
            words.append(digit)
    return Words(words[1], words[0])


def _reduce_sum(c: Calc, case: Case, x: Words) -> Words:
    count = math.prod(case.operands[0].shape[a] for a in case.op.axes)
    x = c.spread(x, case.operands[0].shape)
    if not case.op.axes or count == 1:
        return Words(c.g.add(case.op, x.high), c.g.add(case.op, x.low))
    bits = next((b for b in (16, 8, 4) if count << b < 2**31 - 2**16), 0)
    if not bits:
        raise RefusedError(
            f"a sum of {count} elements of {case.dtype.name}", fix="sum in parts, or use Float32"
        )
    low = [c.g.add(case.op, limb) for limb in _limbs(c, x, bits)[: 32 // bits]]
    low_words = _carried_one(c, low, bits)
    return Words(c.add(c.g.add(case.op, x.high), low_words[1]), low_words[0])


def _carried_one(c: Calc, sums: list[Value], bits: int) -> tuple[Value, Value]:
    """(low word, carry out of it)."""
    word: Value | None = None
    carry: Value | None = None
    for i, part in enumerate(sums):
        value = part if carry is None else c.add(part, carry)
        digit = c.mul(c.mod(value, 1 << bits), 1 << (bits * i))
        word = digit if word is None else c.add(word, digit)
        carry = c.div(value, 1 << bits)
    assert word is not None
    assert carry is not None
    return word, carry


def _reduce_product(c: Calc, case: Case, x: Words) -> Words:
    """Halves multiplied with each other until one is left."""
    t = case.operands[0]
    x = c.spread(x, t.shape)
    kept = tuple(i for i in range(t.rank) if i not in case.op.axes)
    order = shape.Transpose((*kept, *case.op.axes))
    dims = tuple(t.shape[i] for i in kept)
    count = math.prod(t.shape[i] for i in case.op.axes)
    lines = (math.prod(dims), count)

    def each(f: Callable[[Value], Value], w: Words) -> Words:
        return Words(f(w.high), f(w.low), w.extended)

    x = each(lambda v: c.g.add(shape.Reshape(lines), c.g.add(order, v)), x)
    while count > 1:
        half = count // 2
        parts = [
            each(lambda v, a=a, b=b: _columns(c, v, a, b), x)  # type: ignore[misc]
            for a, b in ((0, half), (half, 2 * half), (2 * half, count))
            if a < b
        ]
        x = c.mul2(parts[0], parts[1])
        if len(parts) > 2:
            x = c.each(partial(_joined, c), x, parts[2])
        count -= half
    return each(lambda v: c.g.add(shape.Reshape(dims), v), x)


def _columns(c: Calc, x: Value, start: int, limit: int) -> Value:
    return c.g.add(shape.Slice((0, start), (x.type.shape[0], limit), (1, 1)), x)


def _joined(c: Calc, x: Value, y: Value) -> Value:
    return c.g.add(shape.Concatenate(1), x, y)


def _reduce_extreme(least: bool) -> Rule:
    def rule(c: Calc, case: Case, x: Words) -> Words:
        axes: tuple[int, ...] = case.op.axes
        return _extreme_of(c, case, c.spread(x, case.operands[0].shape), axes, least)

    return rule


def _extreme_of(c: Calc, case: Case, x: Words, axes: tuple[int, ...], least: bool) -> Words:
    """The extreme high word, and the extreme low word beside it."""
    op: Op = (reduce.ReduceMin if least else reduce.ReduceMax)(axes)
    worst = c.c(2**31 - 1) if least else c.c(LEAST)
    low = c.flip(x.low)
    if c.is_(x.high, 0):
        return Words(c.c(0), c.flip(c.g.add(op, low)))
    high = x.high if case.signed else c.flip(x.high)
    found = c.g.add(op, high)
    beside = c.eq(high, _kept(c, found, case.operands[0], axes))
    bottom = c.g.add(op, c.pick(beside, low, worst))
    return Words(found if case.signed else c.flip(found), c.flip(bottom))


def _kept(c: Calc, x: Value, t: TensorType, axes: tuple[int, ...]) -> Value:
    """A reduction's result with dims of 1 where axes disappeared."""
    return c.g.add(shape.Reshape(tuple(1 if i in axes else d for i, d in enumerate(t.shape))), x)


def _arg_min_max(c: Calc, case: Case, x: Words) -> Value:
    t, op = case.operands[0], case.op
    x = c.spread(x, t.shape)
    if c.is_(x.high, 0):
        return c.g.add(ArgMinMax(op.axis, I32, op.is_min), c.flip(x.low))
    best = _extreme_of(c, case, x, (op.axis,), op.is_min)
    hit = c.and_(
        c.eq(x.high, _kept(c, best.high, t, (op.axis,))),
        c.eq(x.low, _kept(c, best.low, t, (op.axis,))),
    )
    dims = [1] * t.rank
    dims[op.axis] = t.shape[op.axis]
    places = c.fit(c.array(np.arange(t.shape[op.axis]).reshape(dims)), t.shape)
    return c.g.add(reduce.ReduceMin((op.axis,)), c.pick(hit, places, t.shape[op.axis]))


def _argsort(c: Calc, case: Case, x: Words) -> Value:
    """Stable by the low words, then by the high ones."""
    op: argsort = case.op
    x = c.spread(x, case.operands[0].shape)
    if c.is_(x.high, 0):
        return c.g.add(op, c.flip(x.low))
    high = x.high if case.signed else c.flip(x.high)
    first, last = (Key(v, descending=not op.ascending, total=False) for v in (x.low, high))
    order = stable_order(c.g, c.flip(x.low), first, op.axis)
    step = stable_order(c.g, take(c.g, high, order, op.axis), last, op.axis)
    return take(c.g, order, step, op.axis)


# -- products and scatters ---------------------------------------------------------------------


def _matmul(c: Calc, case: Case, x: Words, y: Words) -> Words:
    """By bytes: 36 products of matrices of bytes, whose sums fit in a word."""
    op: matmul = case.op
    a, b = case.operands
    inner = a.shape[-2 if op.transpose_x else -1]
    x, y = c.spread(x, a.shape), c.spread(y, b.shape)
    total: Words | None = None
    step = 4096
    for start in range(0, inner, step):
        axes = a.rank - (2 if op.transpose_x else 1), b.rank - (1 if op.transpose_y else 2)
        left, right = (
            Words(_part(c, w.high, axis, start, step), _part(c, w.low, axis, start, step))
            for axis, w in zip(axes, (x, y), strict=True)
        )
        part = _bytes_product(c, op, left, right)
        total = part if total is None else c.add2(total, part)
    assert total is not None
    return total


def _part(c: Calc, x: Value, axis: int, start: int, step: int) -> Value:
    dims = x.type.shape
    if dims[axis] <= step:
        return x
    starts = tuple(start if i == axis else 0 for i in range(len(dims)))
    limits = tuple(min(start + step, d) if i == axis else d for i, d in enumerate(dims))
    return c.g.add(shape.Slice(starts, limits, (1,) * len(dims)), x)


def _bytes_product(c: Calc, op: matmul, x: Words, y: Words) -> Words:
    left, right = _limbs(c, x, 8), _limbs(c, y, 8)
    sums = []
    for place in range(8):
        terms = [c.g.add(op, left[i], right[place - i]) for i in range(place + 1)]
        sums.append(c.total(*terms))
    return _carried(c, sums, 8)


def _scatter(c: Calc, case: Case, data: Words, indices: Value, updates: Words) -> Words:
    op: scatter.scatter = case.op
    data = c.spread(data, case.operands[0].shape)
    updates = c.spread(updates, case.operands[2].shape)
    if op.mode == "add":
        count = case.operands[2].shape[0] + 1
        bits = 16 if count << 16 < 2**31 - 2**16 else 8
        if count > MAX_PARTS:
            raise RefusedError(f"{count} updates of {case.dtype.name}", fix="scatter in parts")
        pairs = zip(_limbs(c, data, bits), _limbs(c, updates, bits), strict=True)
        return _carried(c, [c.g.add(op, a, indices, b) for a, b in pairs], bits)
    worst = c.c(2**31 - 1) if op.mode == "min" else c.c(LEAST)
    high = [v if case.signed else c.flip(v) for v in (data.high, updates.high)]
    low = [c.flip(v) for v in (data.low, updates.low)]
    found = c.g.add(op, high[0], indices, high[1])
    beside = [c.eq(high[0], found), c.eq(high[1], c.g.add(gather(), found, indices))]
    given = [c.pick(b, v, worst) for b, v in zip(beside, low, strict=True)]
    bottom = c.g.add(op, given[0], indices, given[1])
    return Words(found if case.signed else c.flip(found), c.flip(bottom))


# -- the table ---------------------------------------------------------------------------------

_LESS = _compared(less=True)
_LESS_EQUAL = _compared(less=True, equal=True)
_GREATER = _compared(greater=True)
_GREATER_EQUAL = _compared(greater=True, equal=True)
_EQUAL = _compared(equal=True)
_NOT_EQUAL = _compared(less=True, greater=True)

RULES: Mapping[type[Op], Rule] = {
    binary.Add: _add,
    binary.Sub: _sub,
    binary.Mul: _mul,
    binary.Div: _div,
    binary.Rem: _rem,
    binary.Pow: _pow,
    binary.Max: _extreme(False),
    binary.Min: _extreme(True),
    selection.Clamp: _clamp,
    unary.Neg: _neg,
    unary.Abs: _abs,
    unary.Sign: _sign,
    shifts.ShiftLeft: _shift_left,
    shifts.ShiftRightLogical: _shift_right_logical,
    shifts.ShiftRightArithmetic: _shift_right_arithmetic,
    bit_counts.BitCount: _bit_count,
    bit_counts.Clz: _clz,
    compare.Equal: _EQUAL,
    compare.NotEqual: _NOT_EQUAL,
    compare.LessThan: _LESS,
    compare.LessOrEqual: _LESS_EQUAL,
    compare.GreaterThan: _GREATER,
    compare.GreaterOrEqual: _GREATER_EQUAL,
    compare.EqualTotalOrder: _EQUAL,
    compare.NotEqualTotalOrder: _NOT_EQUAL,
    compare.LessThanTotalOrder: _LESS,
    compare.LessOrEqualTotalOrder: _LESS_EQUAL,
    compare.GreaterThanTotalOrder: _GREATER,
    compare.GreaterOrEqualTotalOrder: _GREATER_EQUAL,
    ConvertDType: _convert,
    reduce.ReduceSum: _reduce_sum,
    reduce.ReduceProduct: _reduce_product,
    reduce.ReduceMax: _reduce_extreme(False),
    reduce.ReduceMin: _reduce_extreme(True),
    ArgMinMax: _arg_min_max,
    argsort: _argsort,
    matmul: _matmul,
    scatter.scatter: _scatter,
}

WORDWISE: Mapping[type[Op], tuple[int, ...] | None] = {
    shape.Reshape: None,
    shape.Transpose: None,
    shape.BroadcastInDim: None,
    shape.Reverse: None,
    shape.Concatenate: None,
    shape.Slice: None,
    selection.Where: (1, 2),
    gather: (0,),
    gather_along_axis: (0,),
    DynamicSlice: (0,),
    DynamicUpdateSlice: (0, 1),
    bitwise.BitwiseAnd: None,
    bitwise.BitwiseOr: None,
    bitwise.BitwiseXor: None,
    bitwise.BitwiseNot: None,
    reduce_bitwise.ReduceBitwiseAnd: None,
    reduce_bitwise.ReduceBitwiseOr: None,
    reduce_bitwise.ReduceBitwiseXor: None,
}
"""Ops that act on each word alone, and which operands are words; None: all."""

MODULAR = frozenset(
    {
        *WORDWISE,
        *(binary.Add, binary.Sub, binary.Mul, compare.Equal, compare.NotEqual),
        *(compare.EqualTotalOrder, compare.NotEqualTotalOrder, shifts.ShiftLeft),
        *(
            shifts.ShiftRightLogical,
            shifts.ShiftRightArithmetic,
            bit_counts.BitCount,
            bit_counts.Clz,
        ),
        *(reduce.ReduceSum, reduce.ReduceProduct, matmul),
    }
)
"""Ops that mean the same on a uint32 and on its bits as int32."""

OF_WIDTH = frozenset(
    {shifts.ShiftRightLogical, shifts.ShiftRightArithmetic, bit_counts.BitCount, bit_counts.Clz}
)
"""Ops whose result depends on the width of the dtype, not only on the numbers."""
