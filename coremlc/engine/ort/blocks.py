"""Recipes that trade channels, batches and pixels, and overlapping windows."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axis_of, const_of, int_of
from coremlc.engine.ort.transposes import transposed


def _shuffle(
    g: Emitter, x: T, split: Sequence[int], perm: Sequence[int], dims: Sequence[int]
) -> str:
    parts = T(x.dtype, tuple(split), name=g.reshape(x, split))
    return g.reshape(transposed(g, parts, perm), dims)


@recipe("depth_to_space")
def depth_to_space(g: Emitter, x: T, block_size: T) -> str:
    n, c, h, w = x.dims
    b = int_of(block_size, 1)
    k = c // (b * b)
    return _shuffle(g, x, (n, b, b, k, h, w), (0, 3, 4, 1, 5, 2), (n, k, h * b, w * b))


@recipe("space_to_depth")
def space_to_depth(g: Emitter, x: T, block_size: T) -> str:
    n, c, h, w = x.dims
    b = int_of(block_size, 1)
    return _shuffle(
        g, x, (n, c, h // b, b, w // b, b), (0, 3, 5, 1, 2, 4), (n, c * b * b, h // b, w // b)
    )


@recipe("pixel_shuffle")
def pixel_shuffle(g: Emitter, x: T, upscale_factor: T) -> str:
    return g.node("DepthToSpace", x, blocksize=int_of(upscale_factor, 1), mode="CRD")


@recipe("pixel_unshuffle")
def pixel_unshuffle(g: Emitter, x: T, downscale_factor: T) -> str:
    n, c, h, w = x.dims
    b = int_of(downscale_factor, 1)
    return _shuffle(
        g, x, (n, c, h // b, b, w // b, b), (0, 1, 3, 5, 2, 4), (n, c * b * b, h // b, w // b)
    )


@recipe("space_to_batch", wide=True)
def space_to_batch(g: Emitter, x: T, block_shape: T, paddings: T) -> str:
    (top, bottom), (left, right) = const_of(paddings, "paddings").tolist()
    p, q = (int(b) for b in const_of(block_shape, "block_shape"))
    n, c, h, w = x.dims
    h, w = h + top + bottom, w + left + right
    name = g.node("Pad", x, g.i64(0, 0, top, left, 0, 0, bottom, right))
    padded = T(x.dtype, (n, c, h, w), name=name)
    return _shuffle(
        g,
        padded,
        (n, c, h // p, p, w // q, q),
        (3, 5, 0, 1, 2, 4),
        (n * p * q, c, h // p, w // q),
    )


@recipe("batch_to_space")
def batch_to_space(g: Emitter, x: T, block_shape: T, crops: T) -> str:
    (top, bottom), (left, right) = const_of(crops, "crops").tolist()
    p, q = (int(b) for b in const_of(block_shape, "block_shape"))
    n, c, h, w = x.dims
    k = n // (p * q)
    whole = _shuffle(g, x, (p, q, k, c, h, w), (2, 3, 4, 0, 5, 1), (k, c, h * p, w * q))
    return _crop(g, whole, (top, left), (h * p - bottom, w * q - right))


def _crop(g: Emitter, x: Name, starts: Sequence[int], ends: Sequence[int]) -> str:
    return g.node("Slice", x, g.i64(*starts), g.i64(*ends), g.i64(2, 3))


@recipe("crop")
def crop(g: Emitter, x: T, crop_height: T, crop_width: T) -> str:
    top, bottom = (int(v) for v in const_of(crop_height, "crop_height"))
    left, right = (int(v) for v in const_of(crop_width, "crop_width"))
    return _crop(g, x, (top, left), (x.dims[2] - bottom, x.dims[3] - right))


@recipe("sliding_windows")
def sliding_windows(g: Emitter, x: T, axis: T, size: T, stride: T | None = None) -> str:
    at, width, step = axis_of(axis, x.rank, 0), int_of(size, 1), int_of(stride, 1)
    starts = np.arange(0, x.dims[at] - width + 1, step, dtype=np.int64)
    places = starts[:, None] + np.arange(width, dtype=np.int64)
    return g.node("Gather", x, g.const(places), axis=at)
