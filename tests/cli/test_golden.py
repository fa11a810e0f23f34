"""`coremlc golden`: as users have it in their CI; our own bundles are kept by it too."""

import json
import os
import shutil
from pathlib import Path

import pytest

from coremlc import goldens
from tests.cli.test_commands import as_json, invoke
from tests.golden import ROOT

OURS = ROOT / "bundles"


def test_our_bundles_are_as_recorded():
    """Fixtures in tests/golden/bundles; `make golden` writes them anew."""
    if os.environ.get("COREMLC_GOLDEN") == "write":
        goldens.write(OURS)
    report = goldens.check(OURS)
    assert report.ok, f"{report.table()}\n\nIf this is right: make golden"
    assert len(report.graphs) >= 2


@pytest.fixture
def room(tmp_path, fixtures):
    """A user's repository: models/, golden/."""
    shutil.copytree(fixtures / "einsum", tmp_path / "models" / "einsum")
    (tmp_path / "golden").mkdir()
    return tmp_path


def written(room):
    graph = room / "models" / "einsum" / "graph.pb"
    as_json("golden", "write", room / "golden", graph, "--target", "iOS16")
    return graph


def test_write_and_check(room):
    graph = written(room)
    golden = room / "golden" / "einsum.golden"
    assert sorted(f.name for f in golden.iterdir()) == ["golden.json", "metadata.json", "model.mil"]
    record = json.loads((golden / "golden.json").read_text())
    assert record["graph"] == "../../models/einsum/graph.pb"
    assert record["options"]["target"] == "iOS16"
    assert {"coremldata.bin", "model.mil", "analytics/coremldata.bin"} <= set(record["sha256"])

    report = as_json("golden", "check", room / "golden")
    assert report["ok"] is True
    assert [row["state"] for row in report["graphs"]] == ["same"]
    assert as_json("golden", "check", room / "golden", graph)["ok"] is True
    again = as_json("golden", "write", room / "golden")
    assert [row["state"] for row in again["graphs"]] == ["unchanged"]


def test_the_record_is_the_same_wherever_it_lies(room, tmp_path_factory):
    written(room)
    other = tmp_path_factory.mktemp("other") / "repository"
    shutil.move(room, other)
    assert as_json("golden", "check", other / "golden")["ok"] is True


def test_a_change_is_a_diff_and_an_exit_code(room):
    written(room)
    golden = room / "golden" / "einsum.golden"
    text = (golden / "model.mil").read_text()
    (golden / "model.mil").write_text(text.replace("func main<ios16>", "func main<ios15>"))
    result = invoke("golden", "check", room / "golden", code=4)
    lines = result.stdout.splitlines()
    assert lines[:2] == ["--- golden/einsum.golden/model.mil", "+++ now"]
    assert any(line.startswith("-    func main<ios15>") for line in lines)
    assert any(line.startswith("+    func main<ios16>") for line in lines)
    assert max(map(len, lines)) <= 200
    assert "coremlc golden write" in result.stderr

    assert as_json("golden", "write", room / "golden")["graphs"][0]["state"] == "written"
    assert as_json("golden", "check", room / "golden")["ok"] is True


def test_a_change_of_weights_alone_is_a_digest(room):
    written(room)
    record = room / "golden" / "einsum.golden" / "golden.json"
    content = json.loads(record.read_text())
    content["sha256"]["analytics/coremldata.bin"] = "0" * 64
    content["sha256"]["gone.bin"] = "1" * 64
    record.write_text(json.dumps(content))
    report = as_json("golden", "check", room / "golden", code=4)
    first, second = report["graphs"][0]["diff"].splitlines()
    assert first.startswith("einsum.golden/analytics/coremldata.bin: sha256 000000000000 -> ")
    assert second == "einsum.golden/gone.bin: sha256 111111111111 -> nothing"


def test_a_graph_without_golden_files_is_new(room):
    graph = room / "models" / "einsum" / "graph.pb"
    report = as_json("golden", "check", room / "golden", graph, code=4)
    assert [row["state"] for row in report["graphs"]] == ["new"]
    assert list((room / "golden").iterdir()) == []


def test_what_makes_no_sense(room):
    graph = room / "models" / "einsum" / "graph.pb"
    assert "holds no golden files" in invoke("golden", "check", room / "golden", code=2).stderr
    assert "mkdir -p" in invoke("golden", "check", room / "none", code=2).stderr
    twice = invoke("golden", "write", room / "golden", graph, graph, code=2).stderr
    assert "would be of two graphs" in twice
    (room / "golden" / "x.golden").mkdir()
    (room / "golden" / "x.golden" / "golden.json").write_text("[]")
    assert "no record of a golden" in invoke("golden", "check", room / "golden", code=1).stderr


def test_names(tmp_path):
    assert goldens._name(Path("a/b.pb")) == "b"
    assert goldens._name(Path("a/graph.pb")) == "a"
