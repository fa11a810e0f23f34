"""How a fusion rule is tested: what it makes of a graph, why not, and that the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coremlc.compare import difference
from coremlc.ir import verify
from coremlc.ir.graph import Graph
from coremlc.passes.fuse import fuse_with_notes
from coremlc.passes.pipeline import simplify
from tests.ir.graphs import arrays, graph, ops, run

TYPES = ("f32[3,4]",)


@dataclass(frozen=True)
class Fused:
    """A graph of primitives, and the ops that it becomes, constants left out."""

    name: str
    make: Callable
    ops: str
    types: tuple[str, ...] = TYPES

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class NearMiss:
    """A graph that begins like a rule's pattern, and a part of the reason why it is not one."""

    name: str
    make: Callable
    rule: str
    reason: str
    types: tuple[str, ...] = TYPES

    def __str__(self) -> str:
        return self.name


def check_fused(case: Fused) -> None:
    """The ops are those, and each number is what it was: edges exactly, others by their dtype."""
    before = graph(case.make, *case.types)
    after, notes = fuse_with_notes(simplify(before))
    verify.check(after)
    assert " ".join(ops(after)) == case.ops, [str(n) for n in notes]
    same_numbers(before, after)


def check_missed(case: NearMiss) -> None:
    """The graph is left alone, and the notes say why."""
    before = simplify(graph(case.make, *case.types))
    after, notes = fuse_with_notes(before)
    assert ops(after) == ops(before)
    reasons = [n.missed for n in notes if n.rule == case.rule]
    assert any(case.reason in reason for reason in reasons), reasons


def same_numbers(before: Graph, after: Graph) -> None:
    """For ordinary rows and for rows with NaN, infinities, zeros, huge and denormal numbers."""
    rng = np.random.default_rng(0)
    usual = [
        rng.normal(size=p.type.shape).astype(p.type.dtype.numpy) * 3 for p in before.main.parameters
    ]
    for given in [usual, *(arrays(before, seed) for seed in range(8))]:
        for x, y in zip(run(after, given), run(before, given), strict=True):
            assert x.dtype == y.dtype
            found = difference("y", x, y)
            assert not found.mismatched, (given, x, y)
