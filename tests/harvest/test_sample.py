"""Graphs of GoMLX's own tests give on both engines what GoMLX computed (fixtures/harvest)."""

from __future__ import annotations

import json

import pytest

from benchmarks.harvest import sample
from benchmarks.harvest.judge import judge

EXPECTED = json.loads(sample.EXPECTED.read_text())


@pytest.mark.parametrize("name", sample.names())
def test_harvested_graph(name: str, tmp_path) -> None:
    found = sample.shortfalls(judge(sample.unpack(name, tmp_path)))
    listed = EXPECTED.get(name, {})
    fresh = {case: why for case, why in found.items() if case not in listed}
    assert not fresh, fresh
    done = sorted(listed.keys() - found.keys())
    assert not done, f"{done} pass now: take them out of {sample.EXPECTED}"
    silent = {c: why for c, why in found.items() if why.startswith("failed")}
    wrong = {c for c in silent if listed[c].startswith("refused")}
    assert not wrong, f"what was refused is wrong now: {silent}"


def test_expectations_are_of_the_sample() -> None:
    assert EXPECTED.keys() <= set(sample.names())


def test_sample_is_small() -> None:
    assert sample.SAMPLE.stat().st_size < 3_000_000
