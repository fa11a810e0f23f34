"""Constant and the identities: values that need no computing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import I32, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value


@register
@dataclass(frozen=True)
class Constant(Op):
    """`() -> T[..]`: a tensor known when compiling. MIL `const`."""

    native = True
    exactness = Exactness.EXACT
    value: TensorData

    def infer(self) -> TensorType:
        return self.value.type

    def evaluate(self) -> Array:
        return self.value.array

    def lower(self, m: Builder) -> Value:
        return m.const(self.value.array)

    def range(self) -> Range:
        array = self.value.array
        if array.size == 0:
            return 0, 0
        if self.value.is_splat:
            array = array[(0,) * array.ndim]
        return int(array.min()), int(array.max())


def constant(dtype: DType, value: object) -> Constant:
    """A Constant of `value`, which numpy can make an array of."""
    return Constant(TensorData(dtype, np.asarray(value, dtype=dtype.numpy)))


def splat(dtype: DType, value: object, shape: tuple[int, ...]) -> Constant:
    """A Constant of `shape` whose elements are all `value`."""
    one = np.asarray(value, dtype=dtype.numpy)
    return Constant(TensorData(dtype, np.broadcast_to(one, shape)))


def known(x: Node) -> Array | None:
    """The elements of a value that is a Constant, else None."""
    return x.op.value.array if isinstance(x.op, Constant) else None


@register
@dataclass(frozen=True)
class Identity(Op):
    """`(x: T[..]) -> T[..]`: the operand itself. Vanishes."""

    native = True
    exactness = Exactness.EXACT

    def infer(self, x: TensorType) -> TensorType:
        return x

    def evaluate(self, x: Array) -> Array:
        return x

    def range(self, x: Range) -> Range:
        return x

    def decompose(self, g: Graph, x: Node) -> Node:
        return x


@register
@dataclass(frozen=True)
class OptimizationBarrier(Op):
    """`(operands: T[..]..) -> T[..]..`: the operands. Vanishes: it only holds back XLA."""

    native = True
    exactness = Exactness.EXACT

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return operands

    def evaluate(self, *operands: Array) -> tuple[Array, ...]:
        return operands

    def decompose(self, g: Graph, *operands: Node) -> tuple[Node, ...]:
        return operands


@register
@dataclass(frozen=True)
class SchedulingBarrier(Op):
    """`(operand: T[..], dependencies..) -> T[..]`: the operand. Vanishes: order has no effect."""

    native = True
    exactness = Exactness.EXACT

    def infer(self, operand: TensorType, *dependencies: TensorType) -> TensorType:
        return operand

    def evaluate(self, operand: Array, *dependencies: Array) -> Array:
        return operand

    def range(self, operand: Range, *dependencies: Range) -> Range:
        return operand

    def decompose(self, g: Graph, operand: Node, *dependencies: Node) -> Node:
        return operand


@register
@dataclass(frozen=True)
class DynamicDimensionSize(Op):
    """`(operand: T[..]) -> i32[]`: size of an axis; a constant, since compiled shapes are static.

    C1 0 <= axis < rank.
    """

    native = True
    axis: int

    def infer(self, operand: TensorType) -> TensorType:
        if not 0 <= self.axis < operand.rank:  # C1
            raise ShapeError(f"axis {self.axis} of {operand}", fix=f"use 0..{operand.rank - 1}")
        return TensorType(I32)

    def evaluate(self, operand: Array) -> Array:
        return np.asarray(operand.shape[self.axis], dtype=np.int32)

    def decompose(self, g: Graph, operand: Node) -> Node:
        return g.add(constant(I32, operand.type.shape[self.axis]))


@register
@dataclass(frozen=True)
class DynamicShape(Op):
    """`(operand: T[..]) -> i32[rank]`: the dims; a constant, since compiled shapes are static."""

    native = True

    def infer(self, operand: TensorType) -> TensorType:
        return TensorType(I32, (operand.rank,))

    def evaluate(self, operand: Array) -> Array:
        return np.asarray(operand.shape, dtype=np.int32)

    def decompose(self, g: Graph, operand: Node) -> Node:
        return g.add(constant(I32, operand.type.shape))
