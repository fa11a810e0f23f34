"""AllReduce and DynamicReshape: what one device and static shapes leave of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import known
from coremlc.ops.shape import Reshape

REDUCTIONS = ("Sum", "Product", "Max", "Min")


@dataclass(frozen=True)
class Ints:
    """A list in a list."""

    values: tuple[int, ...]


@register
@dataclass(frozen=True)
class AllReduce(Op):
    """`(operands: T[..]..) -> T[..]..`: the operands; a bundle runs on one device.

    C1 a known reduction_type. Groups of more than one replica are refused when it is compiled.
    Source: GoMLX `AllReduce`; StableHLO `all_reduce`. Vanishes.
    """

    native = True
    exactness = Exactness.EXACT
    reduction_type: str
    replica_groups: tuple[Ints, ...]

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        if self.reduction_type not in REDUCTIONS:  # C1
            raise ShapeError(f"reduction {self.reduction_type!r}", fix=f"use {list(REDUCTIONS)}")
        return operands

    def evaluate(self, *operands: Array) -> tuple[Array, ...]:
        return operands

    def decompose(self, g: Graph, *operands: Node) -> tuple[Node, ...]:
        groups = [list(group.values) for group in self.replica_groups]
        if any(len(group) > 1 for group in groups):
            raise RefusedError(
                f"AllReduce over the replicas {groups}: a bundle runs on one device",
                fix="build the graph for one device",
            )
        return operands


@dataclass(frozen=True)
class DynamicDimensionSpec:
    """One dim of a DynamicReshape. The reader writes its size to `static`, whatever its name."""

    static: int
    name: str


@register
@dataclass(frozen=True)
class DynamicReshape(Op):
    """`(operand: T[..], sizes: I[]..) -> T[dimensions]`: the same elements in row-major order.

    C1 equal number of elements. C2 sizes, the dims that were left to run time, are integer scalars.
    Shapes are static when compiled: sizes must come out as the dims that the file's axes say, and
    are refused if they follow from the inputs' values.
    Source: GoMLX `DynamicReshape`. Decomposes to Reshape.
    """

    native = True
    exactness = Exactness.EXACT
    dimensions: tuple[DynamicDimensionSpec, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Dims of the result."""
        return tuple(d.static for d in self.dimensions)

    def infer(self, operand: TensorType, *sizes: TensorType) -> TensorType:
        if any(s.shape or not s.dtype.is_integer for s in sizes):  # C2
            raise ShapeError(f"sizes {', '.join(map(str, sizes))}", fix="give integer scalars")
        result = operand.with_shape(self.dims)
        if result.size != operand.size or any(d < 0 for d in self.dims):  # C1
            raise ShapeError(
                f"reshape of {operand} to {list(self.dims)}",
                fix=f"use dims with product {operand.size}",
            )
        return result

    def evaluate(self, operand: Array, *sizes: Array) -> Array:
        return np.reshape(operand, self.dims)

    def decompose(self, g: Graph, operand: Node, *sizes: Node) -> Node:
        dims = iter(self.dims)
        for size in sizes:
            value = known(size)
            if value is None:
                raise RefusedError(
                    "DynamicReshape to dims that follow from the inputs' values",
                    fix="make the dims static, or name axes and state their sizes (--dim NAME=N)",
                )
            if int(value) not in dims:
                raise RefusedError(
                    f"DynamicReshape to a dim of {int(value)}, but the axes say {list(self.dims)}",
                    fix="state the sizes of the named axes (--dim NAME=N) as the graph gives them",
                )
        return g.add(Reshape(self.dims), operand)
