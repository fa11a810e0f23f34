"""The order of the passes, and what must hold after each."""

from __future__ import annotations

from collections.abc import Callable

from coremlc.errors import CoremlcError, RefusalsError, RefusedError
from coremlc.ir.graph import Graph, collect
from coremlc.ir.verify import refusals
from coremlc.passes.absorb import absorb
from coremlc.passes.bfloat16 import widen_bfloat16
from coremlc.passes.decompose import decompose
from coremlc.passes.empty import drop_empty
from coremlc.passes.fuse import fuse
from coremlc.passes.join import join
from coremlc.passes.legalize import Legalizer
from coremlc.passes.rank import merge_ranks
from coremlc.passes.smart import SmartBuilder, live, rebuild
from coremlc.passes.split_complex import split_complex

STAGES = ("read", "simplify", "fuse", "decompose", "split", "legalize", "absorb")
"""Stages in order; `read` is the graph as the file has it."""

Observer = Callable[[str, Graph], None]


def run(graph: Graph, *, strict: bool = False, after: Observer | None = None) -> Graph:
    """A graph of primitives in dtypes that Core ML has.

    strict: refuse float64 instead of computing it in float32.
    after: called with each stage's name and graph.

    Fusing comes before decomposing: what it raises may be a composite. Decomposing comes before
    splitting and legalizing, so that dtypes change on primitives only, and after, for what
    legalizing adds. Splitting comes before legalizing: the parts of complex128 are
    float64. bfloat16 widens there too, since each primitive rounds; and ranks
    above 5 are merged, since that is clear of primitives only. Products absorb constants, and join,
    at the end, when nothing else has to know of it.

    Raises:
        RefusalsError: every op, dtype and range that has no exact form, at once.
    """
    observe = after if after is not None else _ignore
    observe("read", graph)
    graph = simplify(drop_empty(graph))
    observe("simplify", graph)
    graph = fuse(graph)
    observe("fuse", graph)
    legalizer = Legalizer(strict=strict)
    legalizer.check(graph)
    primitive = graph.with_main(decompose(graph.main))
    observe("decompose", primitive)
    try:
        real, refused = merge_ranks(widen_bfloat16(split_complex(primitive)))
    except RefusedError as error:  # without parts there is nothing to legalize
        raise RefusalsError(collect([*legalizer.refusals, error])) from None
    legalizer.refusals += refused
    observe("split", real)
    legal = legalizer.graph(real)
    raise_all(legalizer.refusals)
    lowerable = legal.with_main(decompose(legal.main))
    observe("legalize", lowerable)
    raise_all(refusals(lowerable))
    absorbed = lowerable.with_main(join(absorb(lowerable.main)))
    observe("absorb", absorbed)
    return absorbed


def raise_all(found: list[CoremlcError]) -> None:
    """Raise RefusalsError if there is any refusal."""
    if found:
        raise RefusalsError(collect(found))


def simplify(graph: Graph) -> Graph:
    """Dead nodes gone, constants folded, equal nodes joined, rules applied."""
    return graph.with_main(rebuild(live(graph.main), SmartBuilder()))


def _ignore(stage: str, graph: Graph) -> None:
    return None
