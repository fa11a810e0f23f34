"""`coremlc ops` and docs/ops.md say what is so."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import coremlc
from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import BY_SHORT
from coremlc.engine.base import load_program
from coremlc.errors import ShapeError
from coremlc.ops.refused import REFUSED
from coremlc.ops_table import for_target, ops_report, read
from coremlc.signature import KEY, Signature
from tests.ops import survey
from tests.ops.plain import in_dtype
from tests.ops.refusals import CASES, Refused
from tests.ops.samples import Sample, graph_of
from tests.ops.test_samples import ENGINES, agree

ROWS = {row.name: row for row in read()}
OPS = [row for row in ROWS.values() if row.how != "declined"]


def test_every_op_has_its_row():
    assert list(ROWS) == survey.KINDS


@pytest.mark.parametrize("kind", survey.KINDS)
def test_a_row_is_what_the_op_says_and_the_compiler_does(kind: str) -> None:
    """Dtypes that are not listed are refused with a place, which of ShapeErrors the reader adds."""
    assert ROWS[kind] == survey.row(kind), "make docs"
    for error in survey.by_dtype(kind).values() if kind not in REFUSED else ():
        assert error is None or error.fix
        assert error is None or isinstance(error, ShapeError) or error.where


def _few() -> list[tuple[str, str]]:
    """A dtype of each op, all dtypes in turn."""
    return [(row.name, row.dtypes[i % len(row.dtypes)]) for i, row in enumerate(OPS)]


@pytest.mark.parametrize(("kind", "short"), _few())
def test_an_op_runs_in_the_dtypes_that_are_listed(kind: str, short: str) -> None:
    run_on_both(in_dtype(kind, BY_SHORT[short]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [row.name for row in OPS])
def test_an_op_runs_in_every_dtype_that_is_listed(kind: str) -> None:
    for short in ROWS[kind].dtypes:
        run_on_both(in_dtype(kind, BY_SHORT[short]))


def run_on_both(sample: Sample) -> None:
    """Compile it, and compare both engines with the oracle."""
    graph, given = graph_of(sample)
    model = build_model(graph, Recipe()).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    for engine in ENGINES:
        with load_program(model.program, engine=engine) as executable:
            out = signature.decode(executable.run(signature.encode(given)))
        agree(sample, list(out.values()))


def test_every_op_of_gomlx_is_there() -> None:
    """The counts of GoMLX's interfaces; only what the recorder declines is not compiled."""
    assert Counter(row.group for row in ROWS.values()) == {
        "standard": 102, "control": 4, "fused": 9, "collective": 1, "leaf": 1,
    }  # fmt: skip
    assert [row.name for row in ROWS.values() if row not in OPS] == [*REFUSED]
    told = "102 of 102 standard, 4 of 4 control, 8 of 9 fused, 1 of 1 collective, 1 of 1 leaf"
    assert ops_report().summary.startswith(told)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op.kind}-{case.case}")
def test_a_case_is_refused_with_place_and_fix(case: Refused) -> None:
    error = survey.refusal(case.graph())
    assert error is not None
    assert error.where
    assert error.fix


def refusals_in_the_code() -> Iterator[tuple[str, str]]:
    """(place, pattern of the message) of each RefusedError that ops and words raise."""
    root = Path(coremlc.__file__).parent
    for path in sorted([*root.glob("ops/*.py"), *root.glob("passes/words/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RefusedError":
                yield f"{path.name}:{node.lineno}", _pattern(node.args[0])


def _pattern(message: ast.expr) -> str:
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    return "".join(
        re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in parts
    )


UNREACHED = {r".*\ of\ .*:\ it\ has\ no\ form\ for\ integers\ beyond\ int32"}
"""Of ops to come: all that take integers have a form on words."""


def test_the_table_tells_every_refusal_of_the_code() -> None:
    told = [refusal.what for row in ROWS.values() for refusal in row.refusals]
    untold = [
        place
        for place, pattern in refusals_in_the_code()
        if pattern not in UNREACHED and not any(re.fullmatch(pattern, what) for what in told)
    ]
    assert not untold


def test_a_target_that_lacks_an_op_is_told() -> None:
    row = replace(ROWS["Add"], targets=("iOS18", "iOS26"))
    assert for_target(row, "ios18") == row
    assert for_target(row, "iOS17").how == "refused"
    assert for_target(row, "iOS17").reason == "it needs iOS18"
