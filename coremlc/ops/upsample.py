"""MIL's `upsample_nearest_neighbor`: pixels become blocks. A rewrite rule makes it."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.dtypes import FLOAT
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import check_dtype


@register
@dataclass(frozen=True)
class upsample(Op):  # noqa: N801  (after MIL's name)
    """`(x: F[n, c, h, w]) -> F[n, c, h * height, w * width]`: MIL `upsample_nearest_neighbor`."""

    gomlx = False
    native = True
    height: int
    width: int

    def infer(self, x: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)
        if x.rank != 4:
            raise ShapeError(f"upsample of {x}", fix="use [n, c, h, w]")
        n, c, h, w = x.shape
        return x.with_shape((n, c, h * self.height, w * self.width))

    def evaluate(self, x: Array) -> Array:
        return x.repeat(self.height, 2).repeat(self.width, 3)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.upsample_nearest_neighbor(
            x=x, scale_factor_height=self.height, scale_factor_width=self.width
        )
