"""Files that are read, files that are refused: what, where and how to fix it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from coremlc.errors import CompileError
from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend import read
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import walk, where
from coremlc.ops.leaves import Constant
from coremlc.ops.refused import REFUSED
from tests.conftest import FIXTURES
from tests.frontend.files import File, adding, fill, refused, refusing, weighted

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/graph.pb"))


@pytest.mark.parametrize("name", NAMES)
def test_fixtures_are_read(name):
    graph = read(FIXTURES / name / "graph.pb")
    verify.check(graph)
    with np.load(FIXTURES / name / "vectors.npz") as vectors:
        ins = {k[3:]: v for k, v in vectors.items() if k.startswith("in.")}
        outs = {k[4:]: v for k, v in vectors.items() if k.startswith("out.")}
    assert {i.name for i in graph.inputs} == {*ins}
    assert {o.name for o in graph.outputs} == {*outs}
    for given, value in zip(graph.inputs, graph.main.parameters, strict=True):
        assert value.type.dtype.numpy == ins[given.name].dtype
        assert value.type.shape == ins[given.name].shape
    for known, value in zip(graph.outputs, graph.main.results, strict=True):
        assert value.type.dtype.numpy == outs[known.name].dtype
        assert value.type.shape == outs[known.name].shape
    source = re.compile(r"[\w/.]+\.go:\d+|[\w-]+\.onnx")
    assert all(source.fullmatch(node.source) for node in walk(graph.main))


def test_nodes_know_their_line(tmp_path):
    graph = read(adding().save(tmp_path))
    assert [node.source for node in graph.main.nodes] == ["model.go:1"]
    assert graph.name == "made"


def test_a_place_that_is_no_line_of_code(tmp_path):
    """An ONNX model has none: its node's name stands as the label."""
    file = adding()
    file.pb.source_files[0] = "silero.onnx"
    node = file.main.nodes[-1]
    node.location.line, node.label = 0, "/encoder/Add"
    (read_node,) = read(file.save(tmp_path)).main.nodes
    assert str(where(read_node)) == "Add '/encoder/Add' built at silero.onnx"


def test_a_weight_is_a_view_of_the_file(tmp_path):
    graph = read(weighted().save(tmp_path))
    (op,) = [n.op for n in graph.main.nodes if isinstance(n.op, Constant)]
    assert op.value.array.tolist() == list(range(400))
    assert not op.value.array.flags.owndata
    assert not op.value.array.flags.writeable


def test_a_newer_minor_format_is_read(tmp_path):
    file = adding()
    file.pb.format_minor = 99
    assert read(file.save(tmp_path)).main.nodes


def test_known_features_are_read(tmp_path):
    file = adding()
    file.pb.required_features.extend(["closures", "dynamic_axes", "packed"])
    assert read(file.save(tmp_path)).main.nodes


def broken(change):
    """`y = x + x` after a change."""
    file = adding()
    change(file)
    return file


def _node(file):
    return file.main.nodes[0]


def _set(obj, **fields):
    for name, value in fields.items():
        setattr(obj, name, value)


BROKEN = {
    "a newer major format": (
        lambda f: _set(f.pb, format_major=2),
        ["format 2.0, this coremlc reads 1", "fix:   update coremlc"],
    ),
    "no format": (lambda f: _set(f.pb, format_major=0), ["it states no format"]),
    "an unknown feature": (
        lambda f: f.pb.required_features.extend(["closures", "telepathy"]),
        ["it needs features ['telepathy']", "fix:   update coremlc"],
    ),
    "an unknown op": (
        lambda f: _set(_node(f), op="Frobnicate"),
        ["op 'Frobnicate' is unknown", "node %2 (Frobnicate) built at model.go:1"],
    ),
    "an op that is not GoMLX's": (
        lambda f: _set(_node(f), op="matmul"),
        ["op 'matmul' is unknown", "node %2 (matmul)"],
    ),
    "an unknown dtype of a node": (
        lambda f: _set(_node(f).results[0].shape, dtype="Float3"),
        ["dtype 'Float3' is unknown", "node %2 (Add) built at model.go:1"],
    ),
    "an unknown dtype of a parameter": (
        lambda f: _set(f.main.parameters[0].value.shape, dtype=""),
        ["dtype '' is unknown", "parameter 'x'"],
    ),
    "a value that is not defined": (
        lambda f: _node(f).operands.__setitem__(1, 7),
        ["operand: value %7 is not defined before", "node %2 (Add) built at model.go:1"],
    ),
    "a value that is defined later": (
        lambda f: _node(f).operands.__setitem__(1, 2),
        ["operand: value %2 is not defined before"],
    ),
    "a result that is not defined": (
        lambda f: _set(f.main.results[0], value=9),
        ["result 0: value %9 is not defined"],
    ),
    "a value that is defined twice": (
        lambda f: _set(_node(f).results[0], id=1),
        ["value id 1 is zero or defined twice", "node %1 (Add)"],
    ),
    "a value without an id": (
        lambda f: _set(_node(f).results[0], id=0),
        ["value id 0 is zero or defined twice"],
    ),
    "a wrong result type": (
        lambda f: _set(_node(f).results[0].shape, dtype="Int32"),
        ["its results are i32[2,3] in the file, f32[2,3] by its operands", "model.go:1"],
    ),
    "a result too many": (
        lambda f: _node(f).results.add().CopyFrom(pb.Value(id=9, shape=_node(f).results[0].shape)),
        ["its results are f32[2,3], f32[2,3] in the file, f32[2,3] by its operands"],
    ),
    "no result of a node": (
        lambda f: _node(f).results.pop(),
        ["its results are nothing in the file"],
    ),
    "an operand too few": (lambda f: _node(f).operands.pop(), ["Add", "1 operand", "model.go:1"]),
    "an operand too many": (lambda f: _node(f).operands.append(1), ["Add", "3 operands"]),
    "no attributes": (
        lambda f: _set(_node(f), op="Reshape") or _node(f).operands.pop(),
        ["Reshape without its attributes", "node %2 (Reshape)"],
    ),
    "another op's attributes": (
        lambda f: _set(_node(f), op="Reverse") or _node(f).attributes.transpose.SetInParent(),
        ["Reverse without its attributes"],
    ),
    "no results": (lambda f: f.main.results.pop(), ["the graph has no results"]),
    "no main function": (lambda f: _set(f.pb, main=5), ["there is no function 5"]),
    "an input without a name": (
        lambda f: _set(f.main.parameters[0], name=""),
        ["input name '' is empty or taken"],
    ),
    "a name twice": (
        lambda f: f.result(1, "y"),
        ["output name 'y' is empty or taken", "fix:   rename it"],
    ),
    "too many dims": (
        lambda f: [_node(f).results[0].shape.dims.add(size=1) for _ in range(20)],
        ["at most 16 dims"],
    ),
    "a dim below 0": (
        lambda f: _set(f.main.parameters[0].value.shape.dims[0], size=-2),
        ["f32[-2,3]", "none below 0"],
    ),
    "more elements than any memory holds": (
        lambda f: _set(f.main.parameters[0].value.shape.dims[0], size=1 << 62),
        ["elements", "parameter 'x'"],
    ),
    "a function that is not there": (
        lambda f: _set(_node(f), op="Call") or _node(f).functions.append(7),
        ["there is no function 7", "node %2 (Call)"],
    ),
    "a call of two functions": (
        lambda f: _set(_node(f), op="Call") or _node(f).functions.extend([0, 0]),
        ["Call of 2 functions"],
    ),
    "a constant without a value": (
        lambda f: _set(_node(f), op="Constant"),
        ["node %2 (Constant)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(case, tmp_path):
    change, says = BROKEN[case]
    path = broken(change).save(tmp_path)
    text = refused(path, *says, kind=CompileError)
    assert "where: " in text


def test_too_few_operands_of_an_op_with_optional_ones(tmp_path):
    file = File()
    x = file.input("x", "Float32", 2, 3)
    y = file.node("FusedDense", (x,), "Float32", 2, 3, options={"activation": "none"})
    file.result(y)
    refused(file.save(tmp_path), "node %2 (FusedDense)")


def test_functions_may_not_call_themselves(tmp_path):
    file = File()
    x = file.input("x", "Float32")
    file.result(file.node("Call", (x,), "Float32", functions=(1,)))
    file.function("again")
    file.result(file.node("Call", (), "Float32", functions=(1,)))
    refused(file.save(tmp_path), "functions nest deeper than 64")


def test_functions_may_not_nest_without_end(tmp_path):
    file = File()
    file.result(file.node("Call", (), "Float32", functions=(1,)))
    for i in range(1, 80):
        file.function(f"f{i}")
        file.result(file.node("Call", (), "Float32", functions=(i + 1,)))
    file.function("last")
    file.result(file.splat(1.0, "Float32"))
    refused(file.save(tmp_path), "functions nest deeper than 64", "nest less")


def test_calls_may_not_multiply_without_end(tmp_path):
    """Each of 40 functions calls the next twice: 2^40 nodes when they stand in line."""
    file = File()
    for i in range(40):
        if i:
            file.function(f"f{i}")
        a = file.node("Call", (), "Float32", functions=(i + 1,))
        b = file.node("Call", (), "Float32", functions=(i + 1,))
        file.result(file.node("Add", (a, b), "Float32"))
    file.function("last")
    file.result(file.splat(1.0, "Float32"))
    refused(file.save(tmp_path), "more than 1048576 nodes")


def test_a_call_is_read_and_computed(tmp_path):
    file = File()
    x = file.input("x", "Float32", 2)
    first = file.node("Call", (x,), "Float32", 2, functions=(1,))
    file.result(file.node("Call", (first,), "Float32", 2, functions=(1,)))
    file.function("double")
    p = file.input("p", "Float32", 2, role=pb.Parameter.ARGUMENT)
    file.result(file.node("Add", (p, p), "Float32", 2), "", pb.Result.RETURN)
    graph = read(file.save(tmp_path))
    assert evaluate.run(graph.main, [np.float32([1, 2])])[0].tolist() == [4, 8]
    verify.check(graph)


@pytest.mark.parametrize("data", [b"", b"\0", b"garbage", b"\xff" * 100, b"\x0a" * 1000])
def test_garbage(data, tmp_path):
    path = tmp_path / "graph.pb"
    path.write_bytes(data)
    refused(path, "not a graph.pb", str(path))


def test_no_file(tmp_path):
    refused(tmp_path / "none.pb", "can't be read: No such file", "none.pb")
    refused(tmp_path, "can't be read", "check the path")


def test_a_file_that_is_too_large(tmp_path):
    path = tmp_path / "graph.pb"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    refused(path, "more than 67108864")


def test_refused_ops_are_read(tmp_path, monkeypatch):
    """So that all refusals come at once, later."""
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    assert [n.op.kind for n in read(refusing().save(tmp_path)).main.nodes] == ["Unsupported"]


def closure(parent: int) -> File:
    """A body of function `parent` that uses x of main."""
    file = File()
    x = file.input("x", "Float32", 2)
    file.result(file.node("Call", (), "Float32", 2, functions=(1,)))
    body = file.function("body", pb.Function.CLOSURE)
    body.parent_plus_1 = parent
    file.result(file.node("Neg", (x,), "Float32", 2))
    return file


def test_closures_use_values_around_them(tmp_path):
    graph = read(closure(1).save(tmp_path))
    verify.check(graph)
    assert evaluate.run(graph.main, [np.float32([1, 2])])[0].tolist() == [-1, -2]


@pytest.mark.parametrize("parent", [0, 2, 7])
def test_closures_stay_where_they_belong(parent, tmp_path):
    refused(closure(parent).save(tmp_path), "closure 'body'", "outside the function")


def test_named_functions_see_nothing_around_them(tmp_path):
    file = closure(1)
    file.into.kind = pb.Function.NAMED
    refused(file.save(tmp_path), "value %1 is not defined before", "node %3 (Neg)")


def test_fill_sets_nested_messages():
    message = pb.Node().attributes.pad
    fill(message, {"axes_config": [{"start": 1, "end": 2, "interior": 3}]})
    assert message.axes_config[0].interior == 3
