"""Data movement that composes or does nothing. Exact for every dtype: no arithmetic is involved."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Value
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.leaves import Identity
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Reverse, Slice, Transpose
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]


def identity(g: Builder, op: Identity, operands: Operands, out: TensorType) -> Value | None:
    """`Identity(x) -> x`."""
    return operands[0]


def reshape(g: Builder, op: Reshape, operands: Operands, out: TensorType) -> Value | None:
    """`Reshape(x, its shape) -> x`; `Reshape(Reshape(x)) -> Reshape(x)`."""
    (x,) = operands
    if x.type == out:
        return x
    if isinstance(x.op, Reshape):
        return g.add(op, x.operands[0])
    return None


def transpose(g: Builder, op: Transpose, operands: Operands, out: TensorType) -> Value | None:
    """`Transpose(x, identity) -> x`; `Transpose(Transpose(x, p), q) -> Transpose(x, p[q])`.

    One that moves only dims of 1 is a Reshape.
    """
    (x,) = operands
    permutation = op.permutation
    if permutation == tuple(range(len(permutation))):
        return x
    if isinstance(x.op, Transpose):
        inner = x.op.permutation
        return g.add(Transpose(tuple([inner[i] for i in permutation])), x.operands[0])
    moved = [p for p in permutation if x.type.shape[p] != 1]
    return g.add(Reshape(out.shape), x) if moved == sorted(moved) else None


def broadcast_nothing(
    g: Builder, op: BroadcastInDim, operands: Operands, out: TensorType
) -> Value | None:
    """`BroadcastInDim(x)` that repeats nothing `-> Reshape(Transpose(x))`."""
    (x,) = operands
    if x.type.size != out.size:
        return None
    order, dims = op.spread(x.type)
    return g.add(Reshape(dims), g.add(Transpose(order), x))


def slice_all(g: Builder, op: Slice, operands: Operands, out: TensorType) -> Value | None:
    """`Slice(x)` of everything `-> x`."""
    return operands[0] if operands[0].type == out and set(op.strides) <= {1} else None


def slice_slice(g: Builder, op: Slice, operands: Operands, out: TensorType) -> Value | None:
    """`Slice(Slice(x)) -> Slice(x)`."""
    (x,) = operands
    if not isinstance(x.op, Slice):
        return None
    inner = x.op
    rows = list(zip(inner.starts, inner.strides, op.starts, op.strides, out.shape, strict=True))
    starts = tuple(s + a * t for s, t, a, _, _ in rows)
    strides = tuple(t * b for _, t, _, b, _ in rows)
    limits = tuple(s + (n - 1) * t + 1 for s, t, (*_, n) in zip(starts, strides, rows, strict=True))
    return g.add(Slice(starts, limits, strides), x.operands[0])


def concatenate_one(
    g: Builder, op: Concatenate, operands: Operands, out: TensorType
) -> Value | None:
    """`Concatenate(x) -> x`; empty operands vanish."""
    full = tuple([x for x in operands if x.type.size])
    if len(full) == len(operands) and len(operands) > 1:
        return None
    return full[0] if len(full) == 1 else g.add(op, *full)


def reverse_one(g: Builder, op: Reverse, operands: Operands, out: TensorType) -> Value | None:
    """`Reverse` of axes of dim 1 vanishes; `Reverse(Reverse(x, a), a) -> x`."""
    (x,) = operands
    axes = tuple(sorted(a for a in op.axes if out.shape[a] != 1))
    if not axes:
        return x
    if isinstance(x.op, Reverse) and tuple(sorted(x.op.axes)) == axes:
        return x.operands[0]
    return None if axes == op.axes else g.add(Reverse(axes), x)


def convert_nothing(
    g: Builder, op: ConvertDType, operands: Operands, out: TensorType
) -> Value | None:
    """`ConvertDType(x, its dtype) -> x`."""
    return operands[0] if operands[0].type == out else None


RULES: Rules = (
    ((Identity,), identity),
    ((Reshape,), reshape),
    ((Transpose,), transpose),
    ((BroadcastInDim,), broadcast_nothing),
    ((Slice,), slice_all),
    ((Slice,), slice_slice),
    ((Concatenate,), concatenate_one),
    ((Reverse,), reverse_one),
    ((ConvertDType,), convert_nothing),
)
