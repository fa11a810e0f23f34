"""Conversion of words to other dtypes, and of floats to words."""

from __future__ import annotations

from coremlc.dtypes import BOOL, F16, F32, DType
from coremlc.ir.graph import Value
from coremlc.ops import compare, selection, unary
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.passes.words.case import Case
from coremlc.passes.words.word import Calc, Operand, Words


def convert(c: Calc, case: Case, x: Operand) -> Operand:
    """ConvertDType."""
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
