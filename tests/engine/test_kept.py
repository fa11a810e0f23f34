"""Kept plans: used only where nothing has changed, and then to the same bits."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from coremlc.bundle import read_bundle, write_mlmodelc
from coremlc.compiler import compile_graph
from coremlc.engine import Options, Used, base, load
from coremlc.engine.ort.kept import NAME, Shelf
from coremlc.engine.ort.shadows import without_shadows
from coremlc.engine.ort.translate import planned
from coremlc.mil.builder import Builder
from coremlc.mil.description import Feature, ModelDescription
from coremlc.mil.model import Model
from coremlc.mil.program import Program
from coremlc.mil.types import TensorType
from coremlc.runner import RunOptions, given_inputs
from coremlc.runner import load as load_model
from tests.conftest import FIXTURES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle, made once: products and a softmax, which one session does."""
    rng = np.random.default_rng(0)
    m = Builder("ios18")
    y = m.input("x", TensorType("fp32", (2, 64)))
    for _ in range(2):
        weight = rng.normal(size=(64, 64)).astype(np.float32)
        y = m.linear(x=y, weight=weight, bias=np.zeros(64, np.float32))
    function = m.finish([("y", m.softmax(x=y, axis=-1))])
    description = ModelDescription(
        (Feature("x", "fp32", (2, 64)),), (Feature("y", "fp32", (2, 64)),)
    )
    path = tmp_path_factory.mktemp("made") / "model.mlmodelc"
    write_mlmodelc(path, Model(Program({"main": function}), description, 9))
    return path


@pytest.fixture
def bundle(made, tmp_path):
    """A copy that is older than a tick of the clock, and whose plan is kept."""
    path = tmp_path / "model.mlmodelc"
    shutil.copytree(made, path)
    time.sleep(0.06)
    load(path, local=tmp_path / "local").close()
    assert kept(path) is not None
    return path


def kept(bundle):
    """The executable of the plan that is kept of a bundle, if it may be used."""
    return Shelf.of(bundle, bundle.parent / "local").load(Options(), Used("cpu-only"))


def plan_of(bundle):
    return bundle.parent / "local" / NAME


def answer(executable):
    """What it makes of some numbers, as bytes."""
    x = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
    with executable:
        return executable.run({"x": x})["y"].tobytes()


def change(bundle, edit):
    """Edit the head of the plan that is kept, and seal it again."""
    _, head, onnx = plan_of(bundle).read_bytes().split(b"\n", 2)
    content = json.loads(head)
    edit(content)
    rest = json.dumps(content).encode() + b"\n" + onnx
    seal = hashlib.sha256(rest).hexdigest().encode()
    plan_of(bundle).write_bytes(b"coremlc-plan " + seal + b"\n" + rest)


def test_it_gives_the_same_bits(bundle):
    with kept(bundle) as executable:
        assert answer(executable) == answer(load(bundle))


def test_it_is_what_a_load_uses(bundle):
    def edit(content):
        content["inputs"]["renamed"] = content["inputs"].pop("x")

    change(bundle, edit)
    with load(bundle, local=bundle.parent / "local") as executable:
        assert list(executable.inputs) == ["renamed"]


@pytest.mark.parametrize(
    "name", ["digits", "einsum", "g2p", "lstm", "silero", "spectrum", "tables"]
)
def test_fixtures_give_the_same_bits(name):
    found = Path(compile_graph(FIXTURES / name / "graph.pb").bundle)
    time.sleep(0.06)
    outputs = []
    for _ in range(2):
        with load_model(found) as model:
            made = model(given_inputs(model.signature, RunOptions(random=0)))
        outputs.append({name: (y.dtype, y.shape, y.tobytes()) for name, y in made.items()})
        if plan_of(found).exists():  # else it runs in parts
            assert kept(found) is not None
    assert outputs[0] == outputs[1]


def test_a_name_that_a_branch_has_too_is_made_its_own():
    """ONNX Runtime's passes make such models of a convolution beside one in a branch."""

    def node(kind, inputs, output, **attributes):
        return helper.make_node(kind, inputs, [output], **attributes)

    def value(name, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, [2])

    def model(inner):
        less = helper.make_graph(
            [node("Neg", ["a"], inner), node("Add", [inner, "a"], "less")], "g", [], [value("less")]
        )
        more = helper.make_graph([node("Abs", ["a"], "more")], "h", [], [value("more")])
        nodes = [
            node("Exp", ["x"], "a"),
            node("Abs", ["a"], "reorder"),
            node("If", ["b"], "y", then_branch=less, else_branch=more),
        ]
        graph = helper.make_graph(
            nodes, "f", [value("x"), helper.make_tensor_value_info("b", TensorProto.BOOL, [])],
            [value("y")],
        )  # fmt: skip
        return helper.make_model(graph).SerializeToString()

    assert without_shadows(model("own")) == model("own")
    assert without_shadows(model("reorder")) == model("reorder'")


def touch(bundle):
    os.utime(bundle / "model.mil")


def same_size_and_time(bundle):
    file = next((bundle / "weights").iterdir())
    was, data = file.stat(), bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def more(bundle):
    (bundle / "more").write_bytes(b"")


def less(bundle):
    (bundle / "metadata.json").unlink()


def another(bundle):
    copy = bundle.with_name("copy")
    shutil.copytree(bundle, copy)
    shutil.rmtree(bundle)
    copy.rename(bundle)


@pytest.mark.parametrize("how", [touch, same_size_and_time, more, less, another])
def test_it_is_not_used_when_the_bundle_changed(bundle, how):
    how(bundle)
    assert kept(bundle) is None


def test_a_bundle_that_changes_while_it_is_read_keeps_nothing_usable(made, tmp_path):
    bundle = tmp_path / "model.mlmodelc"
    shutil.copytree(made, bundle)
    time.sleep(0.06)
    shelf = Shelf.of(bundle, tmp_path / "local")
    touch(bundle)
    content = read_bundle(bundle)
    function = base.Model(content.program.functions["main"], content.array, bundle)
    shelf.keep(planned(function), Options(), Used("cpu-only")).close()
    assert plan_of(bundle).exists()
    assert kept(bundle) is None


def test_a_plan_kept_in_the_tick_of_the_bundles_change_is_not_used(made, tmp_path):
    bundle = tmp_path / "model.mlmodelc"
    shutil.copytree(made, bundle)
    local = tmp_path / "local"
    load(bundle, local=local).close()
    noted = plan_of(bundle).stat()
    os.utime(plan_of(bundle), ns=(0, (bundle / "model.mil").stat().st_ctime_ns + 10**6))
    assert noted.st_size
    assert kept(bundle) is None


@pytest.mark.parametrize("part", ["versions", "code", "fuses", "cpu", "bundle"])
def test_it_is_not_used_when_what_it_was_made_of_differs(bundle, part):
    def edit(content):
        content["made_of"][part] = "another"

    change(bundle, edit)
    assert kept(bundle) is None
    load(bundle, local=bundle.parent / "local").close()
    assert kept(bundle) is not None, "it is made anew"


@pytest.mark.parametrize("place", [0, 20, 100, 1000, -1])
def test_a_flipped_bit_anywhere_is_seen(bundle, place):
    data = bytearray(plan_of(bundle).read_bytes())
    data[place] ^= 4
    plan_of(bundle).write_bytes(data)
    assert kept(bundle) is None
    assert answer(load(bundle, local=bundle.parent / "local"))
    assert kept(bundle) is not None, "it is made anew"


@pytest.mark.parametrize("size", [0, 1, 50, 2000])
def test_a_file_cut_short_is_not_used(bundle, size):
    os.truncate(plan_of(bundle), size)
    assert kept(bundle) is None


@pytest.mark.parametrize("missing", ["made_of", "inputs", "states", "one_thread"])
def test_a_sealed_file_that_lacks_something_is_not_used(bundle, missing):
    change(bundle, lambda content: content.pop(missing))
    assert kept(bundle) is None


def test_a_model_that_does_not_load_is_as_if_it_were_not_there(bundle):
    _, head, onnx = plan_of(bundle).read_bytes().split(b"\n", 2)
    rest = head + b"\n" + onnx[: len(onnx) // 2]
    seal = hashlib.sha256(rest).hexdigest().encode()
    plan_of(bundle).write_bytes(b"coremlc-plan " + seal + b"\n" + rest)
    assert kept(bundle) is None
    assert answer(load(bundle, local=bundle.parent / "local"))


def test_what_is_too_large_is_not_kept(bundle, monkeypatch):
    plan_of(bundle).unlink()
    monkeypatch.setattr("coremlc.engine.ort.kept.MAX_BYTES", 10)
    for _ in range(2):
        assert answer(load(bundle, local=bundle.parent / "local"))
        assert kept(bundle) is None
    assert plan_of(bundle).stat().st_size < 10_000


def test_a_directory_that_can_not_be_written_is_no_obstacle(bundle):
    for local in (bundle.parent / "not" / "there", bundle / "model.mil"):
        assert answer(load(bundle, local=local))


def test_no_scratch_is_left(bundle):
    assert os.listdir(bundle.parent / "local") == [NAME]


def test_a_bundle_outside_of_the_cache_keeps_nothing(made, tmp_path):
    bundle = tmp_path / "model.mlmodelc"
    shutil.copytree(made, bundle)
    load_model(bundle).close()
    assert os.listdir(tmp_path) == ["model.mlmodelc"]


RUN = """
import sys
from pathlib import Path
import numpy as np
from coremlc.engine import load
x = np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)
for _ in range(2):
    with load(Path(sys.argv[1]), local=Path(sys.argv[2])) as executable:
        print(executable.run({"x": x})["y"].tobytes().hex())
"""


def test_several_processes_at_once(bundle):
    plan_of(bundle).unlink()
    command = [sys.executable, "-c", RUN, bundle, bundle.parent / "local"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = "".join(process.communicate()[0] for process in running).split()
    assert answers == [answer(load(bundle)).hex()] * 6
    assert kept(bundle) is not None
    assert os.listdir(bundle.parent / "local") == [NAME]
