"""Variables that were left parameters: `run` takes the values that they were saved with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from coremlc.cli import cli
from coremlc.frontend import graph_pb2
from tests.frontend.files import File

SAVED = np.array([2.0, -3.0], np.float32)


@pytest.fixture
def graph(tmp_path):
    """y = x * w, with w a variable of value SAVED."""
    file = File()
    x = file.input("x", "Float32", 2)
    w = file.input("/dense/w", "Float32", 2, role=graph_pb2.Parameter.VARIABLE)
    saved = file.main.parameters[1].default
    saved.shape.CopyFrom(file.main.parameters[1].value.shape)
    saved.inline = SAVED.tobytes()
    file.result(file.node("Mul", (x, w), "Float32", 2), "y")
    return file.save(tmp_path)


def run(*arguments):
    return CliRunner().invoke(cli, ["run", *map(str, arguments)])


def test_a_run_takes_the_saved_value(graph, tmp_path):
    np.save(tmp_path / "x.npy", np.array([5.0, 7.0], np.float32))
    out = tmp_path / "out.npz"
    result = run(graph, "-i", f"x={tmp_path / 'x.npy'}", "-o", out)
    assert result.exit_code == 0, result.output
    assert np.load(out)["y"].tolist() == [10.0, -21.0]


def test_a_given_value_wins(graph, tmp_path):
    np.savez(
        tmp_path / "in.npz", **{"x": np.ones(2, np.float32), "/dense/w": np.ones(2, np.float32)}
    )
    out = tmp_path / "out.npz"
    result = run(graph, "-i", tmp_path / "in.npz", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["outputs"][0]["name"] == "y"
    assert np.load(out)["y"].tolist() == [1.0, 1.0]


def test_an_input_without_a_saved_value_is_still_asked_for(graph):
    result = run(graph)
    assert result.exit_code == 1
    assert "input 'x' is missing" in result.output
