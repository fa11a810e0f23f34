"""Elements of constants: tensors of a safetensors file, mapped read-only; packed ones."""

from __future__ import annotations

import hashlib
import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from coremlc.dtypes import DType
from coremlc.errors import FormatError, Where
from coremlc.ir.op import Array

_MAX_HEADER = 100 << 20


class DataFile:
    """A safetensors file beside graph.pb.

    Raises:
        FormatError: it is missing, of another size or content than graph.pb states, or malformed.
    """

    def __init__(self, path: Path, size: int, sha256: bytes) -> None:
        self.where = Where(file=str(path))
        try:
            self._map = self._mapped(path, size)
        except OSError as error:
            raise self._wrong(
                f"the weights file can't be read: {error.strerror}",
                "check its name and its permissions",
            ) from None
        if hashlib.sha256(self._map).digest() != sha256:
            raise self._wrong(
                "the weights file's content is not what the graph states (SHA-256 differs)",
                "save the model again: the two files belong together",
            )
        self._tensors = self._header()

    def _wrong(self, what: str, fix: str) -> FormatError:
        return FormatError(what, fix=fix, where=self.where)

    def _mapped(self, path: Path, size: int) -> mmap.mmap | bytes:
        if not path.is_file():
            raise self._wrong("the weights file is missing", f"put {path.name} beside the graph")
        if path.stat().st_size != size:
            raise self._wrong(
                f"the weights file has {path.stat().st_size} bytes, the graph states {size}",
                "save the model again: the two files belong together",
            )
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""

    def _header(self) -> dict[str, tuple[int, int]]:
        """Name -> (first byte, byte after the last) in the file."""
        length = int.from_bytes(self._map[:8], "little")
        start = 8 + length
        if len(self._map) < 8 or length > _MAX_HEADER or start > len(self._map):
            raise self._wrong("not a safetensors file", "save the model again")
        try:
            rows = json.loads(self._map[8:start])
            rows.pop("__metadata__", None)
            places = {k: _bounds(v["data_offsets"]) for k, v in rows.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._wrong("its safetensors header is malformed", "save it again") from None
        return {name: (start + low, start + high) for name, (low, high) in places.items()}

    def tensor(self, name: str, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Array:
        """A view of one tensor."""
        if name not in self._tensors:
            raise self._wrong(f"no tensor {name!r} in the file", "save the model again")
        low, high = self._tensors[name]
        count = math.prod(shape)
        if not low <= high <= len(self._map) or high - low != count * dtype.itemsize:
            raise self._wrong(
                f"tensor {name!r} is bytes {low}..{high}, {count} x {dtype} are expected",
                "save the model again",
            )
        return np.frombuffer(self._map, dtype, count, low).reshape(shape)


def _bounds(offsets: Any) -> tuple[int, int]:
    """The two offsets of a header's row; ValueError if they are no such."""
    low, high = (int(offset) for offset in offsets)
    if low < 0:
        raise ValueError(offsets)
    return low, high


def unpacked(raw: Array, dtype: DType) -> Array:
    """Elements under 8 bits, of bytes that hold the first in their lowest bits."""
    shifts = np.arange(0, 8, dtype.bits, dtype=np.uint8)
    bits = (raw[:, None] >> shifts & (2**dtype.bits - 1)).reshape(-1).astype(np.int8)
    if dtype.kind == "int":
        bits = np.where(bits >> (dtype.bits - 1), bits - (1 << dtype.bits), bits)
    elements: Array = bits.astype(dtype.numpy)
    return elements
