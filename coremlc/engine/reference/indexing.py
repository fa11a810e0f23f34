"""Gather and scatter kernels."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, axis_of, indices_in, kernel, text


@kernel("gather")
def gather(
    x: Array, indices: Array, axis: Any = 0, batch_dims: Any = 0, validate_indices: Any = False
) -> Array:
    at, batch = axis_of(axis, x.ndim), int(batch_dims)
    index = indices_in(indices, x.shape[at], validate_indices)
    if batch == 0:
        return np.take(x, index, at)
    # Batch axes stand first in both; every other axis of x keeps its place around `axis`.
    grid = np.ogrid[tuple(slice(n) for n in index.shape[:batch])]
    moved = np.moveaxis(x, at, batch)
    tail = (1,) * (index.ndim - batch)
    lead = tuple(np.asarray(g).reshape(g.shape + tail) for g in grid)
    picked = moved[(*lead, index)]
    # picked: batch, index tail, then x's other axes; those before `axis` move in front of the tail.
    count = index.ndim - batch
    for i in range(at - batch):
        picked = np.moveaxis(picked, batch + i + count, batch + i)
    return picked


@kernel("gather_along_axis")
def gather_along_axis(
    x: Array, indices: Array, axis: Any = 0, validate_indices: Any = False
) -> Array:
    at = axis_of(axis, x.ndim)
    return np.take_along_axis(x, indices_in(indices, x.shape[at], validate_indices), at)


def _columns(
    indices: Array, dims: tuple[int, ...], validate: Any, *, must_fit: bool = False
) -> tuple[Array, ...]:
    return tuple(
        indices_in(indices[..., i], dim, validate, must_fit=must_fit) for i, dim in enumerate(dims)
    )


@kernel("gather_nd")
def gather_nd(
    x: Array, indices: Array, batch_dims: Any = 0, validate_indices: Any = False
) -> Array:
    batch, depth = int(batch_dims), indices.shape[-1]
    place = _columns(indices, x.shape[batch : batch + depth], validate_indices)
    grid = np.ogrid[tuple(slice(n) for n in x.shape[:batch])] if batch else ()
    tail = (1,) * (indices.ndim - 1 - batch)
    lead = tuple(np.asarray(g).reshape(g.shape + tail) for g in grid)
    return x[(*lead, *place)]


def _apply(out: Array, place: Any, updates: Array, mode: str) -> None:
    """Duplicates act in order."""
    match mode:
        case "update":
            out[place] = updates
        case "add":
            np.add.at(out, place, updates)
        case "sub":
            np.subtract.at(out, place, updates)
        case "mul":
            np.multiply.at(out, place, updates)
        case "div":
            np.divide.at(out, place, updates)
        case "max":
            np.maximum.at(out, place, updates)
        case "min":
            np.minimum.at(out, place, updates)
        case _:
            raise AssertionError(f"scatter mode {mode}")


@kernel("scatter", wide=True)
def scatter(
    data: Array,
    indices: Array,
    updates: Array,
    axis: Any = 0,
    mode: str | None = None,
    validate_indices: Any = False,
) -> Array:
    """Data[.., indices[i], ..] op= updates[.., i, ..]; a bad index is an error."""
    at = axis_of(axis, data.ndim)
    index = indices_in(indices, data.shape[at], validate_indices, must_fit=True)
    out = data.copy()
    moved = np.moveaxis(out, at, 0)
    span = tuple(range(at, at + index.ndim))
    _apply(moved, index, np.moveaxis(updates, span, range(index.ndim)), text(mode, "add"))
    return out


@kernel("scatter_along_axis", wide=True)
def scatter_along_axis(
    data: Array,
    indices: Array,
    updates: Array,
    axis: Any = 0,
    mode: str | None = None,
    validate_indices: Any = False,
) -> Array:
    at = axis_of(axis, data.ndim)
    index = indices_in(indices, data.shape[at], validate_indices, must_fit=True)
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    grid[at] = index
    out = data.copy()
    _apply(out, tuple(grid), updates, text(mode, "add"))
    return out


@kernel("scatter_nd", wide=True)
def scatter_nd(
    data: Array,
    indices: Array,
    updates: Array,
    mode: str | None = None,
    validate_indices: Any = False,
) -> Array:
    depth = indices.shape[-1]
    place = _columns(indices, data.shape[:depth], validate_indices, must_fit=True)
    out = data.copy()
    _apply(out, place, updates, text(mode, "add"))
    return out
