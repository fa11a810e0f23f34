"""Sorting by keys: permutations that are stable, whatever MIL's argsort does with ties and NaN."""

from __future__ import annotations

import math

import numpy as np

from coremlc.dtypes import BOOL, I32
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, LogicalAnd, Mul, floor_div, mod
from coremlc.ops.comparator import Key
from coremlc.ops.compare import LessThan, NotEqual
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.leaves import Constant, constant, known, splat
from coremlc.ops.ordering import argsort, cumsum, gather_along_axis
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Slice
from coremlc.ops.unary import IsNaN, LogicalNot

LIMIT = 2**31 - 1
"""Of rank * n + place, all different int32."""


def ranks(values: Array, key: Key) -> Array:
    """Integers that order as the key does; equal for ties."""
    if values.dtype.kind not in "iub":
        values = values.astype(np.float64)
        if key.total:
            bits = values.view(np.int64)
            keys = np.where(bits < 0, np.int64(-(2**63)) - bits - 1, bits)
            values = np.where(np.isnan(values), np.int64(2**63 - 1), keys)
    found = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    return -found if key.descending else found


def sorted_by_itself(g: Graph, x: Node, key: Key, axis: int) -> Node:
    """`x` sorted by itself: `argsort` of numbers, NaN put where they belong."""
    if key.total and x.type.dtype.is_float:
        return take(g, x, stable_order(g, x, key, axis), axis)
    if not x.type.dtype.is_float:
        return take(g, x, g.add(argsort(axis, ascending=not key.descending), _ordered(g, x)), axis)
    n = x.type.shape[axis]
    nan = g.add(IsNaN(), x)
    number = _number(g, x)
    order = g.add(argsort(axis, ascending=not key.descending), number)
    count = g.add(ReduceSum((axis,)), g.add(ConvertDType(I32), nan))
    count = g.add(Reshape(_ones(x.type, axis, 1)), count)
    place = np.arange(n).reshape(_ones(x.type, axis, n, ones=True))
    if key.descending:
        is_nan = g.add(LessThan(), g.add(constant(I32, place)), count)
    else:
        is_nan = g.add(LessThan(), g.add(constant(I32, n - 1 - place)), count)
    sorted_ = take(g, number, order, axis)
    return g.add(Where(), is_nan, g.add(constant(x.type.dtype, np.nan)), sorted_)


def _ones(t: TensorType, axis: int, dim: int, *, ones: bool = False) -> tuple[int, ...]:
    """Dims of `t` with `dim` on the axis; 1 on the others if `ones`."""
    return tuple([dim if i == axis else 1 if ones else d for i, d in enumerate(t.shape)])


def _ordered(g: Graph, x: Node) -> Node:
    """`x` in a dtype that MIL orders."""
    return g.add(ConvertDType(I32), x) if x.type.dtype is BOOL else x


def stable_order(g: Graph, x: Node, key: Key, axis: int) -> Node:
    """The stable sorting permutation of `x` along an axis, whatever MIL does with ties.

    `argsort` gives the ranks of the values; where they tie, a second `argsort` of rank * n + place,
    all different, puts places in order. On an axis where that overflows, ranks go by digits.
    """
    if key.total and x.type.dtype.is_float:
        return _total_order(g, x, key, axis)
    n = x.type.shape[axis]
    x = _ordered(g, x)
    if _is_constant_along(x, axis):
        return places(g, x.type, axis)
    first = g.add(argsort(axis, ascending=not key.descending), _number(g, x))
    ranked = take(g, x, first, axis)
    group = _groups(g, _number(g, ranked), axis)
    if x.type.dtype.is_float:
        nan, one = g.add(IsNaN(), ranked), g.add(constant(I32, 1))
        group = g.add(Add(), group, one) if key.descending else group
        group = g.add(Where(), nan, g.add(constant(I32, 0 if key.descending else n)), group)
    if (n + 1) * n > LIMIT:
        inverse = g.add(argsort(axis, ascending=True), first)
        return _radix(g, take(g, group, inverse, axis), n, axis)
    code = g.add(Add(), g.add(Mul(), group, g.add(constant(I32, n))), first)
    return take(g, first, g.add(argsort(axis, ascending=True), code), axis)


def _total_order(g: Graph, x: Node, key: Key, axis: int) -> Node:
    """Stable by the sign of zeros, then by value."""
    dtype = x.type.dtype
    one = g.add(constant(dtype, 1))
    below = g.add(LessThan(), g.add(Div(), one, x), g.add(constant(dtype, 0)))
    zero = g.add(LogicalNot(), g.add(NotEqual(), x, g.add(constant(dtype, 0))))
    negative = g.add(LogicalAnd(), zero, below)
    sign = g.add(LogicalNot(), negative)
    step = stable_order(g, sign, Key(key.value, key.descending, total=False), axis)
    by_value = Key(key.value, key.descending, total=False)
    return take(g, step, stable_order(g, take(g, x, step, axis), by_value, axis), axis)


def _radix(g: Graph, group: Node, n: int, axis: int) -> Node:
    """The stable sorting permutation of ranks 0 .. n: digit after digit, the lowest first.

    digit * n + place are all different and, by the size of the digits, fit an int32.
    """
    digits = 1
    while math.ceil((n + 1) ** (1 / digits)) * n > LIMIT:
        digits += 1
    base = math.ceil((n + 1) ** (1 / digits))
    place = places(g, group.type, axis)
    order: Node | None = None
    for i in range(digits):
        digit = group
        if i:
            digit = g.add(floor_div(), digit, g.add(constant(I32, base**i)))
        if i < digits - 1:
            digit = g.add(mod(), digit, g.add(constant(I32, base)))
        if order is not None:
            digit = take(g, digit, order, axis)
        code = g.add(Add(), g.add(Mul(), digit, g.add(constant(I32, n))), place)
        step = g.add(argsort(axis, ascending=True), code)
        order = step if order is None else take(g, order, step, axis)
    assert order is not None
    return order


def _number(g: Graph, x: Node) -> Node:
    """Floats with inf for NaN: MIL leaves the order of NaN open."""
    if not x.type.dtype.is_float:
        return x
    return g.add(Where(), g.add(IsNaN(), x), g.add(constant(x.type.dtype, np.inf)), x)


def _groups(g: Graph, x: Node, axis: int) -> Node:
    """Of sorted values: how many different ones stand before each."""
    n, rank = x.type.shape[axis], x.type.rank
    start, stop, one = [0] * rank, list(x.type.shape), (1,) * rank
    start[axis], stop[axis] = 1, n - 1
    after = g.add(Slice(tuple(start), x.type.shape, one), x)
    before = g.add(Slice((0,) * rank, tuple(stop), one), x)
    new = g.add(ConvertDType(I32), g.add(NotEqual(), after, before))
    zero = g.add(splat(I32, 0, _ones(x.type, axis, 1)))
    return g.add(cumsum(axis), g.add(Concatenate(axis), zero, new))


def _is_constant_along(x: Node, axis: int) -> bool:
    return isinstance(x.op, Constant) and x.op.value.is_splat


def places(g: Graph, t: TensorType, axis: int) -> Node:
    """0, 1, 2 .. along an axis."""
    row = g.add(constant(I32, np.arange(t.shape[axis])))
    return g.add(BroadcastInDim(t.with_dtype(I32), (axis,)), row)


def take(g: Graph, x: Node, order: Node, axis: int) -> Node:
    """`x` in the order of places along an axis; places themselves are that order."""
    if _is_places(x, axis):
        return order if x.type.dtype is I32 else g.add(ConvertDType(x.type.dtype), order)
    if x.type.dtype is BOOL:
        taken = take(g, g.add(ConvertDType(I32), x), order, axis)
        return g.add(ConvertDType(BOOL), taken)
    return g.add(gather_along_axis(axis), x, order)


def _is_places(x: Node, axis: int) -> bool:
    """Whether `x` is 0, 1, 2 .. along the axis."""
    if not x.type.dtype.is_integer:
        return False
    row = x
    if isinstance(x.op, BroadcastInDim) and x.operands[0].type.size == x.type.shape[axis]:
        row = x.operands[0]
        if row.type.rank != 1 or x.op.broadcast_axes != (axis,):
            return False
    elif x.type.size != x.type.shape[axis]:
        return False
    values = known(row)
    return values is not None and np.array_equal(np.ravel(values), np.arange(x.type.shape[axis]))
