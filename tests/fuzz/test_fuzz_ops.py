"""The op fuzzer: a batch without a finding, cases made again from seeds, the record."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import record, run
from benchmarks.fuzz.case import KINDS, TURNS, of_seed
from benchmarks.fuzz.values import Operand
from coremlc import dtypes
from coremlc.ir.types import TensorType


@pytest.fixture(scope="module")
def tally() -> record.Tally:
    return run.fuzz(0, run.BATCH)


def test_a_batch_has_no_finding(tally: record.Tally) -> None:
    assert not tally.findings, tally.first
    assert run.BATCH < tally.cases <= run.BATCH * TURNS
    assert sum(tally.open.values()) < 0.01 * tally.elements


def test_a_seed_makes_its_case_again() -> None:
    a, b = of_seed(7), of_seed(7)
    assert repr(a) == repr(b)
    for x, y in zip(a.rounds[-1], b.rounds[-1], strict=True):
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    case = of_seed(1, kind)
    assert case.op.kind == kind
    assert [y.shape for y in case.expected(case.rounds[0])] == [r.shape for r in case.results]


def test_rounds_have_other_values_each() -> None:
    case = of_seed(1, "Add")
    assert len(case.rounds) > 1
    inputs = [b"".join(x.tobytes() for x in given) for given in case.rounds]
    assert len(set(inputs)) == len(inputs)
    assert len(of_seed(1, "Iota").rounds) == 1


def test_draws_reach_the_edges() -> None:
    """Ranks 0 to 7, empty tensors, NaN, infinities, -0, denormals, the ends of integers."""
    cases = [of_seed(seed) for seed in range(600)]
    types = [t for case in cases for t in (*case.types, *case.results)]
    assert {t.rank for t in types} == set(range(8))
    assert any(not t.size for t in types)
    floats = [Operand(TensorType(dtypes.F32, (99,)), 0, 1).array(turn) for turn in range(TURNS)]
    assert all(any(has(x) for x in floats) for has in _HAS)
    ints = [Operand(TensorType(dtypes.I64, (99,)), 0, 1).array(turn) for turn in range(TURNS)]
    assert (min(map(np.min, ints)), max(map(np.max, ints))) == dtypes.I64.limits


_HAS = (
    lambda x: np.isnan(x).any(),
    lambda x: np.isinf(x).any(),
    lambda x: (np.signbit(x) & (x == 0)).any(),
    lambda x: ((x != 0) & (np.abs(x) < np.finfo(np.float32).tiny)).any(),
)


def test_a_record_adds_up_and_is_read_again(tally: record.Tally, tmp_path: Path) -> None:
    whole = record.empty(0)
    record.add(whole, tally, run.BATCH, "abc")
    record.save(whole, tmp_path / "fuzz.json")
    again = json.loads((tmp_path / "fuzz.json").read_text())
    assert again == whole
    record.add(again, tally, run.BATCH, "def")
    assert again["cases"] == 2 * tally.cases
    assert again["commits"] == {"abc": tally.cases, "def": tally.cases}
    page = record.page(again)
    assert f"**{2 * tally.cases:,} cases, 0 differences**" in page
    assert "abc" in page
    assert "| cases with | bool |" in page
