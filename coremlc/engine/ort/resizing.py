"""Recipes that resample the last axes: gathers and a weighted sum, so that NaN stays in place."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

import numpy as np

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, bool_of, int_of
from coremlc.engine.sampling import grid_points, linear, nearest
from coremlc.errors import RefusedError
from coremlc.mil.types import TensorType


def _resized(
    g: Emitter, x: T, out: tuple[TensorType, ...], mode: str, *, smooth: bool, last: int = 2
) -> str:
    """The last axes, in turn."""
    result: Name = x
    for axis in range(x.rank - last, x.rank):
        size, count = x.dims[axis], out[0].shape[axis]
        if not isinstance(count, int):
            raise RefusedError("a resize to a size known at run time only", fix="fix the size")
        if size == count and mode.lower() != "offset_corners":
            continue  # every other mode maps an axis onto itself
        result = _axis(g, result, axis, x.rank, grid_points(size, count, mode), mode, smooth)
    return g.node("Identity", result)


def _axis(
    g: Emitter, x: Name, axis: int, rank: int, points: np.ndarray, mode: str, smooth: bool
) -> str:
    if not smooth:
        return g.node("Gather", x, g.const(nearest(points, mode)), axis=axis)
    left, right, weight = linear(points)
    shape = [-1 if i == axis else 1 for i in range(rank)]
    share = weight.reshape(shape)
    low = g.node("Mul", g.node("Gather", x, g.const(left), axis=axis), g.const(1 - share))
    high = g.node("Mul", g.node("Gather", x, g.const(right), axis=axis), g.const(share))
    return g.node("Add", low, high)


@recipe("upsample_nearest_neighbor", "resize_nearest_neighbor", wide=True)
def nearest_neighbor(g: Emitter, x: T, out: tuple[TensorType, ...], **sizes: T) -> str:
    """Resize, where each element is repeated as often: five times as fast as gathers."""
    counts = out[0].shape[-2:]
    factors = [_repeats(d, count) for d, count in zip(x.dims[-2:], counts, strict=True)]
    if None in factors:
        return _resized(g, x, out, "default", smooth=False)
    scales = g.const(np.array([*[1] * (x.rank - 2), *factors], np.float32))
    return g.node(
        "Resize", x, "", scales,
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _repeats(size: int, count: object) -> int | None:
    """How often each of an axis is repeated, if all are as often."""
    if not isinstance(count, int) or not size or count % size:
        return None
    places = nearest(grid_points(size, count, "default"), "default")
    return count // size if np.array_equal(places, np.arange(count) // (count // size)) else None


@recipe("upsample_bilinear", wide=True)
def upsample_bilinear(
    g: Emitter,
    x: T,
    out: tuple[TensorType, ...],
    align_corners: T | None = None,
    half_pixel_centers: T | None = None,
    **sizes: T,
) -> str:
    align = bool_of(align_corners, default=True)
    half = bool_of(half_pixel_centers, default=not align)
    mode = "strict_align_corners" if align else "unalign_corners" if half else "default"
    return _resized(g, x, out, mode, smooth=True)


@recipe("resize_bilinear", wide=True)
def resize_bilinear(
    g: Emitter, x: T, out: tuple[TensorType, ...], sampling_mode: str = "DEFAULT", **sizes: T
) -> str:
    return _resized(g, x, out, sampling_mode, smooth=True)


@recipe("resize", wide=True)
def resize(
    g: Emitter,
    x: T,
    shape: T,
    resized_dims: T,
    out: tuple[TensorType, ...],
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> str:
    last = int_of(resized_dims, 0, "resized_dims")
    smooth = interpolation_mode.upper() == "LINEAR"
    if x.is_float or not smooth:
        return _resized(g, x, out, sampling_mode, smooth=smooth, last=last)
    floats = T("fp32", x.shape, name=g.cast(x, "fp32"))
    return g.cast(_resized(g, floats, out, sampling_mode, smooth=True, last=last), x.dtype)
