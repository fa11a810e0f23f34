"""Fuser: a SmartBuilder that raises what it adds, and keeps notes of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from coremlc.ir.graph import Graph, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.passes.fuse.families import RULES
from coremlc.passes.fuse.rule import Miss
from coremlc.passes.smart import SmartBuilder, rebuild

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """That a rule fired, or why it did not although a value begins like its pattern."""

    rule: str
    source: str
    """The user's line that built the value."""
    missed: str = ""

    def __str__(self) -> str:
        place = f" at {self.source}" if self.source else ""
        return f"{self.rule}{place}: {f'not fused: {self.missed}' if self.missed else 'fused'}"


class Fuser(SmartBuilder):
    """Adds a value as the op that it and its operands spell, if they do.

    What a value is made of was added before it, so patterns are made of raised ops already.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def inner(self) -> SmartBuilder:
        g = super().inner()
        assert isinstance(g, Fuser)
        g.notes = self.notes
        return g

    def emit(
        self, op: Op, operands: tuple[Value, ...], types: tuple[TensorType, ...]
    ) -> tuple[Value, ...]:
        for rule in RULES.get(type(op), ()):
            found = rule(self, op, operands, types[0])
            if found is None:
                continue
            missed = found.reason if isinstance(found, Miss) else ""
            self.notes.append(Note(rule.__name__, self.source, missed))
            if isinstance(found, Value):
                return (found,)
        return super().emit(op, operands, types)


def fuse(graph: Graph) -> Graph:
    """`graph` with primitives raised; what was fused, and what was not, is logged."""
    fused, notes = fuse_with_notes(graph)
    for note in notes:
        LOG.debug("%s", note)
    return fused


def fuse_with_notes(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """The fused graph, and each rule that fired or came close, in the order of the nodes."""
    g = Fuser()
    fused = graph.with_main(rebuild(graph.main, g))
    return fused, tuple(g.notes)
