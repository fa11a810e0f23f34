"""Files that are read, files that are refused: what, where and how to fix it."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest

from coremlc import passes
from coremlc.errors import CompileError, CoremlcError, FormatError, UsageError
from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend import read
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import walk, where
from coremlc.ops.leaves import Constant
from coremlc.ops.refused import REFUSED
from coremlc.passes.pipeline import simplify
from tests.conftest import FIXTURES
from tests.frontend.files import File, adding, fill, refusing, safetensors, weighted

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/graph.pb"))


def refused(path, *says, kind=FormatError, dims=None):
    """The error that reading gives; its text holds every one of `says`."""
    with pytest.raises(kind) as caught:
        read(path, dims)
    text = str(caught.value)
    for part in says:
        assert part in text, text
    assert re.match(r"error: \S", text)
    assert re.search(r"\n  fix:   \S", text), text
    return text


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


DATA_NAMES = [
    "",
    ".",
    "..",
    "../graph.safetensors",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "a\0b",
    "x" * 300,
]


@pytest.mark.parametrize("name", DATA_NAMES)
def test_weights_lie_beside_the_graph_or_nowhere(name, tmp_path):
    path = weighted().save(tmp_path)
    file = pb.GraphFile.FromString(path.read_bytes())
    file.data_files[0].name = name
    path.write_bytes(file.SerializeToString())
    says = "the weights file" if name.startswith("x") else "is not a plain name"
    refused(path, says)


def with_weights(tmp_path, data):
    """The weighted graph, stating these bytes as its weights file."""
    path = weighted().save(tmp_path)
    file = pb.GraphFile.FromString(path.read_bytes())
    file.data_files[0].size = len(data)
    file.data_files[0].sha256 = hashlib.sha256(data).digest()
    path.write_bytes(file.SerializeToString())
    (tmp_path / "graph.safetensors").write_bytes(data)
    return path


def test_missing_weights(tmp_path):
    path = weighted().save(tmp_path)
    (tmp_path / "graph.safetensors").unlink()
    refused(path, "the weights file is missing", "graph.safetensors", "beside the graph")
    (tmp_path / "graph.safetensors").mkdir()
    refused(path, "the weights file is missing")


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_truncated_weights(size, tmp_path):
    path = weighted().save(tmp_path)
    weights = tmp_path / "graph.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:size])
    kept = len(whole[:size])
    refused(path, f"the weights file has {kept} bytes, the graph states {len(whole)}", str(weights))


def test_altered_weights(tmp_path):
    path = weighted().save(tmp_path)
    weights = tmp_path / "graph.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    refused(path, "SHA-256 differs", str(weights), "save the model again")


GOOD = safetensors({"t0": np.zeros(400, np.float32)})
HEADERS = {
    "nothing": (b"", "not a safetensors file"),
    "seven bytes": (GOOD[:7], "not a safetensors file"),
    "a header beyond the end": (b"\xff" * 8 + GOOD[8:], "not a safetensors file"),
    "no json": (GOOD.replace(b"{", b"!", 1), "header is malformed"),
    "a list": (b"\2\0\0\0\0\0\0\0[]" + bytes(1600), "header is malformed"),
    "deep json": (
        (100000).to_bytes(8, "little") + b"[" * 100000, "header is malformed"
    ),
    "no offsets": (GOOD.replace(b"data_offsets", b"data_offsetz"), "header is malformed"),
    "one offset": (GOOD.replace(b"[0, 1600]", b"[1600   ]"), "header is malformed"),
    "text for offsets": (GOOD.replace(b"[0, 1600]", b'["a","b"]'), "header is malformed"),
    "another tensor": (GOOD.replace(b'"t0"', b'"t1"'), "no tensor 't0' in the file"),
    "offsets beyond the end": (GOOD.replace(b"[0, 1600]", b"[4, 1604]"), "tensor 't0' is bytes"),
    "offsets below 0": (GOOD.replace(b"[0, 1600]", b"[-8,1592]"), "header is malformed"),
    "offsets reversed": (GOOD.replace(b"[0, 1600]", b"[1600, 0]"), "tensor 't0' is bytes"),
    "other offsets": (GOOD.replace(b"[0, 1600]", b"[0, 1596]"), "400 x float32 are expected"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_bad_safetensors(case, tmp_path):
    data, says = HEADERS[case]
    refused(with_weights(tmp_path, data), says, "graph.safetensors")


def test_a_tensor_that_is_not_in_the_file(tmp_path):
    file = weighted()
    file.main.nodes[0].constant.external.name = "other"
    refused(file.save(tmp_path), "no tensor 'other'")


def test_a_data_file_that_is_not_listed(tmp_path):
    file = weighted()
    file.main.nodes[0].constant.external.data_file = 3
    refused(file.save(tmp_path), "there is no data file 3", "node %2 (Constant)")


def test_dims_whose_product_overflows(tmp_path):
    """2^32 x 2^32 is 0 in 64 bits."""
    file = weighted()
    dims = file.main.nodes[0].constant.shape.dims
    dims[0].size = 1 << 32
    dims.add(size=1 << 32)
    refused(file.save(tmp_path), "elements")


def test_two_weights_under_one_digest(tmp_path):
    """Constants are joined by digest: a wrong one must not make two tensors one."""
    file = File()
    x = file.input("x", "Float32", 400)
    a = file.constant(np.zeros(400), "Float32")
    b = file.constant(np.ones(400), "Float32")
    y = file.node("Add", (x, a), "Float32", 400)
    file.result(file.node("Add", (y, b), "Float32", 400))
    file.main.nodes[1].constant.sha256 = file.main.nodes[0].constant.sha256
    path = file.save(tmp_path)
    refused(path, "its SHA-256 is not that of the elements", "node %3 (Constant)")


def test_equal_weights_are_joined(tmp_path):
    file = File()
    x = file.input("x", "Float32", 400)
    a, b = (file.constant(np.ones(400), "Float32") for _ in range(2))
    y = file.node("Add", (x, a), "Float32", 400)
    file.result(file.node("Add", (y, b), "Float32", 400))
    graph = simplify(read(file.save(tmp_path)))
    assert [n.op.kind for n in graph.main.nodes] == ["Constant", "Add", "Add"]
    assert evaluate.run(graph.main, [np.zeros(400, np.float32)])[0].tolist() == [2.0] * 400


@pytest.mark.parametrize("digest", [b"", b"short"])
def test_a_weight_without_a_digest(digest, tmp_path):
    file = weighted()
    file.main.nodes[0].constant.sha256 = digest
    refused(file.save(tmp_path), "its SHA-256 is not that of the elements")


def test_inline_constants_end_at_one_kibibyte(tmp_path):
    file = File()
    w = file.constant(np.zeros(256), "Float32")
    file.result(w)
    assert read(file.save(tmp_path)).main.nodes
    file = File()
    file.result(file.constant(np.zeros(257), "Float32"))
    tensor = file.main.nodes[0].constant
    tensor.ClearField("external")
    tensor.inline = bytes(1028)
    refused(file.save(tmp_path), "1028 bytes for f32[257]", "node %1 (Constant)")


@pytest.mark.parametrize("length", [0, 3, 5, 8])
def test_bytes_that_are_not_the_elements(length, tmp_path):
    for kind in ("inline", "splat"):
        file = File()
        file.result(file.splat(1.0, "Float32"))
        setattr(file.main.nodes[0].constant, kind, bytes(length))
        refused(file.save(tmp_path), f"{length} bytes for f32[]")


def test_bools_are_0_or_1(tmp_path):
    file = File()
    file.result(file.constant([True, False], "Bool"))
    file.main.nodes[0].constant.inline = b"\1\2"
    refused(file.save(tmp_path), "bool", "node %1 (Constant)")


def test_a_splat_stays_one_element(tmp_path):
    file = File()
    file.result(file.splat(2.5, "Float32", 1000, 1000))
    (node,) = read(file.save(tmp_path)).main.nodes
    assert node.op.value.is_splat
    assert node.op.value.array.base.nbytes == 4
    assert node.op.value.array[7, 8] == 2.5


PACKED = {
    "Int4": (b"\x21\x8f", [1, 2, -1]),
    "Uint4": (b"\x21\x8f", [1, 2, 15]),
    "Int2": (b"\x1b", [-1, -2, 1]),
    "Uint2": (b"\x1b", [3, 2, 1]),
}


def packed(dtype: str, count: int) -> File:
    file = File()
    x = file.node("Constant", (), dtype, count)
    tensor = file.main.nodes[0].constant
    tensor.shape.CopyFrom(file.main.nodes[0].results[0].shape)
    file.result(file.node("ConvertDType", (x,), "Int32", count, dtype="Int32"))
    return file


@pytest.mark.parametrize("dtype", PACKED)
def test_packed_constants_begin_in_the_lowest_bits(dtype, tmp_path):
    raw, values = PACKED[dtype]
    file = packed(dtype, 3)
    file.main.nodes[0].constant.inline = raw
    graph = read(file.save(tmp_path))
    assert evaluate.run(graph.main, [])[0].tolist() == values
    assert evaluate.run(passes.run(graph).main, [])[0].tolist() == values
    file.main.nodes[0].constant.splat = raw[:1]
    assert evaluate.run(read(file.save(tmp_path)).main, [])[0].tolist() == values[:1] * 3


def test_packed_constants_of_a_wrong_length_are_refused(tmp_path):
    file = packed("Int4", 5)
    file.main.nodes[0].constant.inline = b"\x21"
    refused(file.save(tmp_path), "1 bytes for i4[5]", "node %1 (Constant)")


def named_axes(*, default=0, low=1, high=8, sizes=()):
    file = File()
    file.pb.required_features.append("dynamic_axes")
    file.pb.axes.add(name="batch", min=low, max=high, sizes=sizes, default=default)
    file.pb.axes.add(name="length", min=1, default=3)
    x = file.input("x", "Float32", "batch", 2)
    z = file.input("z", "Float32", "length", 2)
    y = file.node("Concatenate", (x, z), "Float32", "=batch+length", 2, axis=0)
    shaped = file.node("Reshape", (y,), "Float32", "=batch+length", 2, 1, dimensions=[-1, 2, 1])
    file.result(shaped)
    return file


def test_named_axes_take_the_size_given(tmp_path):
    path = named_axes().save(tmp_path)
    graph = read(path, {"batch": 4})
    assert [str(p.type) for p in graph.main.parameters] == ["f32[4,2]", "f32[3,2]"]
    assert str(graph.main.results[0].type) == "f32[7,2,1]"
    graph = read(path, {"batch": 1, "length": 1})
    assert str(graph.main.results[0].type) == "f32[2,2,1]"


def test_named_axes_have_defaults(tmp_path):
    path = named_axes(default=5).save(tmp_path)
    assert str(read(path).main.results[0].type) == "f32[8,2,1]"


def test_a_named_axis_without_a_size(tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, "axis 'batch' has no size", "--dim batch=N", "parameter 'x'", kind=UsageError)


@pytest.mark.parametrize("size", [0, 9, -1])
def test_a_size_out_of_range(size, tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, f"axis 'batch' of size {size}", "use 1..8", kind=UsageError, dims={"batch": size})


def test_a_size_that_is_not_listed(tmp_path):
    path = named_axes(sizes=[1, 4]).save(tmp_path)
    refused(path, "axis 'batch' of size 2", "use [1, 4]", kind=UsageError, dims={"batch": 2})
    assert read(path, {"batch": 4})


def test_a_size_of_no_axis(tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, "no axis 'bach'", "batch, length", kind=UsageError, dims={"bach": 2})


@pytest.mark.parametrize(
    "symbol", ["nowhere", "=batch+nowhere", "", "=", "²", "=batch+" + "9" * 5000]
)
def test_a_symbol_that_is_no_axis(symbol, tmp_path):
    file = named_axes(default=2)
    file.main.parameters[0].value.shape.dims[0].symbol = symbol
    refused(file.save(tmp_path), "parameter 'x'", kind=CoremlcError)


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
