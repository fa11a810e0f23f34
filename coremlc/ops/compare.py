"""Comparisons, plain and in total order.

Plain: IEEE 754, NaN is unequal to all. Total order: -inf < .. < -0 < +0 < .. < inf < NaN. MIL
cannot see the sign of a NaN: every NaN counts as +NaN, and all NaNs as equal.
MIL compares no bools: false < true is spelled with logic.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coremlc.dtypes import BOOL, COMPLEX, REAL
from coremlc.ir.op import Array
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import Elementwise, Lower, is_bool, is_float, row

ORDERED = REAL | {BOOL}


def _bool_less(m: Builder, x: Value, y: Value) -> Value:
    return m.logical_and(x=m.logical_not(x=x), y=y)


def _bool_less_equal(m: Builder, x: Value, y: Value) -> Value:
    return m.logical_or(x=m.logical_not(x=x), y=y)


_BOOL: dict[str, Lower] = {
    "equal": lambda m, x, y: m.logical_not(x=m.logical_xor(x=x, y=y)),
    "not_equal": lambda m, x, y: m.logical_xor(x=x, y=y),
    "less": _bool_less,
    "less_equal": _bool_less_equal,
    "greater": lambda m, x, y: _bool_less(m, y, x),
    "greater_equal": lambda m, x, y: _bool_less_equal(m, y, x),
}


def _compare(kind: str) -> Lower:
    def lower(m: Builder, x: Value, y: Value) -> Value:
        if is_bool(x):
            return _BOOL[kind](m, x, y)
        result: Value = getattr(m, kind)(x=x, y=y)
        return result

    return lower


def _reciprocals(m: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """Equal numbers have equal reciprocals, but for -0 and +0."""
    return m.real_div(x=1.0, y=x), m.real_div(x=1.0, y=y)


def _total_equal(m: Builder, x: Value, y: Value) -> Value:
    if not is_float(x):
        return _compare("equal")(m, x, y)
    rx, ry = _reciprocals(m, x, y)
    same = m.logical_and(x=m.equal(x=x, y=y), y=m.equal(x=rx, y=ry))
    nans = m.logical_and(x=m.not_equal(x=x, y=x), y=m.not_equal(x=y, y=y))
    return m.logical_or(x=same, y=nans)


def _total_less(m: Builder, x: Value, y: Value) -> Value:
    if not is_float(x):
        return _compare("less")(m, x, y)
    rx, ry = _reciprocals(m, x, y)
    zeros = m.logical_and(x=m.equal(x=x, y=y), y=m.less(x=rx, y=ry))
    to_nan = m.logical_and(x=m.equal(x=x, y=x), y=m.not_equal(x=y, y=y))
    return m.logical_or(x=m.less(x=x, y=y), y=m.logical_or(x=zeros, y=to_nan))


_TOTAL: dict[str, Lower] = {
    "equal": _total_equal,
    "not_equal": lambda m, x, y: m.logical_not(x=_total_equal(m, x, y)),
    "less": _total_less,
    "less_equal": lambda m, x, y: m.logical_not(x=_total_less(m, y, x)),
    "greater": lambda m, x, y: _total_less(m, y, x),
    "greater_equal": lambda m, x, y: m.logical_not(x=_total_less(m, x, y)),
}


def total_key(x: Array) -> Array:
    """An integer for each float that orders as the total order does."""
    bits = np.where(np.isnan(x), np.nan, x).astype(np.float64).view(np.int64)
    bits = np.where(np.isnan(x), np.int64(2**63 - 1), bits)
    result: Array = np.where(bits < 0, np.int64(-(2**63)) - bits - 1, bits)
    return result


def _total(f: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def evaluate(x: Array, y: Array) -> Array:
        return f(total_key(x), total_key(y)) if x.dtype.kind == "f" else f(x, y)

    return evaluate


def _pair(name: str, mil: str, f: Callable[[Array, Array], Array]) -> tuple[type[Elementwise], ...]:
    shape = "`(lhs: T[..], rhs: T[..]) -> bool[..]`"
    accepts = ORDERED | COMPLEX if mil in ("equal", "not_equal") else ORDERED
    plain = row(name, f"{shape}. MIL `{mil}`.", 2, accepts, f, _compare(mil), result=BOOL)
    total = row(
        f"{name}TotalOrder",
        f"{shape} in total order; the sign of a NaN does not count. MIL compares of values and "
        "of reciprocals.",
        2,
        ORDERED,
        _total(f),
        _TOTAL[mil],
        result=BOOL,
    )
    return plain, total


Equal, EqualTotalOrder = _pair("Equal", "equal", np.equal)
NotEqual, NotEqualTotalOrder = _pair("NotEqual", "not_equal", np.not_equal)
LessThan, LessThanTotalOrder = _pair("LessThan", "less", np.less)
LessOrEqual, LessOrEqualTotalOrder = _pair("LessOrEqual", "less_equal", np.less_equal)
GreaterThan, GreaterThanTotalOrder = _pair("GreaterThan", "greater", np.greater)
GreaterOrEqual, GreaterOrEqualTotalOrder = _pair(
    "GreaterOrEqual", "greater_equal", np.greater_equal
)
