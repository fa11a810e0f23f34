"""Sorting by any comparator: all pairs compared, or Batcher's network; in numpy and as ops."""

from __future__ import annotations

import math

import numpy as np

from coremlc.dtypes import BOOL, I32
from coremlc.errors import RefusedError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Function
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array
from coremlc.ops.binary import LogicalAnd, LogicalOr, LogicalXor, floor_div, mod
from coremlc.ops.call import inline
from coremlc.ops.compare import LessThan
from coremlc.ops.control_flow import Run
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.gather import gather
from coremlc.ops.leaves import Constant, Identity, constant
from coremlc.ops.ordering import argsort
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Reshape, Transpose
from coremlc.ops.sort_keys import places, take
from coremlc.ops.unary import LogicalNot

MAX_PAIRS = 1 << 21
"""Pairs of elements up to which an unknown comparator is asked about each."""
FEW_PAIRS = 1 << 24
"""The same for the oracle."""
_VECTOR_OPS = (Elementwise, Where, ConvertDType, Constant, Identity, mod, floor_div)


def are_few(size: int, n: int) -> bool:
    """Whether all pairs of a tensor's elements along an axis of dim n may be compared."""
    return size * n <= MAX_PAIRS


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


def order_by_pairs(run: Run, comparator: Function, last: list[Array]) -> Array:
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


def sorted_by_pairs(
    g: Graph, comparator: Function, axis: int, inputs: tuple[Node, ...]
) -> tuple[Node, ...]:
    """`inputs` sorted along an axis, as [rows, n]."""
    t = inputs[0].type
    others = tuple([i for i in range(t.rank) if i != axis])
    order = (*others, axis)
    moved = tuple([t.shape[i] for i in order])
    rows = (t.size // t.shape[axis], t.shape[axis])
    flat = tuple([g.add(Reshape(rows), g.add(Transpose(order), x)) for x in inputs])
    results = _compared(g, comparator, flat)
    back = tuple([order.index(i) for i in range(t.rank)])
    return tuple([g.add(Transpose(back), g.add(Reshape(moved), r)) for r in results])


def _compared(g: Graph, comparator: Function, xs: tuple[Node, ...]) -> tuple[Node, ...]:
    rows, n = xs[0].type.shape
    if not are_few(rows * n, n):
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
    return full(g, answer, shape) if not answer.type.shape else answer


def _network(g: Graph, comparator: Function, xs: tuple[Node, ...]) -> tuple[Node, ...]:
    """Batcher's merge exchange: fixed pairs are put in order, stage after stage.

    Places go along as the last key, which makes the order stable. What would pad the axis to a
    power of two stays last, so its pairs are left out. Source: Knuth, TAOCP 3, algorithm 5.2.2M.
    """
    rows, n = xs[0].type.shape
    state = [g.add(Transpose((1, 0)), x) for x in (*xs, places(g, xs[0].type, 1))]
    for partner in merge_exchange(n):
        index = g.add(constant(I32, partner))
        others = [g.add(gather(), x, index) for x in state]
        before = _ask(g, comparator, others[:-1], state[:-1], (n, rows))
        after = _ask(g, comparator, state[:-1], others[:-1], (n, rows))
        earlier = g.add(LessThan(), others[-1], state[-1])
        tie = g.add(LogicalAnd(), g.add(LogicalNot(), after), earlier)
        lower = g.add(LogicalOr(), before, tie)
        is_upper = g.add(constant(BOOL, (partner < np.arange(n)).reshape(n, 1)))
        swap = g.add(LogicalXor(), lower, is_upper)
        state = [g.add(Where(), swap, b, a) for a, b in zip(state, others, strict=True)]
    return tuple([g.add(Transpose((1, 0)), x) for x in state[:-1]])


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


def full(g: Graph, x: Node, shape: tuple[int, ...]) -> Node:
    """`x` in a shape, repeated if it is a scalar."""
    if x.type.shape == shape:
        return x
    return g.add(BroadcastInDim(x.type.with_shape(shape), ()), x)
