"""The MIL ops that order elements: argsort, gather_along_axis, cumsum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import I32
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import is_bool
from coremlc.ops.shape import check_axes


@register
@dataclass(frozen=True)
class argsort(Op):  # noqa: N801  (MIL's name)
    """`(x: T[..]) -> i32[..]`: places in order of the values along axis; MIL `argsort`.

    The order of ties, and of NaN, is not to be relied on.
    """

    gomlx = False
    native = True
    axis: int
    ascending: bool

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        return x.with_dtype(I32)

    def evaluate(self, x: Array) -> Array:
        values = x if x.dtype.kind in "iub" else x.astype(np.float64)
        ranks = np.unique(values, return_inverse=True)[1].reshape(x.shape)
        return np.argsort(ranks if self.ascending else -ranks, self.axis, kind="stable")

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        return 0, max(types[0].shape[self.axis] - 1, 0)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.argsort(x=x, axis=self.axis, ascending=self.ascending)


@register
@dataclass(frozen=True)
class gather_along_axis(Op):  # noqa: N801  (MIL's name)
    """`(x: T[..], indices: i32[..]) -> T[..]`: MIL `gather_along_axis`; 0 <= indices < dim."""

    gomlx = False
    native = True
    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        if indices != x.with_dtype(I32):
            raise ShapeError(f"gather_along_axis of {x} by {indices}", fix="use equal dims, i32")
        return x

    def evaluate(self, x: Array, indices: Array) -> Array:
        return np.take_along_axis(x, indices, self.axis)

    def range(self, x: Range, indices: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value, indices: Value) -> Value:
        if is_bool(x):
            taken = self.lower(m, m.cast(x=x, dtype="int32"), indices)
            return m.cast(x=taken, dtype="bool")
        return m.gather_along_axis(x=x, indices=indices, axis=self.axis)


@register
@dataclass(frozen=True)
class cumsum(Op):  # noqa: N801  (MIL's name)
    """`(x: i32[..]) -> i32[..]`: sums of each element and all before along axis; MIL `cumsum`."""

    gomlx = False
    native = True
    axis: int

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        return x

    def evaluate(self, x: Array) -> Array:
        return np.cumsum(x, self.axis, dtype=x.dtype)

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        low, high = ranges[0]
        n = types[0].shape[self.axis]
        return min(low, low * n), max(high, high * n)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.cumsum(x=x, axis=self.axis)
