"""Reductions, scans and sorting kernels."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, axes_of, axis_of, kernel
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType

Reduction = Callable[[Array, tuple[int, ...]], Array]

PAIRWISE = 128
"""Numbers from which on numpy adds pairwise."""


def _reduce(name: str, function: Reduction) -> None:
    def call(x: Array, axes: Array | None = None, keep_dims: Any = False) -> Array:
        over = axes_of(axes, x.ndim)
        result = np.asarray(function(x, over)).astype(x.dtype)
        return result if keep_dims else np.squeeze(result, over)

    kernel(name, wide=True)(call)


def _sum(x: Array, axes: tuple[int, ...]) -> Array:
    """Many are added pairwise, as numpy does along a contiguous axis only."""
    count = math.prod(x.shape[a] for a in axes)
    if count <= PAIRWISE:
        return np.asarray(x.sum(axes, dtype=x.dtype, keepdims=True))
    moved = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
    rest = moved.shape[: x.ndim - len(axes)]
    total = np.ascontiguousarray(moved).reshape(*rest, count).sum(-1, dtype=x.dtype)
    return np.expand_dims(total, axes)


def _limit(x: Array, *, low: bool) -> Any:
    if x.dtype.kind == "f":
        return -np.inf if low else np.inf
    bounds = np.iinfo(x.dtype)
    return bounds.min if low else bounds.max


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    if x.dtype.kind == "f":
        count = x.dtype.type(int(np.prod([x.shape[a] for a in axes])))
        return np.asarray(_sum(x, axes) / count)
    total = x.sum(axes, dtype=np.int64, keepdims=True)
    count = int(np.prod([x.shape[a] for a in axes])) or 1
    return np.asarray(np.sign(total) * (np.abs(total) // count))


def _log_sum_exp(x: Array, axes: tuple[int, ...]) -> Array:
    top = x.max(axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    return np.asarray(np.log(np.exp(x - shift).sum(axes, keepdims=True)) + shift)


for _name, _function in dict[str, Reduction](
    reduce_sum=_sum,
    reduce_prod=lambda x, a: x.prod(a, dtype=x.dtype, keepdims=True),
    reduce_max=lambda x, a: x.max(a, keepdims=True, initial=_limit(x, low=True)),
    reduce_min=lambda x, a: x.min(a, keepdims=True, initial=_limit(x, low=False)),
    reduce_mean=_mean,
    reduce_l1_norm=lambda x, a: _sum(np.abs(x), a),
    reduce_l2_norm=lambda x, a: np.sqrt(_sum(x * x, a)),
    reduce_sum_square=lambda x, a: _sum(x * x, a),
    reduce_log_sum=lambda x, a: np.log(_sum(x, a)),
    reduce_log_sum_exp=_log_sum_exp,
).items():
    _reduce(_name, _function)


def _arg(name: str, function: Callable[..., Any]) -> None:
    def call(
        x: Array, out: tuple[TensorType, ...], axis: Any = -1, keep_dims: Any = False,
        output_dtype: str | None = None,
    ) -> Array:  # fmt: skip
        """Ties: the first; NaN: the first NaN."""
        at = axis_of(axis, x.ndim)
        found = function(x, axis=at, keepdims=bool(keep_dims))
        return np.asarray(found, STORAGE[out[0].dtype].numpy)

    kernel(name)(call)


_arg("reduce_argmax", np.argmax)
_arg("reduce_argmin", np.argmin)


@kernel("cumsum", wide=True)
def cumsum(x: Array, axis: Any = 0, exclusive: Any = False, reverse: Any = False) -> Array:
    at = axis_of(axis, x.ndim)
    flipped = np.flip(x, at) if reverse else x
    total = np.cumsum(flipped, at, dtype=x.dtype)
    if exclusive:
        total = np.roll(total, 1, at)
        total[(slice(None),) * at + (slice(0, 1),)] = 0
    return np.flip(total, at) if reverse else total


def _sort_key(x: Array, *, ascending: bool) -> Array:
    """Ints that order as x does: -0 equals +0 and NaN is the largest."""
    if x.dtype.kind == "f":
        bits = (x.astype(np.float32) + np.float32(0)).view(np.int32)
        keys = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
        keys = np.where(np.isnan(x), np.iinfo(np.int32).max, keys)
    else:
        keys = x.astype(np.int64)
    return keys if ascending else ~keys


def order(x: Array, axis: int, *, ascending: bool) -> Array:
    """Stable sorting permutation; ties by lowest index in both directions."""
    return np.argsort(_sort_key(x, ascending=ascending), axis=axis, kind="stable")


@kernel("argsort")
def argsort(x: Array, axis: Any = -1, ascending: Any = False) -> Array:
    return order(x, axis_of(axis, x.ndim), ascending=bool(ascending)).astype(np.int32)


@kernel("topk")
def topk(
    x: Array,
    out: tuple[TensorType, ...],
    k: Any = 1,
    axis: Any = -1,
    ascending: Any = False,
    sort: Any = True,
    return_indices: Any = True,
    output_indices_dtype: str | None = None,
) -> tuple[Array, ...]:
    """Ascending gives the k smallest. Always sorted."""
    at = axis_of(axis, x.ndim)
    count = x.shape[at] if int(k) == -1 else int(k)
    places = np.take(order(x, at, ascending=bool(ascending)), np.arange(count), at)
    values = np.take_along_axis(x, places, at)
    if not return_indices:
        return (values,)
    return values, places.astype(STORAGE[out[1].dtype].numpy)
