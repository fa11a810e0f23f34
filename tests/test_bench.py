"""bench: what a report holds, and that it holds together. How fast it is, no test asks."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from coremlc.cli import cli


def bench(*arguments):
    return CliRunner().invoke(cli, ["bench", *map(str, arguments), "--duration", "0.02"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The report of one model on two engines."""
    path = tmp_path_factory.mktemp("bench") / "old.json"
    graph = "fixtures/digits/graph.pb"
    done = bench(graph, "--engine", "onnxruntime", "--engine", "reference", "--save", path)
    assert done.exit_code == 0, done.output
    return path


def test_runs_and_ratios(saved):
    report = json.loads(saved.read_text())
    assert [run["engine"] for run in report["runs"]] == ["onnxruntime", "reference"]
    for run in report["runs"]:
        latency = run["latency_ms"]
        assert latency["n"] >= 5
        assert 0 < latency["min"] <= latency["p50"] <= latency["p99"] <= latency["max"]
        assert run["per_second"] == pytest.approx(1e3 / latency["mean"])
        assert run["peak_rss_mb"] > 10
    engine, oracle = (run["peak_rss_mb"] for run in report["runs"])
    assert engine > oracle + 5  # a process of its own: only one of them loads ONNX Runtime
    (ratio,) = report["ratios"]
    medians = [run["latency_ms"]["p50"] for run in report["runs"]]
    assert ratio["p50_ratio"] == pytest.approx(medians[1] / medians[0])
    assert (ratio["engine"], ratio["against"]) == ("reference", "onnxruntime")


def test_compare_with_an_earlier_report(saved):
    done = bench("fixtures/digits/graph.pb", "--engine", "reference", "--compare", saved, "--json")
    (ratio,) = json.loads(done.stdout)["ratios"]
    assert (ratio["engine"], ratio["against"]) == ("reference", "old.json")


def test_a_table_for_people(saved):
    done = bench("fixtures/digits/graph.pb")
    assert done.exit_code == 0, done.output
    assert "onnxruntime" in done.stdout
    assert "p50" in done.stdout


def test_bad_reports_and_frameworks(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    done = bench("fixtures/digits/graph.pb", "--compare", bad)
    assert done.exit_code == 1
    assert "no bench report" in done.output
    done = bench("fixtures/digits/graph.pb", "--compare", tmp_path / "none.json")
    assert done.exit_code == 2
    done = bench("fixtures/digits/graph.pb", "--against", "xla")
    assert done.exit_code == 2
    assert "not built yet" in done.output
