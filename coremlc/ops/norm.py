"""Normalizations: FusedLayerNorm, FusedSoftmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from coremlc.dtypes import FLOAT, HALF
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add, Mul
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.leaves import known
from coremlc.ops.shape import BroadcastInDim, Reshape, Transpose, check_axes

Axes = tuple[int, ...]


@register
@dataclass(frozen=True)
class FusedLayerNorm(Op):
    """`(x: F[..], gamma?: F[axes], beta?: F[axes]) -> F[..]`.

    (x - mean) / sqrt(variance + epsilon) * gamma + beta; mean and biased variance over axes.
    C1 axes unique, increasing, at least one. C2 gamma and beta have the dims of axes, or all
    of x's rank with 1 for the others (GoMLX's `LayerNorm` gives either).
    C3 equal float dtypes.
    Source: GoMLX `FusedLayerNorm`. Decomposes to MIL `layer_norm` of the last axes, with gamma and
    beta if they are constants.
    """

    optional = ("gamma", "beta")
    rounds_once = HALF
    axes: Axes
    epsilon: float
    gamma: bool
    """Whether that operand is there."""
    beta: bool

    def infer(self, x: TensorType, *affine: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)  # C3
        check_equal_dtypes(self.kind, x, *affine)
        check_axes("axes", self.axes, x)  # C1
        dims = tuple(x.shape[a] for a in self.axes)
        wide = tuple(d if a in self.axes else 1 for a, d in enumerate(x.shape))
        if list(self.axes) != sorted(self.axes) or not self.axes:
            raise ShapeError(f"axes {self.axes} of {x}", fix="give them in increasing order")
        if len(affine) != self.gamma + self.beta or any(
            t.shape not in (dims, wide) for t in affine
        ):  # C2
            raise ShapeError(
                f"gamma and beta {', '.join(map(str, affine))} for axes {self.axes} of {x}",
                fix=f"give them dims {list(dims)}",
            )
        return x

    def evaluate(self, x: Array, *affine: Array) -> Array:
        mean = x.mean(self.axes, keepdims=True)
        variance = ((x - mean) ** 2).mean(self.axes, keepdims=True)
        result: Array = (x - mean) / np.sqrt(variance + self.epsilon)
        shape = [d if i in self.axes else 1 for i, d in enumerate(x.shape)]
        operands = iter(affine)
        if self.gamma:
            result = result * next(operands).reshape(shape)
        return result + next(operands).reshape(shape) if self.beta else result

    def decompose(self, g: Graph, x: Node, *affine: Node) -> Node:
        rank = x.type.rank
        kept = tuple(a for a in range(rank) if a not in self.axes)
        order = kept + self.axes
        dims = tuple(x.type.shape[a] for a in self.axes)
        names = [name for name in self.optional if getattr(self, name)]
        given = dict(zip(names, (g.add(Reshape(dims), v) for v in affine), strict=True))
        inside = _constants(given)
        op = layer_norm(len(self.axes), self.epsilon, "gamma" in inside, "beta" in inside)
        result = g.add(op, g.add(Transpose(order), x), *inside.values())
        result = g.add(Transpose(tuple(order.index(a) for a in range(rank))), result)
        for name, kind in (("gamma", Mul), ("beta", Add)):
            if name in given and name not in inside:
                wide = g.add(BroadcastInDim(x.type, self.axes), given[name])
                result = g.add(kind(), result, wide)
        return result


def _constants(given: dict[str, Node]) -> dict[str, Node]:
    """What of gamma and beta MIL's op takes: constants, beta not before gamma."""
    if any(known(v) is None for v in list(given.values())[:1]):
        return {}
    return {name: v for name, v in given.items() if known(v) is not None}


@register
@dataclass(frozen=True)
class layer_norm(Op):  # noqa: N801  (MIL's name)
    """`(x: F[.., dims], gamma?: F[dims], beta?: F[dims]) -> F[.., dims]`: MIL `layer_norm`.

    Over the last `count` axes, whose dims are `dims`. C1 gamma and beta are constants.
    """

    gomlx = False
    optional = ("gamma", "beta")
    count: int
    epsilon: float
    gamma: bool
    """Whether that operand is there."""
    beta: bool

    def infer(self, x: TensorType, *affine: TensorType) -> TensorType:
        return x

    def evaluate(self, x: Array, *affine: Array) -> Array:
        axes = tuple(range(x.ndim - self.count, x.ndim))
        return FusedLayerNorm(axes, self.epsilon, self.gamma, self.beta).evaluate(x, *affine)

    def lower(self, m: Builder, x: Value, *affine: Value) -> Value:
        rank = len(x.tensor.shape)
        names = [name for name in self.optional if getattr(self, name)]
        given: dict[str, Any] = dict(zip(names, affine, strict=True))
        axes = list(range(rank - self.count, rank))
        return m.layer_norm(x=x, axes=axes, epsilon=self.epsilon, **given)


@register
@dataclass(frozen=True)
class FusedSoftmax(Op):
    """`(x: F[..]) -> F[..]`: exp(x - max) / sum of it along `axis`; a row of all -inf gives NaN.

    C1 0 <= axis < rank. Source: GoMLX `FusedSoftmax`. MIL `softmax`.
    """

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)
        check_axes("axis", (self.axis,), x)  # C1
        return x

    def evaluate(self, x: Array) -> Array:
        p = np.exp(x - x.max(self.axis, keepdims=True, initial=-np.inf))
        result: Array = p / p.sum(self.axis, keepdims=True)
        return result

    def lower(self, m: Builder, x: Value) -> Value:
        return m.softmax(x=x, axis=self.axis)
