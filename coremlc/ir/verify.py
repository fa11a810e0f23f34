"""What must hold of a Graph: always (`check`), and before it lowers (`refusals`)."""

from __future__ import annotations

from coremlc.dtypes import ALL
from coremlc.errors import CoremlcError, RefusedError
from coremlc.ir.graph import Function, Graph, Value, infer, walk, where
from coremlc.ir.types import MAX_RANK

LOWERABLE = frozenset(dtype for dtype in ALL if dtype.mil)
"""Dtypes that MIL has at run time."""


def check(graph: Graph) -> None:
    """Assert that values are defined before use and have the types that their ops give."""
    assert len(graph.inputs) == len(graph.main.parameters)
    assert len(graph.outputs) == len(graph.main.results)
    _check(graph.main, frozenset())


def _check(function: Function, outer: frozenset[Value]) -> None:
    defined = set(outer) | set(function.parameters)
    for node in function.nodes:
        missing = [o for o in node.operands if o not in defined]
        assert not missing, f"{node.op} uses a value before it is defined"
        types = tuple(r.type for r in node.results)
        assert infer(node.op, node.operands) == types, f"{node.op} does not give {types}"
        for body in node.op.bodies:
            _check(body, frozenset(defined))
        defined.update(node.results)
    assert all(r in defined for r in function.results), "a result is not defined"


def refusals(graph: Graph) -> list[CoremlcError]:
    """What of a legalized, decomposed graph has no MIL form, each with its place."""
    found: list[CoremlcError] = []
    for node in walk(graph.main):
        place = where(node)
        if node.op.lower is None:
            reason = node.op.refused or "it has no lowering"
            found.append(RefusedError(f"{node.op.kind}: {reason}", fix="avoid it", where=place))
        for result in node.results:
            t = result.type
            if t.dtype not in LOWERABLE:
                what = f"{t}: Core ML does not compute in {t.dtype.name}"
                found.append(RefusedError(what, fix="use Int32, Float32 or Bool", where=place))
            if t.rank > MAX_RANK:
                what = f"{t} has rank {t.rank}, Core ML stops at {MAX_RANK}"
                found.append(RefusedError(what, fix="merge axes before", where=place))
    return found
