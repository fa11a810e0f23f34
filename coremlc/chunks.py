"""Arrays of any size and layout, read a bounded piece at a time: weights stay in their files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

CHUNK = 1 << 22
"""Elements of a piece; a multiple of 8, so that packed pieces end on whole bytes."""
HEAD = 64


def chunks(array: Array) -> Iterator[Array]:
    """The elements in row-major order, as flat contiguous pieces of bounded size."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            yield flat[start : start + CHUNK]
        return
    if array.ndim == 0 or array.size <= CHUNK:
        yield np.ascontiguousarray(array).reshape(-1)
        return
    plain = array.view(f"V{array.dtype.itemsize}")  # nditer doesn't buffer ml_dtypes
    pieces = np.nditer(
        plain, flags=["external_loop", "buffered", "zerosize_ok"], order="C", buffersize=CHUNK
    )
    rest = np.empty(0, plain.dtype)
    for piece in cast("Iterator[Array]", pieces):
        joined = np.concatenate((rest, piece))  # pieces may be of any size
        whole = joined.size // 8 * 8
        rest = joined[whole:]
        yield joined[:whole].view(array.dtype)
    yield rest.view(array.dtype)


def head(array: Array) -> bytes:
    """The first elements: most arrays that differ do so here."""
    return array.flat[:HEAD].tobytes()


def sha256(array: Array) -> bytes:
    """Digest of the elements in row-major order."""
    digest = hashlib.sha256()
    for chunk in chunks(array):
        digest.update(chunk.view(np.uint8).data)
    return digest.digest()


def same_bytes(x: Array, y: Array) -> bool:
    """Whether contiguous arrays of equal size in bytes hold the same bits."""
    pairs = zip(*(chunks(a.reshape(-1).view(np.uint8)) for a in (x, y)), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
