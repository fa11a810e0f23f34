"""bench: what a report holds, and that it holds together. How fast it is, no test asks."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

import coremlc.baseline
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
        assert 0 < run["per_second"] <= 1e3 / latency["mean"]
        assert len(run["rounds_p50_ms"]) == 5
        assert run["peak_rss_mb"] > 10
    engine, oracle = (run["peak_rss_mb"] for run in report["runs"])
    assert engine > oracle + 5  # a process of its own: only one of them loads ONNX Runtime
    (ratio,) = report["ratios"]
    medians = [run["latency_ms"]["p50"] for run in report["runs"]]
    assert ratio["p50_ratio"] == pytest.approx(medians[1] / medians[0])
    least = [run["latency_ms"]["min"] for run in report["runs"]]
    assert ratio["min_ratio"] == pytest.approx(least[1] / least[0])
    rounds = zip(*(run["rounds_p50_ms"] for run in report["runs"]), strict=True)
    assert ratio["spread"][0] == pytest.approx(min(b / a for a, b in rounds))
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


def test_bad_reports_and_plots(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    done = bench("fixtures/digits/graph.pb", "--compare", bad)
    assert done.exit_code == 1
    assert "no bench report" in done.output
    done = bench("fixtures/digits/graph.pb", "--compare", tmp_path / "none.json")
    assert done.exit_code == 2
    done = bench("fixtures/digits/graph.pb", "--plot", tmp_path / "plot.txt")
    assert done.exit_code == 2
    assert "*.svg" in done.output


def test_xla_takes_graphs_only(tmp_path):
    done = bench(tmp_path, "--against", "xla")
    assert done.exit_code == 2
    assert "is no graph.pb" in done.output
    assert "drop --against xla" in done.output


@pytest.mark.parametrize("option", [("--against", "xla"), ("--plot", "out.svg")])
def test_what_an_option_needs_is_named(option, monkeypatch):
    for library in ("jax", "matplotlib"):
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "coremlc.baseline.xla", raising=False)
    monkeypatch.delattr(coremlc.baseline, "xla", raising=False)
    done = bench("fixtures/digits/graph.pb", *option)
    assert done.exit_code == 3
    assert "is not installed" in done.output
    assert "pip install 'coremlc[" in done.output


def test_several_callers():
    done = bench("fixtures/digits/graph.pb", "--concurrency", 3, "--threads", 1, "--json")
    report = json.loads(done.stdout)
    assert (report["threads"], report["concurrency"]) == (1, 3)
    (run,) = report["runs"]
    assert run["latency_ms"]["n"] >= 15  # each caller, in each round
    assert 0 < run["per_second"] <= 3e3 / run["latency_ms"]["mean"]


@pytest.mark.xla
def test_against_xla(tmp_path):
    picture = tmp_path / "plot.svg"
    options = ("--engine", "onnxruntime", "--engine", "reference", "--plot", picture, "--json")
    done = bench("fixtures/digits/graph.pb", "--against", "xla", *options)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [run["engine"] for run in report["runs"]] == ["onnxruntime", "reference", "xla"]
    assert "jax" in report["machine"]["libraries"]
    xla = report["runs"][-1]
    assert xla["load_ms"] > 10
    assert xla["peak_rss_mb"] > 50
    told = [(r["engine"], r["against"]) for r in report["ratios"]]
    assert told == [("reference", "onnxruntime"), ("onnxruntime", "xla"), ("reference", "xla")]
    assert "<svg" in picture.read_text()
