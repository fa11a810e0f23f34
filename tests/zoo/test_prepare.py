"""prepare.py: a rewritten model gives the numbers of the shipped one, or is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

PATH = Path(__file__).parents[2] / "go" / "onnx" / "prepare.py"
spec = importlib.util.spec_from_file_location("prepare", PATH)
prepare = importlib.util.module_from_spec(spec)
sys.modules["prepare"] = prepare  # dataclasses look there
spec.loader.exec_module(prepare)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)


def model(nodes, weights=(), opset=17, inputs=("x",), outputs=("y",)):
    free = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, 4, 5]) for n in inputs]
    out = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    tensors = [numpy_helper.from_array(v, k) for k, v in dict(weights).items()]
    graph = helper.make_graph(nodes, "g", free, out, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


KERNEL = {"w": RNG.standard_normal((3, 2, 2, 3)).astype(np.float32), "b": np.float32([1, 2])}
SCALES = {"scales": np.float32([1, 1, 2, 2])}
CASES = {
    "hard sigmoid": (helper.make_node("HardSigmoid", ["x"], ["y"], alpha=0.3), {}),
    "default hard sigmoid": (helper.make_node("HardSigmoid", ["x"], ["y"]), {}),
    "log softmax": (helper.make_node("LogSoftmax", ["x"], ["y"], axis=1), {}),
    "global max pool": (helper.make_node("GlobalMaxPool", ["x"], ["y"]), {}),
    "transposed convolution": (
        helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 3]),
        KERNEL,
    ),
    "transposed without bias": (
        helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 3]),
        {"w": KERNEL["w"]},
    ),
    "resize": (helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest"), SCALES),
}


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("case", CASES)
def test_a_rewritten_op_gives_the_same_numbers(case, opset):
    node, weights = CASES[case]
    prepared, reference, rewritten = prepare.prepare(model([node], weights, opset), {"x": X})
    assert dict(rewritten) == {node.op_type: 1}
    left = {n.op_type for n in prepared.graph.node}
    assert node.op_type == "Resize" or node.op_type not in left
    assert sorted(reference) == ["in.x", "out.y"]


def test_windows_that_overlap_are_left_alone():
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[1, 1])
    prepared, _, rewritten = prepare.prepare(model([node], {"w": KERNEL["w"]}), {"x": X})
    assert not rewritten
    assert [n.op_type for n in prepared.graph.node] == ["ConvTranspose"]


def test_shapes_are_fixed_and_constants_folded():
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["f"], ["t"], keepdims=0),
        helper.make_node("Add", ["x", "t"], ["y"]),
    ]
    prepared, _, _ = prepare.prepare(model(nodes), {"x": X})
    assert [n.op_type for n in prepared.graph.node] == ["Add"]
    dims = prepared.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [2, 3, 4, 5]


def test_names_constants_and_outputs_are_chosen():
    nodes = [helper.make_node("Mul", ["x", "k"], ["y"]), helper.make_node("Neg", ["y"], ["z"])]
    given = model(nodes, inputs=("x", "k"), outputs=("y", "z"))
    options = prepare.Options({"k": X}, {"x": "audio", "z": "speech"}, ["z"])
    prepared, reference, _ = prepare.prepare(given, {"x": X}, options)
    assert [i.name for i in prepared.graph.input] == ["audio"]
    assert [o.name for o in prepared.graph.output] == ["speech"]
    assert sorted(reference) == ["in.audio", "out.speech"]
    np.testing.assert_array_equal(reference["out.speech"], -X * X)


def test_an_input_without_a_value_is_told():
    given = model([helper.make_node("Neg", ["x"], ["y"])])
    with pytest.raises(prepare.PrepareError, match=r"without a value: \['x'\]"):
        prepare.fix(given, {}, prepare.Options())


@pytest.mark.parametrize(
    ("got", "said"),
    [
        (X + 0.01, "has changed by 0.01"),
        (X * np.nan, "has changed"),
        (X[:1], r"was float32\[2, 3, 4, 5\]"),
        (X.astype(np.float64), "is now float64"),
    ],
)
def test_a_prepared_model_with_other_numbers_is_an_error(got, said):
    with pytest.raises(prepare.PrepareError, match=said):
        prepare.check_same({"y": X}, {"y": got})
