"""Sort, and the MIL ops that order elements: argsort, gather_along_axis, cumsum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, I32, I64, DType
from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Function
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add, Div, LogicalAnd, LogicalOr, LogicalXor, Mul, floor_div, mod
from coremlc.ops.call import inline
from coremlc.ops.comparator import Key, keys_of
from coremlc.ops.compare import LessThan, NotEqual
from coremlc.ops.control_flow import PREDICATE, Run, check_types, gives, takes
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import Elementwise, is_bool
from coremlc.ops.gather import gather
from coremlc.ops.leaves import Constant, Identity, constant, known, splat
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Slice, Transpose, check_axes
from coremlc.ops.unary import IsNaN, LogicalNot

MAX_PAIRS = 1 << 21
"""Pairs of elements up to which an unknown comparator is asked about each."""
FEW_PAIRS = 1 << 24
"""The same for the oracle."""
LIMIT = 2**31 - 1
"""Of rank * n + place, all different int32."""
_VECTOR_OPS = (Elementwise, Where, ConvertDType, Constant, Identity, mod, floor_div)


@register
@dataclass(frozen=True)
class Sort(Op):
    """`(inputs: T[..]..) -> T[..]..`: sorted together along axis, as the comparator says.

    C1 one input at least, of equal dims. C2 0 <= axis < rank. C3 comparator takes (lhs, rhs) of
    each input, scalars. C4 it gives bool[]: whether lhs stands before rhs.
    The order of equals is kept, asked for or not. A comparator that compares keys (`f(lhs) <
    f(rhs)`, more keys for ties) sorts floats in total order, where GoMLX says nothing of NaN:
    NaN last, first if descending; -0 and +0 are equal, unless it is a TotalOrder compare.
    Any other comparator of elementwise ops is taken at its word. Source: GoMLX `Sort`.
    Keys: `argsort` of the key, then of ranks and places, since MIL leaves ties open; each input by
    `gather_along_axis`. Else the number of elements before each, found by comparing all pairs; a
    long axis by a sorting network.
    """

    native = True
    exactness = Exactness.EXACT
    axis: int
    is_stable: bool
    comparator: Function

    @property
    def bodies(self) -> tuple[Function, ...]:
        return (self.comparator,)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if not inputs or any(t.shape != inputs[0].shape for t in inputs):  # C1
            raise ShapeError(
                f"Sort of {', '.join(map(str, inputs)) or 'nothing'}", fix="give equal dims"
            )
        check_axes("axis", (self.axis,), inputs[0])  # C2
        pairs = tuple([t.with_shape(()) for t in inputs for _ in range(2)])
        check_types("comparator", takes(self.comparator), pairs, "take")  # C3
        check_types("comparator", gives(self.comparator), (PREDICATE,), "give")  # C4
        return inputs

    def evaluate(self, run: Run, *inputs: Array) -> tuple[Array, ...]:
        if inputs[0].size == 0:
            return inputs
        last = [np.moveaxis(x, self.axis, -1) for x in inputs]
        keys = keys_of(self.comparator)
        order = _by_pairs(run, self.comparator, last) if keys is None else self._by_keys(run, last)
        return tuple([np.moveaxis(np.take_along_axis(x, order, -1), -1, self.axis) for x in last])

    def _by_keys(self, run: Run, last: list[Array]) -> Array:
        twice = [x for x in last for _ in range(2)]
        order = np.broadcast_to(np.arange(last[0].shape[-1]), last[0].shape)
        for key in reversed(keys_of(self.comparator) or ()):
            c = self.comparator
            values = run(Function(c.parameters, c.nodes, (key.value,)), *twice)[0]
            ranks = _ranks(np.broadcast_to(values, last[0].shape), key)
            step = np.argsort(np.take_along_axis(ranks, order, -1), -1, kind="stable")
            order = np.take_along_axis(order, step, -1)
        return order

    def decompose(self, g: Graph, *inputs: Node) -> tuple[Node, ...]:
        t = inputs[0].type
        if t.size == 0 or t.shape[self.axis] == 1:
            return inputs
        check_elementwise(self.comparator)
        keys = keys_of(self.comparator)
        if keys is None or not all(_has_argsort(k.value.type.dtype, t) for k in keys):
            return _flat(g, self.axis, inputs, lambda *xs: _compared(g, self.comparator, xs))
        if len(inputs) == 1 and _is_whole(keys, self.comparator):
            return (_sorted(g, inputs[0], keys[0], self.axis),)
        order = self._order(g, keys, inputs)
        return tuple([take(g, x, order, self.axis) for x in inputs])

    def _order(self, g: Graph, keys: tuple[Key, ...], inputs: tuple[Node, ...]) -> Node:
        """The sorting permutation: stable by the last key, then by the one before .."""
        twice = tuple([x for x in inputs for _ in range(2)])
        order: Node | None = None
        for key in reversed(keys):
            c = self.comparator
            (x,) = inline(g, Function(c.parameters, c.nodes, (key.value,)), twice)
            x = _full(g, x, inputs[0].type.shape)
            if order is not None:
                x = take(g, x, order, self.axis)
            step = stable_order(g, x, key, self.axis)
            order = step if order is None else take(g, order, step, self.axis)
        assert order is not None
        return order


def check_elementwise(comparator: Function) -> None:
    """A comparator runs on whole arrays: each op must act element by element.

    Raises:
        RefusedError: one does not.
    """
    for node in comparator.nodes:
        if not isinstance(node.op, _VECTOR_OPS):
            raise RefusedError(
                f"Sort: its comparator has {node.op.kind}, which is not elementwise",
                fix="compare keys that are computed before the sort, and sorted with it",
            )


# --- numpy ----------------------------------------------------------------------------------


def _ranks(values: Array, key: Key) -> Array:
    """Integers that order as the key does; equal for ties."""
    if values.dtype.kind not in "iub":
        values = values.astype(np.float64)
        if key.total:
            bits = values.view(np.int64)
            keys = np.where(bits < 0, np.int64(-(2**63)) - bits - 1, bits)
            values = np.where(np.isnan(values), np.int64(2**63 - 1), keys)
    ranks = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    return -ranks if key.descending else ranks


def _by_pairs(run: Run, comparator: Function, last: list[Array]) -> Array:
    """The order by the number of elements before each, found by comparing all pairs.

    A long axis by the network that Sort lowers to.
    """
    n = last[0].shape[-1]
    if last[0].size * n > FEW_PAIRS:
        return _by_network(run, comparator, last)
    ranks = np.empty(last[0].shape, np.int64)
    rows = max(1, (1 << 20) // max(1, last[0].size))
    for first in range(0, n, rows):
        own = np.arange(first, min(first + rows, n))
        left = [x[..., None, :] for x in last]
        right = [x[..., own, None] for x in last]
        before = run(comparator, *[x for pair in zip(left, right, strict=True) for x in pair])[0]
        after = run(comparator, *[x for pair in zip(right, left, strict=True) for x in pair])[0]
        earlier = np.arange(n)[None, :] < own[:, None]
        full = (*last[0].shape[:-1], len(own), n)
        ranks[..., own] = np.broadcast_to(np.where(earlier, ~after, before), full).sum(-1)
    return np.argsort(ranks, -1, kind="stable")


def _by_network(run: Run, comparator: Function, last: list[Array]) -> Array:
    """The order by Batcher's network, on numpy; places are the last key."""
    state = [*last, np.broadcast_to(np.arange(last[0].shape[-1]), last[0].shape)]
    for partner in merge_exchange(last[0].shape[-1]):
        others = [x[..., partner] for x in state]
        pairs = list(zip(others[:-1], state[:-1], strict=True))
        before = run(comparator, *[x for pair in pairs for x in pair])[0]
        after = run(comparator, *[x for a, b in pairs for x in (b, a)])[0]
        lower = before | (~after & (others[-1] < state[-1]))
        swap = lower ^ (partner < np.arange(len(partner)))
        state = [np.where(swap, b, a) for a, b in zip(state, others, strict=True)]
    return state[-1]


# --- keys -----------------------------------------------------------------------------------


def _has_argsort(dtype: DType, t: TensorType) -> bool:
    """Whether MIL orders the dtype; int64 and unsigned words go by compares while that is cheap."""
    if dtype.is_float or dtype is BOOL or (dtype.is_integer and dtype.bits <= 16) or dtype is I32:
        return True
    return dtype is I64 and max(t.shape, default=0) * t.size > MAX_PAIRS


def _is_whole(keys: tuple[Key, ...], comparator: Function) -> bool:
    """Whether the one key is the one input itself: equals are the same, so ties are free."""
    return len(keys) == 1 and keys[0].value is comparator.parameters[0]


def _sorted(g: Graph, x: Node, key: Key, axis: int) -> Node:
    """`x` sorted by itself: `argsort` of numbers, NaN put where they belong."""
    if key.total and x.type.dtype.is_float:
        return take(g, x, stable_order(g, x, key, axis), axis)
    if not x.type.dtype.is_float:
        return take(g, x, g.add(argsort(axis, ascending=not key.descending), _ordered(g, x)), axis)
    n = x.type.shape[axis]
    nan = g.add(IsNaN(), x)
    number = g.add(Where(), nan, g.add(constant(x.type.dtype, np.inf)), x)
    order = g.add(argsort(axis, ascending=not key.descending), number)
    count = g.add(ReduceSum((axis,)), g.add(ConvertDType(I32), nan))
    count = g.add(Reshape(_ones(x.type, axis, 1)), count)
    places = np.arange(n).reshape(_ones(x.type, axis, n, ones=True))
    if key.descending:
        is_nan = g.add(LessThan(), g.add(constant(I32, places)), count)
    else:
        is_nan = g.add(LessThan(), g.add(constant(I32, n - 1 - places)), count)
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
        return _places(g, x.type, axis)
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
    place = _places(g, group.type, axis)
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


def _places(g: Graph, t: TensorType, axis: int) -> Node:
    row = g.add(constant(I32, np.arange(t.shape[axis])))
    return g.add(BroadcastInDim(t.with_dtype(I32), (axis,)), row)


def _full(g: Graph, x: Node, shape: tuple[int, ...]) -> Node:
    if x.type.shape == shape:
        return x
    return g.add(BroadcastInDim(x.type.with_shape(shape), ()), x)


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


# --- any comparator -------------------------------------------------------------------------


def _flat(
    g: Graph, axis: int, inputs: tuple[Node, ...], f: Callable[..., tuple[Node, ...]]
) -> tuple[Node, ...]:
    """`f` on [rows, n], its rows what is to be sorted."""
    t = inputs[0].type
    others = tuple([i for i in range(t.rank) if i != axis])
    order = (*others, axis)
    moved = tuple([t.shape[i] for i in order])
    rows = (t.size // t.shape[axis], t.shape[axis])
    results = f(*[g.add(Reshape(rows), g.add(Transpose(order), x)) for x in inputs])
    back = tuple([order.index(i) for i in range(t.rank)])
    return tuple([g.add(Transpose(back), g.add(Reshape(moved), r)) for r in results])


def _compared(g: Graph, comparator: Function, xs: tuple[Node, ...]) -> tuple[Node, ...]:
    rows, n = xs[0].type.shape
    if rows * n * n > MAX_PAIRS:
        return _network(g, comparator, xs)
    order = g.add(argsort(1, ascending=True), _counted(g, comparator, xs))
    return tuple([take(g, x, order, 1) for x in xs])


def _counted(g: Graph, comparator: Function, xs: tuple[Node, ...]) -> Node:
    """How many elements of its row stand before each.

    j stands before i if the comparator says so; and, if j comes earlier, if it does not say that i
    stands before j.
    """
    rows, n = xs[0].type.shape
    other = [g.add(Reshape((rows, 1, n)), x) for x in xs]
    own = [g.add(Reshape((rows, n, 1)), x) for x in xs]
    before = _ask(g, comparator, other, own, (rows, n, n))
    after = _ask(g, comparator, own, other, (rows, n, n))
    places = np.arange(n)
    earlier = g.add(constant(BOOL, (places[None, :] < places[:, None])[None]))
    first = g.add(Where(), earlier, g.add(LogicalNot(), after), before)
    return g.add(ReduceSum((2,)), g.add(ConvertDType(I32), first))


def _ask(
    g: Graph, comparator: Function, left: list[Node], right: list[Node], shape: tuple[int, ...]
) -> Node:
    pairs = tuple([x for pair in zip(left, right, strict=True) for x in pair])
    (answer,) = inline(g, comparator, pairs)
    return _full(g, answer, shape) if not answer.type.shape else answer


def _network(g: Graph, comparator: Function, xs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Batcher's merge exchange: fixed pairs are put in order, stage after stage.

    Places go along as the last key, which makes the order stable. What would pad the axis to a
    power of two stays last, so its pairs are left out. Source: Knuth, TAOCP 3, algorithm 5.2.2M.
    """
    rows, n = xs[0].type.shape
    state = [g.add(Transpose((1, 0)), x) for x in (*xs, _places(g, xs[0].type, 1))]
    for partner in merge_exchange(n):
        index = g.add(constant(I32, partner))
        others = [_rows(g, x, index) for x in state]
        before = _ask(g, comparator, others[:-1], state[:-1], (n, rows))
        after = _ask(g, comparator, state[:-1], others[:-1], (n, rows))
        earlier = g.add(LessThan(), others[-1], state[-1])
        tie = g.add(LogicalAnd(), g.add(LogicalNot(), after), earlier)
        lower = g.add(LogicalOr(), before, tie)
        is_upper = g.add(constant(BOOL, (partner < np.arange(n)).reshape(n, 1)))
        swap = g.add(LogicalXor(), lower, is_upper)
        state = [g.add(Where(), swap, b, a) for a, b in zip(state, others, strict=True)]
    return tuple([g.add(Transpose((1, 0)), x) for x in state[:-1]])


def _rows(g: Graph, x: Node, index: Node) -> Node:
    return g.add(gather(), x, index)


def merge_exchange(n: int) -> list[Array]:
    """For each stage, with whom each place is compared; with itself if it rests."""
    stages = []
    top = 1 << max(0, math.ceil(math.log2(n)) - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            partner = np.arange(n)
            i = np.arange(max(n - d, 0))
            i = i[(i & p) == r]
            partner[i], partner[i + d] = i + d, i
            stages.append(partner)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return stages


# --- MIL ops --------------------------------------------------------------------------------


@register
@dataclass(frozen=True)
class argsort(Op):  # noqa: N801  (MIL's name)
    """`(x: T[..]) -> i32[..]`: places in order of the values along axis; MIL `argsort`.

    The order of ties, and of NaN, is not to be relied on.
    """

    gomlx = False
    native = True
    axis: int
    ascending: bool

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        return x.with_dtype(I32)

    def evaluate(self, x: Array) -> Array:
        values = x if x.dtype.kind in "iub" else x.astype(np.float64)
        ranks = np.unique(values, return_inverse=True)[1].reshape(x.shape)
        return np.argsort(ranks if self.ascending else -ranks, self.axis, kind="stable")

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        return 0, max(types[0].shape[self.axis] - 1, 0)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.argsort(x=x, axis=self.axis, ascending=self.ascending)


@register
@dataclass(frozen=True)
class gather_along_axis(Op):  # noqa: N801  (MIL's name)
    """`(x: T[..], indices: i32[..]) -> T[..]`: MIL `gather_along_axis`; 0 <= indices < dim."""

    gomlx = False
    native = True
    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        if indices != x.with_dtype(I32):
            raise ShapeError(f"gather_along_axis of {x} by {indices}", fix="use equal dims, i32")
        return x

    def evaluate(self, x: Array, indices: Array) -> Array:
        return np.take_along_axis(x, indices, self.axis)

    def range(self, x: Range, indices: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value, indices: Value) -> Value:
        if is_bool(x):
            taken = self.lower(m, m.cast(x=x, dtype="int32"), indices)
            return m.cast(x=taken, dtype="bool")
        return m.gather_along_axis(x=x, indices=indices, axis=self.axis)


@register
@dataclass(frozen=True)
class cumsum(Op):  # noqa: N801  (MIL's name)
    """`(x: i32[..]) -> i32[..]`: sums of each element and all before along axis; MIL `cumsum`."""

    gomlx = False
    native = True
    axis: int

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)
        return x

    def evaluate(self, x: Array) -> Array:
        return np.cumsum(x, self.axis, dtype=x.dtype)

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        low, high = ranges[0]
        n = types[0].shape[self.axis]
        return min(low, low * n), max(high, high * n)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.cumsum(x=x, axis=self.axis)
