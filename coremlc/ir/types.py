"""TensorType: a dtype and static dims."""

from __future__ import annotations

import math
from dataclasses import dataclass

from coremlc.dtypes import DType

MAX_RANK = 5
"""Of any value in Core ML."""


def low_rank(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which a tensor of more axes travels: the last ones are one, row-major."""
    if len(shape) <= MAX_RANK:
        return shape
    return (*shape[: MAX_RANK - 1], math.prod(shape[MAX_RANK - 1 :]))


@dataclass(frozen=True, slots=True)
class TensorType:
    """`f32[3,8]`; rank 0 prints as `f32[]`."""

    dtype: DType
    shape: tuple[int, ...] = ()

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def with_dim(self, axis: int, dim: int) -> TensorType:
        return TensorType(self.dtype, (*self.shape[:axis], dim, *self.shape[axis + 1 :]))

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def with_shape(self, shape: tuple[int, ...]) -> TensorType:
        return TensorType(self.dtype, shape)

    def without(self, axes: tuple[int, ...]) -> TensorType:
        """The type with `axes` removed."""
        return self.with_shape(tuple(d for i, d in enumerate(self.shape) if i not in axes))

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"
