"""Kernels that move data: shapes, slices, joins, pads, fills."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, axes_of, axis_of, kernel, text
from coremlc.errors import InputError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType


@kernel("reshape")
def reshape(x: Array, shape: Array) -> Array:
    """0 keeps a dim, -1 takes the rest."""
    dims = [int(d) for d in shape]
    if x.size or -1 in dims:
        dims = [x.shape[i] if d == 0 and i < x.ndim else d for i, d in enumerate(dims)]
    return x.reshape(dims)


@kernel("reshape_like")
def reshape_like(
    x: Array, ref_tensors: list[Array], begins: Array, ends: Array, end_masks: Array
) -> Array:
    dims: list[int] = []
    for ref, begin, end, mask in zip(ref_tensors, begins, ends, end_masks, strict=True):
        dims += ref.shape[int(begin) : None if mask else int(end)]
    return x.reshape(dims)


@kernel("transpose")
def transpose(x: Array, perm: Array) -> Array:
    return x.transpose([int(p) for p in perm])


@kernel("expand_dims")
def expand_dims(x: Array, axes: Array) -> Array:
    return np.expand_dims(x, tuple(int(a) for a in axes))


@kernel("squeeze")
def squeeze(x: Array, axes: Array | None = None) -> Array:
    return np.squeeze(x, None if axes is None else axes_of(axes, x.ndim))


@kernel("flatten2d")
def flatten2d(x: Array, axis: Any = 1) -> Array:
    cut = axis_of(axis, x.ndim)
    return x.reshape(int(np.prod(x.shape[:cut])), int(np.prod(x.shape[cut:])))


@kernel("concat")
def concat(values: list[Array], axis: Any, interleave: Any = False) -> Array:
    if not interleave:
        return np.concatenate(values, int(axis))
    at = axis_of(axis, values[0].ndim)
    joined = np.stack(values, at + 1)
    return joined.reshape(*values[0].shape[:at], -1, *values[0].shape[at + 1 :])


@kernel("stack")
def stack(values: list[Array], axis: Any) -> Array:
    return np.stack(values, int(axis))


@kernel("split")
def split(
    x: Array, axis: Any, num_splits: Any = None, split_sizes: Array | None = None
) -> tuple[Array, ...]:
    if split_sizes is None:
        return tuple(np.split(x, int(num_splits), int(axis)))
    return tuple(np.split(x, np.cumsum(split_sizes)[:-1], int(axis)))


@kernel("tile")
def tile(x: Array, reps: Array) -> Array:
    return np.tile(x, [int(r) for r in reps])


@kernel("reverse")
def reverse(x: Array, axes: Array | None = None) -> Array:
    return np.flip(x, axes_of(axes, x.ndim))


@kernel("reverse_sequence")
def reverse_sequence(x: Array, lengths: Array, seq_axis: Any = 0, batch_axis: Any = 0) -> Array:
    """The first lengths[b] items of row b, reversed."""
    seq, batch = axis_of(seq_axis, x.ndim), axis_of(batch_axis, x.ndim)
    place = np.arange(x.shape[seq])
    count = lengths.astype(np.int64)[:, None]
    source = np.where(place < count, count - 1 - place, place)
    shape = [1] * x.ndim
    shape[batch], shape[seq] = source.shape
    source = source if batch < seq else source.T
    return np.take_along_axis(x, source.reshape(shape), seq)


def slices_of(
    begin: Array,
    end: Array,
    stride: Array | None,
    begin_mask: Array | None,
    end_mask: Array | None,
    squeeze_mask: Array | None,
) -> tuple[slice | int, ...]:
    """Python slices; a squeezed axis is its begin index."""
    rank = len(begin)
    flags = [np.zeros(rank, bool) if m is None else m for m in (begin_mask, end_mask, squeeze_mask)]
    steps = np.ones(rank, int) if stride is None else stride
    out: list[slice | int] = []
    for i in range(rank):
        start = None if flags[0][i] else int(begin[i])
        if flags[2][i]:
            out.append(0 if start is None else start)
        else:
            out.append(slice(start, None if flags[1][i] else int(end[i]), int(steps[i])))
    return tuple(out)


@kernel("slice_by_index")
def slice_by_index(
    x: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    place = slices_of(begin, end, stride, begin_mask, end_mask, squeeze_mask)
    try:
        return np.asarray(x[place])
    except IndexError as error:
        raise InputError(f"slice_by_index: {error}", fix="give a begin that exists") from error


@kernel("slice_by_size")
def slice_by_size(x: Array, begin: Array, size: Array) -> Array:
    """Size -1 takes the rest of the axis."""
    place = []
    for dim, b, s in zip(x.shape, begin, size, strict=True):
        start = int(b) + dim if b < 0 else int(b)
        stop = dim if s == -1 else start + int(s)
        if not 0 <= start <= stop <= dim:
            raise InputError(
                f"slice_by_size takes {start}..{stop} of an axis of size {dim}",
                fix="clamp the begin to 0..dim - size",
            )
        place.append(slice(start, stop))
    return x[tuple(place)]


@kernel("slice_update")
def slice_update(
    x: Array,
    update: Array,
    begin: Array,
    end: Array,
    stride: Array | None = None,
    begin_mask: Array | None = None,
    end_mask: Array | None = None,
    squeeze_mask: Array | None = None,
) -> Array:
    out = x.copy()
    place = slices_of(begin, end, stride, begin_mask, end_mask, squeeze_mask)
    if out[place].shape != update.shape:
        raise InputError(
            f"slice_update: the slice has shape {list(out[place].shape)}, "
            f"the update {list(update.shape)}",
            fix="clamp the begin so that the update fits",
        )
    out[place] = update
    return out


@kernel("pad")
def pad(x: Array, pad: Array, mode: str | None = None, constant_val: Any = 0.0) -> Array:
    """`pad` holds (before, after) of the last axes."""
    pairs = [(int(a), int(b)) for a, b in np.asarray(pad).reshape(-1, 2)]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    match text(mode, "constant"):
        case "reflect":
            return np.pad(x, widths, "reflect")
        case "replicate":
            return np.pad(x, widths, "edge")
    value = np.asarray(constant_val).astype(x.dtype)
    return np.pad(x, widths, constant_values=value)


@kernel("fill")
def fill(shape: Array, value: Any = 0.0) -> Array:
    value = np.asarray(value)
    dtype = np.float32 if value.dtype == np.float64 else value.dtype
    return np.full([int(d) for d in shape], value, dtype)


@kernel("fill_like")
def fill_like(ref_tensor: Array, value: Any = 0.0) -> Array:
    return fill(np.array(ref_tensor.shape), value)


@kernel("range_1d")
def range_1d(end: Array, start: Array, step: Array, out: tuple[TensorType, ...]) -> Array:
    dtype = STORAGE[out[0].dtype].numpy
    if dtype.kind == "f":
        count = max(int(np.ceil((float(end) - float(start)) / float(step))), 0)
        return (start + np.arange(count, dtype=np.float32) * step).astype(dtype)
    return np.arange(int(start), int(end), int(step), dtype=dtype)


@kernel("shape")
def shape(x: Array, out: tuple[TensorType, ...]) -> Array:
    return np.array(x.shape, STORAGE[out[0].dtype].numpy)


@kernel("band_part")
def band_part(x: Array, lower: Any = -1, upper: Any = -1) -> Array:
    """Keep `lower` diagonals below the main one and `upper` above; negative keeps all."""
    rows, columns = np.ogrid[: x.shape[-2], : x.shape[-1]]
    keep = np.ones(x.shape[-2:], bool)
    if lower >= 0:
        keep &= rows - columns <= lower
    if upper >= 0:
        keep &= columns - rows <= upper
    return np.where(keep, x, x.dtype.type(0))


@kernel("one_hot")
def one_hot(
    indices: Array,
    one_hot_vector_size: Any,
    out: tuple[TensorType, ...],
    axis: Any = -1,
    on_value: Any = 1,
    off_value: Any = 0,
) -> Array:
    """An index outside the vector (negative too) gives off values only."""
    dtype = STORAGE[out[0].dtype].numpy
    hot = np.expand_dims(indices, axis_of(axis, indices.ndim + 1))
    shape = [1] * hot.ndim
    shape[axis_of(axis, hot.ndim)] = int(one_hot_vector_size)
    place = np.arange(int(one_hot_vector_size), dtype=np.int64).reshape(shape)
    return np.where(hot == place, np.asarray(on_value, dtype), np.asarray(off_value, dtype))


@kernel("non_zero")
def non_zero(x: Array) -> Array:
    return np.argwhere(x).astype(np.int32)


@kernel("sliding_windows")
def sliding_windows(x: Array, axis: Any, size: Any, stride: Any = 1) -> Array:
    at = axis_of(axis, x.ndim)
    views = np.lib.stride_tricks.sliding_window_view(x, int(size), at)
    return np.moveaxis(views, -1, at + 1)[(slice(None),) * at + (slice(None, None, int(stride)),)]


# --- blocks of pixels and channels ----------------------------------------------------------


@kernel("depth_to_space")
def depth_to_space(x: Array, block_size: Any) -> Array:
    n, c, h, w = x.shape
    b = int(block_size)
    blocks = x.reshape(n, b, b, c // (b * b), h, w)
    return blocks.transpose(0, 3, 4, 1, 5, 2).reshape(n, c // (b * b), h * b, w * b)


@kernel("space_to_depth")
def space_to_depth(x: Array, block_size: Any) -> Array:
    n, c, h, w = x.shape
    b = int(block_size)
    blocks = x.reshape(n, c, h // b, b, w // b, b)
    return blocks.transpose(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


@kernel("pixel_shuffle")
def pixel_shuffle(x: Array, upscale_factor: Any) -> Array:
    n, c, h, w = x.shape
    b = int(upscale_factor)
    blocks = x.reshape(n, c // (b * b), b, b, h, w)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(n, c // (b * b), h * b, w * b)


@kernel("pixel_unshuffle")
def pixel_unshuffle(x: Array, downscale_factor: Any) -> Array:
    n, c, h, w = x.shape
    b = int(downscale_factor)
    blocks = x.reshape(n, c, h // b, b, w // b, b)
    return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(n, c * b * b, h // b, w // b)


@kernel("space_to_batch")
def space_to_batch(x: Array, block_shape: Array, paddings: Array) -> Array:
    padded = np.pad(x, [(0, 0), (0, 0), *[(int(a), int(b)) for a, b in paddings]])
    n, c, h, w = padded.shape
    p, q = (int(b) for b in block_shape)
    blocks = padded.reshape(n, c, h // p, p, w // q, q)
    return blocks.transpose(3, 5, 0, 1, 2, 4).reshape(n * p * q, c, h // p, w // q)


@kernel("batch_to_space")
def batch_to_space(x: Array, block_shape: Array, crops: Array) -> Array:
    n, c, h, w = x.shape
    p, q = (int(b) for b in block_shape)
    blocks = x.reshape(p, q, n // (p * q), c, h, w).transpose(2, 3, 4, 0, 5, 1)
    whole = blocks.reshape(n // (p * q), c, h * p, w * q)
    (top, bottom), (left, right) = ((int(a), int(b)) for a, b in crops)
    return whole[:, :, top : h * p - bottom, left : w * q - right]


@kernel("crop")
def crop(x: Array, crop_height: Array, crop_width: Array) -> Array:
    (top, bottom), (left, right) = crop_height, crop_width
    return x[:, :, int(top) : x.shape[2] - int(bottom), int(left) : x.shape[3] - int(right)]
