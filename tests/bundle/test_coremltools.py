"""coremltools as judge: what it writes is read and written again as it was."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from coremlc.bundle import compile_package, read_bundle, verify_bundle, write_mlpackage
from coremlc.mil.dialect import DIALECT
from coremlc.mil.model import model_to_bytes
from coremlc.mil.pb2 import classes
from tests.bundle.builds import files_of, only_the_program

MAKER = Path(__file__).with_name("make_packages.py")


def packages(directory, count):
    command = [sys.executable, str(MAKER), str(directory), str(count)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return sorted(directory.glob("*.mlpackage"))


def check(package):
    bundle = read_bundle(package)
    data = bundle.file.read_bytes()
    spec = classes().model.Model()
    spec.ParseFromString(data)
    ours = classes().model.Model()
    ours.ParseFromString(model_to_bytes(bundle.model))
    assert ours == spec, package
    assert verify_bundle(package) == []

    target = package.with_suffix(".mlmodelc")
    compile_package(package, target)
    assert verify_bundle(target) == []
    compiled = read_bundle(target)
    assert only_the_program(compiled, bundle.model) == only_the_program(bundle, bundle.model)
    assert compiled.description == replace(
        bundle.description, metadata=compiled.description.metadata
    )

    again = package.with_name(f"again-{package.name}")
    write_mlpackage(again, bundle.model, weights_root=bundle.weights_root)
    copied = read_bundle(again).model
    assert model_to_bytes(copied) == model_to_bytes(bundle.model)
    weights = "Data/com.apple.CoreML/weights/weight.bin"
    assert files_of(again).get(weights) == files_of(package).get(weights)


def test_packages_of_every_target(tmp_path):
    made = packages(tmp_path, 24)
    assert len(made) == 24 + 4 * 3 + 1
    for package in made:
        check(package)
    text = read_bundle(tmp_path / "loop-9.mlmodelc").text
    assert "\n                (int32 " in text
    assert "FlexibleShapeInformation" in read_bundle(tmp_path / "ranged-6.mlmodelc").text
    assert "(state<tensor<fp16, [1, 4]>>" in read_bundle(tmp_path / "state-9.mlmodelc").text


@pytest.mark.slow
def test_three_hundred_random_packages(tmp_path):
    for package in packages(tmp_path, 300):
        check(package)


NOT_BUILT = {"cond", "const", "read_state", "while_loop", "write_state"}
"""Ops that need more than inputs; the packages of control flow and states have them."""
OPS_MAKER = Path(__file__).with_name("make_ops.py")
SHARDS = 8


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_op_of_every_target(shard, tmp_path):
    """Its builder, our reader and writer, its reader: equal trees; its types are our types."""
    command = [sys.executable, str(OPS_MAKER), str(tmp_path), str(shard), str(SHARDS)]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["never"] == {}
    for package in sorted(tmp_path.glob("*.mlpackage")):
        check(package)


def test_the_ops_are_those_of_the_dialect():
    from tests.engine.test_ops import CASES, REFUSED

    assert {case.kind for case in CASES} | set(REFUSED) | NOT_BUILT | {
        "constexpr_lut_to_sparse",  # only of ios18, on constants: tests/engine, tests/mil
        "constexpr_sparse_blockwise_shift_scale",
    } == set(DIALECT)
