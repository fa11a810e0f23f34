"""Reductions over axes, which disappear.

Source: GoMLX `Reduce*`; XLA. Over no element they give the neutral one (Max: -inf or the least).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from coremlc.dtypes import BOOL, BY_NUMPY, FLOAT, NUMBER, REAL, DType
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import Dtypes, check_dtype, is_bool
from coremlc.ops.shape import check_axes

LowerReduce = Callable[[Builder, Value, "np.ndarray[Any, Any]"], Value]


@dataclass(frozen=True)
class Reduce(Op):
    """A reduction. C1 dtype. C2 unique axes of x."""

    accepts: ClassVar[Dtypes]
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_dtype(self.kind, x, self.accepts)  # C1
        check_axes("axes", self.axes, x)  # C2
        return x.without(self.axes)


def reduction(
    name: str,
    doc: str,
    accepts: Dtypes,
    evaluate: Callable[[Array, tuple[int, ...]], Array],
    lower: LowerReduce | None,
    **extra: Any,
) -> type[Reduce]:
    """One reduction, registered."""

    def lower_axes(self: Reduce, m: Builder, x: Value) -> Value:
        assert lower is not None
        return lower(m, x, np.array(self.axes, np.int32)) if self.axes else x

    body = {
        "__doc__": doc,
        "__module__": __name__,
        "accepts": accepts,
        "evaluate": lambda self, x: np.asarray(evaluate(x, self.axes)),
        "lower": lower_axes if lower is not None else None,
        **extra,
    }
    return register(dataclass(frozen=True)(type(name, (Reduce,), body)))


def _direct(kind: str) -> LowerReduce:
    def lower(m: Builder, x: Value, axes: Array) -> Value:
        result: Value = getattr(m, kind)(x=x, axes=axes, keep_dims=False)
        return result

    return lower


def _through_int(kind: str, x: Value, m: Builder, axes: Array) -> Value:
    result: Value = getattr(m, kind)(x=m.cast(x=x, dtype="int32"), axes=axes, keep_dims=False)
    return m.not_equal(x=result, y=0)


def any_true(m: Builder, x: Value, axes: Array) -> Value:
    """Whether any is true."""
    return _through_int("reduce_max", x, m, axes)


def all_true(m: Builder, x: Value, axes: Array) -> Value:
    """Whether all are true."""
    return _through_int("reduce_min", x, m, axes)


def odd_true(m: Builder, x: Value, axes: Array) -> Value:
    """Whether an odd number is true."""
    count = m.reduce_sum(x=m.cast(x=x, dtype="int32"), axes=axes, keep_dims=False)
    return m.not_equal(x=m.mod(x=count, y=2), y=0)


def _lower_max(m: Builder, x: Value, axes: Array) -> Value:
    return any_true(m, x, axes) if is_bool(x) else _direct("reduce_max")(m, x, axes)


def _lower_min(m: Builder, x: Value, axes: Array) -> Value:
    return all_true(m, x, axes) if is_bool(x) else _direct("reduce_min")(m, x, axes)


def lowest(dtype: DType | np.dtype[Any]) -> Any:
    """Neutral element of a maximum."""
    limits = np.dtype(dtype.numpy if isinstance(dtype, DType) else dtype)
    return _extreme(limits, -math.inf, lambda info: info.min)


def highest(dtype: DType | np.dtype[Any]) -> Any:
    """Neutral element of a minimum."""
    limits = np.dtype(dtype.numpy if isinstance(dtype, DType) else dtype)
    return _extreme(limits, math.inf, lambda info: info.max)


def _extreme(dtype: np.dtype[Any], infinite: float, pick: Callable[[Any], int]) -> Any:
    if dtype.kind == "b":
        return infinite > 0
    whole = dtype.kind in "iu" or BY_NUMPY[dtype].is_integer  # int4 is of no kind that numpy knows
    return pick(ml_dtypes.iinfo(dtype)) if whole else infinite


def _sum_range(self: Reduce, types: tuple[TensorType, ...], *ranges: Range) -> Range:
    (t,), (x,) = types, ranges
    count = math.prod(t.shape[a] for a in self.axes)
    return (x[0] * count, x[1] * count) if count else (0, 0)


def _product_range(self: Reduce, types: tuple[TensorType, ...], *ranges: Range) -> Range:
    (t,), (x,) = types, ranges
    count = math.prod(t.shape[a] for a in self.axes)
    size = max(abs(x[0]), abs(x[1]), 1)
    top = size ** min(count, 200)
    return (0 if x[0] >= 0 else -top), top


ReduceSum = reduction(
    "ReduceSum",
    "`(x: N[..]) -> N[..]`: the sum; integers wrap. MIL `reduce_sum`.",
    NUMBER,
    lambda x, axes: np.sum(x, axes, dtype=x.dtype),
    _direct("reduce_sum"),
    range_of=_sum_range,
    exactness=Exactness.SUMMED,
)
reduce_mean = reduction(
    "reduce_mean",
    "`(x: F[..]) -> F[..]`: the mean; of nothing NaN. MIL `reduce_mean`.",
    FLOAT,
    np.mean,
    _direct("reduce_mean"),
    gomlx=False,
)
ReduceProduct = reduction(
    "ReduceProduct",
    "`(x: N[..]) -> N[..]`: the product; integers wrap. MIL `reduce_prod`.",
    NUMBER,
    lambda x, axes: np.prod(x, axes, dtype=x.dtype),
    _direct("reduce_prod"),
    range_of=_product_range,
)
ReduceMax = reduction(
    "ReduceMax",
    "`(x: T[..]) -> T[..]`: the greatest; NaN wins. MIL `reduce_max`.",
    REAL | {BOOL},
    lambda x, axes: np.max(x, axes, initial=lowest(x.dtype)).astype(x.dtype),
    _lower_max,
    range=lambda self, x: x,
    exactness=Exactness.EXACT,
)
ReduceMin = reduction(
    "ReduceMin",
    "`(x: T[..]) -> T[..]`: the least; NaN wins. MIL `reduce_min`.",
    REAL | {BOOL},
    lambda x, axes: np.min(x, axes, initial=highest(x.dtype)).astype(x.dtype),
    _lower_min,
    range=lambda self, x: x,
    exactness=Exactness.EXACT,
)
ReduceLogicalAnd = reduction(
    "ReduceLogicalAnd",
    "`(x: bool[..]) -> bool[..]`: whether all are true. MIL `reduce_min` of int32.",
    frozenset({BOOL}),
    np.all,
    all_true,
)
ReduceLogicalOr = reduction(
    "ReduceLogicalOr",
    "`(x: bool[..]) -> bool[..]`: whether any is true. MIL `reduce_max` of int32.",
    frozenset({BOOL}),
    np.any,
    any_true,
)
ReduceLogicalXor = reduction(
    "ReduceLogicalXor",
    "`(x: bool[..]) -> bool[..]`: whether an odd number is true. MIL `reduce_sum` of int32.",
    frozenset({BOOL}),
    lambda x, axes: np.logical_xor.reduce(x, axes),
    odd_true,
)
