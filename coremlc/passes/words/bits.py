"""Shifts and bit counts, of words and of integers narrower than one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ops import bit_counts, shifts
from coremlc.passes.words.case import Case, Rule
from coremlc.passes.words.word import Calc, Operand, Words


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


RULES: Mapping[type[Op], Rule] = {
    shifts.ShiftLeft: _left,
    shifts.ShiftRightLogical: _shift_right_logical,
    shifts.ShiftRightArithmetic: _shift_right_arithmetic,
    bit_counts.BitCount: _bit_count,
    bit_counts.Clz: _clz,
}
