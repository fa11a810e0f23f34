"""FusedDense and FusedGelu: a linear layer and its activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from coremlc.dtypes import BF16, FLOAT
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add, Div, Max, Mul
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.leaves import constant
from coremlc.ops.selection import Clamp
from coremlc.ops.shape import BroadcastInDim
from coremlc.ops.unary import Logistic, Tanh, erf


def gelu(x: Array, exact: bool) -> Array:
    """Gaussian error linear unit of float64."""
    if exact:
        return np.asarray(0.5 * x * (1 + erf(x / math.sqrt(2))))
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1 + np.tanh(inner)))


@register
@dataclass(frozen=True)
class FusedGelu(Op):
    """`(x: F[..]) -> F[..]`: x * (1 + erf(x / sqrt 2)) / 2, or its tanh form if not exact.

    Source: GoMLX `FusedGelu`. MIL `gelu`.
    """

    exact: bool

    def infer(self, x: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)
        return x

    def evaluate(self, x: Array) -> Array:
        return gelu(x, self.exact)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.gelu(x=x, mode="EXACT" if self.exact else "TANH_APPROXIMATION")


@dataclass(frozen=True)
class Activation:
    """What FusedDense may end with: its numpy meaning, and its ops."""

    evaluate: Callable[[Array], Array]
    build: Callable[[Graph, Node], Node]


def _scalar(g: Graph, x: Node, value: float) -> Node:
    return g.add(constant(x.type.dtype, value))


def _hard_swish(g: Graph, x: Node) -> Node:
    shifted = g.add(Add(), x, _scalar(g, x, 3.0))
    gate = g.add(Clamp(), _scalar(g, x, 0.0), shifted, _scalar(g, x, 6.0))
    return g.add(Mul(), x, g.add(Div(), gate, _scalar(g, x, 6.0)))  # 6 x may overflow


ACTIVATIONS: dict[str, Activation] = {
    "none": Activation(lambda x: x, lambda g, x: x),
    "relu": Activation(
        lambda x: np.maximum(x, 0), lambda g, x: g.add(Max(), x, _scalar(g, x, 0.0))
    ),
    "gelu": Activation(lambda x: gelu(x, True), lambda g, x: g.add(FusedGelu(exact=True), x)),
    "silu": Activation(
        lambda x: x / (1 + np.exp(-x)), lambda g, x: g.add(Mul(), x, g.add(Logistic(), x))
    ),
    "hard_swish": Activation(lambda x: x * np.clip(x + 3, 0, 6) / 6, _hard_swish),
    "tanh": Activation(np.tanh, lambda g, x: g.add(Tanh(), x)),
}


@dataclass(frozen=True)
class DenseConfig:
    """Activation, and the layout of weight.

    InputOutputs: [in, out..]; OutputsInput: [out.., in].
    """

    activation: str
    weight_layout: str


@register
@dataclass(frozen=True)
class FusedDense(Op):
    """`(x: F[.., in], weight: F[in, out..], bias?: F[out..]) -> F[.., out..]`.

    activation(x @ weight + bias). C1 the inner dims are equal. C2 bias has the output dims.
    C3 equal float dtypes. C4 a known activation and layout.
    Source: GoMLX `FusedDense`. Decomposes to DotGeneral, Add and the activation.
    """

    exactness = Exactness.SUMMED
    rounds_once = frozenset({BF16})  # float16 weights stay float16: Core ML multiplies them as such
    options: DenseConfig

    def infer(self, x: TensorType, weight: TensorType, *bias: TensorType) -> TensorType:
        check_dtype(self.kind, x, FLOAT)  # C3
        check_equal_dtypes(self.kind, x, weight, *bias)
        if self.options.activation not in ACTIVATIONS:  # C4
            raise ShapeError(
                f"activation {self.options.activation!r}", fix=f"use {', '.join(ACTIVATIONS)}"
            )
        if self.options.weight_layout not in ("InputOutputs", "OutputsInput"):
            raise ShapeError(
                f"weight_layout {self.options.weight_layout!r}",
                fix="use InputOutputs or OutputsInput",
            )
        if x.rank < 1 or weight.rank < 1 or x.shape[-1] != weight.shape[self._inner(weight.rank)]:
            raise ShapeError(f"dense of {x} and {weight}", fix="make the inner dims equal")  # C1
        outputs = weight.without((self._inner(weight.rank),)).shape
        if any(b.shape != outputs for b in bias):  # C2
            raise ShapeError(f"bias {bias[0]} for {weight}", fix=f"give it dims {list(outputs)}")
        return x.with_shape(x.shape[:-1] + outputs)

    def _inner(self, rank: int) -> int:
        return 0 if self.options.weight_layout == "InputOutputs" else rank - 1

    def evaluate(self, x: Array, weight: Array, *bias: Array) -> Array:
        rows = np.moveaxis(weight, self._inner(weight.ndim), 0)
        flat = np.einsum("...i,io->...o", x, rows.reshape(rows.shape[0], math.prod(rows.shape[1:])))
        y: Any = flat.reshape(*x.shape[:-1], *rows.shape[1:])  # tensordot skips zeros: 0 * inf
        for b in bias:
            y = y + b
        return ACTIVATIONS[self.options.activation].evaluate(y)

    def decompose(self, g: Graph, x: Node, weight: Node, *bias: Node) -> Node:
        config = DotGeneralConfig(x.type.dtype, x.type.dtype)
        last, inner = (x.type.rank - 1,), (self._inner(weight.type.rank),)
        y = g.add(DotGeneral(last, (), inner, (), config), x, weight)
        for b in bias:
            axes = tuple(range(y.type.rank - b.type.rank, y.type.rank))
            y = g.add(Add(), y, g.add(BroadcastInDim(y.type, axes), b))
        return ACTIVATIONS[self.options.activation].build(g, y)
