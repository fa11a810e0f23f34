"""Arithmetic, choice and comparison of 64-bit integers, and of uint32."""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ops import binary, compare, selection, unary
from coremlc.passes.words.case import Case, Rule
from coremlc.passes.words.word import LEAST, Calc, Operand, Words


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


_LESS = _compared(less=True)
_LESS_EQUAL = _compared(less=True, equal=True)
_GREATER = _compared(greater=True)
_GREATER_EQUAL = _compared(greater=True, equal=True)
_EQUAL = _compared(equal=True)
_NOT_EQUAL = _compared(less=True, greater=True)

RULES: Mapping[type[Op], Rule] = {
    binary.Add: lambda c, case, x, y: c.add2(x, y),
    binary.Sub: lambda c, case, x, y: c.sub2(x, y),
    binary.Mul: lambda c, case, x, y: c.mul2(x, y),
    binary.Div: _div,
    binary.Rem: _rem,
    binary.Pow: _pow,
    binary.Max: _extreme(False),
    binary.Min: _extreme(True),
    selection.Clamp: _clamp,
    unary.Neg: lambda c, case, x: c.neg2(x),
    unary.Abs: _abs,
    unary.Sign: _sign,
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
}
