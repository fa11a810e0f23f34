"""What inputs a command takes: shapes, dtypes, ranges and named axes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from coremlc.cli import cli
from tests.frontend.files import File, adding

INPUTS = {
    "a wrong shape": ({"x": np.zeros((3, 2), np.float32)}, "[3, 2]", "f32[2,3]"),
    "a wrong dtype": ({"x": np.zeros((2, 3), np.float64)}, "float64", "f32[2,3]"),
    "a wrong rank": ({"x": np.zeros(6, np.float32)}, "[6]", "f32[2,3]"),
    "a wrong name": ({"X": np.zeros((2, 3), np.float32)}, "'X'", "'x' f32[2,3]"),
    "one too many": (
        {"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, "no input 'z'", "give 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INPUTS)
def test_wrong_inputs(case, tmp_path):
    arrays, found, wanted = INPUTS[case]
    path = adding().save(tmp_path)
    np.savez(tmp_path / "in.npz", **arrays)
    result = CliRunner().invoke(cli, ["run", str(path), "-i", str(tmp_path / "in.npz")])
    assert result.exit_code == 1, result.stderr
    assert found in result.stderr
    assert wanted in result.stderr
    assert "fix:" in result.stderr
    assert "Traceback" not in result.stderr


def test_integers_beyond_the_stated_range_are_refused(tmp_path):
    file = File()
    ids = file.input("ids", "Int64", 3)
    file.result(file.node("Mul", (ids, ids), "Int64", 3))
    path = file.save(tmp_path)
    assume = ["--assume", "ids=0..46340"]
    for values, code in (([0, 3, 46340], 0), ([0, 3, 46341], 1), ([-1, 0, 0], 1)):
        np.save(tmp_path / "ids.npy", np.int64(values))
        args = ["run", str(path), *assume, "-i", f"ids={tmp_path / 'ids.npy'}"]
        result = CliRunner().invoke(cli, [*args, "-o", str(tmp_path / "out.npz")])
        assert result.exit_code == code, result.stderr
        assert code == 0 or "0..46340" in result.stderr
    with np.load(tmp_path / "out.npz") as out:
        assert out["y"].dtype == np.int64
        assert out["y"].tolist() == [0, 9, 46340**2]


def test_named_axes_on_the_command_line(tmp_path):
    file = File()
    file.pb.axes.add(name="batch", min=1, max=8)
    x = file.input("x", "Float32", "batch", 2)
    file.result(file.node("Neg", (x,), "Float32", "batch", 2))
    path = file.save(tmp_path)
    result = CliRunner().invoke(cli, ["compile", str(path)])
    assert result.exit_code == 2
    assert "--dim batch=N" in result.stderr
    for size in (1, 8):
        args = ["run", str(path), "--dim", f"batch={size}", "--random", "0", "--json"]
        result = CliRunner().invoke(cli, args)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["outputs"][0]["shape"] == [size, 2]
    result = CliRunner().invoke(cli, ["compile", str(path), "--dim", "batch=9"])
    assert result.exit_code == 2
    assert "use 1..8" in result.stderr
