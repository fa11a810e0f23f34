"""weight.bin, blob storage v2: mapped reading, streaming writing."""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from coremlc.chunks import chunks, head, sha256
from coremlc.errors import FormatError, MachineError, Where
from coremlc.mil.arrays import STORAGE, pack, unpack
from coremlc.mil.program import Array
from coremlc.mil.types import TensorType

ALIGNMENT = 64
VERSION = 2
SENTINEL = 0xDEADBEEF
_HEADER = struct.Struct("<II56x")
_RECORD = struct.Struct("<IIQQQ32x")

_DTYPE_OF_CODE: dict[int, str] = {
    row.blob_code: name for name, row in STORAGE.items() if row.blob_code
}
_FIX = "fetch or make the bundle again; its weights are damaged"


@dataclass(frozen=True, slots=True)
class Record:
    """One blob: where it is and what it says it is."""

    offset: int
    """Of the 64-byte record, as BLOBFILE gives it."""
    dtype: str
    size_bytes: int
    data_offset: int
    padding_bits: int


class BlobFile:
    """A mapped weight.bin; arrays are views of the map, sub-byte ints are unpacked when asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = np.frombuffer(
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8
                )
        except ValueError:  # an empty file can't be mapped
            self._map = np.empty(0, np.uint8)
        except FileNotFoundError:
            self._fail("there is no such weight file")
        except OSError as error:
            raise MachineError(
                f"can't read the weights: {error.strerror}",
                fix="check the path and its permissions",
                where=Where(file=str(path)),
            ) from None
        self.size_bytes = self._map.size
        if self.size_bytes < _HEADER.size:
            self._fail(f"{self.size_bytes} bytes are no weight file")
        self.count, version = _HEADER.unpack(self._map[: _HEADER.size].tobytes())
        if version != VERSION:
            self._fail(f"blob storage version {version} instead of {VERSION}")

    def record(self, offset: int) -> Record:
        """The record at an offset; FormatError if there is none or its data leave the file."""
        if offset % ALIGNMENT or not 0 < offset <= self.size_bytes - _RECORD.size:
            self._fail(f"no blob can be at offset {offset} of {self.size_bytes} bytes")
        sentinel, code, size, data, padding = _RECORD.unpack(
            self._map[offset : offset + _RECORD.size].tobytes()
        )
        if sentinel != SENTINEL:
            self._fail(f"there is no blob at offset {offset}")
        dtype = _DTYPE_OF_CODE.get(code)
        if dtype is None:
            self._fail(f"the blob at offset {offset} has unknown dtype {code}")
        if data + size > self.size_bytes:
            self._fail(
                f"the blob at offset {offset} ends at {data + size}, "
                f"the file at {self.size_bytes} bytes"
            )
        return Record(offset, dtype, size, data, padding)

    def records(self) -> Iterator[Record]:
        """Every blob in file order."""
        offset = _HEADER.size
        for _ in range(self.count):
            record = self.record(offset)
            yield record
            offset = _aligned(max(record.data_offset + record.size_bytes, offset + _RECORD.size))

    def bytes(self, record: Record) -> Array:
        """The stored bytes, as a view of the map."""
        return self._map[record.data_offset : record.data_offset + record.size_bytes]

    @staticmethod
    def elements(record: Record) -> int:
        """How many elements a blob holds."""
        return (record.size_bytes * 8 - record.padding_bits) // STORAGE[record.dtype].bits

    def check(self, offset: int, type_: TensorType) -> Record:
        """The record, if it holds a tensor of this type; FormatError if not."""
        record = self.record(offset)
        if record.dtype != type_.dtype:
            self._fail(f"the blob at offset {offset} is {record.dtype}, the program says {type_}")
        shape = tuple(dim for dim in type_.shape if isinstance(dim, int))
        if len(shape) != len(type_.shape):
            self._fail(f"the blob at offset {offset} has a type of unknown size")
        size = math.prod(shape)
        row = STORAGE[record.dtype]
        padding = row.packed_bytes(size) * 8 - size * row.bits
        if record.size_bytes != row.packed_bytes(size) or record.padding_bits != padding:
            self._fail(
                f"the blob at offset {offset} has {record.size_bytes} bytes, "
                f"{record.dtype}{list(shape)} takes {row.packed_bytes(size)}"
            )
        return record

    def array(self, offset: int, type_: TensorType) -> Array:
        """The tensor at an offset, read-only."""
        record = self.check(offset, type_)
        row = STORAGE[record.dtype]
        shape = tuple(dim for dim in type_.shape if isinstance(dim, int))
        stored = self.bytes(record)
        if row.is_packed:
            out = unpack(stored.view(np.uint8), record.dtype, math.prod(shape))
            out.flags.writeable = False
            return out.reshape(shape)
        return stored.view(row.numpy).reshape(shape)

    def _fail(self, what: str) -> NoReturn:
        raise FormatError(what, fix=_FIX, where=Where(file=str(self.path)))


@dataclass(frozen=True, slots=True)
class Placed:
    """An array with its place in the file to be written."""

    offset: int
    dtype: str
    array: Array

    @property
    def size_bytes(self) -> int:
        return STORAGE[self.dtype].packed_bytes(self.array.size)


class BlobPlan:
    """What a weight.bin will hold: equal arrays once, in order of first use.

    Arrays are kept as they are given (maps of files, broadcast views) and read when written.
    """

    def __init__(self) -> None:
        self.placed: list[Placed] = []
        self._end = _HEADER.size
        self._by_object: dict[int, Placed] = {}
        self._by_head: dict[tuple[str, int, bytes], list[Placed]] = {}
        self._digests: dict[int, bytes] = {}
        self._kept: list[Array] = []
        """Arrays whose id is remembered, so that no other gets it while the plan lives."""

    def __bool__(self) -> bool:
        return bool(self.placed)

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return self._end

    def place(self, array: Array, dtype: str) -> int:
        """The offset an array has, or gets; contents are read only if sizes and heads are equal."""
        known = self._by_object.get(id(array))
        if known is not None and known.dtype == dtype:
            return known.offset
        rivals = self._by_head.setdefault((dtype, array.size, head(array)), [])
        if rivals:
            digest = self._digest(array)
            for rival in rivals:
                if self._digest(rival.array) == digest:
                    self._by_object[id(array)] = rival
                    self._kept.append(array)
                    return rival.offset
        placed = Placed(_aligned(self._end), dtype, array)
        self._end = placed.offset + _RECORD.size + placed.size_bytes
        self.placed.append(placed)
        self._by_object[id(array)] = placed
        rivals.append(placed)
        return placed.offset

    def write(self, file: BinaryIO) -> None:
        """The whole file, a chunk at a time."""
        file.write(_HEADER.pack(len(self.placed), VERSION))
        end = _HEADER.size
        for placed in self.placed:
            row = STORAGE[placed.dtype]
            file.write(bytes(placed.offset - end))
            data = placed.offset + _RECORD.size
            padding = placed.size_bytes * 8 - placed.array.size * row.bits
            file.write(_RECORD.pack(SENTINEL, row.blob_code, placed.size_bytes, data, padding))
            for chunk in chunks(placed.array):
                packed = pack(chunk, row.bits) if row.is_packed else chunk
                file.write(packed.view(np.uint8).data)
            end = data + placed.size_bytes

    def _digest(self, array: Array) -> bytes:
        known = self._digests.get(id(array))
        if known is None:
            known = self._digests[id(array)] = sha256(array)
            self._kept.append(array)
        return known


def _aligned(offset: int) -> int:
    return (offset + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
