"""Recipes for the largest and smallest: their values and their places. ONNX Runtime loses NaN."""

from __future__ import annotations

import numpy as np

from coremlc.engine.ort.emitter import LARGE, Emitter
from coremlc.engine.ort.reductions import Reduction, all_finite, kept, plain, reduction
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axis_of, bool_of
from coremlc.mil.types import TensorType

STEPS = (8, 7, 6, 5, 4, 3, 2)
"""ONNX Runtime reduces so few rows at a time at the speed of memory; all of 1024 take nine times as
long, halves against halves five times."""
WIDE = 64
"""Elements of a row from which on that holds."""


def _in_steps(g: Emitter, kind: str, x: T, axis: int, keep: bool) -> str:
    """A few rows at a time; a prime number of them by halves, which may overlap."""
    outer, inner = x.dims[:axis], x.dims[axis + 1 :]
    current, count = g.use(x), x.dims[axis]
    while count > 1:
        step = next((s for s in STEPS if count % s == 0), None)
        if step is not None:
            rows = g.reshape(current, [*outer, count // step, step, *inner])
            current, count = plain(g, kind, rows, [axis + 1], False), count // step
            continue
        half = (count + 1) // 2
        front = g.node("Slice", current, g.i64(0), g.i64(half), g.i64(axis))
        back = g.node("Slice", current, g.i64(count - half), g.i64(count), g.i64(axis))
        current, count = g.node(kind.removeprefix("Reduce"), front, back), half
    return current if keep else g.node("Squeeze", current, g.i64(axis))


def _is_outer(x: T, axes: list[int]) -> bool:
    if not x.is_static or x.size < LARGE or len(axes) != 1:
        return False
    return int(np.prod(x.dims[axes[0] + 1 :], dtype=np.int64)) >= WIDE


def _extreme(kind: str) -> Reduction:
    def with_nan(g: Emitter, x: T, axes: list[int], keep: bool, found: str) -> str:
        numbers = plain(g, "ReduceMin", g.node("Equal", x, x), axes, keep)
        return g.choose(numbers, found, np.float32(np.nan))

    def reduce(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
        """NaN is put back where one was."""
        if _is_outer(x, axes):
            found = _in_steps(g, kind, x, axes[0], keep)
        else:
            found = plain(g, kind, x, axes, keep)
        if not x.is_float or (x.is_static and not x.size):
            return found
        if not x.is_static or x.size < LARGE:
            return with_nan(g, x, axes, keep, found)
        return g.branch(
            all_finite(g, x),
            lambda: found,
            lambda: with_nan(g, x, axes, keep, found),
            TensorType("fp32", tuple(kept(x, axes, keep))),
        )

    return reduce


reduction("reduce_max", _extreme("ReduceMax"))
reduction("reduce_min", _extreme("ReduceMin"))


def _arg(mil: str, kind: str) -> None:
    def call(
        g: Emitter,
        x: T,
        out: tuple[TensorType, ...],
        axis: T | None = None,
        keep_dims: T | None = None,
        output_dtype: str | None = None,
    ) -> str:
        """Ties: the first; NaN: the first NaN, which ORT sees only in the first place."""
        at, keep = axis_of(axis, x.rank, -1), int(bool_of(keep_dims, default=False))
        found = g.node(kind, x, axis=at, keepdims=keep)

        def first_nan() -> str:
            missing = g.cast(g.node("IsNaN", x), "uint8")
            first = g.node("ArgMax", missing, axis=at, keepdims=keep)
            some = g.cast(g.node("ReduceMax", missing, g.i64(at), keepdims=keep), "bool")
            return g.where(some, first, found)

        if x.is_float and x.is_static and x.size >= LARGE:
            places = TensorType("int64", tuple(kept(x, [at], bool(keep))))
            found = g.branch(all_finite(g, x), lambda: found, first_nan, places)
        elif x.is_float:
            found = first_nan()
        return g.cast(found, out[0].dtype)

    recipe(mil, wide=True)(call)


_arg("reduce_argmax", "ArgMax")
_arg("reduce_argmin", "ArgMin")
