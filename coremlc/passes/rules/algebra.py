"""Arithmetic with neutral elements. Each rule says for which dtypes it is exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Array, Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, Max, Min, Mul, Sub
from coremlc.ops.leaves import known
from coremlc.ops.selection import Clamp, Where
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]


def _is(x: Value, value: float) -> bool:
    array: Array | None = known(x)
    return array is not None and array.size > 0 and bool(np.all(array == value))


def times_one(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`x * 1 -> x`, `1 * x -> x`, `x / 1 -> x`. Exact for real dtypes, NaN and -0 included.

    Not for complex, where an infinity times 1 + 0i has a NaN.
    """
    x, y = operands
    if out.dtype.is_complex:
        return None
    if x.type == out and _is(y, 1):
        return x
    return y if isinstance(op, Mul) and y.type == out and _is(x, 1) else None


def plus_zero(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`x + 0 -> x`, `x - 0 -> x`. Exact for integers, and for floats if the 0 keeps -0.

    -0 + 0 is 0: with floats only `x - 0` and `x + -0` leave every x as it is. Complex: by parts.
    """
    x, y = operands
    if out.dtype.is_complex:
        return None
    if x.type == out and _is(y, 0) and _keeps(op, y):
        return x
    if isinstance(op, Add) and y.type == out and _is(x, 0) and _keeps(op, x):
        return y
    return None


def _keeps(op: Op, zero: Value) -> bool:
    array: Any = known(zero)
    if array.dtype.kind in "iu":
        return True
    negative = np.signbit(array.astype(np.float64))
    return bool(np.all(negative)) if isinstance(op, Add) else not bool(np.any(negative))


def where_known(g: Builder, op: Where, operands: Operands, out: TensorType) -> Value | None:
    """`Where(true, x, y) -> x`, `Where(false, x, y) -> y`, `Where(c, x, x) -> x`. Exact."""
    condition, x, y = operands
    if x is y and x.type == out:
        return x
    values = known(condition)
    if values is None or values.size == 0:
        return None
    if bool(np.all(values)) and x.type == out:
        return x
    return y if not bool(np.any(values)) and y.type == out else None


def clamped(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`Min(Max(x, a), b) -> Clamp(a, x, b)`, `Max(Min(x, b), a) -> Clamp(a, x, b)`, if a <= b.

    For float numbers a and b. Exact; of 0 and -0 either may win, as in Max and Min.
    """
    inner = Min if isinstance(op, Max) else Max
    for y, outer_bound in (operands, operands[::-1]):
        if not out.dtype.is_float or not isinstance(y.op, inner) or y.type != out:
            continue
        for x, inner_bound in (y.operands, y.operands[::-1]):
            low, high = (inner_bound, outer_bound) if inner is Max else (outer_bound, inner_bound)
            if x.type == out and _in_order(low, high):
                return g.add(Clamp(), low, x, high)
    return None


def _in_order(low: Value, high: Value) -> bool:
    """Whether both are known numbers, one not above the other."""
    a, b = known(low), known(high)
    return a is not None and b is not None and not a.shape and not b.shape and bool(a <= b)


RULES: Rules = (
    ((Mul, Div), times_one),
    ((Add, Sub), plus_zero),
    ((Where,), where_known),
    ((Max, Min), clamped),
)
