"""The builder's constants: their dtypes, and that equal ones are one."""

import numpy as np
import pytest

from coremlc.errors import ShapeError
from coremlc.mil.builder import Builder
from coremlc.mil.program import Literal
from coremlc.mil.types import TensorType
from tests.mil.test_builder import F, fresh, kinds, started


def test_equal_constants_are_one_op():
    m, x = started()
    y = m.add(x=x, y=2.0)
    z = m.mul(x=y, y=np.float32(2))
    m.add(x=z, y=2)
    function = m.finish([("out", z)])
    assert kinds(function.block.ops) == ["const", "add", "mul", "add"]


def test_different_constants_stay_apart():
    m = fresh()
    values = [0.0, -0.0, 1.0, float("nan"), float("-inf")]
    found = [m.const(value) for value in values]
    found += [m.const(1), m.const(True), m.const("1"), m.const(np.ones(1, np.float32))]
    assert len({value.name for value in found}) == len(found)
    assert [value.type.dtype for value in found[5:]] == ["int32", "bool", "string", "fp32"]
    assert m.const(float("nan")) is found[3]
    assert np.signbit(found[1].literal.data)
    assert not np.signbit(found[0].literal.data)


def test_equal_constants_of_other_types_stay_apart():
    m = fresh()
    assert m.const([1, 0], "int32") is not m.const([1, 0], "int8")
    assert m.const(np.zeros(2, np.int32)) is not m.const(np.zeros((1, 2), np.int32))
    assert m.const([1, 0]) is m.const(np.array([1, 0], np.int32))


def test_large_constants_are_compared_by_identity_and_not_copied(tmp_path):
    m = fresh()
    big = np.zeros(5000, np.float32)
    assert m.const(big) is m.const(big)
    assert m.const(big) is not m.const(big.copy())
    assert m.const(big).literal.data is big
    mapped = np.memmap(tmp_path / "w", np.float32, "w+", shape=(5000,))
    assert m.const(mapped) is m.const(mapped)
    assert np.shares_memory(m.const(mapped).literal.data, mapped)


def test_constant_takes_the_dtype_of_its_siblings():
    m, x = started(kind=TensorType("fp16", (2,)))
    y = m.add(x=1, y=x)
    assert y.type == x.type
    assert m.layer_norm(x=x, axes=[0], gamma=[1.0, 2.0], epsilon=1e-5).type == x.type
    ops = [op for op in m._root if op.kind == "const"]
    dtypes = [op.outputs[0].type.dtype for op in ops]
    assert dtypes == ["fp16", "int32", "fp16", "fp16"]


def test_index_constant_does_not_take_the_dtype_of_the_data():
    m, x = started(kind=TensorType("int8", (6,)))
    y = m.slice_by_index(x=x, begin=[0], end=[2])
    assert m._root[0].outputs[0].type == TensorType("int32", (1,))
    assert y.type == TensorType("int8", (2,))


def test_constant_of_a_literal_and_of_sub_byte_ints():
    m, x = started("ios18")
    literal = Literal(TensorType("fp32", (1,)), np.ones(1, np.float32))
    assert m.add(x=x, y=literal).type == F
    assert m.const(np.zeros(3, np.uint8), "uint3").type == TensorType("uint3", (3,))
    with pytest.raises(ShapeError, match="numpy complex64"):
        m.const(np.zeros(3, np.complex64))


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (70000.0, "70000.0 does not fit fp16"),
        (1e-12, "1e-12 does not fit fp16"),
        (2049, "2049 does not fit fp16"),
        (True, "True for a parameter of fp16"),
        ("a", "'a' for a parameter of fp16"),
        ([[1.0], [1.0, 2.0]], "[[1.0], [1.0, 2.0]] is ragged"),
    ],
)
def test_constant_is_never_another_number(given, what):
    m, x = started(kind=TensorType("fp16", (2,)))
    with pytest.raises(ShapeError) as caught:
        m.add(x=x, y=given)
    assert caught.value.what == f"add: y: {what}"


def test_infinities_are_numbers():
    m, x = started(kind=TensorType("fp16", (2,)))
    m.maximum(x=x, y=float("-inf"))
    assert m._root[0].outputs[0].literal.data == -np.inf


def test_ambiguous_number_is_refused():
    m, x = started("ios17")
    with pytest.raises(ShapeError) as caught:
        m.quantize(input=x, scale=1.0, zero_point=3, output_dtype="int8")
    assert caught.value.what == "quantize: zero_point: 3 could be int8 or uint8"
    assert caught.value.fix == "give a numpy array of the dtype you mean"


def test_left_out_parameters_are_not_in_the_op():
    m, x = started()
    m.reduce_sum(x=x, axes=None, keep_dims=True)
    assert list(m._root[-1].inputs) == ["x", "keep_dims"]


def test_defaults_can_be_spelled_out():
    m = Builder("ios17", spell_defaults=True)
    x = m.input("x", TensorType("fp16", (1, 3, 8, 8)))
    y = m.pad(x=m.conv(x=x, weight=np.ones((4, 3, 3, 3), np.float16)), pad=[1, 1])
    m.topk(x=y, k=2, return_indices=False)
    with pytest.raises(ShapeError, match="epsilon is missing"):
        m.log(x=y)
    conv, pad, topk = (op for op in m._root if op.kind != "const")
    assert set(conv.inputs) == {
        "x", "weight", "strides", "pad_type", "pad", "dilations", "groups",
    }  # fmt: skip
    assert pad.inputs["constant_val"][0].type == TensorType("fp16")
    assert set(topk.inputs) == {"x", "k", "axis", "ascending", "sort", "return_indices"}
