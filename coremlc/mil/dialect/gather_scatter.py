"""Gather and scatter, along an axis, element by element, and by index vectors."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args, Shape, fits, sizes
from coremlc.mil.dialect.opsets import NUMBER, SMALL_INT
from coremlc.mil.dialect.signature import OpDef, Rule, Signature, op, sig
from coremlc.mil.types import TensorType

_MODES = ("add", "div", "max", "min", "mul", "sub", "update")


def _batch_dims(args: Args, x: Shape, indices: Shape) -> int:
    if "batch_dims" not in args.signature.params:
        return 0
    count = args.integer("batch_dims")
    if not 0 <= count < max(len(x), 1) or count > len(indices):
        raise args.error(f"batch_dims is {count} for x {args.spell('x')}", fix="use a lesser one")
    if not fits(x[:count], indices[:count]):
        raise args.error(
            f"x is {args.spell('x')}, indices {args.spell('indices')}",
            fix=f"make their first {count} dims equal",
        )
    return count


def _gather(args: Args) -> TensorType:
    x, indices = args.shape(), args.shape("indices")
    axis = args.axis("axis", len(x))
    batch = _batch_dims(args, x, indices)
    if axis < batch:
        raise args.error(f"axis {axis} is a batch axis", fix=f"use {batch} or more")
    return TensorType(args.type().dtype, x[:axis] + indices[batch:] + x[axis + 1 :])


def _gather_nd(args: Args) -> TensorType:
    x, indices = args.shape(), args.shape("indices")
    batch = _batch_dims(args, x, indices)
    depth = _depth(args, indices, len(x) - batch)
    return TensorType(args.type().dtype, indices[:-1] + x[batch + depth :])


def _depth(args: Args, indices: Shape, rank: int) -> int:
    """How many axes an index vector names."""
    depth = indices[-1] if indices else None
    if depth is None or not 1 <= depth <= rank:
        raise args.error(
            f"indices is {args.spell('indices')}, its last dim counts axes",
            fix=f"make its last dim 1..{rank}",
        )
    return depth


def _along_axis(args: Args, data: str) -> TensorType:
    x, indices = args.shape(data), args.shape("indices")
    axis = args.axis("axis", len(x))
    want = (*x[:axis], None, *x[axis + 1 :])
    if not fits(indices, want):
        raise args.error(
            f"indices is {args.spell('indices')}, {data} is {args.spell(data)}",
            fix=f"make every dim except axis {axis} equal",
        )
    return TensorType(args.type(data).dtype, indices)


def _gather_along_axis(args: Args) -> TensorType:
    return _along_axis(args, "x")


def _scatter(args: Args) -> TensorType:
    args.text("mode", _MODES)
    data, indices = args.shape("data"), args.shape("indices")
    axis = args.axis("axis", len(data))
    return _updated(args, data[:axis] + indices + data[axis + 1 :])


def _scatter_nd(args: Args) -> TensorType:
    args.text("mode", _MODES)
    data, indices = args.shape("data"), args.shape("indices")
    depth = _depth(args, indices, len(data))
    return _updated(args, indices[:-1] + data[depth:])


def _scatter_along_axis(args: Args) -> TensorType:
    args.text("mode", _MODES)
    return _updated(args, sizes(_along_axis(args, "data")))


def _updated(args: Args, want: Shape) -> TensorType:
    because = f"data {args.spell('data')} and indices {args.spell('indices')}"
    args.expect("updates", want, because)
    return args.type("data")


_INDEX_16 = frozenset({"int32", "int16", "uint16"})
_INDEX_17 = frozenset({"int32"}) | SMALL_INT
_CHECKED = "; validate_indices: const bool() = False"


def _gather_rows(row: str, since_16: str) -> tuple[Signature, ...]:
    return (
        sig(row, T=NUMBER, I=frozenset({"int32"})),
        sig(row + since_16, "ios16", T=NUMBER, I=_INDEX_16),
        sig(row + since_16 + _CHECKED, "ios17", T=NUMBER | SMALL_INT, I=_INDEX_17),
    )


def _scatter_op(name: str, infer: Rule, axis: str) -> OpDef:
    row = f"data: T; indices: int32; updates: T{axis}; mode: const string() = 'add'"
    return op(name, infer, sig(row, T=NUMBER), sig(row + _CHECKED, "ios17", T=NUMBER))


_AXIS = "; axis: const int32() = 0"
_BATCH = "; batch_dims: const int32() = 0"

OPS: tuple[OpDef, ...] = (
    op("gather", _gather, *_gather_rows("x: T; indices: I" + _AXIS, _BATCH)),
    op("gather_nd", _gather_nd, *_gather_rows("x: T; indices: I", _BATCH)),
    op("gather_along_axis", _gather_along_axis, *_gather_rows("x: T; indices: I" + _AXIS, "")),
    _scatter_op("scatter", _scatter, _AXIS),
    _scatter_op("scatter_nd", _scatter_nd, ""),
    _scatter_op("scatter_along_axis", _scatter_along_axis, _AXIS),
)
