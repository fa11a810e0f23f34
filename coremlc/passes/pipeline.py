"""The order of the passes, and what must hold after each."""

from __future__ import annotations

from collections.abc import Callable

from coremlc.errors import RefusalsError
from coremlc.ir.graph import Graph, collect
from coremlc.ir.verify import refusals
from coremlc.passes.decompose import decompose
from coremlc.passes.legalize import Legalizer
from coremlc.passes.smart import SmartBuilder, live, rebuild

STAGES = ("read", "simplify", "legalize", "decompose")
"""Stages in order; `read` is the graph as the file has it."""

Observer = Callable[[str, Graph], None]


def run(graph: Graph, *, strict: bool = False, after: Observer | None = None) -> Graph:
    """A graph of primitives in dtypes that Core ML has.

    strict: refuse float64 instead of computing it in float32.
    after: called with each stage's name and graph.

    Raises:
        RefusalsError: every op, dtype and range that has no exact form, at once.
    """
    observe = after if after is not None else _ignore
    observe("read", graph)
    graph = simplify(graph)
    observe("simplify", graph)
    legalizer = Legalizer(strict=strict)
    legal = legalizer.graph(graph)
    if legalizer.refusals:
        raise RefusalsError(collect(legalizer.refusals))
    observe("legalize", legal)
    lowerable = legal.with_main(decompose(legal.main))
    observe("decompose", lowerable)
    left = refusals(lowerable)
    if left:
        raise RefusalsError(collect(left))
    return lowerable


def simplify(graph: Graph) -> Graph:
    """Dead nodes gone, constants folded, equal nodes joined, rules applied."""
    return graph.with_main(rebuild(live(graph.main), SmartBuilder()))


def _ignore(stage: str, graph: Graph) -> None:
    return None
