"""Gather and scatter recipes. A scatter whose indices may repeat makes the session one-threaded."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

import numpy as np

from coremlc.engine.ort.bounds import bounds_of
from coremlc.engine.ort.distinct import has_distinct_items, has_distinct_rows, reaches
from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axis_of, bool_of, int_of
from coremlc.mil.arrays import STORAGE


def _index(
    g: Emitter, indices: T, dims: list[int], *, validate: bool, clamp: bool, dtype: str = "int32"
) -> str:
    """Indices; `dims` per last-axis column, or one for all.

    ORT takes negative indices from the end and raises outside -dim..dim-1. To clamp, the index
    is clipped to that; to validate, a negative one is turned into one that raises.
    """
    kind = str(STORAGE[dtype].numpy)
    bound = np.array(dims if len(dims) > 1 else dims[0], kind)
    if indices.is_const and indices.value is not None:
        value = indices.value.astype(kind)
        if validate:
            value = np.where(value < 0, bound, value)
        elif clamp:
            value = np.clip(value, -bound, bound - 1)
        return g.const(value)
    if indices.shape[-1:] == (1,):  # see `repeats`
        bound = bound.reshape((1,) * indices.rank)
    index = g.use(indices) if indices.dtype == dtype else g.cast(indices, dtype)
    low, high = bounds_of(indices)
    if validate and low < 0:
        return g.where(g.node("Less", index, g.const(bound * 0)), g.const(bound), index)
    if clamp and low < -min(dims):
        index = g.node("Max", index, g.const(-bound))
    if clamp and high >= min(dims):
        index = g.node("Min", index, g.const(bound - 1))
    return index


@recipe("gather")
def gather(
    g: Emitter,
    x: T,
    indices: T,
    axis: T | None = None,
    batch_dims: T | None = None,
    validate_indices: T | None = None,
) -> str:
    at, batch = axis_of(axis, x.rank, 0), int_of(batch_dims, 0)
    validate = bool_of(validate_indices, default=False)
    dim = x.shape[at]
    if isinstance(dim, int):
        kind = "int64" if batch else "int32"
        index: Name = _index(g, indices, [dim], validate=validate, clamp=True, dtype=kind)
    else:
        index = g.cast(indices, "int64")
    if batch == 0:
        return g.node("Gather", x, index, axis=at)
    return _batched_gather(g, x, index, indices, at, batch)


def _batched_gather(g: Emitter, x: T, index: Name, indices: T, at: int, batch: int) -> str:
    """Batch axes and the gathered one become one axis of rows; each batch has its own offset."""
    middle = list(range(batch, at))
    order = [*range(batch), at, *middle, *range(at + 1, x.rank)]
    rows = g.node("Transpose", x, perm=order) if middle else g.use(x)
    lead, dim = x.dims[:batch], x.dims[at]
    rest = [x.dims[i] for i in order[batch + 1 :]]
    count = int(np.prod(lead, dtype=np.int64))
    flat = g.reshape(rows, [count * dim, *rest])
    offsets = np.arange(count, dtype=np.int64).reshape(*lead, *(1,) * (indices.rank - batch)) * dim
    bound = g.const(np.int64(dim))
    zero = g.const(np.int64(0))
    positive = g.where(g.node("Less", index, zero), g.node("Add", index, bound), index)
    picked = g.node("Gather", flat, g.node("Add", positive, g.const(offsets)), axis=0)
    if not middle:
        return picked
    tail = indices.rank - batch
    total = indices.rank + len(rest)
    moved = [batch + tail + i for i in range(len(middle))]
    others = list(range(batch + tail + len(middle), total))
    return g.node(
        "Transpose", picked, perm=[*range(batch), *moved, *range(batch, batch + tail), *others]
    )


@recipe("gather_along_axis")
def gather_along_axis(
    g: Emitter, x: T, indices: T, axis: T | None = None, validate_indices: T | None = None
) -> str:
    at = axis_of(axis, x.rank, 0)
    validate = bool_of(validate_indices, default=False)
    index = _index(g, indices, [x.dims[at]], validate=validate, clamp=True)
    return g.node("GatherElements", x, index, axis=at)


@recipe("gather_nd")
def gather_nd(
    g: Emitter,
    x: T,
    indices: T,
    batch_dims: T | None = None,
    validate_indices: T | None = None,
) -> str:
    batch = int_of(batch_dims, 0)
    dims = list(x.dims[batch : batch + indices.dims[-1]])
    validate = bool_of(validate_indices, default=False)
    index = _index(g, indices, dims, validate=validate, clamp=True, dtype="int64")
    return g.node("GatherND", x, index, batch_dims=batch)


# --- scatter --------------------------------------------------------------------------------

_REDUCTIONS = {"update": "none", "add": "add", "sub": "add", "mul": "mul", "div": "mul",
               "max": "max", "min": "min"}  # fmt: skip


def _scatter_nd(
    g: Emitter, data: Name, index: str, updates: Name, dtype: str, mode: str, *, unique: bool
) -> str:
    """Data op= updates at index. Duplicates act in order, on one thread."""
    if not unique:
        g.one_thread = True
    return _combine(g, data, updates, dtype, mode, lambda into, values, how: g.node(
        "ScatterND", into, index, values, reduction=how))  # fmt: skip


def _combine(g: Emitter, data: Name, updates: Name, dtype: str, mode: str, scatter: object) -> str:
    assert callable(scatter)
    how = _REDUCTIONS[mode]
    is_float = STORAGE[dtype].numpy.kind == "f"
    if mode == "sub":
        return str(scatter(data, g.node("Neg", updates), how))
    if mode == "div":
        ones = g.node("Expand", g.const(np.ones((), STORAGE[dtype].numpy)), g.node("Shape", data))
        return g.node("Div", data, scatter(ones, updates, how))
    result = str(scatter(data, updates, how))
    if mode not in ("max", "min") or not is_float:
        return result
    # ORT's max and min forget a NaN that stands there: count the NaNs beside it.
    seen = scatter(_is_nan(g, data), _is_nan(g, updates), "max")
    zero = g.const(np.float32(0))
    return g.choose(g.node("Greater", seen, zero), np.float32(np.nan), result)


def _is_nan(g: Emitter, x: Name) -> str:
    return g.cast(g.node("IsNaN", x), "fp32")


def _mode(mode: str | None) -> str:
    return "add" if mode is None else mode.lower()


@recipe("scatter_nd", wide=True)
def scatter_nd(
    g: Emitter,
    data: T,
    indices: T,
    updates: T,
    mode: str | None = None,
    validate_indices: T | None = None,
) -> str:
    dims = list(data.dims[: indices.dims[-1]])
    validate = bool_of(validate_indices, default=False)
    index = _index(g, indices, dims, validate=validate, clamp=False, dtype="int64")
    unique = has_distinct_rows(indices) and not reaches(indices, dims)
    return _scatter_nd(g, data, index, updates, data.dtype, _mode(mode), unique=unique)


@recipe("scatter", wide=True)
def scatter(
    g: Emitter,
    data: T,
    indices: T,
    updates: T,
    axis: T | None = None,
    mode: str | None = None,
    validate_indices: T | None = None,
) -> str:
    """The axis moves to the front, where ScatterND takes it."""
    at = axis_of(axis, data.rank, 0)
    validate = bool_of(validate_indices, default=False)
    dim = [data.dims[at]]
    index = g.node(
        "Unsqueeze",
        _index(g, indices, dim, validate=validate, clamp=False, dtype="int64"),
        g.i64(-1),
    )
    unique = has_distinct_items(indices) and not reaches(indices, dim)
    if at == 0:
        return _scatter_nd(g, data, index, updates, data.dtype, _mode(mode), unique=unique)
    order = [at, *range(at), *range(at + 1, data.rank)]
    span = list(range(at, at + indices.rank))
    others = [i for i in range(updates.rank) if i not in span]
    done = _scatter_nd(
        g,
        g.node("Transpose", data, perm=order),
        index,
        g.node("Transpose", updates, perm=[*span, *others]),
        data.dtype,
        _mode(mode),
        unique=unique,
    )
    return g.node("Transpose", done, perm=[order.index(i) for i in range(data.rank)])


@recipe("scatter_along_axis", wide=True)
def scatter_along_axis(
    g: Emitter,
    data: T,
    indices: T,
    updates: T,
    axis: T | None = None,
    mode: str | None = None,
    validate_indices: T | None = None,
) -> str:
    """ScatterElements is sequential: no race."""
    at = axis_of(axis, data.rank, 0)
    validate = bool_of(validate_indices, default=False)
    index = _index(g, indices, [data.dims[at]], validate=validate, clamp=False)
    return _combine(g, data, updates, data.dtype, _mode(mode), lambda into, values, how: g.node(
        "ScatterElements", into, index, values, axis=at, reduction=how))  # fmt: skip
