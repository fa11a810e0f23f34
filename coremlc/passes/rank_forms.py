"""Ops on values of rank above 5, which are in any shape with their elements in row-major order.

A form tells an op only the axes that it tells apart: neighbors that it treats alike are one, dims
of 1 are none. If more than 5 are left, the op goes over them one after the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from coremlc.errors import RefusedError
from coremlc.ir.graph import Node, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import MAX_RANK, TensorType, low_rank
from coremlc.ops.dynamic_slice import DynamicSlice, DynamicUpdateSlice
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.leaves import Constant, constant
from coremlc.ops.norm import layer_norm
from coremlc.ops.pad import pad
from coremlc.ops.reduce import Reduce
from coremlc.ops.shape import BroadcastInDim, Reshape, Reverse, Slice, Transpose
from coremlc.passes.smart import SmartBuilder

ELEMENTWISE = frozenset(
    ("Where", "ConvertDType", "FusedGelu", "mod", "floor_div", "round_bfloat16")
)
"""Elementwise kinds that are no `Elementwise`."""
ALONG = frozenset(
    ("ArgMinMax", "Concatenate", "FusedSoftmax", "argsort", "cumsum", "gather_along_axis")
)
"""Kinds that tell only their attribute `axis` from the others."""
Dims = tuple[int, ...]
Groups = list[list[int]]
Form = Callable[[SmartBuilder, Node, list[Value]], Value]
"""(g, node, operands in any row-major shape) -> the result in one."""


def form(op: Op) -> Form:
    """How an op acts on values of high rank; refuses one that has no way."""
    if isinstance(op, Elementwise) or op.kind in ELEMENTWISE:
        return _elementwise
    if isinstance(op, Reduce):
        return _reduce
    return _along if op.kind in ALONG else _FORMS.get(op.kind, _none)


def _none(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    t = next(v.type for v in (*node.results, *node.operands) if v.type.rank > MAX_RANK)
    raise RefusedError(f"{t} has rank {t.rank}, Core ML stops at {MAX_RANK}", fix="merge axes")


def stated(t: TensorType) -> TensorType:
    """The type that a value of type `t` has where functions meet, and the user gives or gets it."""
    return t.with_shape(low_rank(t.shape))


def shaped(g: SmartBuilder, x: Value, dims: Dims) -> Value:
    """`x` with its elements in `dims`."""
    return x if x.type.shape == dims else g.add(Reshape(dims), x)


def _groups(kinds: Sequence[Hashable], dims: Dims) -> Groups:
    """Neighboring axes of one kind together, without dims of 1. Kind None joins nothing."""
    groups: Groups = []
    last: Hashable = None
    for axis, kind in enumerate(kinds):
        if dims[axis] == 1:
            continue
        if groups and kind == last and kind is not None:
            groups[-1].append(axis)
        else:
            groups.append([axis])
        last = kind
    return groups


def _sizes(groups: Groups, dims: Dims) -> Dims:
    return tuple(math.prod(dims[a] for a in group) for group in groups)


def _around(dims: Dims, axis: int) -> Dims:
    """[before, axis, after]."""
    return math.prod(dims[:axis]), dims[axis], math.prod(dims[axis + 1 :])


def _constant(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    assert isinstance(node.op, Constant)
    data = node.op.value
    dims = stated(data.type).shape
    if data.is_splat:
        one = data.array[(0,) * data.array.ndim]
        return g.add(Constant(TensorData(data.type.dtype, np.broadcast_to(one, dims))))
    return g.add(Constant(TensorData(data.type.dtype, data.array.reshape(dims))))


def _reshape(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    return operands[0]


def _elementwise(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    dims = node.results[0].type.shape
    shapes = [o.type.shape for o in node.operands]
    kinds = [tuple(s[a] == 1 for s in shapes if s) for a in range(len(dims))]
    groups = _groups(kinds, dims)
    if len(groups) > MAX_RANK:
        operands = [
            broadcast(g, x, s, dims) if s else x for x, s in zip(operands, shapes, strict=True)
        ]
        shapes = [dims if s else () for s in shapes]
        groups = [list(range(len(dims)))]
    given = [
        shaped(g, x, _sizes(groups, s) or (1,)) if s else x
        for x, s in zip(operands, shapes, strict=True)
    ]
    return g.add(node.op, *given)


def broadcast(g: SmartBuilder, x: Value, dims: Dims, out: Dims) -> Value:
    """`x`, row-major in `dims`, with its dims of 1 repeated as `out` says."""
    groups = _groups([d == n for d, n in zip(dims, out, strict=True)], out)
    small, wide = _sizes(groups, dims), _sizes(groups, out)
    if len(groups) <= MAX_RANK:
        axes = tuple(range(len(groups)))
        return g.add(BroadcastInDim(x.type.with_shape(wide), axes), shaped(g, x, small))
    for i in reversed(range(len(groups))):
        if small[i] != wide[i]:
            before, after = math.prod(small[:i]), math.prod(wide[i + 1 :])
            full = x.type.with_shape((before, wide[i], after))
            x = g.add(BroadcastInDim(full, (0, 1, 2)), shaped(g, x, (before, 1, after)))
    return x


def _broadcast(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    op, (x,) = node.op, operands
    assert isinstance(op, BroadcastInDim)
    order, dims = op.spread(node.operands[0].type)
    moved = transpose(g, x, node.operands[0].type.shape, order)
    return broadcast(g, moved, dims, op.output_shape.shape)


def transpose(g: SmartBuilder, x: Value, dims: Dims, order: Dims) -> Value:
    """`x`, row-major in `dims`, with its axes in `order`. One axis at a time, if there are many."""
    order = tuple(a for a in order if dims[a] != 1)
    runs: Groups = []
    for axis in order:
        between = range(runs[-1][-1] + 1, axis) if runs else range(0)
        if runs and axis > runs[-1][-1] and all(dims[a] == 1 for a in between):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    placed_ = sorted(runs)
    sizes = _sizes(placed_, dims)
    permutation = tuple(placed_.index(run) for run in runs)
    if len(runs) <= MAX_RANK:
        return g.add(Transpose(permutation), shaped(g, x, sizes))
    fixed = next(i for i, p in enumerate(permutation) if i != p)
    moved = permutation[fixed]
    parts = (sizes[:fixed], sizes[fixed:moved], sizes[moved : moved + 1], sizes[moved + 1 :])
    x = g.add(Transpose((0, 2, 1, 3)), shaped(g, x, tuple(map(math.prod, parts))))
    now = [*range(fixed), moved, *(i for i in range(fixed, len(sizes)) if i != moved)]
    rest = tuple(now.index(p) for p in permutation)
    return transpose(g, x, tuple(sizes[i] for i in now), rest)


def _transpose(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    assert isinstance(node.op, Transpose)
    return transpose(g, operands[0], node.operands[0].type.shape, node.op.permutation)


def _reduce(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    op, (x,), dims = node.op, operands, node.operands[0].type.shape
    assert isinstance(op, Reduce)
    groups = _groups([a in op.axes for a in range(len(dims))], dims)
    taken = [i for i, group in enumerate(groups) if group[0] in op.axes]
    sizes = _sizes(groups, dims)
    if len(groups) <= MAX_RANK:
        return g.add(dataclasses.replace(op, axes=tuple(taken)), shaped(g, x, sizes))
    for i in reversed(taken):
        x = g.add(dataclasses.replace(op, axes=(1,)), shaped(g, x, _around(sizes, i)))
        sizes = (*sizes[:i], *sizes[i + 1 :])
    return x


def _along(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    axis: int = node.op.axis  # type: ignore[attr-defined]
    pairs = zip(operands, node.operands, strict=True)
    given = [shaped(g, x, _around(old.type.shape, axis)) for x, old in pairs]
    return g.add(dataclasses.replace(node.op, axis=1), *given)  # type: ignore[type-var]


def _layer_norm(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    assert isinstance(node.op, layer_norm)
    dims = node.operands[0].type.shape
    at = len(dims) - node.op.count
    count = math.prod(dims[at:])
    x = shaped(g, operands[0], (math.prod(dims[:at]), count))
    affine = [shaped(g, v, (count,)) for v in operands[1:]]
    return g.add(dataclasses.replace(node.op, count=1), x, *affine)


def _each(
    g: SmartBuilder,
    x: Value,
    dims: Dims,
    touched: list[int],
    op: Callable[[Dims, Sequence[int | None]], Op],
) -> Value:
    """`op` of dims and of the touched axis that each of them is: at once, or axis by axis."""
    if not touched:
        return x
    groups = _groups([None if a in touched else "whole" for a in range(len(dims))], dims)
    groups += [[a] for a in touched if dims[a] == 1]
    groups.sort()
    if len(groups) <= MAX_RANK:
        sizes = _sizes(groups, dims)
        axes = [group[0] if group[0] in touched else None for group in groups]
        return g.add(op(sizes, axes), shaped(g, x, sizes))
    for axis in touched:
        around = _around(dims, axis)
        x = g.add(op(around, [None, axis, None]), shaped(g, x, around))
        dims = (*dims[:axis], x.type.shape[1], *dims[axis + 1 :])
    return x


def _slice(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    op, dims = node.op, node.operands[0].type.shape
    assert isinstance(op, Slice)
    rows = list(zip(op.starts, op.limits, op.strides, strict=True))
    touched = [a for a, row in enumerate(rows) if row != (0, dims[a], 1)]

    def part(sizes: Dims, axes: Sequence[int | None]) -> Op:
        pairs = zip(sizes, axes, strict=True)
        taken = [(0, size, 1) if axis is None else rows[axis] for size, axis in pairs]
        starts, limits, strides = zip(*taken, strict=True)
        return Slice(starts, limits, strides)

    return _each(g, operands[0], dims, touched, part)


def _pad(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    op, dims = node.op, node.operands[0].type.shape
    assert isinstance(op, pad)
    amounts = list(zip(op.amounts[::2], op.amounts[1::2], strict=True))
    touched = [a for a, amount in enumerate(amounts) if any(amount)]

    def part(sizes: Dims, axes: Sequence[int | None]) -> Op:
        taken = [(0, 0) if axis is None else amounts[axis] for axis in axes]
        return pad(tuple(v for pair in taken for v in pair), op.value)

    return _each(g, operands[0], dims, touched, part)


def _reverse(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    op, dims = node.op, node.operands[0].type.shape
    assert isinstance(op, Reverse)

    def part(sizes: Dims, axes: Sequence[int | None]) -> Op:
        return Reverse(tuple(i for i, axis in enumerate(axes) if axis is not None))

    return _each(g, operands[0], dims, [a for a in op.axes if dims[a] != 1], part)


def _starts(g: SmartBuilder, starts: list[Value]) -> list[Value]:
    """One scalar per axis."""
    if not starts[0].type.shape:
        return starts
    (vector,) = starts
    ends = range(1, vector.type.size + 1)
    return [g.add(Reshape(()), g.add(Slice((e - 1,), (e,), (1,)), vector)) for e in ends]


def _only(g: SmartBuilder, start: Value) -> list[Value]:
    """Starts in [before, axis, after]."""
    zero = g.add(constant(start.type.dtype, 0))
    return [zero, start, zero]


def _dynamic_slice(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    assert isinstance(node.op, DynamicSlice)
    x, *rest = operands
    dims, starts = node.operands[0].type.shape, _starts(g, rest)
    for axis, count in enumerate(node.op.slice_dims):
        x = _window(g, x, dims, axis, count, starts[axis])
        dims = (*dims[:axis], count, *dims[axis + 1 :])
    return x


def _window(g: SmartBuilder, x: Value, dims: Dims, axis: int, count: int, start: Value) -> Value:
    if count == dims[axis]:
        return x
    before, _, after = around = _around(dims, axis)
    cut = DynamicSlice((before, count, after))
    return g.add(cut, shaped(g, x, around), *_only(g, start))


def _dynamic_update(g: SmartBuilder, node: Node, operands: list[Value]) -> Value:
    """Along the first axis on which the update is smaller, of the window there, updated further."""
    x, update, *rest = operands
    dims, window = (o.type.shape for o in node.operands[:2])
    return _updated(g, x, update, dims, window, _starts(g, rest))


def _updated(
    g: SmartBuilder, x: Value, update: Value, dims: Dims, window: Dims, starts: list[Value]
) -> Value:
    axis = next((a for a in range(len(dims)) if dims[a] != window[a]), None)
    if axis is None:
        return update
    count, start = window[axis], starts[axis]
    inner = (*dims[:axis], count, *dims[axis + 1 :])
    part = update
    if inner != window:
        part = _updated(g, _window(g, x, dims, axis, count, start), update, inner, window, starts)
    before, _, after = around = _around(dims, axis)
    given = shaped(g, x, around), shaped(g, part, (before, count, after))
    return g.add(DynamicUpdateSlice(), *given, *_only(g, start))


_FORMS: dict[str, Form] = {
    "BroadcastInDim": _broadcast,
    "Constant": _constant,
    "DynamicSlice": _dynamic_slice,
    "DynamicUpdateSlice": _dynamic_update,
    "Reshape": _reshape,
    "Reverse": _reverse,
    "Slice": _slice,
    "Transpose": _transpose,
    "layer_norm": _layer_norm,
    "pad": _pad,
}
