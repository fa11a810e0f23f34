"""GoMLX dtypes: their names, numpy forms, limits and comparison tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import ml_dtypes
import numpy as np

Kind = Literal["bool", "int", "uint", "float", "complex"]


@dataclass(frozen=True)
class DType:
    """One GoMLX dtype."""

    name: str
    """GoMLX's name: `Float32`."""
    short: str
    """How types print: `f32`."""
    kind: Kind
    bits: int
    numpy: np.dtype[Any]
    """The numpy dtype of one element; packed types hold one element a byte."""

    def __str__(self) -> str:
        return self.short

    def __repr__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def is_complex(self) -> bool:
        return self.kind == "complex"

    @property
    def mil(self) -> str:
        """MIL's name, of a dtype that MIL has at run time; else empty."""
        return _MIL.get(self.name, "")

    @cached_property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value of a bool or an integer dtype."""
        if self.kind == "bool":
            return 0, 1
        if self.kind == "uint":
            return 0, (1 << self.bits) - 1
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

    @cached_property
    def tolerance(self) -> tuple[float, float]:
        """(relative, absolute) difference allowed between two right computations of one op."""
        return _TOLERANCES.get(self.name, (0.0, 0.0))


_MIL = {"Bool": "bool", "Int32": "int32", "Float16": "fp16", "Float32": "fp32"}
_TOLERANCES = {
    "Float64": (1e-5, 1e-6),  # computed in float32
    "Float32": (1e-5, 1e-6),
    "Float16": (2e-3, 1e-4),  # two units in the last place
    "BFloat16": (1.6e-2, 1e-3),
    "Complex64": (1e-5, 1e-6),
    "Complex128": (1e-5, 1e-6),
}


def _row(name: str, short: str, kind: Kind, bits: int, numpy: Any) -> DType:
    return DType(name, short, kind, bits, np.dtype(numpy))


ALL = (
    _row("Bool", "bool", "bool", 8, np.bool_),
    _row("Int8", "i8", "int", 8, np.int8),
    _row("Int16", "i16", "int", 16, np.int16),
    _row("Int32", "i32", "int", 32, np.int32),
    _row("Int64", "i64", "int", 64, np.int64),
    _row("Uint8", "u8", "uint", 8, np.uint8),
    _row("Uint16", "u16", "uint", 16, np.uint16),
    _row("Uint32", "u32", "uint", 32, np.uint32),
    _row("Uint64", "u64", "uint", 64, np.uint64),
    _row("Float16", "f16", "float", 16, np.float16),
    _row("BFloat16", "bf16", "float", 16, ml_dtypes.bfloat16),
    _row("Float32", "f32", "float", 32, np.float32),
    _row("Float64", "f64", "float", 64, np.float64),
    _row("Complex64", "c64", "complex", 64, np.complex64),
    _row("Complex128", "c128", "complex", 128, np.complex128),
    _row("Int4", "i4", "int", 4, ml_dtypes.int4),
    _row("Uint4", "u4", "uint", 4, ml_dtypes.uint4),
    _row("Int2", "i2", "int", 2, ml_dtypes.int2),
    _row("Uint2", "u2", "uint", 2, ml_dtypes.uint2),
    _row("F8E4M3FN", "f8e4m3fn", "float", 8, ml_dtypes.float8_e4m3fn),
    _row("F8E5M2", "f8e5m2", "float", 8, ml_dtypes.float8_e5m2),
)
BY_NAME = {dtype.name: dtype for dtype in ALL}
BY_SHORT = {dtype.short: dtype for dtype in ALL}
BY_NUMPY = {dtype.numpy: dtype for dtype in ALL}

BOOL = BY_NAME["Bool"]
I32 = BY_NAME["Int32"]
I64 = BY_NAME["Int64"]
F16 = BY_NAME["Float16"]
BF16 = BY_NAME["BFloat16"]
F32 = BY_NAME["Float32"]
F64 = BY_NAME["Float64"]
C64 = BY_NAME["Complex64"]
C128 = BY_NAME["Complex128"]

SIGNED = frozenset(d for d in ALL if d.kind == "int")
UNSIGNED = frozenset(d for d in ALL if d.kind == "uint")
INTEGER = SIGNED | UNSIGNED
FLOAT = frozenset(d for d in ALL if d.kind == "float")
HALF = frozenset({F16, BF16})
COMPLEX = frozenset(d for d in ALL if d.kind == "complex")
REAL = INTEGER | FLOAT
NUMBER = REAL | COMPLEX
ANY = frozenset(ALL)
PART = {C64: F32, C128: F64}
"""Dtype of the real and imaginary part of a complex dtype."""
WHOLE = {part: whole for whole, part in PART.items()}


def working(dtype: DType) -> np.dtype[Any]:
    """The numpy dtype in which the oracle computes: float64, complex128, or the dtype itself."""
    if dtype.is_float:
        return np.dtype(np.float64)
    return np.dtype(np.complex128) if dtype.is_complex else dtype.numpy
