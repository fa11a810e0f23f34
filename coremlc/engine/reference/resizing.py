"""Kernels that resample the last axes."""

# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, kernel
from coremlc.engine.sampling import grid_points, linear, nearest


def _resized(x: Array, sizes: dict[int, int], mode: str, *, smooth: bool) -> Array:
    for axis, count in sizes.items():
        if count == x.shape[axis] and mode.lower() != "offset_corners":
            continue  # every other mode maps an axis onto itself; inf * 0 would be NaN
        points = grid_points(x.shape[axis], count, mode)
        if not smooth:
            x = np.take(x, nearest(points, mode), axis)
            continue
        left, right, weight = linear(points)
        shape = [1] * x.ndim
        shape[axis] = -1
        share = weight.reshape(shape)
        x = np.take(x, left, axis) * (1 - share) + np.take(x, right, axis) * share
    return x


def _scaled(x: Array, height: Any, width: Any) -> dict[int, int]:
    return {
        x.ndim - 2: int(np.floor(float(height) * x.shape[-2])),
        x.ndim - 1: int(np.floor(float(width) * x.shape[-1])),
    }


@kernel("upsample_nearest_neighbor", wide=True)
def upsample_nearest_neighbor(
    x: Array, scale_factor_height: Any = 1, scale_factor_width: Any = 1
) -> Array:
    sizes = _scaled(x, scale_factor_height, scale_factor_width)
    return _resized(x, sizes, "default", smooth=False)


def bilinear_mode(align_corners: bool, half_pixel_centers: bool) -> str:
    """The sampling mode that upsample_bilinear's two flags mean."""
    if align_corners:
        return "strict_align_corners"
    return "unalign_corners" if half_pixel_centers else "default"


@kernel("upsample_bilinear", wide=True)
def upsample_bilinear(
    x: Array,
    scale_factor_height: Any = 1,
    scale_factor_width: Any = 1,
    align_corners: Any = True,
    half_pixel_centers: Any = None,
) -> Array:
    half = not align_corners if half_pixel_centers is None else bool(half_pixel_centers)
    mode = bilinear_mode(bool(align_corners), half)
    return _resized(x, _scaled(x, scale_factor_height, scale_factor_width), mode, smooth=True)


@kernel("resize_nearest_neighbor", wide=True)
def resize_nearest_neighbor(x: Array, target_size_height: Any, target_size_width: Any) -> Array:
    sizes = {x.ndim - 2: int(target_size_height), x.ndim - 1: int(target_size_width)}
    return _resized(x, sizes, "default", smooth=False)


@kernel("resize_bilinear", wide=True)
def resize_bilinear(
    x: Array,
    target_size_height: Any = 1,
    target_size_width: Any = 1,
    sampling_mode: str = "DEFAULT",
) -> Array:
    sizes = {x.ndim - 2: int(target_size_height), x.ndim - 1: int(target_size_width)}
    return _resized(x, sizes, sampling_mode, smooth=True)


@kernel("resize", wide=True)
def resize(
    x: Array,
    shape: Array,
    resized_dims: Any,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Array:
    """Ints are interpolated in float and truncated."""
    count = int(resized_dims)
    wanted = [int(d) for d in shape[len(shape) - count :]]
    sizes = {
        x.ndim - count + i: size if size else x.shape[x.ndim - count + i]
        for i, size in enumerate(wanted)
    }
    smooth = interpolation_mode.upper() == "LINEAR"
    return _resized(x, sizes, sampling_mode, smooth=smooth).astype(x.dtype)
