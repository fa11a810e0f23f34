"""Broadcasts that elementwise ops do by themselves. Exact: each element meets the same elements."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dense import FusedGelu
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.leaves import Constant, splat
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Reshape, Transpose
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]


def implicit(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`f(BroadcastInDim(x), y) -> f(Reshape(x), y)`, while the operands still span the result.

    A broadcast scalar, or a constant of equal elements, becomes a scalar. Repeating what is left is
    up to the op. If every operand is broadcast, the op moves before it: `BroadcastInDim(f(x, y))`.
    """
    narrow = [_narrowed(g, x) for x in operands]
    if all(a is b for a, b in zip(narrow, operands, strict=True)):
        return None
    if _shape(narrow) == out.shape:
        return g.add(op, *narrow)
    small = g.add(op, *narrow)
    if not small.type.shape:
        return g.add(BroadcastInDim(out, ()), small)
    return g.add(BroadcastInDim(out, tuple(range(out.rank))), small)


def _narrowed(g: Builder, x: Value) -> Value:
    """`x` before it was broadcast, with dims of 1 for what repeats; `x` itself if it was not."""
    if isinstance(x.op, BroadcastInDim):
        (source,) = x.operands
        if not source.type.shape:
            return source
        order, dims = x.op.spread(source.type)
        return g.add(Reshape(dims), g.add(Transpose(order), source))
    if isinstance(x.op, Constant) and x.type.shape and x.op.value.is_splat:
        data = x.op.value.array
        return g.add(splat(x.type.dtype, data[(0,) * data.ndim], ()))
    return x


def _shape(values: list[Value]) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    for x in values:
        if not shape:
            shape = x.type.shape
        elif x.type.shape:
            shape = tuple(b if a == 1 else a for a, b in zip(shape, x.type.shape, strict=True))
    return shape


def _elementwise() -> tuple[type[Op], ...]:
    rows = [cls for cls in REGISTRY.values() if issubclass(cls, Elementwise)]
    return (*rows, Where, FusedGelu, ConvertDType)


ELEMENTWISE = _elementwise()
RULES: Rules = ((ELEMENTWISE, implicit),)
