"""Signatures: names, dtypes and values between the GoMLX user and Core ML."""

from __future__ import annotations

import json
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coremlc import dtypes, targets
from coremlc.errors import FormatError, InputError
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.types import TensorType
from coremlc.mil.types import TensorType as MilType
from coremlc.signature import KEY, Signature, feature_name

F32, I64 = dtypes.F32, dtypes.I64


def graph(inputs, outputs=()):
    """A graph of parameters only: name -> (dtype name, shape, range)."""
    builder = Builder()
    for dtype, shape, _ in inputs.values():
        builder.parameter(TensorType(dtypes.BY_NAME[dtype], shape))
    known = tuple(Input(name, range=stated) for name, (_, _, stated) in inputs.items())
    results = [builder.parameters[i] for i in outputs.values()]
    main = builder.finish(*results)
    return Graph(main, known, tuple(Output(name) for name in outputs))


def signature(target="iOS18", **inputs):
    full = {name: (*row, None) if len(row) == 2 else row for name, row in inputs.items()}
    outputs = {f"out_{name}": i for i, name in enumerate(full)}
    return Signature.of_graph(graph(full, outputs), targets.get(target))


def round_trip(dtype, value, target="iOS18"):
    """A value through the features and back, as a model that returns its input."""
    one = signature(target, x=(dtype, np.shape(value)))
    features = one.encode({"x": value})
    (given,), (due,) = one.inputs, one.outputs
    carried = dict(zip(due.features, (features[name] for name in given.features), strict=True))
    return features, one.decode(carried)["out_x"]


VALUES = {
    "Bool": [True, False],
    "Int8": [-128, 127],
    "Int16": [-(2**15), 2**15 - 1],
    "Int32": [-(2**31), 2**31 - 1],
    "Int64": [-(2**31), 2**31 - 1],
    "Uint8": [0, 255],
    "Uint16": [0, 2**16 - 1],
    "Uint32": [0, 2**31 - 1],
    "Uint64": [0, 2**31 - 1],
    "Float16": [65504.0, np.nan],
    "BFloat16": [-np.inf, 1.5],
    "Float32": [3.4e38, -0.0],
    "Float64": [0.1, np.inf],
    "Complex64": [1 + 2j, complex(np.nan, -np.inf)],
    "Complex128": [0.5 - 2j, 0],
    "Int4": [-8, 7],
    "Uint4": [0, 15],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_survive(name):
    dtype = dtypes.BY_NAME[name]
    x = np.array(VALUES[name], dtype.numpy)
    features, y = round_trip(name, x)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y.astype(x.dtype), np.array(x.astype(_carried(dtype)), x.dtype))
    for feature in features.values():
        assert feature.dtype in (np.float32, np.float16, np.int32)


def _carried(dtype):
    """Float64 and Complex128 are carried in half of their width."""
    return {"Float64": np.float32, "Complex128": np.complex64}.get(dtype.name, dtype.numpy)


@pytest.mark.parametrize(("target", "due"), [("iOS15", np.float32), ("iOS16", np.float16)])
def test_float16_features_from_ios16_on(target, due):
    features, y = round_trip("Float16", np.array([1.5], np.float16), target)
    assert features["x"].dtype == due
    assert y.dtype == np.float16


def test_rank_0_is_carried_as_shape_1():
    features, y = round_trip("Float32", np.float32(2.5))
    assert features["x"].shape == (1,)
    assert y.shape == ()
    assert y == np.float32(2.5)


@pytest.mark.parametrize("dtype", ["Int64", "Complex64", "Bool"])
def test_empty_arrays_are_checked_and_do_not_travel(dtype):
    x = np.zeros((0, 3), dtypes.BY_NAME[dtype].numpy)
    one = signature(x=(dtype, (0, 3)))
    assert one.encode({"x": x}) == {}
    y = one.decode({})["out_x"]
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    with pytest.raises(InputError, match=r"of shape \[0, 2\] where"):
        one.encode({"x": x[:, :2]})


def test_a_model_has_an_output_even_if_none_has_elements():
    given = {"a": ("Uint64", (0,), None), "b": ("Complex64", (2, 0), None)}
    one = Signature.of_graph(graph(given, {"x": 0, "y": 1}), targets.get("iOS18"))
    assert [port.features for port in one.outputs] == [("x",), ()]
    assert one.outputs[0].feature_shape == (1,)
    assert Signature.from_json(one.to_json()) == one


def test_complex_numbers_become_two_features():
    one = signature(z=("Complex64", (2,)))
    features = one.encode({"z": np.array([1 + 2j, 3 - 4j], np.complex64)})
    np.testing.assert_array_equal(features["z_re"], np.float32([1, 3]))
    np.testing.assert_array_equal(features["z_im"], np.float32([2, -4]))
    assert all(feature.flags.c_contiguous for feature in features.values())


def message(one, **arrays):
    with pytest.raises(InputError) as caught:
        one.encode(arrays)
    return str(caught.value)


SAFE = {
    "int32 for int64": ("Int64", np.zeros(2, np.int32)),
    "uint8 for int64": ("Int64", np.zeros(2, np.uint8)),
    "bool for int32": ("Int32", np.zeros(2, np.bool_)),
    "float16 for float32": ("Float32", np.zeros(2, np.float16)),
    "bfloat16 for float32": ("Float32", np.zeros(2, ml_dtypes.bfloat16)),
    "float32 for float64": ("Float64", np.zeros(2, np.float32)),
    "float32 for complex64": ("Complex64", np.zeros(2, np.float32)),
    "python ints": ("Int64", [1, 2]),
    "python ints for floats": ("Float32", [1, 2]),
    "python floats": ("Float16", [0.1, 2.0]),
    "python bools": ("Bool", [True, False]),
    "tuples": ("Uint8", (0, 255)),
    "big-endian": ("Int32", np.zeros(2, ">i4")),
}
UNSAFE = {
    "int64 for int32": ("Int32", np.zeros(2, np.int64), "numpy.int32"),
    "uint32 for int32": ("Int32", np.zeros(2, np.uint32), "numpy.int32"),
    "float64 for float32": ("Float32", np.zeros(2), "numpy.float32"),
    "float32 for float16": ("Float16", np.zeros(2, np.float32), "numpy.float16"),
    "float32 for bfloat16": ("BFloat16", np.zeros(2, np.float32), "ml_dtypes.bfloat16"),
    "int32 for float32": ("Float32", np.zeros(2, np.int32), "numpy.float32"),
    "float32 for int32": ("Int32", np.zeros(2, np.float32), "numpy.int32"),
    "int32 for bool": ("Bool", np.zeros(2, np.int32), "numpy.bool"),
    "complex64 for float32": ("Float32", np.zeros(2, np.complex64), "numpy.float32"),
    "strings": ("Float32", np.array(["a", "b"]), "numpy.float32"),
    "objects": ("Float32", np.array([None, 1]), "numpy.float32"),
    "a list of floats for ints": ("Int32", [1.0, 2.5], "numpy.int32"),
    "a list of ints for bools": ("Bool", [1, 0], "numpy.bool"),
    "a ragged list": ("Float32", [[1.0], [1.0, 2.0]], "numpy.float32"),
    "None": ("Float32", None, "numpy.float32"),
    "an int that float32 lacks": ("Float32", [2**24 + 1, 0], "numpy.float32"),
}


@pytest.mark.parametrize("case", SAFE)
def test_safe_conversions_are_made(case):
    dtype, value = SAFE[case]
    _, y = round_trip(dtype, value)
    assert y.dtype == dtypes.BY_NAME[dtype].numpy


@pytest.mark.parametrize("case", UNSAFE)
def test_unsafe_conversions_are_refused_with_both_types_and_the_fix(case):
    dtype, value, fix = UNSAFE[case]
    text = message(signature(x=(dtype, (2,))), x=value)
    assert "where: input 'x'" in text
    assert fix in text.split("fix:")[1]
    if isinstance(value, np.ndarray) and case not in ("strings", "objects"):
        assert str(value.dtype) in text
        assert str(dtypes.BY_NAME[dtype]) in text


def test_the_message_of_a_wrong_dtype():
    assert message(signature(x=("Int32", (2,))), x=np.zeros(2, np.int64)) == (
        "error: an array of i64 (int64) where i32[2] is due\n"
        "  where: input 'x'\n"
        "  fix:   convert it if that is what you mean: x.astype(numpy.int32)"
    )


@pytest.mark.parametrize("shape", [(), (3,), (1, 2), (2, 1)])
def test_a_wrong_shape(shape):
    text = message(signature(x=("Float32", (2,))), x=np.zeros(shape, np.float32))
    assert f"an array of shape {list(shape)} where f32[2] is due" in text


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**62])
def test_int64_beyond_what_core_ml_carries(value):
    text = message(signature(x=("Int64", (1,))), x=np.array([value], np.int64))
    assert f"{value} is outside -2147483648..2147483647, what Core ML can carry" in text


def test_ints_beyond_64_bits():
    text = message(signature(x=("Int64", (1,))), x=[2**70])
    assert f"{2**70} is outside" in text


def test_uint64_beyond_what_core_ml_carries():
    text = message(signature(x=("Uint64", (1,))), x=np.array([2**64 - 1], np.uint64))
    assert "18446744073709551615 is outside 0..2147483647" in text


@pytest.mark.parametrize("value", [-1, 30522])
def test_values_beyond_the_stated_range(value):
    one = signature(ids=("Int32", (1,), (0, 30521)))
    assert one.encode({"ids": [30521]})["ids"][0] == 30521
    text = message(one, ids=[value])
    assert f"{value} is outside 0..30521, as stated when it was compiled" in text
    assert "--assume" in text


def test_a_float64_that_float32_lacks():
    text = message(signature(x=("Float64", (2,))), x=np.array([1.0, 1e300]))
    assert "a value that float32 can't hold" in text


def test_missing_extra_and_misspelt_names_together():
    one = signature(image=("Float32", (1,)), mask=("Bool", (1,)))
    text = message(one, imgae=[1.0], zzz=[2.0])
    assert text == (
        "error: input 'image' is missing; input 'mask' is missing; there is no input 'imgae' "
        "(did you mean 'image'?); there is no input 'zzz'\n"
        "  fix:   give 'image' f32[1], 'mask' bool[1]"
    )


NAMES = ["x", "x.y", "x/y", "x_y", "1st", "", "größe", "tensor", "fp32", "X", "a" * 300, "\n"]


def test_feature_names_are_identifiers_and_differ():
    taken = set()
    found = [feature_name(name, taken) for name in (*NAMES, *NAMES)]
    assert len(set(found)) == len(found)
    assert all(name.isidentifier() and name.isascii() for name in found)
    assert found[0] == "x"
    assert "tensor" not in found


@given(st.lists(st.text(max_size=5), max_size=6))
def test_any_names_give_valid_feature_names(names):
    taken = set()
    for name in names:
        assert feature_name(name, taken).isidentifier()
    assert len(taken) == len(names)


def test_inputs_and_outputs_of_the_same_name_have_features_of_their_own():
    one = Signature.of_graph(graph({"x": ("Float32", (1,), None)}, {"x": 0}), targets.DEFAULT)
    assert one.inputs[0].name == one.outputs[0].name == "x"
    assert one.inputs[0].features != one.outputs[0].features


def test_complex_parts_do_not_take_other_names():
    one = signature(z_re=("Float32", (1,)), z=("Complex64", (1,)))
    features = [name for port in one.inputs for name in port.features]
    assert features == ["z_re", "z_re_1", "z_im"]


def test_json_round_trip_is_stable():
    one = signature(
        ids=("Int64", (1, 4), (0, 30521)),
        z=("Complex64", ()),
        h=("Float16", (2,)),
        ü=("Bool", (1,)),
    )
    text = one.to_json()
    assert Signature.from_json(text) == one
    assert Signature.from_json(text).to_json() == text
    row = json.loads(text)["inputs"][0]
    assert row == {
        "name": "ids", "dtype": "Int64", "shape": [1, 4], "features": ["ids"],
        "feature_dtype": "int32", "role": "input", "range": [0, 30521],
    }  # fmt: skip


BAD = {
    "no json": "{",
    "no object": "[]",
    "a number": "1",
    "no inputs": '{"version":1}',
    "an unknown dtype": json.dumps(
        {"version": 1, "outputs": [], "inputs": [
            {"name": "x", "dtype": "Float7", "shape": [], "features": ["x"],
             "feature_dtype": "fp32", "role": "input", "range": None}]}
    ),
    "one feature for a complex": json.dumps(
        {"version": 1, "outputs": [], "inputs": [
            {"name": "x", "dtype": "Complex64", "shape": [], "features": ["x"],
             "feature_dtype": "fp32", "role": "input", "range": None}]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_metadata_that_are_no_signature(text):
    with pytest.raises(FormatError, match="hold no signature"):
        Signature.from_json(text)


def test_a_newer_version_is_named():
    with pytest.raises(FormatError, match="has version 2, this coremlc reads 1"):
        Signature.from_json('{"version":2}')


def bundle(user_defined, inputs=(), outputs=()):
    block = SimpleNamespace(outputs=[SimpleNamespace(name=n, type=t) for n, t in outputs])
    values = [SimpleNamespace(name=n, type=t) for n, t in inputs]
    main = SimpleNamespace(inputs=values, block=block, attributes={})
    return SimpleNamespace(
        user_defined=user_defined,
        program=SimpleNamespace(functions={"main": main}),
        has_optional=False,
    )


def test_a_bundle_of_ours_gives_the_stored_signature():
    one = signature(x=("Int64", (2,)))
    assert Signature.of_bundle(bundle({KEY: one.to_json()})) == one


def test_a_bundle_of_another_maker_gives_that_of_its_program():
    found = Signature.of_bundle(
        bundle({}, [("x", MilType("fp16", (1, None)))], [("y", MilType("int32", (2,)))])
    )
    (x,), (y,) = found.inputs, found.outputs
    assert (str(x), x.features, x.feature_dtype) == ("f16[1,?]", ("x",), "fp16")
    assert (str(y), y.role) == ("i32[2]", "output")
    assert found.encode({"x": np.zeros((1, 7), np.float16)})["x"].shape == (1, 7)
