"""The judge that runs for go/harvest what GoMLX's Go backend can't."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harvest import sample
from coremlc import arrays as files

pytestmark = pytest.mark.xla


def test_a_question_is_answered_by_xla(tmp_path: Path, monkeypatch, capsys) -> None:
    from benchmarks.harvest import answer

    name = next(
        n for n in sample.names() if sample.unpack(n, tmp_path).origin["test"] == "TestMore"
    )
    case = sample.unpack(name, tmp_path)
    file = tmp_path / "arrays.npz"
    vector = case.vectors[0]
    files.write_npz(file, {n: x for n, x in vector.items() if n.startswith("in.")})
    question = json.dumps({"graph": str(case.path / "graph.pb"), "file": str(file)})
    wrong = json.dumps({"graph": str(tmp_path / "none" / "graph.pb"), "file": str(file)})
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{question}\n{wrong}\n"))
    answer.main()
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"judge": "xla"}
    assert "graph.pb" in json.loads(second)["error"]
    found = files.read_npz(file)
    assert found.keys() == vector.keys()
    for key, x in found.items():
        np.testing.assert_array_equal(x, vector[key])
