"""Elementwise kernels: arithmetic, comparison, logic, activations, cast, select."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from coremlc.engine.reference.erf import erf
from coremlc.engine.reference.registry import Array, kernel, text
from coremlc.mil.arrays import STORAGE


def _is_int(x: Array) -> bool:
    return x.dtype.kind in "iu"


def _binary(name: str, function: Callable[[Array, Array], Array]) -> None:
    def call(x: Array, y: Array) -> Array:
        return function(x, y)

    kernel(name, wide=True)(call)


def _unary(name: str, function: Callable[[Array], Array]) -> None:
    def call(x: Array) -> Array:
        return function(x)

    kernel(name, wide=True)(call)


for _name, _function in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}.items():
    _binary(_name, _function)

for _name, _ufunc in {
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "floor": np.floor,
    "logical_not": np.logical_not,
    "round": np.rint,  # half to even
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "tan": np.tan,
    "tanh": np.tanh,
}.items():
    _unary(_name, _ufunc)


@kernel("identity")
def identity(x: Array) -> Array:
    return x


@kernel("abs", wide=True)
def absolute(x: Array) -> Array:
    return np.abs(x)  # INT_MIN stays, as in XLA


def floor_division(x: Array, y: Array) -> Array:
    """Ints: towards minus infinity; x / 0 is -1, INT_MIN / -1 wraps to INT_MIN."""
    plain = (y != 0) & (y != -1)
    quotient = np.floor_divide(x, np.where(plain, y, np.ones_like(y)))
    if np.all(plain):
        return np.asarray(quotient)
    return np.where(y == 0, -1, np.where(y == -1, np.negative(x), quotient)).astype(x.dtype)


@kernel("real_div", wide=True)
def real_div(x: Array, y: Array) -> Array:
    """Ints: towards zero; x / 0 is -1, INT_MIN / -1 wraps (XLA's values)."""
    if not _is_int(x):
        return np.divide(x, y)
    quotient = floor_division(x, y)
    rest = x - quotient * y
    return np.where((rest != 0) & ((x < 0) != (y < 0)) & (y != 0), quotient + 1, quotient).astype(
        x.dtype
    )


@kernel("floor_div", wide=True)
def floor_div(x: Array, y: Array) -> Array:
    return floor_division(x, y) if _is_int(x) else np.floor(np.divide(x, y))


@kernel("mod", wide=True)
def mod(x: Array, y: Array) -> Array:
    """The sign of the divisor, as Python; ints: x mod 0 is x."""
    if not _is_int(x):
        return np.mod(x, y)
    plain = (y != 0) & (y != -1)
    rest = np.mod(x, np.where(plain, y, np.ones_like(y)))
    return np.asarray(rest) if np.all(plain) else np.where(y == 0, x, rest).astype(x.dtype)


@kernel("pow", wide=True)
def power(x: Array, y: Array) -> Array:
    """Ints: exact modulo 2^32; a negative exponent gives 1/x truncated."""
    if not _is_int(x):
        return np.power(x, y)
    base, exponent = np.broadcast_arrays(x, y)
    left = np.maximum(exponent, 0).astype(np.int64)
    result, square = np.ones_like(base), base.copy()
    while left.any():
        result = np.where(left & 1, result * square, result)
        square = square * square
        left >>= 1
    odd = np.where(exponent & 1, base, 1)
    inverse = np.where(base == 1, 1, np.where(base == -1, odd, 0))
    return np.where(exponent < 0, inverse, result).astype(x.dtype)


def _plus(x: Array, epsilon: Any) -> Array:
    """An epsilon of 0 keeps the sign of -0."""
    return x + np.asarray(epsilon, x.dtype) if epsilon else x


@kernel("log", wide=True)
def log(x: Array, epsilon: Array | float = 1e-45) -> Array:
    return np.log(_plus(x, epsilon))


@kernel("rsqrt", wide=True)
def rsqrt(x: Array, epsilon: Array | float = 1e-12) -> Array:
    return np.divide(x.dtype.type(1), np.sqrt(_plus(x, epsilon)))


@kernel("inverse", wide=True)
def inverse(x: Array, epsilon: Array | float = 1e-4) -> Array:
    return np.divide(x.dtype.type(1), _plus(x, epsilon))


_unary("erf", erf)


@kernel("select")
def select(cond: Array, a: Array, b: Array) -> Array:
    return np.where(cond, a, b)


@kernel("clip", wide=True)
def clip(x: Array, alpha: Array, beta: Array) -> Array:
    return np.minimum(np.maximum(x, alpha.astype(x.dtype)), beta.astype(x.dtype))


@kernel("threshold", wide=True)
def threshold(x: Array, alpha: Array) -> Array:
    return np.maximum(x, alpha.astype(x.dtype))


@kernel("cast")
def cast(x: Array, dtype: str) -> Array:
    return convert(x, STORAGE[str(dtype)].numpy)


def convert(x: Array, dtype: Any) -> Array:
    """Float to int truncates, saturates, and takes NaN to 0; int to int wraps; bool is x != 0."""
    target = np.dtype(dtype)
    if target == np.bool_:
        return x != 0
    if x.dtype.kind != "f" or target.kind not in "iu":
        return x.astype(target)
    bounds = np.iinfo(target)
    wide = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0)
    inside = np.clip(wide, float(bounds.min), float(bounds.max))
    return inside.astype(np.int64).astype(target)


# --- activations ---------------------------------------------------------------------------


def sigmoid_of(x: Array) -> Array:
    """1 / (1 + exp(-x)): exact tails."""
    return np.divide(x.dtype.type(1), 1 + np.exp(-x))


_unary("sigmoid", sigmoid_of)
_unary("silu", lambda x: x / (1 + np.exp(-x)))
_unary("relu", lambda x: _rectified(x))
_unary("relu6", lambda x: np.minimum(_rectified(x), x.dtype.type(6)))
_unary("softplus", lambda x: softplus_of(x))
_unary("softsign", lambda x: x / (1 + np.abs(x)))


def _rectified(x: Array) -> Array:
    """-0 and NaN stay."""
    return np.where(x < 0, x.dtype.type(0), x)


def softplus_of(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.logaddexp(x.dtype.type(0), x)


def _like(value: Array, x: Array) -> Array:
    return np.asarray(value).astype(x.dtype)


def _channels(value: Array, x: Array) -> Array:
    """A per-channel vector, shaped for axis 1 of x."""
    value = _like(value, x)
    return value if value.ndim == 0 else value.reshape(-1, *(1,) * (x.ndim - 2))


@kernel("gelu", wide=True)
def gelu(x: Array, mode: str | None = None) -> Array:
    half = x.dtype.type(0.5)
    match text(mode, "exact"):
        case "tanh_approximation":
            inner = np.sqrt(2 / np.pi).astype(x.dtype) * (x + x.dtype.type(0.044715) * x * x * x)
            return half * x * (1 + np.tanh(inner))
        case "sigmoid_approximation":
            return x * sigmoid_of(x.dtype.type(1.702) * x)
    return half * x * (1 + erf(x * x.dtype.type(np.sqrt(0.5))))


@kernel("leaky_relu", wide=True)
def leaky_relu(x: Array, alpha: Array) -> Array:
    return np.where(x < 0, x * _like(alpha, x), x)


@kernel("prelu", wide=True)
def prelu(x: Array, alpha: Array) -> Array:
    return np.where(x < 0, x * _channels(alpha, x), x)


@kernel("elu", wide=True)
def elu(x: Array, alpha: Array) -> Array:
    return np.where(x < 0, np.expm1(x) * _like(alpha, x), x)


@kernel("clamped_relu", wide=True)
def clamped_relu(x: Array, alpha: Array, beta: Array) -> Array:
    return np.minimum(np.where(x >= 0, x, x * _like(alpha, x)), _like(beta, x))


@kernel("thresholded_relu", wide=True)
def thresholded_relu(x: Array, alpha: Array) -> Array:
    """X below alpha is 0 (as coremltools infers it); NaN stays."""
    return np.where(x < _like(alpha, x), x.dtype.type(0), x)


@kernel("linear_activation", wide=True)
def linear_activation(x: Array, alpha: Array, beta: Array) -> Array:
    return x * _like(alpha, x) + _like(beta, x)


@kernel("scaled_tanh", wide=True)
def scaled_tanh(x: Array, alpha: Array, beta: Array) -> Array:
    return _like(alpha, x) * np.tanh(x * _like(beta, x))


@kernel("sigmoid_hard", wide=True)
def sigmoid_hard(x: Array, alpha: Array, beta: Array) -> Array:
    line = x * _like(alpha, x) + _like(beta, x)
    return np.minimum(np.maximum(line, x.dtype.type(0)), x.dtype.type(1))


@kernel("softplus_parametric", wide=True)
def softplus_parametric(x: Array, alpha: Array, beta: Array) -> Array:
    return _channels(alpha, x) * softplus_of(x * _channels(beta, x))
