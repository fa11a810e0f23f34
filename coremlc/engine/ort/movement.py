"""Recipes that move data: shapes, slices, joins, pads, fills."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

import numpy as np

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axes_of, axis_of, bool_of, const_of, int_of, ints_of
from coremlc.engine.ort.transposes import transposed
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType


def _static(out: tuple[TensorType, ...]) -> list[int] | None:
    dims = [d for d in out[0].shape if isinstance(d, int)]
    return dims if len(dims) == len(out[0].shape) else None


@recipe("reshape")
def reshape(g: Emitter, x: T, shape: T, out: tuple[TensorType, ...]) -> str:
    dims = _static(out)
    if dims is not None:
        return g.reshape(x, dims)
    wanted = g.i64(*ints_of(shape, [])) if shape.is_const else g.cast(shape, "int64")
    return g.node("Reshape", x, wanted)


@recipe("reshape_like", "squeeze", "expand_dims", "flatten2d")
def to_static(
    g: Emitter,
    x: T,
    out: tuple[TensorType, ...],
    axes: T | None = None,
    axis: T | None = None,
    **others: object,
) -> str:
    """Any op that only renames the dims: a Reshape where they are known."""
    dims = _static(out)
    if dims is not None:
        return g.reshape(x, dims)
    if axes is not None and not others:
        kind = "Squeeze" if len(out[0].shape) < x.rank else "Unsqueeze"
        return g.node(kind, x, g.i64(*ints_of(axes, [])))
    return g.reshape(x, list(x.dims))  # says which dim is unknown


@recipe("transpose")
def transpose(g: Emitter, x: T, perm: T) -> str:
    return transposed(g, x, [p % max(x.rank, 1) for p in ints_of(perm, [])])


@recipe("concat")
def concat(g: Emitter, values: list[T], axis: T, interleave: T | None = None) -> str:
    at = axis_of(axis, values[0].rank, 0)
    if not bool_of(interleave, default=False):
        return g.node("Concat", *values, axis=at)
    dims = list(values[0].dims)
    parts = [g.node("Unsqueeze", v, g.i64(at + 1)) for v in values]
    dims[at] *= len(values)
    return g.reshape(g.node("Concat", *parts, axis=at + 1), dims)


@recipe("stack")
def stack(g: Emitter, values: list[T], axis: T) -> str:
    at = axis_of(axis, values[0].rank + 1, 0)
    return g.node("Concat", *(g.node("Unsqueeze", v, g.i64(at)) for v in values), axis=at)


@recipe("split")
def split(
    g: Emitter,
    x: T,
    axis: T,
    out: tuple[TensorType, ...],
    num_splits: T | None = None,
    split_sizes: T | None = None,
) -> list[str]:
    at = axis_of(axis, x.rank, 0)
    if split_sizes is not None:
        return g.nodes("Split", len(out), x, g.i64(*ints_of(split_sizes, [])), axis=at)
    return g.nodes("Split", len(out), x, axis=at, num_outputs=len(out))


@recipe("tile")
def tile(g: Emitter, x: T, reps: T) -> str:
    counts = g.i64(*ints_of(reps, [])) if reps.is_const else g.cast(reps, "int64")
    return g.node("Tile", x, counts)


_FIRST = np.iinfo(np.int64).min + 1
_LAST = np.iinfo(np.int64).max


@recipe("reverse")
def reverse(g: Emitter, x: T, axes: T | None = None) -> str:
    over = axes_of(axes, x.rank)
    if not over:
        return g.node("Identity", x)
    count = len(over)
    starts, ends, steps = g.i64(*[_LAST] * count), g.i64(*[_FIRST] * count), g.i64(*[-1] * count)
    return g.node("Slice", x, starts, ends, g.i64(*over), steps)


@recipe("reverse_sequence")
def reverse_sequence(
    g: Emitter, x: T, lengths: T, seq_axis: T | None = None, batch_axis: T | None = None
) -> str:
    seq, batch = axis_of(seq_axis, x.rank, 0), axis_of(batch_axis, x.rank, 0)
    order = [batch, seq, *(i for i in range(x.rank) if i not in (batch, seq))]
    front = g.node("Transpose", x, perm=order)
    turned = g.node("ReverseSequence", front, g.cast(lengths, "int64"), batch_axis=0, time_axis=1)
    return g.node("Transpose", turned, perm=[order.index(i) for i in range(x.rank)])


# --- slices ---------------------------------------------------------------------------------


def _mask(x: T | None, rank: int) -> list[bool]:
    return [False] * rank if x is None else [bool(v) for v in np.atleast_1d(const_of(x, "mask"))]


@recipe("slice_by_index")
def slice_by_index(
    g: Emitter,
    x: T,
    begin: T,
    end: T,
    out: tuple[TensorType, ...],
    stride: T | None = None,
    begin_mask: T | None = None,
    end_mask: T | None = None,
    squeeze_mask: T | None = None,
) -> str:
    masks = [_mask(m, x.rank) for m in (begin_mask, end_mask, squeeze_mask)]
    steps = ints_of(stride, [1] * x.rank, "stride")
    steps = [1 if squeezed else s for s, squeezed in zip(steps, masks[2], strict=True)]
    squeezed_axes = [i for i, squeezed in enumerate(masks[2]) if squeezed]
    if begin.is_const and end.is_const:
        starts, ends = _static_bounds(ints_of(begin, []), ints_of(end, []), steps, masks)
        part = _slice(g, x, starts, ends, steps)
    else:
        part = _dynamic_slice(g, x, begin, end, steps, masks)
    dims = _static(out)
    if dims is not None and (squeezed_axes or not begin.is_const):
        return g.reshape(part, dims)  # also fails if a begin was out of range
    return g.node("Squeeze", part, g.i64(*squeezed_axes)) if squeezed_axes else part


def _static_bounds(
    begin: list[int], end: list[int], steps: list[int], masks: list[list[bool]]
) -> tuple[list[int], list[int]]:
    starts, ends = [], []
    for b, e, s, no_begin, no_end, one in zip(begin, end, steps, *masks, strict=True):
        start = (0 if s > 0 or one else _LAST) if no_begin else b
        starts.append(start)
        if one:
            ends.append(_LAST if start == -1 else start + 1)
        else:
            ends.append((_LAST if s > 0 else _FIRST) if no_end else e)
    return starts, ends


def _slice(g: Emitter, x: T, starts: list[int], ends: list[int], steps: list[int]) -> str:
    """Only axes that are cut are named: each one costs time."""
    axes = [
        i
        for i, (dim, b, e, s) in enumerate(zip(x.shape, starts, ends, steps, strict=True))
        if (b, s) != (0, 1) or (e != _LAST and e != dim)
    ]
    if not axes:
        return g.node("Identity", x)
    vectors = [[v[i] for i in axes] for v in (starts, ends, steps)]
    return g.node(
        "Slice", x, g.i64(*vectors[0]), g.i64(*vectors[1]), g.i64(*axes), g.i64(*vectors[2])
    )


def _dynamic_slice(
    g: Emitter, x: T, begin: T, end: T, steps: list[int], masks: list[list[bool]]
) -> str:
    """Bounds known at run time only; masks replace them where they stand."""
    no_begin, no_end, squeezed = (np.array(m) for m in masks)
    forward = np.array(steps) > 0
    starts = g.cast(begin, "int64")
    first = np.where(forward | squeezed, 0, _LAST)
    starts = g.where(g.const(no_begin), g.const(first), starts)
    after = g.node("Add", starts, g.i64(1))
    after = g.where(g.node("Equal", after, g.i64(0)), g.i64(_LAST), after)
    last = np.where(forward, _LAST, _FIRST)
    ends = g.where(g.const(no_end), g.const(last), g.cast(end, "int64"))
    ends = g.where(g.const(squeezed), after, ends)
    return g.node("Slice", x, starts, ends, g.i64(*range(x.rank)), g.i64(*steps))


@recipe("slice_by_size")
def slice_by_size(g: Emitter, x: T, begin: T, size: T, out: tuple[TensorType, ...]) -> str:
    if x.rank == 0:
        return g.node("Identity", x)
    starts = g.cast(begin, "int64")
    if size.is_const:
        counts = ints_of(size, [])
        rest = np.array([c == -1 for c in counts])
        stops = g.node("Add", starts, g.i64(*counts))
    else:
        rest = np.zeros(x.rank, bool)
        stops = g.node("Add", starts, g.cast(size, "int64"))
        stops = g.where(g.node("Equal", size, g.const(np.int32(-1))), g.i64(_LAST), stops)
    # A negative begin counts from the end: a stop of 0 then means the end.
    at_end = g.node("And", g.node("Less", starts, g.i64(0)), g.node("Equal", stops, g.i64(0)))
    stops = g.where(g.node("Or", at_end, g.const(rest)), g.i64(_LAST), stops)
    part = g.node("Slice", x, starts, stops)
    dims = _static(out)
    return part if dims is None else g.reshape(part, dims)


@recipe("slice_update")
def slice_update(
    g: Emitter,
    x: T,
    update: T,
    begin: T,
    end: T,
    stride: T | None = None,
    begin_mask: T | None = None,
    end_mask: T | None = None,
    squeeze_mask: T | None = None,
) -> str:
    """A scatter of rows to a grid of places, which never repeat.

    Axes after the last one that is cut stay together as a row.
    """
    masks = [_mask(m, x.rank) for m in (begin_mask, end_mask, squeeze_mask)]
    steps = ints_of(stride, [1] * x.rank, "stride")
    lengths = iter(update.dims)
    spans = [1 if one else next(lengths) for one in masks[2]]
    begin_value = begin.value if begin.is_const else None
    cut = _last_cut(x, spans, steps)
    grid = np.zeros((), np.int64)
    offset: str | None = None
    for i in range(cut):
        stride_rows = int(np.prod(x.dims[i + 1 : cut], dtype=np.int64))
        run = np.arange(spans[i], dtype=np.int64) * (1 if masks[2][i] else steps[i])
        place = run
        if masks[0][i]:
            place = run + (0 if steps[i] > 0 else x.dims[i] - 1)
        elif begin_value is not None:
            start = int(begin_value[i])
            start += x.dims[i] if start < 0 else 0
            place = run + min(max(start, 0), x.dims[i] - 1)
        else:
            offset = _add_offset(g, offset, begin, i, x.dims[i], spans[i], steps[i], stride_rows)
        grid = grid[..., None] + place * stride_rows
    width = int(np.prod(x.dims[cut:], dtype=np.int64))
    rows = int(np.prod(x.dims[:cut], dtype=np.int64))
    index: Name = g.const(grid.reshape(-1, 1))
    if offset is not None:
        index = g.node("Add", index, offset)
    changed = g.node(
        "ScatterND", g.reshape(x, [rows, width]), index, g.reshape(update, [grid.size, width])
    )
    return g.reshape(changed, x.dims)


def _last_cut(x: T, spans: list[int], steps: list[int]) -> int:
    """Axes from here on are replaced whole."""
    cut = x.rank
    while cut and spans[cut - 1] == x.dims[cut - 1] and steps[cut - 1] == 1:
        cut -= 1
    return cut


def _add_offset(
    g: Emitter, offset: str | None, begin: T, i: int, dim: int, span: int, step: int, rows: int
) -> str:
    """Rows to skip for a begin known at run time, kept inside the axis."""
    start = g.cast(g.node("Gather", begin, g.i64(i)), "int64")
    start = g.where(g.node("Less", start, g.i64(0)), g.node("Add", start, g.i64(dim)), start)
    reach = max(span - 1, 0) * abs(step)
    low, high = (0, dim - 1 - reach) if step > 0 else (reach, dim - 1)
    start = g.node("Min", g.node("Max", start, g.i64(low)), g.i64(max(high, low)))
    skipped = g.node("Mul", start, g.i64(rows))
    return skipped if offset is None else g.node("Add", offset, skipped)


# --- pads and fills -------------------------------------------------------------------------


@recipe("pad", wide=True)
def pad(g: Emitter, x: T, pad: T, mode: str | None = None, constant_val: T | None = None) -> str:
    pairs = ints_of(pad, [], "pad")
    lead = [0] * (x.rank - len(pairs) // 2)
    widths = g.i64(*lead, *pairs[::2], *lead, *pairs[1::2])
    match "constant" if mode is None else mode.lower():
        case "reflect":
            return g.node("Pad", x, widths, mode="reflect")
        case "replicate":
            return g.node("Pad", x, widths, mode="edge")
    dtype = STORAGE[x.dtype].numpy
    value = 0 if constant_val is None else const_of(constant_val, "constant_val")
    small = x.dtype in ("int16", "uint16")
    source = g.cast(x, "int32") if small else x
    filler = g.const(np.asarray(value).astype(np.int32 if small else dtype).reshape(()))
    padded = g.node("Pad", source, widths, filler, mode="constant")
    return g.cast(padded, x.dtype) if small else padded


@recipe("fill", "fill_like")
def fill(
    g: Emitter,
    out: tuple[TensorType, ...],
    shape: T | None = None,
    ref_tensor: T | None = None,
    value: T | None = None,
) -> str:
    dims: Name
    if shape is not None:
        dims = g.i64(*ints_of(shape, [])) if shape.is_const else g.cast(shape, "int64")
    else:
        assert ref_tensor is not None
        dims = g.node("Shape", ref_tensor)
    dtype = STORAGE[out[0].dtype].numpy
    item = np.zeros((), dtype) if value is None else const_of(value, "value").astype(dtype)
    return g.node("Expand", g.const(item), dims)


@recipe("range_1d")
def range_1d(g: Emitter, end: T, start: T, step: T) -> str:
    return g.node("Range", start, end, step)


@recipe("shape")
def shape(g: Emitter, x: T, out: tuple[TensorType, ...]) -> str:
    return g.cast(g.node("Shape", x), out[0].dtype)


@recipe("band_part", wide=True)
def band_part(g: Emitter, x: T, lower: T | None = None, upper: T | None = None) -> str:
    low, high = int_of(lower, -1, "lower"), int_of(upper, -1, "upper")
    rows, columns = np.ogrid[: x.dims[-2], : x.dims[-1]]
    keep = np.ones(x.dims[-2:], bool)
    if low >= 0:
        keep &= rows - columns <= low
    if high >= 0:
        keep &= columns - rows <= high
    if x.dtype == "bool":
        return g.node("And", x, g.const(keep))
    if x.is_float:
        return g.choose(g.const(keep), x, np.float32(0))
    return g.where(g.const(keep), x, g.const(np.zeros((), STORAGE[x.dtype].numpy)))


@recipe("one_hot")
def one_hot(
    g: Emitter,
    indices: T,
    one_hot_vector_size: T,
    out: tuple[TensorType, ...],
    axis: T | None = None,
    on_value: T | None = None,
    off_value: T | None = None,
) -> str:
    at = axis_of(axis, indices.rank + 1, -1)
    depth = int_of(one_hot_vector_size, 1, "one_hot_vector_size")
    shape = [1] * (indices.rank + 1)
    shape[at] = depth
    source = indices if indices.dtype == "int32" else g.cast(indices, "int32")
    places = g.const(np.arange(depth, dtype=np.int32).reshape(shape))
    hot = g.node("Equal", g.node("Unsqueeze", source, g.i64(at)), places)
    dtype = out[0].dtype
    kind = STORAGE[dtype].numpy
    on = np.ones((), kind) if on_value is None else const_of(on_value, "on_value").astype(kind)
    off = np.zeros((), kind) if off_value is None else const_of(off_value, "off_value").astype(kind)
    if on == 1 and off == 0:
        return hot if dtype == "bool" else g.cast(hot, dtype)
    if dtype == "bool":
        return g.node("Not", hot) if off else g.node("And", hot, g.const(on))
    return g.where(hot, g.const(on), g.const(off))


@recipe("non_zero")
def non_zero(g: Emitter, x: T) -> str:
    return g.cast(g.node("Transpose", g.node("NonZero", x), perm=[1, 0]), "int32")
