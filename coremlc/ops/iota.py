"""Iota: counting along an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import convert
from coremlc.ops.leaves import Constant
from coremlc.ops.shape import BroadcastInDim


@register
@dataclass(frozen=True)
class Iota(Op):
    """`() -> N[..]`: 0, 1, 2 .. along one axis, the same along the others.

    C1 0 <= iota_axis < rank. C2 not bool.
    Source: GoMLX `Iota`. Decomposes to a constant row, broadcast.
    """

    native = True
    exactness = Exactness.EXACT
    shape: TensorType
    iota_axis: int

    def infer(self) -> TensorType:
        if not 0 <= self.iota_axis < self.shape.rank:  # C1
            raise ShapeError(
                f"iota_axis {self.iota_axis} of {self.shape}", fix=f"use 0..{self.shape.rank - 1}"
            )
        if self.shape.dtype is BOOL:  # C2
            raise ShapeError(f"iota of {self.shape}", fix="use a number dtype")
        return self.shape

    def _row(self) -> Array:
        return convert(np.arange(self.shape.shape[self.iota_axis]), self.shape.dtype)

    def evaluate(self) -> Array:
        dims = [1] * self.shape.rank
        dims[self.iota_axis] = -1
        return np.broadcast_to(self._row().reshape(dims), self.shape.shape)

    def range(self) -> Range:
        return 0, max(self.shape.shape[self.iota_axis] - 1, 0)

    def decompose(self, g: Graph) -> Node:
        line = g.add(Constant(TensorData(self.shape.dtype, self._row())))
        return g.add(BroadcastInDim(self.shape, (self.iota_axis,)), line)
