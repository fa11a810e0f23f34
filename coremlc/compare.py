"""Comparing an output with what was expected: dtype, shape, NaN positions and integers exactly."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc import dtypes
from coremlc.report import OutputDifference

Array: TypeAlias = "npt.NDArray[Any]"


def difference(
    name: str, got: Array, expected: Array, tolerance: tuple[float, float] | None = None
) -> OutputDifference:
    """How `got` differs; tolerance is (relative, absolute), by default that of the dtype."""
    if got.dtype != expected.dtype:
        return _all(name, expected, f"dtype {got.dtype}, expected {expected.dtype}")
    if got.shape != expected.shape:
        return _all(name, expected, f"shape {list(got.shape)}, expected {list(expected.shape)}")
    dtype = dtypes.BY_NUMPY[got.dtype]
    relative, absolute = dtype.tolerance if tolerance is None else tolerance
    work = dtypes.working(dtype)
    if not (dtype.is_float or dtype.is_complex):
        return _exact(name, got, expected)
    x, y = got.astype(work), expected.astype(work)
    with np.errstate(invalid="ignore", over="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        distance = np.where(same, 0.0, np.abs(x - y))
        finite = np.isfinite(x) & np.isfinite(y)
        far = ~same & ~(finite & (distance <= absolute + relative * np.abs(y)))
        if dtype.is_complex:  # an infinity's other part may be finite
            far &= finite | _apart(x.real, y.real, relative) | _apart(x.imag, y.imag, relative)
        ratio = np.where(same, 0.0, distance / np.abs(np.where(y == 0, np.nan, y)))
    bad = int(np.count_nonzero(far))
    note = "NaN in other places" if bool(np.any(np.isnan(x) != np.isnan(y))) else ""
    return OutputDifference(name, _most(distance), _most(ratio), bad, got.size, note)


def _apart(x: Array, y: Array, relative: float) -> Array:
    """Where parts of complex numbers differ."""
    near = np.abs(x - y) <= relative * np.abs(y)
    result: Array = ~((x == y) | (np.isnan(x) & np.isnan(y)) | near)
    return result


def _exact(name: str, got: Array, expected: Array) -> OutputDifference:
    different = got != expected
    bad = int(np.count_nonzero(different))
    distance = np.abs(got.astype(np.float64) - expected.astype(np.float64))
    scale = np.abs(np.where(expected == 0, np.nan, expected.astype(np.float64)))
    return OutputDifference(name, _most(distance), _most(distance / scale), bad, got.size)


def _most(x: Array) -> float:
    """The largest, NaN left out (a ratio to zero, a distance of infinities)."""
    known = x[~np.isnan(x)]
    return float(known.max()) if known.size else 0.0


def _all(name: str, expected: Array, note: str) -> OutputDifference:
    return OutputDifference(name, np.nan, np.nan, max(1, expected.size), expected.size, note)
