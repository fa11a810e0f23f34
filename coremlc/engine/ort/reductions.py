"""Recipes for reductions, scans and sorting."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from coremlc.engine.ort.emitter import LARGE, Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axes_of, axis_of, bool_of, int_of
from coremlc.mil.types import TensorType

Reduction = Callable[[Emitter, T, list[int], bool], str]
LONG = 2048
"""Elements above which a float sum is made of sums of blocks."""
ROW = 256
"""Elements of a row from which on sums of columns are the fastest of all."""


def reduction(mil: str, function: Reduction) -> None:
    """A recipe of a reduction of x over axes that are sorted, and some."""

    def call(g: Emitter, x: T, axes: T | None = None, keep_dims: T | None = None) -> str:
        over = axes_of(axes, x.rank)
        if not over:
            over_all = g.reshape(x, [*x.dims, 1])
            inner = T(x.dtype, (*x.shape, 1), name=over_all)
            return function(g, inner, [x.rank], False)
        return function(g, x, over, bool_of(keep_dims, default=False))

    recipe(mil, wide=True)(call)


def plain(g: Emitter, kind: str, x: Name, axes: Sequence[int], keep: bool) -> str:
    return g.node(kind, x, g.i64(*axes), keepdims=int(keep))


def _int_sum(g: Emitter, x: Name, axes: list[int], keep: bool) -> str:
    """ReduceSum on int32 saturates; in int64 the sum is exact and the cast wraps."""
    return g.cast(plain(g, "ReduceSum", g.cast(x, "int64"), axes, keep), "int32")


def _sum(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    if x.is_float:
        return float_sum(g, x, axes, keep)
    trailing = axes == list(range(x.rank - len(axes), x.rank))
    if trailing and x.is_static and x.size:
        return _ones_sum(g, x, axes, keep)
    if x.is_static and x.size and axes == list(range(len(axes))):
        return _leading_ones_sum(g, x, axes, keep)
    return _int_sum(g, x, axes, keep)


def float_sum(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    """One after the other is less exact: a long axis is summed in blocks, then the blocks."""
    if not x.is_static or not x.size:
        return plain(g, "ReduceSum", x, axes, keep)
    if axes == list(range(len(axes))) and x.rank > 1 and x.size >= LARGE:
        total = _leading_sum(g, x, len(axes))
        return g.reshape(total, kept(x, axes, keep)) if keep or x.rank > len(axes) + 1 else total
    longest = max(axes, key=lambda axis: x.dims[axis])
    if x.dims[longest] <= LONG:
        return plain(g, "ReduceSum", x, axes, keep)
    sums = plain(g, "ReduceSum", _in_blocks(g, x, longest), [longest + 1], False)
    return plain(g, "ReduceSum", sums, axes, keep)


def _in_blocks(g: Emitter, x: T, axis: int) -> T:
    """An axis as two, of blocks and of what is in a block; zeros fill the last one."""
    count = x.dims[axis]
    block = 1 << (count.bit_length() // 2)
    whole = -(-count // block) * block
    padded: Name = x
    if whole != count:
        after = [0] * x.rank + [whole - count if i == axis else 0 for i in range(x.rank)]
        padded = g.node("Pad", x, g.i64(*after), mode="constant")
    dims = [*x.dims[:axis], whole // block, block, *x.dims[axis + 1 :]]
    return T(x.dtype, tuple(dims), name=g.reshape(padded, dims))


def _leading_sum(g: Emitter, x: T, count: int) -> str:
    """X summed over its first `count` axes: by a product with ones, up to 30 times as fast."""
    if count == x.rank:
        part = T(x.dtype, x.dims[-1:], name=_leading_sum(g, x, count - 1))
        return float_sum(g, part, [0], False)
    rows, width = (int(np.prod(part, dtype=np.int64)) for part in (x.dims[:count], x.dims[count:]))
    flat = x if x.rank == 2 else T(x.dtype, (rows, width), name=g.reshape(x, [rows, width]))
    if rows > LONG:
        blocks = _in_blocks(g, flat, 0)
        sums = plain(g, "ReduceSum", blocks, [1], False)
        flat = T(x.dtype, (blocks.dims[0], width), name=sums)
    return g.node("MatMul", g.const(np.ones(flat.dims[0], np.float32)), flat)


def all_finite(g: Emitter, x: T) -> str:
    """One pass: a sum is finite only if all its terms are (a large sum may say no)."""
    part: Name = x
    for count in range(x.rank - 1, 0, -1) if x.is_static else ():
        if np.prod(x.dims[count:]) >= ROW and np.prod(x.dims[:count]) <= LONG:
            part = _leading_sum(g, x, count)
            break
    total = g.node("Abs", g.node("ReduceSum", part, keepdims=0))
    return g.node("Less", total, g.const(np.float32(np.inf)))


def _ones_sum(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    """A product with ones: int MatMul wraps."""
    lead = list(x.dims[: axes[0]])
    count = int(np.prod(x.dims[axes[0] :], dtype=np.int64))
    rows = int(np.prod(lead, dtype=np.int64))
    total = g.node("MatMul", g.reshape(x, [rows, count]), g.const(np.ones((count, 1), np.int32)))
    return g.reshape(total, lead + [1] * len(axes) if keep else lead)


def _leading_ones_sum(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    rest = list(x.dims[len(axes) :])
    count = int(np.prod(x.dims[: len(axes)], dtype=np.int64))
    flat = g.reshape(x, [count, int(np.prod(rest, dtype=np.int64))])
    total = g.node("MatMul", g.const(np.ones((1, count), np.int32)), flat)
    return g.reshape(total, [1] * len(axes) + rest if keep else rest)


def _fold_axes(g: Emitter, x: T, axes: list[int]) -> tuple[str, list[int]]:
    """X as [rest, count], and the dims of the rest."""
    rest = [i for i in range(x.rank) if i not in axes]
    moved = g.node("Transpose", x, perm=[*rest, *axes]) if rest + axes != list(range(x.rank)) else x
    dims = [x.dims[i] for i in rest]
    count = int(np.prod([x.dims[i] for i in axes], dtype=np.int64))
    return g.reshape(moved, [int(np.prod(dims, dtype=np.int64)), count]), dims


def _count(x: T, axes: Sequence[int]) -> int:
    return int(np.prod([x.dims[a] for a in axes], dtype=np.int64))


def kept(x: T, axes: list[int], keep: bool) -> list[int]:
    return [1 if i in axes else d for i, d in enumerate(x.dims) if keep or i not in axes]


def _prod(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    if x.is_float:
        return plain(g, "ReduceProd", x, axes, keep)
    flat, _ = _fold_axes(g, x, axes)  # ReduceProd saturates, CumProd wraps
    ones = g.const(np.ones((int(np.prod(kept(x, axes, False), dtype=np.int64)), 1), np.int32))
    run = g.node("CumProd", g.node("Concat", ones, flat, axis=1), g.i64(1))
    last = g.node("Slice", run, g.i64(-1), g.i64(np.iinfo(np.int64).max), g.i64(1))
    return g.reshape(last, kept(x, axes, keep))


def _mean(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    if not x.is_float:
        count = int(np.prod([x.dims[a] for a in axes], dtype=np.int64)) or 1
        total = plain(g, "ReduceSum", g.cast(x, "int64"), axes, keep)
        return g.cast(g.node("Div", total, g.const(np.int64(count))), "int32")
    if x.is_static and _count(x, axes) > LONG:
        return g.node("Div", float_sum(g, x, axes, keep), g.const(np.float32(_count(x, axes))))
    if all(isinstance(x.shape[a], int) and x.shape[a] for a in axes):
        return plain(g, "ReduceMean", x, axes, keep)
    if x.is_static:  # an empty mean is NaN, not 0
        return g.node("Expand", g.const(np.float32(np.nan)), g.i64(*kept(x, axes, keep)))
    return plain(g, "ReduceMean", x, axes, keep)


def _l1(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    absolute = T(x.dtype, x.shape, name=g.node("Abs", x))
    return _sum(g, absolute, axes, keep)


def _sum_square(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    return _sum(g, T(x.dtype, x.shape, name=g.node("Mul", x, x)), axes, keep)


def _float_of(then: Callable[[Emitter, T, list[int], bool], str], last: str) -> Reduction:
    def reduce(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
        total = then(g, x, axes, keep)
        if x.is_float:
            return g.node(last, total)
        from coremlc.engine.ort.elementwise import float_to_int

        return float_to_int(g, g.node(last, g.cast(total, "fp64")), "int32")

    return reduce


def _log_sum_exp(g: Emitter, x: T, axes: list[int], keep: bool) -> str:
    """ReduceLogSumExp loses NaN."""
    top = plain(g, "ReduceMax", x, axes, True)
    zero = g.const(np.float32(0))
    shift = g.choose(g.node("Equal", g.node("Sub", top, top), zero), top, np.float32(0))
    total = plain(g, "ReduceSum", g.node("Exp", g.node("Sub", x, shift)), axes, keep)
    level = shift if keep else g.node("Squeeze", shift, g.i64(*axes))
    return g.node("Add", g.node("Log", total), level)


for _name, _function in dict[str, Reduction](
    reduce_sum=_sum,
    reduce_prod=_prod,
    reduce_mean=_mean,
    reduce_l1_norm=_l1,
    reduce_l2_norm=_float_of(_sum_square, "Sqrt"),
    reduce_sum_square=_sum_square,
    reduce_log_sum=_float_of(_sum, "Log"),
    reduce_log_sum_exp=_log_sum_exp,
).items():
    reduction(_name, _function)


@recipe("cumsum", wide=True)
def cumsum(
    g: Emitter,
    x: T,
    axis: T | None = None,
    exclusive: T | None = None,
    reverse: T | None = None,
) -> str:
    at = g.i64(axis_of(axis, x.rank, 0))
    return g.node(
        "CumSum",
        x,
        g.reshape(at, []),
        exclusive=int(bool_of(exclusive, default=False)),
        reverse=int(bool_of(reverse, default=False)),
    )


def _sorted(g: Emitter, x: T, count: Name, axis: int, *, largest: bool) -> list[str]:
    """TopK is stable, ties by lowest index, NaN the largest."""
    return g.nodes("TopK", 2, x, count, axis=axis, largest=int(largest), sorted=1)


@recipe("argsort", wide=True)
def argsort(g: Emitter, x: T, axis: T | None = None, ascending: T | None = None) -> str:
    at = axis_of(axis, x.rank, -1)
    dim = x.shape[at]
    shape = g.node("Gather", g.node("Shape", x), g.i64(at))
    count = g.i64(dim) if isinstance(dim, int) else shape
    up = bool_of(ascending, default=False)
    return g.cast(_sorted(g, x, count, at, largest=not up)[1], "int32")


@recipe("topk")
def topk(
    g: Emitter,
    x: T,
    out: tuple[TensorType, ...],
    k: T | None = None,
    axis: T | None = None,
    ascending: T | None = None,
    sort: T | None = None,
    return_indices: T | None = None,
    output_indices_dtype: str | None = None,
) -> list[str]:
    from coremlc.engine.ort.translate import widen

    at = axis_of(axis, x.rank, -1)
    if k is not None and not k.is_const:
        count: Name = g.reshape(g.cast(k, "int64"), [1])
    else:
        wanted = int_of(k, 1)
        count = g.i64(x.dims[at] if wanted == -1 else wanted)
    up = bool_of(ascending, default=False)
    narrow = x.dtype in ("uint16", "int8", "uint8", "int16")
    source = T("int32", x.shape, name=g.cast(x, "int32")) if narrow else widen(x)
    values, places = _sorted(g, source, count, at, largest=not up)
    if source is not x:
        values = g.cast(values, x.dtype)
    if len(out) == 1:
        return [values]
    return [values, g.cast(places, out[1].dtype)]
