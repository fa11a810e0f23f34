"""Weights and constants: where their bytes lie, and what is said if they are not those."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from coremlc import passes
from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend import read
from coremlc.ir import evaluate
from coremlc.passes.pipeline import simplify
from tests.frontend.files import File, refused, safetensors, weighted

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
