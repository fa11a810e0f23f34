"""Bundles on disk: weights are read where they lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coremlc.bundle import read_bundle, write_mlmodelc
from coremlc.engine import load
from coremlc.mil.builder import Builder
from coremlc.mil.description import Feature, ModelDescription
from coremlc.mil.model import Model
from coremlc.mil.program import Program
from coremlc.mil.types import TensorType
from tests.engine.programs import agree

WIDTH, ROWS, LAYERS = 1024, 8192, 6
"""24 MB of matrices and a table of 32 MB."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    m = Builder("ios17")
    x = m.input("x", TensorType("fp32", (2, WIDTH)))
    ids = m.input("ids", TensorType("int32", (2,)))
    table = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    y = m.add(x=x, y=m.gather(x=table, indices=ids, axis=0))
    for _ in range(LAYERS):
        weight = (rng.normal(size=(WIDTH, WIDTH)) / 32).astype(np.float32)
        y = m.linear(x=y, weight=weight, bias=rng.normal(size=WIDTH).astype(np.float32))
    half = rng.normal(size=(WIDTH, 8)).astype(np.float16)
    z = m.matmul(x=m.cast(x=y, dtype="fp16"), y=half)
    function = m.finish([("y", y), ("z", z)])
    description = ModelDescription(
        (Feature("x", "fp32", (2, WIDTH)), Feature("ids", "int32", (2,))),
        (Feature("y", "fp32", (2, WIDTH)), Feature("z", "fp16", (2, 8))),
    )
    path = tmp_path_factory.mktemp("bundle") / "m.mlmodelc"
    write_mlmodelc(path, Model(Program({"main": function}), description, 8))
    return path


def features() -> dict[str, np.ndarray]:
    x = np.random.default_rng(1).normal(size=(2, WIDTH)).astype(np.float32)
    return {"x": x, "ids": np.array([3, ROWS - 1], np.int32)}


def test_both_engines_run_a_bundle(bundle: Path) -> None:
    results = []
    for engine in ("reference", "onnxruntime"):
        with load(bundle, engine=engine, threads=2) as executable:
            assert executable.engine == engine
            assert set(executable.inputs) == {"x", "ids"}
            results.append(executable.run(features()))
    agree(results[1]["y"], results[0]["y"], rtol=1e-4, atol=1e-4)
    agree(results[1]["z"], results[0]["z"], rtol=1e-2, atol=5e-2)


def test_a_read_bundle_is_taken_too(bundle: Path) -> None:
    with load(read_bundle(bundle), engine="auto", compute_units="cpu-only") as executable:
        assert executable.run(features())["y"].shape == (2, WIDTH)


PROBE = """
import json, sys
from pathlib import Path
from coremlc.engine import load
import coremlc.engine.ort.executable, coremlc.bundle
import numpy as np
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
before = anonymous()
executable = load(Path(sys.argv[1]), engine=sys.argv[2], threads=1)
executable.run({"x": np.ones((2, 1024), np.float32), "ids": np.zeros(2, np.int32)})
print(json.dumps(anonymous() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("engine", "limit"), [("reference", 12), ("onnxruntime", 24 * 1.35 + 12)])
def test_weights_are_not_copied(bundle: Path, engine: str, limit: float) -> None:
    """The table stays mapped; ONNX Runtime packs the matrices once, numpy not at all."""
    command = [sys.executable, "-c", PROBE, str(bundle), engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown = json.loads(done.stdout)
    assert grown < limit, f"{grown:.0f} MB of anonymous memory for 56 MB of weights"
