"""Where the samples of a resized axis lie: grid points in the coordinates of the input."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = "npt.NDArray[np.float64]"
Places: TypeAlias = "npt.NDArray[np.int64]"


def grid_points(size: int, count: int, mode: str) -> Points:
    """`count` points over an axis of `size`, by coremltools' documentation of resize_bilinear."""
    i = np.arange(count, dtype=np.float64)
    match mode.lower():
        case "align_corners" if count == 1:
            points = np.array([(size - 1) / 2])
        case "strict_align_corners" | "align_corners":
            points = i * ((size - 1) / max(count - 1, 1))
        case "offset_corners":
            delta = max(1, size - 1) / count
            points = 0.5 * delta + i * delta
        case "unalign_corners":
            points = (i + 0.5) * (size / count) - 0.5
        case _:
            points = i * (size / count)
    clipped: Points = np.clip(points, 0, size - 1)
    return clipped


def nearest(points: Points, mode: str) -> Places:
    """The default mode takes the cell that a point lies in, the others the closest one."""
    rounded = np.floor(points if mode.lower() == "default" else points + 0.5)
    return rounded.astype(np.int64)


def linear(points: Points) -> tuple[Places, Places, npt.NDArray[Any]]:
    """Left and right neighbours, and the right one's weight."""
    left = np.floor(points).astype(np.int64)
    right = np.minimum(left + 1, int(left.max(initial=0)) + 1)
    weight = points - left
    return left, np.where(weight > 0, right, left), weight.astype(np.float32)
