"""MIL's `pixel_shuffle`: channels become blocks of pixels. A rewrite rule makes it."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.dtypes import FLOAT
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import check_dtype

Dims = tuple[int, ...]
ORDER = (0, 1, 4, 2, 5, 3)


@register
@dataclass(frozen=True)
class pixel_shuffle(Op):  # noqa: N801  (MIL's name)
    """`(x: F[n, c * factor^2, h, w]) -> F[n, c, h * factor, w * factor]`: MIL `pixel_shuffle`.

    Channel (c, i, j) becomes row i and column j of each block of channel c.
    """

    gomlx = False
    native = True
    factor: int

    def blocks(self, dims: Dims) -> Dims:
        """Dims n, c, i, j, h, w of an operand; `ORDER` is how they are transposed."""
        n, channels, h, w = dims
        return n, channels // self.factor**2, self.factor, self.factor, h, w

    def infer(self, x: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)
        if x.rank != 4 or x.shape[1] % self.factor**2:
            raise ShapeError(f"pixel_shuffle of {x} by {self.factor}", fix="use [n, c * f^2, h, w]")
        return x.with_shape(self._shuffled(x.shape))

    def _shuffled(self, dims: Dims) -> Dims:
        n, c, i, j, h, w = self.blocks(dims)
        return n, c, h * i, w * j

    def evaluate(self, x: Array) -> Array:
        blocks = x.reshape(self.blocks(x.shape)).transpose(ORDER)
        return blocks.reshape(self._shuffled(x.shape))

    def lower(self, m: Builder, x: Value) -> Value:
        return m.pixel_shuffle(x=x, upscale_factor=self.factor)
