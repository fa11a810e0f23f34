"""Rows of the elementwise ops: broadcast as GoMLX does, then one jax.lax function."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jax import lax

from coremlc.baseline.emitted import power
from coremlc.baseline.row import Row, Tensor
from coremlc.ops.convert_dtype import ConvertDType


def spread(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A scalar, or dims of 1, repeated: XLA itself broadcasts nothing."""
    if x.shape == shape:
        return x
    return lax.broadcast_in_dim(x, shape, range(len(shape) - x.ndim, len(shape)))


def _together(f: Row) -> Row:
    def row(op: Any, *xs: Tensor) -> Tensor:
        shape = np.broadcast_shapes(*[x.shape for x in xs])
        return f(*[spread(x, shape) for x in xs])

    return row


def _abs(x: Tensor) -> Tensor:
    """Of complex as GoMLX spells it, without regard to overflow; XLA has none of unsigned."""
    if x.dtype.kind == "u":
        return x
    if x.dtype.kind != "c":
        return lax.abs(x)
    re, im = lax.real(x), lax.imag(x)
    return lax.sqrt(re * re + im * im)


def _is_finite(x: Tensor) -> Tensor:
    if x.dtype.kind != "c":
        return lax.is_finite(x)
    return lax.bitwise_and(lax.is_finite(lax.real(x)), lax.is_finite(lax.imag(x)))


def _mod(x: Tensor, y: Tensor) -> Tensor:
    """MIL's, to which quantized ops decompose: the sign of y, where XLA has that of x."""
    return lax.rem(lax.rem(x, y) + y, y)


def _where(op: Any, condition: Tensor, on_true: Tensor, on_false: Tensor) -> Tensor:
    """A scalar condition stays one: XLA's select takes it."""
    shape = np.broadcast_shapes(condition.shape, on_true.shape, on_false.shape)
    condition = condition if not condition.shape else spread(condition, shape)
    return lax.select(condition, spread(on_true, shape), spread(on_false, shape))


def _clamp(op: Any, low: Tensor, x: Tensor, high: Tensor) -> Tensor:
    """Scalar bounds stay scalar, if both are."""
    shape = np.broadcast_shapes(low.shape, x.shape, high.shape)
    if low.shape or high.shape:
        low, high = spread(low, shape), spread(high, shape)
    return lax.clamp(low, spread(x, shape), high)


def _convert(op: ConvertDType, x: Tensor) -> Tensor:
    """StableHLO takes the real part of complex; jax warns, and for bool looks at both."""
    if x.dtype.kind == "c" and not op.dtype.is_complex:
        x = lax.real(x)
    return lax.convert_element_type(x, op.dtype.numpy)


def _negated(f: Row) -> Row:
    return lambda x, y: lax.bitwise_not(f(x, y))


def _swapped(f: Row) -> Row:
    return lambda x, y: f(y, x)


def _total(primitive: Any, plain: Row) -> Row:
    """In total order, which integers have anyway."""

    def compare(x: Tensor, y: Tensor) -> Tensor:
        ordered = x.dtype.kind in "biu"
        return plain(x, y) if ordered else primitive.bind(x, y)

    return compare


_EQUAL, _LESS = _total(lax.eq_to_p, lax.eq), _total(lax.lt_to_p, lax.lt)
_LESS_OR_EQUAL = _total(lax.le_to_p, lax.le)

_FUNCTIONS: dict[str, Row] = {
    "Abs": _abs,
    "Neg": lax.neg,
    "Sign": lax.sign,
    "Ceil": lax.ceil,
    "Floor": lax.floor,
    "Round": partial(lax.round, rounding_method=lax.RoundingMethod.TO_NEAREST_EVEN),
    "Exp": lax.exp,
    "Expm1": lax.expm1,
    "Log": lax.log,
    "Log1p": lax.log1p,
    "Sqrt": lax.sqrt,
    "Rsqrt": lax.rsqrt,
    "Cos": lax.cos,
    "Sin": lax.sin,
    "Tanh": lax.tanh,
    "Erf": lax.erf,
    "Logistic": lax.logistic,
    "IsNaN": lambda x: lax.ne(x, x),
    "IsFinite": _is_finite,
    "LogicalNot": lax.bitwise_not,
    "BitwiseNot": lax.bitwise_not,
    "BitCount": lax.population_count,
    "Clz": lax.clz,
    "Conj": lambda x: lax.complex(lax.real(x), lax.neg(lax.imag(x))),
    "Real": lax.real,
    "Imag": lax.imag,
    "Complex": lax.complex,
    "Add": lax.add,
    "Sub": lax.sub,
    "Mul": lax.mul,
    "Div": lax.div,
    "Rem": lax.rem,
    "Pow": power,
    "mod": _mod,
    "Max": lax.max,
    "Min": lax.min,
    "Atan2": lax.atan2,
    "LogicalAnd": lax.bitwise_and,
    "LogicalOr": lax.bitwise_or,
    "LogicalXor": lax.bitwise_xor,
    "BitwiseAnd": lax.bitwise_and,
    "BitwiseOr": lax.bitwise_or,
    "BitwiseXor": lax.bitwise_xor,
    "ShiftLeft": lax.shift_left,
    "ShiftRightArithmetic": lax.shift_right_arithmetic,
    "ShiftRightLogical": lax.shift_right_logical,
    "Equal": lax.eq,
    "NotEqual": lax.ne,
    "LessThan": lax.lt,
    "LessOrEqual": lax.le,
    "GreaterThan": lax.gt,
    "GreaterOrEqual": lax.ge,
    "EqualTotalOrder": _EQUAL,
    "NotEqualTotalOrder": _negated(_EQUAL),
    "LessThanTotalOrder": _LESS,
    "LessOrEqualTotalOrder": _LESS_OR_EQUAL,
    "GreaterThanTotalOrder": _swapped(_LESS),
    "GreaterOrEqualTotalOrder": _swapped(_LESS_OR_EQUAL),
}

ROWS: dict[str, Row] = {
    **{kind: _together(f) for kind, f in _FUNCTIONS.items()},
    "Where": _where,
    "Clamp": _clamp,
    "ConvertDType": _convert,
}
