"""Products of slices become slices of a product, which reads its weights once.

`linear(x[0:1], W, b) .. linear(x[n-1:n], W, b)` become `linear(x, W, b)` and its slices, if
together they take all of x: an unrolled recurrent layer multiplies the inputs of all steps at once.

Exact but for the order of sums, as in any product of another size.
"""

from __future__ import annotations

import math

import numpy as np

from coremlc.ir.graph import Function, Node, Value, map_bodies, substitute
from coremlc.ir.op import Array, Op
from coremlc.ops.linear import linear
from coremlc.ops.shape import Reshape, Slice
from coremlc.passes.smart import SmartBuilder, live

Key = tuple[Value, Value, tuple[Op | None, ...]]
"""What is sliced, the weights, and the bias by its elements."""


def join(function: Function) -> Function:
    """`function` with products of slices joined; itself if there is nothing to join."""
    joined = _joined(function)
    if not joined:
        return function
    g = SmartBuilder()
    g.parameters.extend(function.parameters)
    mapped: dict[Value, Value] = {}
    results: tuple[Value, ...]
    for node in function.nodes:
        g.source, g.label = node.source, node.label
        operands = tuple([mapped.get(o, o) for o in node.operands])
        if node in joined:
            (x,) = joined[node].operands
            results = (_part(g, node, joined[node], (mapped.get(x, x), *operands[1:])),)
        else:
            op = map_bodies(node.op, lambda body: substitute(body, mapped))
            results = g.add_multi(op, *operands)
        mapped.update(zip(node.results, results, strict=True))
    return live(g.finish(*[mapped.get(r, r) for r in function.results], name=function.name))


def _part(g: SmartBuilder, node: Node, cut: Node, operands: tuple[Value, ...]) -> Value:
    """What a product of a slice is, of the product of the whole."""
    x, *constants = operands
    assert isinstance(cut.op, Slice)
    *outer, depth = x.type.shape
    (result,) = node.results
    width = result.type.shape[-1]
    rows = g.add(Reshape((math.prod(outer), depth)), x)
    whole = g.add(Reshape((*outer, width)), g.add(node.op, rows, *constants))
    starts, limits = (*cut.op.starts[:-1], 0), (*cut.op.limits[:-1], width)
    return g.add(Reshape(result.type.shape), g.add(Slice(starts, limits, cut.op.strides), whole))


def _joined(function: Function) -> dict[Node, Node]:
    """The slice of each product that others like it make whole."""
    cuts = {node: cut for node in function.nodes if (cut := _cut(node)) is not None}
    taken: dict[Key, Array] = {}
    for node, cut in cuts.items():
        dims = cut.operands[0].type.shape[:-1]
        rows = taken.setdefault(_key(node, cut), np.zeros(dims, bool))
        assert isinstance(cut.op, Slice)
        rows[tuple(map(slice, cut.op.starts[:-1], cut.op.limits[:-1]))] = True
    return {node: cut for node, cut in cuts.items() if taken[_key(node, cut)].all()}


def _cut(node: Node) -> Node | None:
    """The slice, of some rows, that a product is of; it may be reshaped to rank 2."""
    part = node.operands[0] if isinstance(node.op, linear) else None
    if part is None:
        return None
    cut = part.operands[0] if isinstance(part.op, Reshape) else part
    if not isinstance(cut.op, Slice) or set(cut.op.strides) != {1} or cut.node is None:
        return None
    depth = {v.type.shape[-1] for v in (part, cut, cut.operands[0])}
    return cut.node if part.type.rank == 2 and len(depth) == 1 else None


def _key(node: Node, cut: Node) -> Key:
    _, weight, *bias = node.operands
    return cut.operands[0], weight, tuple([b.op for b in bias])
