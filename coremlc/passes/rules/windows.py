"""Windows as wide as what they slide over."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Value
from coremlc.ir.types import TensorType
from coremlc.ops.conv_general import Axis, Pair
from coremlc.ops.reduce import Reduce, ReduceMax, ReduceMin, ReduceProduct, ReduceSum
from coremlc.ops.reduce_window import ReduceWindow
from coremlc.ops.shape import Reshape
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]
REDUCTIONS: dict[str, type[Reduce]] = {
    "Sum": ReduceSum,
    "Product": ReduceProduct,
    "Max": ReduceMax,
    "Min": ReduceMin,
}


def whole_window(g: Builder, op: ReduceWindow, operands: Operands, out: TensorType) -> Value | None:
    """`ReduceWindow(x) -> Reshape(Reduce(x))`, if windows are whole axes, or one element.

    Exact but for the order in which floats are summed.
    """
    (x,) = operands
    axes = tuple([a for a, size in enumerate(op.window_dimensions) if size > 1])
    plain = all(row == Axis(row.stride, Pair(0, 0), 1, 1) for row in op.rows)
    if not plain or any(op.window_dimensions[a] != x.type.shape[a] for a in axes):
        return None
    if any(op.strides[a] > 1 for a in range(x.type.rank) if a not in axes):
        return None
    return g.add(Reshape(out.shape), g.add(REDUCTIONS[op.reduction_type](axes), x))


RULES: Rules = (((ReduceWindow,), whole_window),)
