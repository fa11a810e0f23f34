"""Elementwise recipes: arithmetic, comparison, logic, cast, select."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from coremlc.engine.ort.emitter import LARGE, Emitter, Name
from coremlc.engine.ort.registry import Function, Result, recipe
from coremlc.engine.ort.repeats import repeated
from coremlc.engine.ort.tensor import T, const_of, float_of
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType

SELECT_BY_BITS = 4096
"""From this many elements on, a full-shape select by bits is faster than Where."""


def elementwise(*names: str) -> Callable[[Function], Function]:
    """A wide recipe of operands that are broadcast; constants lie as `repeated` has them."""

    def register(function: Function) -> Function:
        @wraps(function)
        def leveled(g: Emitter, **operands: Any) -> Result:
            tensors = [x for x in operands.values() if isinstance(x, T)]
            if all(x.is_static for x in tensors):
                dims = np.broadcast_shapes(*(x.dims for x in tensors))
                operands = {name: repeated(x, dims) for name, x in operands.items()}
            return function(g, **operands)

        recipe(*names, wide=True)(leveled)
        return function

    return register


def _direct(mil: str, onnx: str) -> None:
    """The ONNX op means the same for every dtype that MIL allows."""

    def binary(g: Emitter, x: T, y: T) -> str:
        return g.node(onnx, x, y)

    elementwise(mil)(binary)


def _unary(mil: str, onnx: str) -> None:
    def unary(g: Emitter, x: T) -> str:
        return g.node(onnx, x)

    recipe(mil, wide=True)(unary)


for _mil, _onnx in {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "maximum": "Max",
    "minimum": "Min",
    "equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "bitwise_and": "BitwiseAnd",
}.items():
    _direct(_mil, _onnx)

for _mil, _onnx in {
    "abs": "Abs",
    "acos": "Acos",
    "asin": "Asin",
    "atan": "Atan",
    "atanh": "Atanh",
    "ceil": "Ceil",
    "cos": "Cos",
    "cosh": "Cosh",
    "erf": "Erf",
    "exp": "Exp",
    "floor": "Floor",
    "logical_not": "Not",
    "round": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "sinh": "Sinh",
    "sqrt": "Sqrt",
    "tan": "Tan",
    "tanh": "Tanh",
    "identity": "Identity",
}.items():
    _unary(_mil, _onnx)


@elementwise("not_equal")
def not_equal(g: Emitter, x: T, y: T) -> str:
    return g.node("Not", g.node("Equal", x, y))


@recipe("square", wide=True)
def square(g: Emitter, x: T) -> str:
    return g.node("Mul", x, x)


@recipe("exp2", wide=True)
def exp2(g: Emitter, x: T) -> str:
    return g.node("Pow", g.const(np.float32(2)), x)


def _with_epsilon(g: Emitter, x: T, epsilon: T | None, default: float) -> Name:
    value = np.float32(float_of(epsilon, default))
    return g.node("Add", x, g.scalar(value, x)) if value else x


@recipe("log", wide=True)
def log(g: Emitter, x: T, epsilon: T | None = None) -> str:
    return g.node("Log", _with_epsilon(g, x, epsilon, 1e-45))


@recipe("rsqrt", wide=True)
def rsqrt(g: Emitter, x: T, epsilon: T | None = None) -> str:
    root = g.node("Sqrt", _with_epsilon(g, x, epsilon, 1e-12))
    return g.node("Div", g.scalar(1, x), root)


@recipe("inverse", wide=True)
def inverse(g: Emitter, x: T, epsilon: T | None = None) -> str:
    return g.node("Div", g.scalar(1, x), _with_epsilon(g, x, epsilon, 1e-4))


@elementwise("pow")
def power(g: Emitter, x: T, y: T) -> str:
    if x.is_float:
        return g.node("Pow", x, y)
    return _int_power(g, x, y)


def _int_power(g: Emitter, x: T, y: T) -> str:
    """Square and multiply, modulo 2^32; as many rounds as the exponent can need."""
    one, zero = g.const(np.int32(1)), g.const(np.int32(0))
    top = 31 if not y.is_const or y.value is None else max(int(y.value.max(initial=0)), 0)
    rounds = 31 if not y.is_const else top.bit_length()
    result: str | None = None
    base: Name = x
    left = g.node("Max", y, zero)
    for i in range(rounds):
        odd = g.cast(g.node("BitwiseAnd", left, one), "bool")
        factor = g.where(odd, base, one)
        result = factor if result is None else g.node("Mul", result, factor)
        if i + 1 < rounds:
            left = g.node("Div", left, g.const(np.int32(2)))
            base = g.node("Mul", base, base)
    if result is None:
        result = g.node("Add", g.node("Mul", x, zero), g.node("Add", left, one))
    minus = g.const(np.int32(-1))
    odd = g.cast(g.node("BitwiseAnd", y, one), "bool")
    of_minus = g.where(g.node("Equal", x, minus), g.where(odd, minus, one), zero)
    inverse = g.where(g.node("Equal", x, one), one, of_minus)
    return g.where(g.node("Less", y, zero), inverse, result)


# --- select and cast ------------------------------------------------------------------------


@elementwise("select")
def select(g: Emitter, cond: T, a: T, b: T) -> str:
    if a.dtype == "bool":
        kept = g.node("And", cond, a)
        return g.node("Or", kept, g.node("And", g.node("Not", cond), b))
    if _is_large(cond, a, b) and a.dtype in ("fp32", "int32"):
        return _select_bits(g, cond, a, b)
    if a.dtype == "fp32":
        return g.choose(cond, a, b)
    if a.dtype in ("int16", "uint16"):
        wide = g.where(cond, g.cast(a, "int32"), g.cast(b, "int32"))
        return g.cast(wide, a.dtype)
    return g.where(cond, a, b)


def _is_large(cond: T, a: T, b: T) -> bool:
    """A full-shape condition over many elements: Where's branches would mispredict."""
    if not (cond.is_static and a.is_static and b.is_static):
        return False
    return cond.size >= SELECT_BY_BITS and cond.size >= max(a.size, b.size)


def _select_bits(g: Emitter, cond: T, a: T, b: T) -> str:
    """B + c * (a - b) on the bits, which wraps and so is exact, NaN included."""
    first = g.bits(a) if a.dtype == "fp32" else g.use(a)
    second = g.bits(b) if b.dtype == "fp32" else g.use(b)
    step = g.node("Mul", g.cast(cond, "int32"), g.node("Sub", first, second))
    bits = g.node("Add", second, step)
    return g.node("BitCast", bits, to=1) if a.dtype == "fp32" else bits


@recipe("clip", wide=True)
def clip(g: Emitter, x: T, alpha: T, beta: T) -> str:
    """Of bounds without axes, as Clip wants them."""
    return g.node("Clip", x, *(g.const(np.float32(float_of(b, 0))) for b in (alpha, beta)))


@recipe("threshold", wide=True)
def threshold(g: Emitter, x: T, alpha: T) -> str:
    return g.node("Max", x, g.scalar(const_of(alpha, "alpha"), x))


@recipe("cast")
def cast(g: Emitter, x: T, dtype: str) -> str:
    target = STORAGE[dtype].numpy
    if x.dtype == dtype:
        return g.node("Identity", x)
    if not x.is_float or target.kind in "fb":
        return g.cast(x, dtype)
    source = g.cast(x, "fp32") if x.dtype == "fp16" else x
    return float_to_int(g, source, dtype, x.dims if x.is_static else None)


def float_to_int(g: Emitter, x: Name, dtype: str, dims: tuple[int, ...] | None = None) -> str:
    """Truncates, saturates; NaN is 0. A large tensor is cast at once if all of it fits."""
    if dims is None or int(np.prod(dims, dtype=np.int64)) < LARGE or dtype != "int32":
        return _careful_int(g, x, dtype)
    total = g.node("ReduceL1", x, keepdims=0)  # at least the size of its largest term
    return g.branch(
        g.node("Less", total, g.const(np.float32(2**31))),
        lambda: g.cast(x, "int32"),
        lambda: _careful_int(g, x, dtype),
        TensorType("int32", dims),
    )


def _careful_int(g: Emitter, x: Name, dtype: str) -> str:
    """Truncates, saturates; NaN is 0. ORT gives INT_MIN for NaN and for all that is outside."""
    wide = g.cast(x, "int32")
    high = g.cast(g.node("GreaterOrEqual", x, g.const(np.float32(2**31))), "int32")
    number = g.cast(g.node("Equal", x, x), "int32")
    whole = g.node("Mul", g.node("Sub", wide, high), number)  # INT_MIN - 1 wraps to INT_MAX
    if dtype == "int32":
        return whole
    bounds = np.iinfo(str(STORAGE[dtype].numpy))
    low = g.node("Max", whole, g.const(np.int32(bounds.min)))
    return g.cast(g.node("Min", low, g.const(np.int32(bounds.max))), dtype)
