"""MIL dtypes as numpy arrays: which numpy dtype holds each, and how sub-byte ints are packed."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt

from coremlc.mil.program import Array


@dataclass(frozen=True, slots=True)
class Storage:
    """How one MIL dtype is stored."""

    numpy: np.dtype[np.generic]
    """What holds it in memory; uint8 where neither numpy nor ml_dtypes >= 0.5 has the dtype."""
    bits: int
    blob_code: int | None
    """Its number in blob storage; None where a blob can't hold it."""
    minimum: int = 0
    maximum: int = 0
    """The range of an int dtype; 0..0 for the others."""

    @property
    def is_packed(self) -> bool:
        return self.bits < 8

    def packed_bytes(self, size: int) -> int:
        """How many bytes `size` elements take in a blob."""
        return (size * self.bits + 7) // 8


def _row(dtype: npt.DTypeLike, bits: int, code: int | None) -> Storage:
    return Storage(np.dtype(dtype), bits, code)


def _int(dtype: npt.DTypeLike, bits: int, code: int | None, *, signed: bool = False) -> Storage:
    low = -(1 << (bits - 1)) if signed else 0
    high = (1 << (bits - signed)) - 1
    return Storage(np.dtype(dtype), bits, code, low, high)


STORAGE: dict[str, Storage] = {
    "bool": _row(np.bool_, 8, None),
    "fp16": _row(np.float16, 16, 1),
    "fp32": _row(np.float32, 32, 2),
    "fp64": _row(np.float64, 64, None),
    "bf16": _row(ml_dtypes.bfloat16, 16, 5),
    "fp8e4m3fn": _row(ml_dtypes.float8_e4m3fn, 8, 16),
    "fp8e5m2": _row(ml_dtypes.float8_e5m2, 8, 17),
    "int4": _int(ml_dtypes.int4, 4, 8, signed=True),
    "int8": _int(np.int8, 8, 4, signed=True),
    "int16": _int(np.int16, 16, 6, signed=True),
    "int32": _int(np.int32, 32, 14, signed=True),
    "int64": _int(np.int64, 64, None, signed=True),
    "uint1": _int(np.uint8, 1, 9),
    "uint2": _int(ml_dtypes.uint2, 2, 10),
    "uint3": _int(np.uint8, 3, 12),
    "uint4": _int(ml_dtypes.uint4, 4, 11),
    "uint6": _int(np.uint8, 6, 13),
    "uint8": _int(np.uint8, 8, 3),
    "uint16": _int(np.uint16, 16, 7),
    "uint32": _int(np.uint32, 32, 15),
    "uint64": _int(np.uint64, 64, None),
}
"""Every MIL dtype except string. The words of the two fp8 types are unproven."""

DTYPES = frozenset((*STORAGE, "string"))


def pack(values: Array, bits: int) -> npt.NDArray[np.uint8]:
    """Elements of `bits` < 8 bits each, least significant bit first, zero-filled to whole bytes."""
    flat = np.ascontiguousarray(values).reshape(-1)
    unsigned = (flat.astype(np.int8) & ((1 << bits) - 1)).astype(np.uint8)
    spread = np.unpackbits(unsigned[:, None], axis=1, count=bits, bitorder="little")
    return np.packbits(spread.reshape(-1), bitorder="little")


def unpack(packed: npt.NDArray[np.uint8], dtype: str, size: int) -> Array:
    """The first `size` elements of packed sub-byte ints, as the dtype's numpy array."""
    row = STORAGE[dtype]
    spread = np.unpackbits(packed, count=size * row.bits, bitorder="little")
    whole = np.packbits(spread.reshape(size, row.bits), axis=1, bitorder="little").reshape(-1)
    if row.minimum < 0:
        sign = 1 << (row.bits - 1)
        signed: Array = ((whole ^ sign).astype(np.int8) - sign).astype(row.numpy)
        return signed
    out: Array = whole.astype(row.numpy)
    return out
