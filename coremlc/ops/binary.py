"""Elementwise arithmetic and logic of two operands.

Source of the meanings: GoMLX `compute.StandardOps` and XLA; docs/semantics.md where they differ.
Integers wrap. MIL leaves integer division by 0 and the least integer by -1 open: both are guarded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, BY_NUMPY, FLOAT, NUMBER, REAL
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import (
    broadcast,
    check_equal_dtypes,
    constant,
    direct,
    is_bool,
    is_float,
    number,
    row,
    select,
)

ORDERED = REAL | {BOOL}


def truncated_div(x: Array, y: Array) -> Array:
    """Integer quotient rounded toward 0; by 0 it is -1; the least integer by -1 wraps (XLA)."""
    safe = np.where((y == 0) | (y == -1), 1, y).astype(y.dtype)
    q = x // safe
    q = q + ((x - q * safe != 0) & ((x < 0) != (safe < 0))).astype(x.dtype)
    result: Array = np.where(y == 0, -1, np.where(y == -1, np.negative(x), q)).astype(x.dtype)
    return result


def _unsigned_div(x: Array, y: Array) -> Array:
    top = np.iinfo(x.dtype).max
    result: Array = np.where(y == 0, top, x // np.where(y == 0, 1, y)).astype(x.dtype)
    return result


def _div(x: Array, y: Array) -> Array:
    if x.dtype.kind in "fc":
        return np.true_divide(x, y)
    if x.dtype.kind == "V":  # int4 and friends, of no kind that numpy knows
        wide = np.int8 if BY_NUMPY[x.dtype].kind == "int" else np.uint8
        return _div(x.astype(wide), y.astype(wide)).astype(x.dtype)
    return truncated_div(x, y) if x.dtype.kind == "i" else _unsigned_div(x, y)


def _rem(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return np.fmod(x, y)
    result: Array = np.where(y == 0, x, x - _div(x, np.where(y == 0, 1, y).astype(y.dtype)) * y)
    return result.astype(x.dtype)


def int_div(m: Builder, x: Value, y: Value) -> Value:
    """MIL of `truncated_div`: `floor_div` of safe operands, moved toward 0 where it was inexact."""
    known = constant(y)
    if known is not None and not np.any((known == 0) | (known == -1)):
        return _truncate(m, x, y)
    zero, minus_one = m.equal(x=y, y=0), m.equal(x=y, y=-1)
    safe = select(m, cond=m.logical_or(x=zero, y=minus_one), a=1, b=y)
    q = select(m, cond=minus_one, a=m.sub(x=0, y=x), b=_truncate(m, x, safe))
    return select(m, cond=zero, a=-1, b=q)


def _truncate(m: Builder, x: Value, y: Value) -> Value:
    q = m.floor_div(x=x, y=y)
    inexact = m.not_equal(x=m.mul(x=q, y=y), y=x)
    fix = m.cast(x=m.logical_and(x=inexact, y=_signs_differ(m, x, y)), dtype="int32")
    return m.add(x=q, y=fix)


def _signs_differ(m: Builder, x: Value, y: Value) -> Value:
    is_negative, known = m.less(x=x, y=0), constant(y)
    if known is not None and np.all(known > 0):
        return is_negative
    return m.logical_xor(x=is_negative, y=m.less(x=y, y=0))


def _lower_div(m: Builder, x: Value, y: Value) -> Value:
    return m.real_div(x=x, y=y) if is_float(x) else int_div(m, x, y)


def _lower_rem(m: Builder, x: Value, y: Value) -> Value:
    """The dividend's sign (C's fmod). MIL's `mod` has the divisor's: it gets magnitudes."""
    if not is_float(x):
        known = constant(y)
        if known is not None and np.all(known != 0):
            return m.sub(x=x, y=m.mul(x=int_div(m, x, y), y=y))
        zero = m.equal(x=y, y=0)
        safe = y if known is not None else select(m, cond=zero, a=1, b=y)
        return select(m, cond=zero, a=x, b=m.sub(x=x, y=m.mul(x=int_div(m, x, safe), y=safe)))
    r = m.mod(x=m.abs(x=x), y=m.abs(x=y))
    signed = select(m, cond=m.less(x=x, y=0.0), a=m.mul(x=r, y=-1.0), b=r)
    return select(m, cond=m.equal(x=r, y=0.0), a=m.mul(x=x, y=0.0), b=signed)


def _pow(x: Array, y: Array) -> Array:
    if x.dtype.kind in "fc":
        return np.float_power(x, y)
    x, y = np.broadcast_arrays(x, y)
    power, base, e = np.ones_like(x), x.copy(), np.maximum(y, 0)
    for _ in range(x.dtype.itemsize * 8):
        power = np.where(e & 1, power * base, power)
        base, e = base * base, e >> 1
    inverse = np.where(x == 1, 1, np.where(x == -1, np.where(y & 1, -1, 1), 0))
    result: Array = np.where(y < 0, inverse.astype(x.dtype), power)
    return result


def _lower_pow(m: Builder, x: Value, y: Value) -> Value:
    """Integers by squaring: exact, wrapping; a negative exponent gives 1/x truncated."""
    if is_float(x):
        return m.pow(x=x, y=y)
    known = constant(y)
    if known is not None and known.size and np.all(known == known.flat[0]) and known.flat[0] >= 0:
        return _known_power(m, x, y, int(known.flat[0]))
    ones = m.add(x=m.mul(x=m.add(x=x, y=y), y=0), y=1)
    power, base, e = ones, x, m.maximum(x=y, y=0)
    odd = m.equal(x=m.mod(x=y, y=2), y=1)
    for _ in range(31):
        bit = m.equal(x=m.mod(x=e, y=2), y=1)
        power = m.mul(x=power, y=select(m, cond=bit, a=base, b=1))
        base, e = m.mul(x=base, y=base), m.floor_div(x=e, y=2)
    minus = select(
        m, cond=m.equal(x=x, y=-1), a=m.sub(x=1, y=m.mul(x=m.cast(x=odd, dtype="int32"), y=2)), b=0
    )
    inverse = select(m, cond=m.equal(x=x, y=1), a=1, b=minus)
    return select(m, cond=m.less(x=y, y=0), a=inverse, b=power)


def _known_power(m: Builder, x: Value, y: Value, exponent: int) -> Value:
    power = m.add(x=m.mul(x=m.add(x=x, y=y), y=0), y=1) if exponent == 0 else None
    base = m.add(x=x, y=m.mul(x=y, y=0)) if y.tensor.shape else x
    while exponent:
        if exponent & 1:
            power = base if power is None else m.mul(x=power, y=base)
        exponent >>= 1
        base = m.mul(x=base, y=base) if exponent else base
    assert power is not None
    return power


def _lower_max(m: Builder, x: Value, y: Value) -> Value:
    if is_bool(x):
        return m.logical_or(x=x, y=y)
    for value, bound in ((x, y), (y, x)):
        if is_float(x) and not bound.tensor.shape and number(bound) == 0:
            return m.relu(x=value)
    return m.maximum(x=x, y=y)


def _lower_min(m: Builder, x: Value, y: Value) -> Value:
    return m.logical_and(x=x, y=y) if is_bool(x) else m.minimum(x=x, y=y)


def _lower_atan2(m: Builder, y: Value, x: Value) -> Value:
    """Quadrants by selects; the sign of a zero is read off its reciprocal."""

    def negative(v: Value) -> Value:
        below = m.less(x=v, y=0.0)
        return m.logical_or(x=below, y=m.less(x=m.real_div(x=1.0, y=v), y=0.0))

    ax, ay = m.abs(x=x), m.abs(x=y)
    swap = m.greater(x=ay, y=ax)
    low, high = m.minimum(x=ax, y=ay), m.maximum(x=ax, y=ay)
    same = m.equal(x=ax, y=ay)
    ratio = m.real_div(x=low, y=select(m, cond=same, a=1.0, b=high))
    diagonal = m.cast(x=m.not_equal(x=ax, y=0.0), dtype=x.tensor.dtype)
    ratio = select(m, cond=same, a=diagonal, b=ratio)
    angle = m.atan(x=ratio)
    angle = select(m, cond=swap, a=m.sub(x=math.pi / 2, y=angle), b=angle)
    angle = select(m, cond=negative(x), a=m.sub(x=math.pi, y=angle), b=angle)
    angle = select(m, cond=negative(y), a=m.mul(x=angle, y=-1.0), b=angle)
    ordered = m.logical_and(x=m.equal(x=x, y=x), y=m.equal(x=y, y=y))
    return select(m, cond=ordered, a=angle, b=m.add(x=x, y=y))


def _corners(f: str, x: Range, y: Range) -> Range:
    values = [getattr(int, f)(a, b) for a in x for b in y]
    return min(values), max(values)


def _div_range(x: Range, y: Range) -> Range:
    bound = max(abs(x[0]), abs(x[1]))
    if y[0] > 0:
        values = [int(math.copysign(abs(a) // b, a)) for a in x for b in y]
        return min(values), max(values)
    return -max(bound, 1), bound


def _rem_range(x: Range, y: Range) -> Range:
    bound = max(abs(x[0]), abs(x[1]))
    if not y[0] <= 0 <= y[1]:
        bound = min(bound, max(abs(y[0]), abs(y[1])) - 1)
    return -bound if x[0] < 0 else 0, bound if x[1] > 0 else 0


def _pow_range(x: Range, y: Range) -> Range:
    if y[0] < 0 or y[1] > 64:
        return -(2**200), 2**200
    top = max(abs(x[0]), abs(x[1])) ** y[1] if y[1] else 1
    return (0 if x[0] >= 0 else -top), max(top, 1)


@register
@dataclass(frozen=True)
class mod(Op):  # noqa: N801  (MIL's name)
    """`(x: i32[..], y: i32[]) -> i32[..]`: remainder with the sign of y, not 0; MIL `mod`."""

    gomlx = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        check_equal_dtypes(self.kind, x, y)
        return x.with_shape(broadcast(self.kind, x, y))

    def evaluate(self, x: Array, y: Array) -> Array:
        return np.asarray(np.mod(x, y))

    def range(self, x: Range, y: Range) -> Range:
        return (0, y[1] - 1) if y[0] > 0 else (y[0], y[1])

    def lower(self, m: Builder, x: Value, y: Value) -> Value:
        return m.mod(x=x, y=y)


@register
@dataclass(frozen=True)
class floor_div(Op):  # noqa: N801  (MIL's name)
    """`(x: i32[..], y: i32[..]) -> i32[..]`: quotient rounded down; y is not 0, not -1; MIL's."""

    gomlx = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        check_equal_dtypes(self.kind, x, y)
        return x.with_shape(broadcast(self.kind, x, y))

    def evaluate(self, x: Array, y: Array) -> Array:
        return np.asarray(np.floor_divide(x, y))

    def lower(self, m: Builder, x: Value, y: Value) -> Value:
        return m.floor_div(x=x, y=y)


Add = row(
    "Add",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`. MIL `add`.",
    2,
    NUMBER,
    np.add,
    direct("add", "x", "y"),
    interval=lambda x, y: (x[0] + y[0], x[1] + y[1]),
    exactness=Exactness.ROUNDED,
)
Sub = row(
    "Sub",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`. MIL `sub`.",
    2,
    NUMBER,
    np.subtract,
    direct("sub", "x", "y"),
    interval=lambda x, y: (x[0] - y[1], x[1] - y[0]),
    exactness=Exactness.ROUNDED,
)
Mul = row(
    "Mul",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`. MIL `mul`.",
    2,
    NUMBER,
    np.multiply,
    direct("mul", "x", "y"),
    interval=lambda x, y: _corners("__mul__", x, y),
    exactness=Exactness.ROUNDED,
)
Div = row(
    "Div",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`; integers truncate, by 0 they give -1 (XLA). "
    "MIL `real_div`; integers `floor_div`, guarded.",
    2,
    NUMBER,
    _div,
    _lower_div,
    interval=_div_range,
    exactness=Exactness.ROUNDED,
)
Rem = row(
    "Rem",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`, the sign of lhs; integers by 0 give lhs (XLA). "
    "MIL `mod` of magnitudes; integers by `floor_div`.",
    2,
    REAL,
    _rem,
    _lower_rem,
    interval=_rem_range,
    exactness=Exactness.ROUNDED,
)
Pow = row(
    "Pow",
    "`(lhs: N[..], rhs: N[..]) -> N[..]`; integers exact and wrapping, a negative exponent gives "
    "1/lhs truncated. MIL `pow`; integers by squaring.",
    2,
    NUMBER,
    _pow,
    _lower_pow,
    interval=_pow_range,
)
Max = row(
    "Max",
    "`(lhs: T[..], rhs: T[..]) -> T[..]`; NaN wins. MIL `maximum`, of 0 `relu`; bool `logical_or`.",
    2,
    ORDERED,
    np.maximum,
    _lower_max,
    interval=lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    exactness=Exactness.EXACT,
)
Min = row(
    "Min",
    "`(lhs: T[..], rhs: T[..]) -> T[..]`; NaN wins. MIL `minimum`; bool `logical_and`.",
    2,
    ORDERED,
    np.minimum,
    _lower_min,
    interval=lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    exactness=Exactness.EXACT,
)
Atan2 = row(
    "Atan2",
    "`(lhs: F[..], rhs: F[..]) -> F[..]`: angle of the point (x = rhs, y = lhs), signed zeros "
    "and infinities as C's atan2. MIL `atan` of the smaller ratio and `select`s.",
    2,
    FLOAT,
    np.arctan2,
    _lower_atan2,
)
LogicalAnd = row(
    "LogicalAnd",
    "`(lhs: bool[..], rhs: bool[..]) -> bool[..]`. MIL `logical_and`.",
    2,
    frozenset({BOOL}),
    np.logical_and,
    direct("logical_and", "x", "y"),
)
LogicalOr = row(
    "LogicalOr",
    "`(lhs: bool[..], rhs: bool[..]) -> bool[..]`. MIL `logical_or`.",
    2,
    frozenset({BOOL}),
    np.logical_or,
    direct("logical_or", "x", "y"),
)
LogicalXor = row(
    "LogicalXor",
    "`(lhs: bool[..], rhs: bool[..]) -> bool[..]`. MIL `logical_xor`.",
    2,
    frozenset({BOOL}),
    np.logical_xor,
    direct("logical_xor", "x", "y"),
)
