"""BatchNormForInference, BatchNormForTraining and BatchNormGradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import FLOAT, HALF
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, Mul, Sub
from coremlc.ops.dot_general import rest
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.leaves import constant
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.shape import BroadcastInDim, check_axes
from coremlc.ops.unary import Sqrt


@dataclass(frozen=True)
class _BatchNorm(Op):
    """What all have: epsilon, and the axis that the vectors run along."""

    epsilon: float
    feature_axis: int

    def check(self, operand: TensorType, *vectors: TensorType) -> None:
        """The contract of operand and vectors."""
        check_dtype(self.kind, operand, FLOAT)  # C3
        check_equal_dtypes(self.kind, operand, *vectors)
        check_axes("feature_axis", (self.feature_axis,), operand)  # C1
        if any(v.shape != (operand.shape[self.feature_axis],) for v in vectors):  # C2
            raise ShapeError(
                f"{', '.join(map(str, vectors))} for axis {self.feature_axis} of {operand}",
                fix=f"give vectors of {operand.shape[self.feature_axis]}",
            )

    def axes(self, rank: int) -> tuple[int, ...]:
        """All but the feature axis."""
        return rest(rank, (self.feature_axis,))

    def along(self, g: Graph, vector: Node, like: Node) -> Node:
        """A vector spread over the operand's axes."""
        return g.add(BroadcastInDim(like.type, (self.feature_axis,)), vector)

    def column(self, x: Array, vector: Array) -> Array:
        """The same in numpy."""
        return vector.reshape([-1 if i == self.feature_axis else 1 for i in range(x.ndim)])

    def sum(self, g: Graph, x: Node) -> Node:
        """Over all axes but the feature axis."""
        return g.add(ReduceSum(self.axes(x.type.rank)), x)

    def number(self, g: Graph, like: Node, value: float) -> Node:
        """A scalar of the operand's dtype."""
        return g.add(constant(like.type.dtype, value))

    def count(self, t: TensorType) -> int:
        """Elements per feature."""
        return t.without((self.feature_axis,)).size

    def deviation(self, g: Graph, variance: Node) -> Node:
        """sqrt(variance + epsilon)."""
        return g.add(Sqrt(), g.add(Add(), variance, self.number(g, variance, self.epsilon)))


@register
@dataclass(frozen=True)
class BatchNormForInference(_BatchNorm):
    """`(operand: F[..], scale, offset, mean, variance: F[c]) -> F[..]`.

    (operand - mean) * scale / sqrt(variance + epsilon) + offset along feature_axis.
    C1 0 <= feature_axis < rank. C2 the others are [dim of feature_axis]. C3 equal float dtypes.
    Source: GoMLX `BatchNormForInference`; StableHLO `batch_norm_inference`. Decomposes to
    arithmetic, of which the part without operand folds.
    """

    def infer(self, operand: TensorType, *vectors: TensorType) -> TensorType:
        self.check(operand, *vectors)
        return operand

    def evaluate(self, operand: Array, *vectors: Array) -> Array:
        s, o, m, v = (self.column(operand, x) for x in vectors)
        result: Array = (operand - m) * s / np.sqrt(v + self.epsilon) + o
        return result

    def decompose(
        self, g: Graph, operand: Node, scale: Node, offset: Node, mean: Node, variance: Node
    ) -> Node:
        factor = g.add(Div(), scale, self.deviation(g, variance))
        centered = g.add(Sub(), operand, self.along(g, mean, operand))
        scaled = g.add(Mul(), centered, self.along(g, factor, operand))
        return g.add(Add(), scaled, self.along(g, offset, operand))


@register
@dataclass(frozen=True)
class BatchNormForTraining(_BatchNorm):
    """`(operand: F[..], scale, offset: F[c]) -> F[..], mean: F[c], variance: F[c]`.

    (operand - mean) * scale / sqrt(variance + epsilon) + offset, with the mean and the biased
    variance over all axes but feature_axis, which are results too.
    C1 0 <= feature_axis < rank. C2 the others are [dim of feature_axis]. C3 equal float dtypes.
    Source: GoMLX `BatchNormForTraining`; StableHLO `batch_norm_training`. Decomposes to ReduceSum
    and arithmetic.
    """

    rounds_once = HALF  # sums of squares overflow float16

    def infer(
        self, operand: TensorType, scale: TensorType, offset: TensorType
    ) -> tuple[TensorType, TensorType, TensorType]:
        self.check(operand, scale, offset)
        return operand, scale, scale

    def evaluate(self, operand: Array, scale: Array, offset: Array) -> tuple[Array, ...]:
        axes = self.axes(operand.ndim)
        mean, variance = operand.mean(axes), operand.var(axes)
        s, o, m, v = (self.column(operand, x) for x in (scale, offset, mean, variance))
        return (operand - m) * s / np.sqrt(v + self.epsilon) + o, mean, variance

    def decompose(
        self, g: Graph, operand: Node, scale: Node, offset: Node
    ) -> tuple[Node, Node, Node]:
        count = self.number(g, operand, self.count(operand.type))
        mean = g.add(Div(), self.sum(g, operand), count)
        centered = g.add(Sub(), operand, self.along(g, mean, operand))
        squares = g.add(Mul(), centered, centered)
        variance = g.add(Div(), self.sum(g, squares), count)
        factor = g.add(Div(), scale, self.deviation(g, variance))
        scaled = g.add(Mul(), centered, self.along(g, factor, operand))
        return g.add(Add(), scaled, self.along(g, offset, operand)), mean, variance


@register
@dataclass(frozen=True)
class BatchNormGradient(_BatchNorm):
    """`(operand: F[..], scale, mean, variance: F[c], grad_output: F[..]) -> F[..], F[c], F[c]`.

    Gradients of BatchNormForTraining for operand, scale and offset.
    C1 0 <= feature_axis < rank. C2 the vectors are [dim of feature_axis]. C3 equal float dtypes.
    C4 grad_output has the operand's shape.
    Source: GoMLX `BatchNormGradient`; StableHLO `batch_norm_grad`. Decomposes to ReduceSum and
    arithmetic.
    """

    rounds_once = HALF
    exactness = Exactness.SUMMED

    def infer(
        self,
        operand: TensorType,
        scale: TensorType,
        mean: TensorType,
        variance: TensorType,
        grad_output: TensorType,
    ) -> tuple[TensorType, TensorType, TensorType]:
        self.check(operand, scale, mean, variance)
        if grad_output != operand:  # C4
            raise ShapeError(f"grad_output {grad_output} of {operand}", fix=f"give {operand}")
        return operand, scale, scale

    def evaluate(
        self, operand: Array, scale: Array, mean: Array, variance: Array, grad_output: Array
    ) -> tuple[Array, ...]:
        axes, n = self.axes(operand.ndim), operand.size // max(len(scale), 1)
        s, m, v = (self.column(operand, x) for x in (scale, mean, variance))
        deviation = np.sqrt(v + self.epsilon)
        normal = (operand - m) / deviation
        grad_scale, grad_offset = (grad_output * normal).sum(axes), grad_output.sum(axes)
        shared = self.column(operand, grad_offset) + normal * self.column(operand, grad_scale)
        return s / deviation * (grad_output - shared / n), grad_scale, grad_offset

    def decompose(
        self, g: Graph, operand: Node, scale: Node, mean: Node, variance: Node, grad_output: Node
    ) -> tuple[Node, Node, Node]:
        deviation = self.deviation(g, variance)
        centered = g.add(Sub(), operand, self.along(g, mean, operand))
        normal = g.add(Div(), centered, self.along(g, deviation, operand))
        grad_scale = self.sum(g, g.add(Mul(), grad_output, normal))
        grad_offset = self.sum(g, grad_output)
        by_scale = g.add(Mul(), normal, self.along(g, grad_scale, operand))
        shared = g.add(Add(), by_scale, self.along(g, grad_offset, operand))
        mean_shared = g.add(Div(), shared, self.number(g, operand, self.count(operand.type)))
        rest_ = g.add(Sub(), grad_output, mean_shared)
        factor = self.along(g, g.add(Div(), scale, deviation), operand)
        return g.add(Mul(), rest_, factor), grad_scale, grad_offset
