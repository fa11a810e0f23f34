"""How a rewrite rule is tested: a graph, and its nodes once simplified, in short form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coremlc.dtypes import F32
from coremlc.ir import verify
from coremlc.ir.graph import Graph
from coremlc.ir.text import print_graph
from coremlc.ops import binary, leaves, shape, unary
from coremlc.passes.pipeline import simplify
from tests.ir.graphs import arrays, graph, run, same


@dataclass(frozen=True)
class Case:
    """A graph, and its nodes (without constants) once simplified, in short form."""

    rule: str
    make: Callable
    types: tuple[str, ...]
    text: str


def short(graph: Graph) -> str:
    """`Add(a, 1) Neg(%)`: nodes in a line; constants and inputs by value and name."""
    names = {v: i.name for v, i in zip(graph.main.parameters, graph.inputs, strict=True)}
    parts = []
    for node in graph.main.nodes:
        (value,) = node.results
        if node.op.kind == "Constant":
            data = node.op.value
            element = data.array[(0,) * data.array.ndim] if data.array.size else "empty"
            names[value] = f"{element}" if data.is_splat else "const"
            names[value] += f":{data.type}" if data.type.rank else ""
            continue
        names[value] = "%"
        parts.append(f"{node.op.kind}({', '.join(names[o] for o in node.operands)}):{value.type}")
    results = ", ".join(names[r] for r in graph.main.results)
    return " ".join([*parts, "->", results])


def wide(g, x, *dims, axes=None):
    """x broadcast."""
    kind = x.type.with_shape(dims)
    return g.add(shape.BroadcastInDim(kind, tuple(range(x.type.rank)) if axes is None else axes), x)


def splat(g, value, *dims, dtype=F32):
    return g.add(leaves.splat(dtype, value, dims))


def rev(g, x, *axes):
    return g.add(shape.Reverse(axes), x)


def perm(g, x, *order):
    return g.add(shape.Transpose(order), x)


def dims(g, x, *sizes):
    return g.add(shape.Reshape(sizes), x)


def cut(g, x, starts, limits, strides=None):
    return g.add(shape.Slice(starts, limits, strides or (1,) * len(starts)), x)


ADD, SUB, MUL, DIV, NEG = binary.Add(), binary.Sub(), binary.Mul(), binary.Div(), unary.Neg()


def simplified(case: Case) -> Graph:
    """Also that neither the input changes nor the meaning does."""
    before = graph(case.make, *case.types)
    text = print_graph(before)
    after = simplify(before)
    assert print_graph(before) == text
    verify.check(after)
    for seed in range(3):
        given = arrays(before, seed)
        same(run(after, given), run(before, given))
    assert print_graph(simplify(after)) == print_graph(after)
    return after
