"""Recipes of division and remainder: ONNX Runtime raises at 0, and dies of INT_MIN / -1."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coremlc.engine.ort.elementwise import elementwise
from coremlc.engine.ort.emitter import LARGE, Emitter, Name
from coremlc.engine.ort.tensor import Array, T, const_of
from coremlc.mil.types import TensorType


def _is_plain_divisor(y: T) -> bool:
    """Proved to hold neither 0 (ORT raises) nor -1 (INT_MIN / -1 kills the process)."""
    value = y.value if y.is_const else None
    return value is not None and not np.isin(value, (0, -1)).any()


def _is_positive(y: T) -> bool:
    value = y.value if y.is_const else None
    return value is not None and bool((value > 0).all())


def _int_division(g: Emitter, x: T, y: T, guarded: bool, *, floor: bool) -> tuple[str, str]:
    """(quotient, remainder) for divisors other than 0 and -1; guarded divisors become 1."""
    divisor: Name = y
    if guarded:
        bad = g.node("Or", g.node("Equal", y, g.scalar(0, y)), g.node("Equal", y, g.scalar(-1, y)))
        divisor = g.where(bad, g.scalar(1, y), y)
    quotient = g.node("Div", x, divisor)
    rest = g.node("Sub", x, g.node("Mul", quotient, divisor))
    if not floor:
        return quotient, rest
    zero = g.scalar(0, y)
    below = g.node("Less", rest, zero)
    if not _is_positive(y):
        differ = g.node("Xor", below, g.node("Less", divisor, zero))
        below = g.node("And", g.node("Not", g.node("Equal", rest, zero)), differ)
    adjust = g.cast(below, y.dtype)
    return (
        g.node("Sub", quotient, adjust),
        g.node("Add", rest, g.node("Mul", adjust, divisor)),
    )


def _guarded_quotient(g: Emitter, x: T, y: T, quotient: str) -> str:
    """X / -1 is -x (wrapping), x / 0 is -1."""
    minus = g.scalar(-1, y)
    negated = g.where(g.node("Equal", y, minus), g.node("Neg", x), quotient)
    return g.where(g.node("Equal", y, g.scalar(0, y)), minus, negated)


def _shift_of(x: T, y: T) -> Array | None:
    """How far to shift for a division by powers of two; a shift to the right rounds down."""
    value = y.value if y.is_const and x.dtype == "int32" else None
    if value is None or not value.size or (value <= 0).any() or (value & (value - 1)).any():
        return None
    return np.log2(value).astype(np.int32)


def _usually_plain(
    g: Emitter, y: T, out: tuple[TensorType, ...], write: Callable[[T, bool], str]
) -> str:
    """`write(y, guarded)`: guards cost far more than a look at all divisors for 0 and -1."""
    if _is_plain_divisor(y):
        return write(y, False)
    if not y.is_static or y.size < LARGE:
        return write(y, True)
    # y * (y + 1), which wraps, is 0 for these two only: one factor is odd.
    product = g.node("Mul", y, g.node("Add", y, g.scalar(1, y)))
    plain = g.node("ReduceMin", g.cast(product, "bool"), keepdims=0)
    return g.branch(plain, lambda: write(y, False), lambda: write(y, True), out[0])


def _int_quotient(g: Emitter, x: T, y: T, out: tuple[TensorType, ...], *, floor: bool) -> str:
    def write(y: T, guarded: bool) -> str:
        quotient = _int_division(g, x, y, guarded, floor=floor)[0]
        return _guarded_quotient(g, x, y, quotient) if guarded else quotient

    return _usually_plain(g, y, out, write)


@elementwise("real_div")
def real_div(g: Emitter, x: T, y: T, out: tuple[TensorType, ...]) -> str:
    return g.node("Div", x, y) if x.is_float else _int_quotient(g, x, y, out, floor=False)


@elementwise("floor_div")
def floor_div(g: Emitter, x: T, y: T, out: tuple[TensorType, ...]) -> str:
    if x.is_float:
        return g.node("Floor", g.node("Div", x, y))
    shift = _shift_of(x, y)
    if shift is not None:
        return g.node("BitShift", x, g.const(shift), direction="RIGHT")
    return _int_quotient(g, x, y, out, floor=True)


@elementwise("mod")
def mod(g: Emitter, x: T, y: T, out: tuple[TensorType, ...]) -> str:
    """The sign of the divisor."""
    if _shift_of(x, y) is not None:
        return g.node("BitwiseAnd", x, g.const(const_of(y, "y") - 1))

    def write(y: T, guarded: bool) -> str:
        rest = _int_division(g, x, y, guarded, floor=True)[1]
        return g.where(g.node("Equal", y, g.scalar(0, y)), x, rest) if guarded else rest

    return _float_mod(g, x, y) if x.is_float else _usually_plain(g, y, out, write)


def _float_mod(g: Emitter, x: T, y: T) -> str:
    zero = g.const(np.float32(0))
    rest = g.node("Mod", x, y, fmod=1)
    below = g.node("Less", y, zero)
    is_zero = g.node("Equal", rest, zero)
    differ = g.node("Xor", g.node("Less", rest, zero), below)
    wrong = g.node("And", differ, g.node("Not", is_zero))
    moved = g.choose(wrong, g.node("Add", rest, y), rest)
    signed_zero = g.choose(below, np.float32(-0.0), np.float32(0))
    return g.choose(is_zero, signed_zero, moved)
