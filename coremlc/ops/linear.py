"""MIL's `linear`: rows times a constant matrix, plus a bias. The pass `absorb` makes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value


@register
@dataclass(frozen=True)
class linear(Op):  # noqa: N801  (MIL's name)
    """`(x: F[.., in], weight: F[out, in], bias?: F[out]) -> F[.., out]`: MIL `linear`.

    Weight and bias are Constants.
    """

    gomlx = False

    def infer(self, x: TensorType, weight: TensorType, *bias: TensorType) -> TensorType:
        columns, inner = weight.shape
        if inner != x.shape[-1] or any(b.shape != (columns,) for b in bias):
            raise ShapeError(f"linear of {x} and {weight}", fix="make the inner dims equal")
        return x.with_dim(x.rank - 1, columns)

    def evaluate(self, x: Array, weight: Array, *bias: Array) -> Array:
        y = np.asarray(np.matmul(x, weight.T))
        for b in bias:
            y = y + b
        return y

    def lower(self, m: Builder, x: Value, weight: Value, bias: Value | None = None) -> Value:
        return m.linear(x=x, weight=weight, bias=bias)
