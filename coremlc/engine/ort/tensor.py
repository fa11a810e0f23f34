"""What recipes see of a MIL value: its type, its ONNX name, its value if it is constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc.errors import RefusedError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import BlobRef
from coremlc.mil.types import Dim

Array: TypeAlias = "npt.NDArray[Any]"

ONNX_DTYPES = {
    "fp32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7,
    "bool": 9, "fp16": 10, "fp64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip
"""TensorProto's number of each MIL dtype that ONNX Runtime can hold."""


class T:
    """An operand. Identity is the key: one T per value."""

    __slots__ = (
        "_load",
        "_value",
        "blob",
        "bounds",
        "dtype",
        "extent",
        "items_differ",
        "name",
        "narrow",
        "repeats",
        "rows_differ",
        "shape",
        "wide",
    )

    def __init__(
        self,
        dtype: str,
        shape: tuple[Dim, ...],
        *,
        name: str | None = None,
        value: Array | Callable[[], Array] | None = None,
        blob: BlobRef | None = None,
        narrow: T | None = None,
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.name = name
        self.blob = blob
        self.narrow = narrow
        """The fp16 tensor that this one is the float32 form of."""
        self.wide: T | None = None
        self.repeats: dict[tuple[int, ...], T] = {}
        """A constant's longer forms, by shape."""
        self.extent: int | None = None
        """How far apart its values are at most, plus one; known where they are proved to differ."""
        self.items_differ: bool | None = None
        """Whether it is proved to hold no value twice; None until asked."""
        self.rows_differ: bool | None = None
        """The same for vectors along the last axis."""
        self.bounds: tuple[int, int] | None = None
        """The least and the greatest it holds at most; None where only its dtype tells."""
        self._value = None if callable(value) else value
        self._load = value if callable(value) else None

    @property
    def is_const(self) -> bool:
        return self._value is not None or self._load is not None

    @property
    def value(self) -> Array | None:
        """The constant's array; a blob is mapped when first asked for."""
        if self._value is None and self._load is not None:
            self._value = self._load()
        return self._value

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return STORAGE[self.dtype].numpy.kind == "f"

    @property
    def is_static(self) -> bool:
        return all(isinstance(d, int) for d in self.shape)

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, which must be known."""
        if not self.is_static:
            raise RefusedError(
                "the ONNX Runtime engine needs the operand's shape here, but a dim is unknown",
                fix="fix the model's input shapes",
            )
        return tuple(int(d) for d in self.shape)  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        return int(np.prod(self.dims, dtype=np.int64))


def reshaped(x: T, dims: tuple[int, ...]) -> T:
    """The same numbers of a constant, in another shape; a blob is read where it lies."""
    narrow = None if x.narrow is None else reshaped(x.narrow, dims)
    return T(x.dtype, dims, value=lambda: np.reshape(x.value, dims), blob=x.blob, narrow=narrow)  # type: ignore[arg-type]


def const_of(x: T, parameter: str) -> Array:
    """The value of a parameter that must be constant."""
    if x.value is None:
        raise RefusedError(
            f"the ONNX Runtime engine needs a constant {parameter!r}",
            fix="make it a constant, or run with --engine reference",
        )
    return x.value


def int_of(x: T | None, default: int, parameter: str = "axis") -> int:
    """A constant int parameter."""
    return default if x is None else int(const_of(x, parameter).reshape(()))


def bool_of(x: T | None, default: bool, parameter: str = "flag") -> bool:
    """A constant bool parameter."""
    return default if x is None else bool(const_of(x, parameter))


def float_of(x: T | None, default: float, parameter: str = "epsilon") -> float:
    """A constant float parameter."""
    return default if x is None else float(const_of(x, parameter))


def ints_of(x: T | None, default: list[int], parameter: str = "axes") -> list[int]:
    """A constant vector of ints, or one int."""
    if x is None:
        return default
    return [int(v) for v in np.atleast_1d(const_of(x, parameter))]


def axis_of(x: T | None, rank: int, default: int) -> int:
    """A non-negative axis."""
    index = int_of(x, default)
    return index + rank if index < 0 else index


def axes_of(x: T | None, rank: int) -> list[int]:
    """Non-negative axes, sorted; all of them when None."""
    return sorted(a + rank if a < 0 else a for a in ints_of(x, list(range(rank))))
