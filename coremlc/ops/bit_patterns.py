"""The bits of numpy elements, of packed dtypes too, which numpy holds one a byte."""

from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.dtypes import BY_NUMPY
from coremlc.ir.op import Array


def width(x: Array) -> int:
    """Bits of an element."""
    return BY_NUMPY[x.dtype].bits


def bits(x: Array) -> Array:
    """The bits of real elements as uint64; of every NaN those of the quiet one without sign."""
    if width(x) < 8:
        return x.astype(np.int64).astype(np.uint64) & np.uint64((1 << width(x)) - 1)
    if x.dtype.kind not in "iu":
        x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x).astype(x.dtype)
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").reshape(x.shape).astype(np.uint64)


def of_bits(x: Array, dtype: np.dtype[Any]) -> Array:
    """Elements of `dtype` that have the low bits of uint64."""
    known = BY_NUMPY[dtype]
    if known.bits >= 8:
        narrow = np.ascontiguousarray(x.astype(f"u{dtype.itemsize}"))
        return narrow.view(dtype).reshape(x.shape)
    low = x & np.uint64((1 << known.bits) - 1)
    return (signed(low, known.bits) if known.kind == "int" else low).astype(dtype)


def signed(x: Array, width: int) -> Array:
    """uint64, of which the bits above `width` are 0, as int64 of the same low bits."""
    top = np.uint64(1 << (width - 1))
    result: Array = np.asarray((x ^ top) - top).view(np.int64)
    return result
