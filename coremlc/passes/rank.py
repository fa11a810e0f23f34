"""Values of rank above 5, which MIL lacks, in the rank that each op needs.

Such a value is kept in any shape that has its elements in row-major order. An op is told only the
axes that it tells apart (passes/rank_forms). Exact: elements only move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from coremlc.errors import CoremlcError, RefusedError
from coremlc.ir.graph import Function, Graph, Node, Value, map_bodies, placed, walk
from coremlc.ir.types import MAX_RANK
from coremlc.ops.leaves import splat
from coremlc.ops.refused import Unsupported
from coremlc.passes.rank_forms import form, shaped, stated
from coremlc.passes.smart import SmartBuilder, live


def merge_ranks(graph: Graph) -> tuple[Graph, list[CoremlcError]]:
    """A graph of primitives with no rank above 5, simplified, and what has no such form.

    The same graph if it has none.
    """
    values = [*graph.main.parameters, *(r for n in walk(graph.main) for r in n.results)]
    if all(v.type.rank <= MAX_RANK for v in values):
        return graph, []
    found: list[CoremlcError] = []
    main = _function(graph.main, {}, found)
    return (graph if found else graph.with_main(main)), found


def _function(
    function: Function, outer: Mapping[Value, Value], found: list[CoremlcError]
) -> Function:
    g = SmartBuilder()
    known = dict(outer)
    for value in function.parameters:
        known[value] = g.parameter(stated(value.type))
    for node in function.nodes:
        g.source, g.label = node.source, node.label
        try:
            results = _node(g, node, known, found)
        except RefusedError as error:
            found.append(placed(error, node))
            results = [g.add(splat(r.type.dtype, 0, stated(r.type).shape)) for r in node.results]
        known.update(zip(node.results, results, strict=True))
    results = [shaped(g, known.get(r, r), stated(r.type).shape) for r in function.results]
    return live(g.finish(*results, name=function.name))


def _node(
    g: SmartBuilder, node: Node, known: Mapping[Value, Value], found: list[CoremlcError]
) -> list[Value]:
    op, operands = node.op, [known.get(o, o) for o in node.operands]
    types = [v.type for v in (*node.operands, *node.results)]
    if op.bodies or isinstance(op, Unsupported):
        return _across(g, node, operands, known, found)
    if all(t.rank <= MAX_RANK for t in types):
        return list(g.add_multi(op, *operands))
    result = form(op)(g, node, operands)
    out = node.results[0].type
    return [shaped(g, result, out.shape) if out.rank <= MAX_RANK else result]


def _across(
    g: SmartBuilder,
    node: Node,
    operands: list[Value],
    known: Mapping[Value, Value],
    found: list[CoremlcError],
) -> list[Value]:
    """An op with bodies: they take and give the stated types."""
    op = map_bodies(node.op, lambda body: _function(body, known, found))
    if isinstance(op, Unsupported):
        op = dataclasses.replace(op, types=tuple(stated(t) for t in op.types))
    pairs = zip(operands, node.operands, strict=True)
    given = [shaped(g, x, stated(old.type).shape) for x, old in pairs]
    return list(g.add_multi(op, *given))
