"""Verify: engines that agree, and a fault that is put in, found at its node."""

import errno
from dataclasses import replace

import numpy as np
import pytest

from coremlc import verification
from coremlc.arrays import read_npz
from coremlc.engine.reference.registry import KERNELS
from coremlc.errors import MachineError, UsageError
from coremlc.frontend import extract_node, read
from coremlc.ir import evaluate
from coremlc.locate import compile_model
from coremlc.runner import EngineOptions
from coremlc.verification import VerifyOptions, verify_model
from tests.conftest import FIXTURES
from tests.frontend.files import File

REFERENCE = EngineOptions("reference")
GRAPH = FIXTURES / "silero" / "graph.pb"


@pytest.fixture
def wrong_tanh(monkeypatch):
    """A reference engine whose tanh is 1 % too large."""
    scale(monkeypatch, "tanh", 1.01)


def scale(monkeypatch, kind, factor):
    """Make the reference engine's kernel of an op wrong."""
    right = KERNELS[kind]
    wrong = replace(right, call=lambda **inputs: right.call(**inputs) * np.float32(factor))
    monkeypatch.setitem(KERNELS, kind, wrong)


@pytest.mark.parametrize("engine", ["reference", "onnxruntime"])
@pytest.mark.parametrize("name", ["digits", "spectrum", "tables", "g2p"])
def test_engines_compute_what_the_ops_mean(name, engine):
    how = VerifyOptions(vectors=FIXTURES / name / "vectors.npz")
    report = verify_model(str(FIXTURES / name / "graph.pb"), how, EngineOptions(engine))
    assert report.ok
    assert (report.engine, report.against, report.first) == (engine, "oracle", None)


def test_without_vectors_inputs_are_random():
    report = verify_model(str(GRAPH), VerifyOptions(), REFERENCE)
    assert report.ok
    assert report.outputs[0].max_abs > 0  # it did compare two computations


def test_the_first_node_that_differs_is_found(wrong_tanh, tmp_path):
    report = verify_model(str(GRAPH), VerifyOptions(bisect=tmp_path / "first"), REFERENCE)
    first = report.first
    assert not report.ok
    assert (first.op, first.source, first.alone) == ("Tanh", "silero.onnx", True)
    small = read(tmp_path / "first" / "graph.pb")
    assert [node.op.kind for node in small.main.nodes] == ["Tanh"]


def test_the_small_graph_shows_the_fault_again(wrong_tanh, tmp_path):
    verify_model(str(GRAPH), VerifyOptions(bisect=tmp_path), REFERENCE)
    report = verify_model(
        str(tmp_path / "graph.pb"), VerifyOptions(vectors=tmp_path / "vectors.npz"), REFERENCE
    )
    assert not report.ok
    healthy = EngineOptions("onnxruntime")
    assert verify_model(str(tmp_path / "graph.pb"), VerifyOptions(), healthy).ok


def test_a_difference_that_is_not_there_where_all_values_are_kept(monkeypatch, tmp_path):
    """As when nodes are compiled together: each value is looked at as the only output."""
    file = File()
    x = file.input("x", "Float32", 3)
    y = x
    for kind in ("Exp", "Sqrt", "Neg", "Tanh", "Abs"):
        y = file.node(kind, (y,), "Float32", 3)
    file.result(y)
    scale(monkeypatch, "tanh", 1.01)
    monkeypatch.setattr(verification._Bisection, "_apart", lambda self: iter(()))
    path = file.save(tmp_path)
    report = verify_model(str(path), VerifyOptions(bisect=tmp_path / "first"), REFERENCE)
    assert (report.first.op, report.first.source) == ("Tanh", "model.go:4")


def test_tolerance_is_relative_to_the_largest_number(wrong_tanh):
    assert verify_model(str(GRAPH), VerifyOptions(tolerance=0.02), REFERENCE).ok
    assert not verify_model(str(GRAPH), VerifyOptions(tolerance=1e-3), REFERENCE).ok


def test_a_loop_is_one_node_with_what_it_captures(tmp_path):
    """g2p's decoder, whose body captures weights."""
    path = FIXTURES / "g2p" / "graph.pb"
    graph = read(path)
    index = next(i for i, n in enumerate(graph.main.nodes) if n.op.kind == "While")
    places = extract_node(path, index, tmp_path)
    node = graph.main.nodes[index]
    given = read_npz(path.parent / "vectors.npz")
    inputs = [given[f"in.{i.name}"] for i in graph.inputs]
    kept = [
        graph.main.parameters[k] if i is None else graph.main.nodes[i].results[k]
        for i, k in places.values()
    ]
    main = replace(graph.main, results=(*kept, *node.results))
    values = evaluate.run(main, inputs)
    small = read(tmp_path / "graph.pb")
    weights = [n for n in small.main.nodes if n.op.kind == "Constant"]
    assert len(small.main.nodes) == len(weights) + 1
    assert len(weights) > len(node.operands)
    results = evaluate.run(small.main, values[: len(kept)])
    for got, want in zip(results, values[len(kept) :], strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_directory_that_cannot_be_is_refused(wrong_tanh, tmp_path):
    how = VerifyOptions(bisect=tmp_path / "missing" / "first")
    with pytest.raises(UsageError, match="there is no directory"):
        verify_model(str(GRAPH), how, REFERENCE)


def test_a_full_disk_is_told(wrong_tanh, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("coremlc.frontend.extract_node", full)
    with pytest.raises(MachineError, match="No space left"):
        verify_model(str(GRAPH), VerifyOptions(bisect=tmp_path / "first"), REFERENCE)


def test_engines_are_compared_on_a_bundle(wrong_tanh, tmp_path):
    bundle = tmp_path / "model.mlmodelc"
    compile_model(GRAPH, output=bundle)
    report = verify_model(str(bundle), VerifyOptions(), EngineOptions("onnxruntime"))
    assert (report.ok, report.against) == (False, "reference")


@pytest.mark.parametrize("how", [{"against": "oracle"}, {"against": "xla"}, {"bisect": "first"}])
def test_a_bundle_has_no_graph(how, tmp_path):
    (tmp_path / "model.mlmodelc").mkdir()
    with pytest.raises(UsageError, match="no GoMLX graph"):
        verify_model(str(tmp_path / "model.mlmodelc"), VerifyOptions(**how))
