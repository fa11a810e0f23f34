"""Constant: a tensor known when compiling, with its content hash."""

from __future__ import annotations

from functools import cached_property

from coremlc.chunks import head, sha256
from coremlc.dtypes import DType
from coremlc.ir.op import Array
from coremlc.ir.types import TensorType


class TensorData:
    """Elements of a constant. Equal if dtype, shape and bytes are equal.

    The array may be a read-only map of a file, or a broadcast view of one element (a splat).
    """

    def __init__(self, dtype: DType, array: Array, digest: bytes | None = None) -> None:
        assert array.dtype == dtype.numpy, (array.dtype, dtype)
        self.array = array
        self.type = TensorType(dtype, array.shape)
        self._digest = digest

    @cached_property
    def is_splat(self) -> bool:
        """One element stands at every position."""
        return self.type.size > 0 and not any(
            stride and dim > 1
            for stride, dim in zip(self.array.strides, self.array.shape, strict=True)
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the elements: of all of them, or of the one element of a splat."""
        if self._digest is not None:
            return self._digest
        array = self.array[(0,) * self.array.ndim] if self.is_splat else self.array
        return sha256(array)

    @cached_property
    def _identity(self) -> tuple[TensorType, bool, bytes]:
        return self.type, self.is_splat, self.digest

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, TensorData) and (
            self._is_view_of(other) or self._identity == other._identity
        )

    def _is_view_of(self, other: TensorData) -> bool:
        """The same elements of the same memory: nothing has to be read to see that."""
        mine, theirs = self.array, other.array
        return (
            self.type == other.type
            and mine.strides == theirs.strides
            and mine.__array_interface__["data"] == theirs.__array_interface__["data"]
        )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """By the first elements: only what may be equal is read as a whole."""
        return hash((self.type, head(self.array)))

    def __repr__(self) -> str:
        return f"TensorData({self.type})"
