"""Sort: rows put in the order that a comparator says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, I32, I64, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Function
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.call import inline
from coremlc.ops.comparator import Key, keys_of
from coremlc.ops.control_flow import PREDICATE, Run, check_types, gives, takes
from coremlc.ops.shape import check_axes
from coremlc.ops.sort_keys import ranks, sorted_by_itself, stable_order, take
from coremlc.ops.sort_pairs import are_few, check_elementwise, full, order_by_pairs, sorted_by_pairs


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
        by_keys = keys_of(self.comparator) is not None
        order = self._by_keys(run, last) if by_keys else order_by_pairs(run, self.comparator, last)
        return tuple([np.moveaxis(np.take_along_axis(x, order, -1), -1, self.axis) for x in last])

    def _by_keys(self, run: Run, last: list[Array]) -> Array:
        twice = [x for x in last for _ in range(2)]
        order = np.broadcast_to(np.arange(last[0].shape[-1]), last[0].shape)
        for key in reversed(keys_of(self.comparator) or ()):
            c = self.comparator
            values = run(Function(c.parameters, c.nodes, (key.value,)), *twice)[0]
            rank = ranks(np.broadcast_to(values, last[0].shape), key)
            step = np.argsort(np.take_along_axis(rank, order, -1), -1, kind="stable")
            order = np.take_along_axis(order, step, -1)
        return order

    def decompose(self, g: Graph, *inputs: Node) -> tuple[Node, ...]:
        t = inputs[0].type
        if t.size == 0 or t.shape[self.axis] == 1:
            return inputs
        check_elementwise(self.comparator)
        keys = keys_of(self.comparator)
        if keys is None or not all(_has_argsort(k.value.type.dtype, t) for k in keys):
            return sorted_by_pairs(g, self.comparator, self.axis, inputs)
        if len(inputs) == 1 and _is_whole(keys, self.comparator):
            return (sorted_by_itself(g, inputs[0], keys[0], self.axis),)
        order = self._order(g, keys, inputs)
        return tuple([take(g, x, order, self.axis) for x in inputs])

    def _order(self, g: Graph, keys: tuple[Key, ...], inputs: tuple[Node, ...]) -> Node:
        """The sorting permutation: stable by the last key, then by the one before .."""
        twice = tuple([x for x in inputs for _ in range(2)])
        order: Node | None = None
        for key in reversed(keys):
            c = self.comparator
            (x,) = inline(g, Function(c.parameters, c.nodes, (key.value,)), twice)
            x = full(g, x, inputs[0].type.shape)
            if order is not None:
                x = take(g, x, order, self.axis)
            step = stable_order(g, x, key, self.axis)
            order = step if order is None else take(g, order, step, self.axis)
        assert order is not None
        return order


def _has_argsort(dtype: DType, t: TensorType) -> bool:
    """Whether MIL orders the dtype; int64 and unsigned words go by compares while that is cheap."""
    if dtype.is_float or dtype is BOOL or (dtype.is_integer and dtype.bits <= 16) or dtype is I32:
        return True
    return dtype is I64 and not are_few(t.size, max(t.shape, default=0))


def _is_whole(keys: tuple[Key, ...], comparator: Function) -> bool:
    """Whether the one key is the one input itself: equals are the same, so ties are free."""
    return len(keys) == 1 and keys[0].value is comparator.parameters[0]
