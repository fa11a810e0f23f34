import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from benchmarks.table import __main__ as table
from benchmarks.table import cases, contenders, handwritten, measure, report
from benchmarks.table.cases import FIXTURES, ROOT, Case
from coremlc.frontend import read


def timing(name: str, least: float, failure: str = "") -> dict:
    return {"name": name, "load_ms": 1, "n": 9, "min_ms": least, "p50_ms": 2 * least,
            "p90_ms": 3 * least, "failure": failure}  # fmt: skip


def row(name: str, *timings: dict, kind: str = "zoo", bar: float | None = 1.0, failure: str = ""):
    return {"name": name, "kind": kind, "bar": bar, "nodes": 3, "mil_ops": 2, "compile_ms": 5,
            "bundle_bytes": 2_000_000, "timings": timings, "failure": failure}  # fmt: skip


ROWS = [
    row("fast", timing("onnxruntime", 1), timing("xla", 4), timing("shipped", 1)),
    row("slow", timing("onnxruntime", 8), timing("xla", 4)),
    row("odd", timing("onnxruntime", 0, "TypeError: no"), timing("xla", 4)),
    row("broken", failure="error: it broke"),
]


def test_bars_list_what_is_missed_first():
    lines = report.bars(ROWS).splitlines()

    assert lines[0] == "## Bars: 2 of 4 met"
    assert [line.split(" | ")[0] for line in lines[4:]] == [
        "| slow", "| zoo, geometric mean", "| fast", "| fast",
    ]  # fmt: skip
    assert lines[4] == "| slow | XLA | 2.00 | 2.00 | 1.00 | **missed** |"
    assert lines[5] == "| zoo, geometric mean | XLA | 0.71 |  | 0.55 | **missed** |"


def test_what_fails_is_a_row_with_its_reason():
    lines = report.failures(ROWS).splitlines()

    assert lines[4:] == ["| broken |  | error: it broke |", "| odd | onnxruntime | TypeError: no |"]


def test_latencies_are_minimum_and_median():
    assert "| fast | 1 / 2 |  | 4 / 8 | 1 / 2 | 0.25 | 1.00 |  |" in report.latencies(ROWS)


def test_a_case_is_measured(monkeypatch: pytest.MonkeyPatch):
    def absent(*_: object) -> None:
        raise ImportError("no jax")

    monkeypatch.setattr(contenders, "of_xla", absent)
    monkeypatch.setattr(measure, "COMPILE_S", 0)

    found = measure.measure(Case("einsum", "fixture", FIXTURES / "einsum"), 0)

    told = {t.name: t.failure for t in found.timings}
    assert told == {"onnxruntime": "", "reference": "", "xla": "ImportError: no jax"}
    assert min(found.nodes, found.mil_ops, found.bundle_bytes, found.compile_ms) > 0
    assert all(t.min_ms > 0 for t in found.timings if not t.failure)


def test_who_answers_something_else_does_not_race():
    with pytest.raises(ValueError, match="'y' is not GoMLX's"):
        measure._judge({"y": np.float32([1, 2.1])}, {"y": np.float32([1, 2])})


def test_a_process_that_fails_is_a_row(tmp_path: Path):
    failed = table._measured(Case("absent", "zoo", tmp_path), 0)

    assert failed["failure"].startswith("ValueError")
    assert failed["timings"] == ()


def test_each_bar_is_of_a_benchmark():
    sources = "".join(p.read_text() for p in (ROOT / "go" / "cmd" / "bench").glob("*.go"))

    assert [name for name in cases.BARS if f'"{name}":' not in sources] == []


def test_the_plot_is_the_same_for_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("matplotlib", reason="of the extra report")
    from benchmarks.table import plot

    monkeypatch.setattr(plot, "RESULTS", tmp_path / "results.json")
    plot.write({"rows": ROWS})
    first = (tmp_path / "results.svg").read_bytes()
    plot.write({"rows": json.loads(json.dumps(ROWS))})

    assert (tmp_path / "results.svg").read_bytes() == first


@pytest.mark.go
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_a_handwritten_encoder_is_the_graph(tmp_path: Path):
    name = "encoder-6x16x384"
    command = ["go", "run", "./cmd/bench", "-out", tmp_path, name]
    subprocess.run(command, cwd=ROOT / "go", check=True)
    vectors = np.load(tmp_path / name / "vectors.npz")

    model = handwritten.encoder(read(tmp_path / name / "graph.pb"))
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": vectors["in.x"]})

    np.testing.assert_allclose(got, vectors["out.output0"], rtol=1e-5, atol=1e-5)
