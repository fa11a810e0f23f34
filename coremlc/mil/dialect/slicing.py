"""Slices, and ops that make or order elements: range, fill, one_hot, topk, cumsum ..."""

from __future__ import annotations

import math

from coremlc.mil.dialect.args import Args, Shape
from coremlc.mil.dialect.elementwise import same_as_x
from coremlc.mil.dialect.opsets import INT_INDEX, NUMBER, NUMBER_BOOL, SMALL_INT, TENSOR
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType


def _sliced(args: Args) -> Shape:
    """The shape that begin, end, stride and the masks take from x."""
    shape = args.shape()
    rank = len(shape)
    for name in ("begin", "end", "stride", "begin_mask", "end_mask", "squeeze_mask"):
        if name in args:
            args.expect(name, (rank,), f"x {args.spell('x')}")
    begin, end = args.ints("begin"), args.ints("end")
    none: list[int | None] = [None] * rank
    no_mask = [0] * rank
    begins: list[int | None] = none if begin is None else list(begin)
    ends: list[int | None] = none if end is None else list(end)
    stride = args.ints("stride") or [1] * rank
    begin_mask = args.ints("begin_mask") or no_mask
    end_mask = args.ints("end_mask") or no_mask
    squeeze = args.ints("squeeze_mask") or no_mask
    out: list[int | None] = []
    for i, dim in enumerate(shape):
        first, last = _Edge(begins[i], begin_mask[i]), _Edge(ends[i], end_mask[i])
        size = _slice_size(args, i, dim, first, last, stride[i])
        if not squeeze[i]:
            out.append(size)
    return tuple(out)


class _Edge:
    """A begin or an end of a slice: an index, the array's own edge, or unknown."""

    __slots__ = ("at", "is_open")

    def __init__(self, at: int | None, mask: int) -> None:
        self.is_open = bool(mask)
        self.at = None if mask else at


def _slice_size(
    args: Args, axis: int, dim: int | None, begin: _Edge, end: _Edge, stride: int
) -> int | None:
    if stride == 0:
        raise args.error(f"stride of axis {axis} is 0", fix="give 1 or more, or -1 or less")
    if dim is None:
        return _size_of_unknown(begin, end, stride)
    for name, edge, limit in (("begin", begin, dim), ("end", end, None)):
        at = edge.at
        if at is not None and (at < -dim or (limit is not None and at > limit)):
            raise args.error(
                f"{name} {at} of axis {axis} is outside {args.spell('x')}", fix=f"use {-dim}..{dim}"
            )
    if (begin.at is None and not begin.is_open) or (end.at is None and not end.is_open):
        return 1 if dim == 1 else None
    return len(range(*slice(begin.at, end.at, stride).indices(dim)))


def _size_of_unknown(begin: _Edge, end: _Edge, stride: int) -> int | None:
    """What a slice of an unknown dim has for certain."""
    if begin.at is None:
        return None
    if end.is_open:
        one = begin.at == -1 if stride > 0 else begin.at == 0
        return 1 if one else None
    if end.at is None or (begin.at < 0) != (end.at < 0):
        return None
    size = len(range(begin.at, end.at, stride))
    return size if size < 2 else None


def _slice_by_index(args: Args) -> TensorType:
    return TensorType(args.type().dtype, _sliced(args))


def _slice_update(args: Args) -> TensorType:
    window = _sliced(args)
    if not window:
        raise args.error("the slice has rank 0", fix="keep one axis: leave squeeze_mask out")
    args.expect("update", window, f"x {args.spell('x')} and this slice")
    return args.type()


def _slice_by_size(args: Args) -> TensorType:
    shape = args.shape()
    for name in ("begin", "size"):
        args.expect(name, (len(shape),), f"x {args.spell('x')}")
    begin, size = args.ints("begin"), args.ints("size")
    if size is None:
        return TensorType(args.type().dtype, (None,) * len(shape))
    out = tuple(
        _window(args, i, dim, None if begin is None else begin[i], size[i])
        for i, dim in enumerate(shape)
    )
    return TensorType(args.type().dtype, out)


def _window(args: Args, axis: int, dim: int | None, begin: int | None, size: int) -> int | None:
    if size == -1:
        return None if dim is None or begin is None else dim - begin
    if size < -1 or (dim is not None and (begin or 0) + size > dim) or (begin or 0) < 0:
        raise args.error(
            f"begin {begin} and size {size} on axis {axis} of {args.spell('x')}",
            fix="stay inside x; size -1 takes the rest",
        )
    return size


def _sliding_windows(args: Args) -> TensorType:
    shape = args.shape()
    axis = args.axis("axis", len(shape))
    size, stride, dim = args.integer("size"), args.integer("stride"), shape[axis]
    if size < 1 or stride < 1 or (dim is not None and size > dim):
        raise args.error(
            f"size {size} and stride {stride} on {args.spell('x')}", fix="fit a window into x"
        )
    count = None if dim is None else (dim - size) // stride + 1
    return TensorType(args.type().dtype, (*shape[:axis], count, size, *shape[axis + 1 :]))


def _shape(args: Args) -> TensorType:
    return TensorType("int32", (len(args.shape()),))


def _range_1d(args: Args) -> TensorType:
    start, end, step = (args.scalar(name) for name in ("start", "end", "step"))
    if step == 0:
        raise args.error("step is 0", fix="give another step")
    if start is None or end is None or step is None:
        return TensorType(args.type("start").dtype, (None,))
    return TensorType(args.type("start").dtype, (max(0, math.ceil((end - start) / step)),))


def _fill(args: Args) -> TensorType:
    dtype = args.type("value").dtype if "value" in args else "fp32"
    shape = args.ints("shape")
    if shape is None:
        (rank,) = args.rank("shape", 1)
        return TensorType(dtype, (None,) * (rank or 0) if rank is not None else (...,))
    if min(shape, default=0) < 0:
        raise args.error(f"shape is {shape}", fix="give sizes of 0 or more")
    return TensorType(dtype, tuple(shape))


def _fill_like(args: Args) -> TensorType:
    dtype = args.type("value").dtype if "value" in args else "fp32"
    return TensorType(dtype, args.shape("ref_tensor"))


def _one_hot(args: Args) -> TensorType:
    shape = args.shape("indices")
    axis = args.axis("axis", len(shape) + 1)
    depth = args.scalar("one_hot_vector_size")
    if depth is not None and depth < 0:
        raise args.error(f"one_hot_vector_size is {depth}", fix="give 0 or more")
    given = [args.type(name).dtype for name in ("on_value", "off_value") if name in args]
    dtype = given[0] if given else "int32"
    if len(given) == 1 and dtype != "int32":
        raise args.error(f"one value is {dtype}, the other int32", fix="give on_value, off_value")
    size = None if depth is None else int(depth)
    return TensorType(dtype, (*shape[:axis], size, *shape[axis:]))


def _non_zero(args: Args) -> TensorType:
    return TensorType("int32", (None, len(args.shape())))


def _cumsum(args: Args) -> TensorType:
    args.axis("axis", len(args.shape()), low=-1)
    return args.type()


def _argsort(args: Args) -> TensorType:
    shape = args.shape()
    args.axis("axis", len(shape))
    return TensorType("int32", shape)


def _topk(args: Args) -> tuple[TensorType, ...]:
    shape = args.shape()
    axis = args.axis("axis", len(shape))
    k, dim = args.integer("k"), shape[axis]
    if k < 1 or (dim is not None and k > dim):
        raise args.error(f"k {k} on axis {axis} of {args.spell('x')}", fix=f"use 1..{dim}")
    out = (*shape[:axis], k, *shape[axis + 1 :])
    values = TensorType(args.type().dtype, out)
    params = args.signature.params
    if "return_indices" in params and not args.flag("return_indices"):
        if "output_indices_dtype" in args:
            raise args.error("output_indices_dtype without indices", fix="leave it out")
        return (values,)
    dtype = "int32"
    if "output_indices_dtype" in params:
        dtype = args.text("output_indices_dtype", ("int32", "uint16"))
    return values, TensorType(dtype, out)


_SLICE = (
    "begin: U[]; end: U[]; stride: const U[] ?; begin_mask: const bool[] ?; "
    "end_mask: const bool[] ?; squeeze_mask: const bool[] ?"
)
_INT32 = frozenset({"int32"})
_TOPK = "x: T; k: const K() = 1; axis: const int32() = -1; ascending: const bool() = False"
_TOPK_16 = _TOPK + "; sort: const bool() = True; return_indices: const bool() = True"
_ONE_HOT = (
    "indices: int32; one_hot_vector_size: int32(); axis: const int32() = -1; "
    "on_value: const T() = 1; off_value: const T() = 0"
)
_CUMSUM = (
    "x: T; axis: const int32() = 0; exclusive: const bool() = False; reverse: const bool() = False"
)
_ARGSORT = "x: T; axis: const int32() = -1; ascending: const bool() = False"
_WINDOWS = "x: T; axis: const int32(); size: const int32(); stride: const int32() = 1"

OPS: tuple[OpDef, ...] = (
    op(
        "slice_by_index",
        _slice_by_index,
        sig("x: T; " + _SLICE, T=NUMBER_BOOL, U=_INT32),
        sig("x: T; " + _SLICE, "ios17", T=TENSOR, U=INT_INDEX),
    ),
    op(
        "slice_by_size",
        _slice_by_size,
        sig("x: T; begin: U[]; size: U[]", T=NUMBER_BOOL, U=_INT32),
        sig("x: T; begin: U[]; size: U[]", "ios17", T=TENSOR, U=INT_INDEX),
    ),
    op(
        "slice_update",
        _slice_update,
        sig("x: T; update: T; " + _SLICE, "ios18", T=TENSOR, U=INT_INDEX),
    ),
    op(
        "sliding_windows",
        _sliding_windows,
        sig(_WINDOWS, T=NUMBER),
        sig(_WINDOWS, "ios17", T=TENSOR),
    ),
    op("shape", _shape, sig("x: T", T=NUMBER_BOOL)),
    op("range_1d", _range_1d, sig("end: T(); start: T(); step: T()", T=NUMBER)),
    op("fill", _fill, sig("shape: int32[]; value: const T() = 0.0", T=NUMBER_BOOL)),
    op(
        "fill_like",
        _fill_like,
        sig("ref_tensor: T; value: const U() = 0.0", "ios16", T=NUMBER_BOOL, U=NUMBER_BOOL),
    ),
    op("one_hot", _one_hot, sig(_ONE_HOT, T=NUMBER_BOOL)),
    op("non_zero", _non_zero, sig("x: T", T=NUMBER_BOOL)),
    op(
        "band_part",
        same_as_x,
        sig("x: T; lower: const int32() = -1; upper: const int32() = -1", T=NUMBER_BOOL),
    ),
    op("cumsum", _cumsum, sig(_CUMSUM, T=NUMBER)),
    op("argsort", _argsort, sig(_ARGSORT, T=NUMBER)),
    op(
        "topk",
        _topk,
        sig(_TOPK, T=NUMBER, K=_INT32),
        sig(_TOPK_16, "ios16", T=NUMBER, K=_INT32),
        sig(
            _TOPK_16 + "; output_indices_dtype: const string() = 'int32'",
            "ios17",
            T=NUMBER | SMALL_INT,
            K=INT_INDEX,
        ),
    ),
)
