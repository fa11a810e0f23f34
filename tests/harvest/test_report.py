"""The report of the harvest: what it counts, and that nothing fails without a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harvest import report as page
from benchmarks.harvest.__main__ import Log
from benchmarks.harvest.judge import ENGINES, Verdict
from benchmarks.harvest.variants import VARIANTS

FAILED = "ml/layers:TestBad"
SUITE = f"{page.COMPUTE}:TestCompute"


def verdicts(graph: str, **changes: str) -> list[Verdict]:
    """Of a graph that passes everywhere but on the engines that are named."""
    return [
        Verdict(graph, v, e, changes.get(e, "passed"), "gomlx", why="1 of 2 differ")
        for v in VARIANTS
        for e in (*ENGINES, "evaluate")
    ]


def harvest(found: list[Verdict], tests: Mapping[str, Any]) -> page.Harvest:
    names = {v.graph for v in found}
    origins = {name: {"package": page.COMPUTE, "test": "TestCompute"} for name in names}
    return page.Harvest(found, origins, tests, "Of today.")


@pytest.fixture
def reasons(monkeypatch, tmp_path):
    """The two lists of reasons, empty."""
    files = {name: tmp_path / f"{name}.json" for name in ("REASONS", "TESTS")}
    for name, path in files.items():
        path.write_text("{}")
        monkeypatch.setattr(page, name, path)
    return files


def test_cases_are_equal_when_all_their_graphs_pass(reasons) -> None:
    found = verdicts("a") + verdicts("b", onnxruntime="failed")
    cases = {"one": ["a"], "two": ["a", "b"], "three": []}
    text = page.report(harvest(found, {SUITE: {"result": "passed", "cases": cases}}))
    assert "1 of 2 graphs (50.0 %)" in text
    assert "3 cases, passed in Go; 2 of them build 2 graphs.\n1 of these 2 are equal" in text
    assert "Cases that are not equal: `two`." in text


def test_what_fails_without_a_reason_is_told(reasons) -> None:
    tests = {FAILED: {"result": "failed", "cases": {"TestBad": ["a"]}}}
    made = harvest(verdicts("a", reference="refused"), tests)
    assert made.unexplained() == ["a", FAILED]
    assert page.report(made).count(page.UNEXPLAINED) == 2
    reasons["REASONS"].write_text('{"a": "too deep"}')
    reasons["TESTS"].write_text(json.dumps({FAILED: {"kind": "slow", "why": "it never ends"}}))
    assert made.unexplained() == []
    text = page.report(made)
    assert page.UNEXPLAINED not in text
    assert "| a | TestCompute | refused | plain reference, free reference |" in text
    assert f"| {FAILED} | slow | 0 of 1 | it never ends |" in text


def test_numpy_s_rules_are_no_engine(reasons) -> None:
    assert harvest(verdicts("a", evaluate="failed"), {}).short() == []


def test_verdicts_are_kept_for_a_resumed_run(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    Log(path, resume=False).add(verdicts("a"))
    again = Log(path, resume=True)
    again.add(verdicts("b", reference="failed"))
    assert Log(path, resume=True).verdicts == verdicts("a") + verdicts("b", reference="failed")
    assert Log(path, resume=False).verdicts == []


def test_reasons_are_whole_sentences_of_known_kinds() -> None:
    for row in json.loads(page.TESTS.read_text()).values():
        assert row["kind"]
        assert row["why"]
        assert row.get("cure") in (None, *page.CURES)
