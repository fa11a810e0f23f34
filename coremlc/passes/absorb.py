"""Products by constant weights absorb the constants that follow: a scale, a shift, per channel.

`matmul(x, W)` becomes `linear(x, W)`; it, or `conv(x, W)`, and then any of `+ - * /` with
constants along the output channels become one op of weights `W * scale` and a bias. Batch norm in
inference is such a chain.

Error: scale and shift are computed in float64, and each weight and bias rounds once. Sums run in
another order, so results differ by a few ulp of their largest term, a zero may change its sign, and
what overflows before it is scaled may not do so any more. Exact if there is nothing to absorb.

It is the last pass: dtypes are final, and bfloat16 has its roundings, so that only float32 is left
that may be computed otherwise than primitive by primitive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coremlc.dtypes import F32
from coremlc.ir.graph import Builder, Function, Node, Value, map_bodies, walk
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Op
from coremlc.ops.binary import Add, Div, Mul, Sub
from coremlc.ops.conv_general import conv
from coremlc.ops.dot_general import matmul
from coremlc.ops.leaves import Constant, known
from coremlc.ops.linear import linear
from coremlc.passes.smart import live

MAX_SCALED = 1 << 24
"""Elements of weights up to which they are scaled: larger ones stay as the file has them."""
_LARGEST, _SMALLEST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Affine:
    """`y * scale + shift`: float64, one of each per output channel."""

    scale: Array
    shift: Array

    @property
    def scales(self) -> bool:
        return bool(np.any(self.scale != 1))


STEPS: dict[tuple[type[Op], int], Callable[[Affine, Array], Affine]] = {
    (Add, 0): lambda y, c: Affine(y.scale, y.shift + c),
    (Add, 1): lambda y, c: Affine(y.scale, y.shift + c),
    (Sub, 0): lambda y, c: Affine(y.scale, y.shift - c),
    (Sub, 1): lambda y, c: Affine(-y.scale, c - y.shift),
    (Mul, 0): lambda y, c: Affine(y.scale * c, y.shift * c),
    (Mul, 1): lambda y, c: Affine(y.scale * c, y.shift * c),
    (Div, 0): lambda y, c: Affine(y.scale / c, y.shift / c),
}
"""What an op makes of its operand at that place, and of the other one, a constant."""


@dataclass(frozen=True)
class Product:
    """`linear` or `conv` with constant weights; axis 1 of its result is that of the outputs."""

    op: Op
    x: Value
    weight: Value
    by_output: bool = True
    """Whether the first axis of the weights is that of the outputs; else the second."""

    @cached_property
    def rows(self) -> Array:
        """The weights of each output."""
        array = known(self.weight)
        assert array is not None
        return array if self.by_output else array.T

    def holds(self, total: Affine) -> bool:
        """Whether weights and bias stay finite, and no output loses its weights to underflow."""
        fits = np.abs(total.shift) <= _LARGEST
        if total.scales:
            peaks = np.abs(self.rows).max(tuple(range(1, self.rows.ndim)), initial=0)
            size = peaks.astype(np.float64) * np.abs(total.scale)
            fits &= (size <= _LARGEST) & ((size >= _SMALLEST) | (peaks == 0) | (total.scale == 0))
        return bool(np.all(fits))


@dataclass(frozen=True)
class Chain:
    """A product, the nodes after it that it absorbs, itself the first, and what they come to."""

    product: Product
    nodes: list[Node]
    total: Affine


def absorb(function: Function) -> Function:
    """`function` with each chain, from a product to the last constant, as one op."""
    uses = _uses(function)
    return _Absorber(uses, _to_turn(function, uses)).rebuilt(function, {})


def _uses(function: Function) -> Counter[Value]:
    """How often each value is an operand or a result, here or in a body."""
    uses = Counter(function.results)
    for node in walk(function):
        uses.update(node.operands)
        for body in node.op.bodies:
            uses.update(body.results)
    return uses


def _to_turn(function: Function, uses: Counter[Value]) -> set[Value]:
    """Weights [in, out] that only products use: those become [out, in] where they are defined."""
    found = [dense for node in walk(function) if (dense := _dense(node)) is not None]
    plain = Counter(weight for weight, lies_turned in found if not lies_turned)
    return {weight for weight, count in plain.items() if count == uses[weight]}


def _dense(node: Node) -> tuple[Value, bool] | None:
    """(weights, whether they lie [out, in]) of rows of float32 times a constant matrix."""
    if not isinstance(node.op, matmul) or node.op.transpose_x:
        return None
    x, y = node.operands
    if known(y) is None or not y.type.rank == x.type.rank == 2 or y.type.dtype is not F32:
        return None
    return y, node.op.transpose_y


class _Absorber:
    def __init__(self, uses: Counter[Value], to_turn: set[Value]) -> None:
        self._uses = uses
        self._to_turn = to_turn

    def rebuilt(self, function: Function, outer: Mapping[Value, Value]) -> Function:
        """The function in new nodes; outer: what the functions around it have become."""
        g = Builder()
        g.parameters.extend(function.parameters)
        mapped = dict(outer)
        chains = self._chains(function)
        fresh: tuple[Value, ...]
        for node in function.nodes:
            g.source, g.label = node.source, node.label
            if node in chains:
                chain = chains[node]
                if node is not chain.nodes[-1]:
                    continue
                fresh = (self._emitted(g, chain, mapped),)
            elif not self._to_turn.isdisjoint(node.results):
                fresh = (g.add(_stored(node.op.evaluate().T)),)
            else:
                fresh = self._copied(g, node, mapped)
            mapped.update(zip(node.results, fresh, strict=True))
        results = tuple([mapped.get(r, r) for r in function.results])
        return live(g.finish(*results, name=function.name))

    def _copied(self, g: Builder, node: Node, mapped: Mapping[Value, Value]) -> tuple[Value, ...]:
        operands = tuple([mapped.get(o, o) for o in node.operands])
        op = map_bodies(node.op, lambda body: self.rebuilt(body, mapped))
        if op is node.op and operands == node.operands:
            g.append(node)
            return node.results
        return g.add_multi(op, *operands)

    def _chains(self, function: Function) -> dict[Node, Chain]:
        """The chain of each node that is in one."""
        users = {operand: node for node in function.nodes for operand in node.operands}
        products = [(node, self._product(node)) for node in function.nodes]
        chains = [self._chain(p, node, users) for node, p in products if p is not None]
        return {node: chain for chain in chains for node in chain.nodes}

    def _product(self, node: Node) -> Product | None:
        dense = _dense(node)
        if dense is not None:
            weight, lies_turned = dense
            if not lies_turned and weight not in self._to_turn:
                return None
            return Product(linear(), node.operands[0], weight, lies_turned)
        if isinstance(node.op, conv) and len(node.operands) == 2:
            x, weight = node.operands
            if known(weight) is not None and x.type.dtype is F32:
                return Product(node.op, x, weight)
        return None

    def _chain(self, product: Product, start: Node, users: Mapping[Value, Node]) -> Chain:
        """Each node only applies a constant to what the one before gave to it alone."""
        count = product.rows.shape[0]
        nodes, total = [start], Affine(np.ones(count), np.zeros(count))
        may_scale = self._uses[product.weight] == 1 and product.rows.size <= MAX_SCALED
        y = start.results[0]
        while self._uses[y] == 1 and y in users:
            longer = _applied(users[y], y, total)
            if longer is None or (longer.scales and not may_scale) or not product.holds(longer):
                break
            nodes.append(users[y])
            total, y = longer, users[y].results[0]
        return Chain(product, nodes, total)

    def _emitted(self, g: Builder, chain: Chain, mapped: Mapping[Value, Value]) -> Value:
        product, total = chain.product, chain.total
        operands = [mapped.get(o, o) for o in (product.x, product.weight)]
        if total.scales:
            rows = product.rows * total.scale.reshape(-1, *(1,) * (product.rows.ndim - 1))
            operands[1] = g.add(_stored(rows.astype(np.float32)))
        if np.any(total.shift):
            operands.append(g.add(_stored(total.shift.astype(np.float32))))
        return g.add(product.op, *operands)


def _applied(user: Node, y: Value, total: Affine) -> Affine | None:
    """`total` and then `user`, if its other operand is a constant along the outputs."""
    if len(user.operands) != 2 or user.results[0].type != y.type:
        return None
    place = user.operands.index(y)
    step = STEPS.get((type(user.op), place))
    along = _along_outputs(user.operands[1 - place], total.scale.size)
    if step is None or along is None:
        return None
    with np.errstate(all="ignore"):
        return step(total, along)


def _along_outputs(x: Value, count: int) -> Array | None:
    """A constant as a float64 for each output, if it is the same everywhere else."""
    array = known(x)
    if array is None or (array.ndim and array.size != (array.shape[1] if array.ndim > 1 else 1)):
        return None
    return np.broadcast_to(array.astype(np.float64).reshape(-1), (count,))


def _stored(array: Array) -> Constant:
    return Constant(TensorData(F32, array))
