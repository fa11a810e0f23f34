"""Rows of the table of ops, by asking the ops and compiling their plainest samples."""

from __future__ import annotations

import dataclasses
import inspect
import json
from functools import cache

from coremlc import targets
from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import ALL, BY_SHORT
from coremlc.errors import CoremlcError, RefusalsError, ShapeError
from coremlc.ir.graph import Function, Graph
from coremlc.ir.op import REGISTRY, Exactness, Op
from coremlc.ops.refused import REFUSED
from coremlc.ops_table import FLOAT8, Group, OpRefusal, OpRow
from tests.ops.plain import by_kind, in_dtype
from tests.ops.refusals import CASES
from tests.ops.samples import graph_of

KINDS = sorted([*(kind for kind, op in REGISTRY.items() if op.gomlx), *REFUSED])


def table() -> str:
    """ops_table.json, an op a line."""
    rows = [json.dumps(dataclasses.asdict(row(kind)), ensure_ascii=False) for kind in KINDS]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def row(kind: str) -> OpRow:
    """All that the table tells of an op."""
    if kind in REFUSED:
        return OpRow(kind, "declined", "", REFUSED[kind], _group(kind))
    op = REGISTRY[kind]
    plainest = graph_of(by_kind()[kind][0])[0]
    found = by_dtype(kind)
    refused = [(short, e) for short, e in found.items() if e and not isinstance(e, ShapeError)]
    refused = [(short, e) for short, e in refused if BY_SHORT[short] not in FLOAT8]
    refused += [(case.case, refusal(case.graph())) for case in CASES if case.op.kind == kind]
    return OpRow(
        name=kind,
        how="lowered" if op.lower is not None else "decomposed",
        meaning=(inspect.getdoc(op) or "").split("\n", 1)[0],
        group=_group(kind),
        dtypes=tuple(short for short, error in found.items() if error is None),
        exactness=_exactness(op),
        targets=_targets(plainest),
        mil_ops=build_model(plainest, Recipe()).info["mil_ops"],
        refusals=tuple(OpRefusal(case, error.what, error.fix) for case, error in refused if error),
    )


@cache
def by_dtype(kind: str) -> dict[str, CoremlcError | None]:
    """What speaks against an op in each dtype: its contract (ShapeError), its form, or nothing."""
    found: dict[str, CoremlcError | None] = {}
    for dtype in ALL:
        try:
            sample = in_dtype(kind, dtype)
        except ShapeError as error:
            found[dtype.short] = error
        else:
            found[dtype.short] = refusal(graph_of(sample)[0])
    return found


def refusal(graph: Graph, target: str = targets.DEFAULT.name) -> CoremlcError | None:
    """The first reason for which a graph does not compile."""
    try:
        build_model(graph, Recipe(targets.get(target)))
    except RefusalsError as error:
        return error.refusals[0]
    except CoremlcError as error:
        return error
    return None


def _targets(graph: Graph) -> tuple[str, ...]:
    """The oldest that takes it, and all after: test_samples.py proves that none takes back."""
    names = [*targets.BY_NAME]
    while names and refusal(graph, names[0]) is not None:
        names.pop(0)
    return tuple(names)


def _exactness(op: type[Op]) -> str:
    """Results that are no floats are exact, whatever the op says."""
    results = [sample.op.infer(*sample.types) for sample in by_kind()[op.kind]]
    types = [t for r in results for t in (r if isinstance(r, tuple) else (r,))]
    if any(t.dtype.is_float or t.dtype.is_complex for t in types):
        return op.exactness.value
    return Exactness.EXACT.value


def _group(kind: str) -> Group:
    """The interface of GoMLX that has the op."""
    if kind.startswith(("Fused", "Quantized")):
        return "fused"
    if kind == "AllReduce":
        return "collective"
    if kind == "Constant":
        return "leaf"
    bodies = [f for f in dataclasses.fields(REGISTRY[kind]) if f.type == Function.__name__]  # type: ignore[arg-type]
    return "control" if bodies else "standard"
