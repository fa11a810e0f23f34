"""Integers beyond int32: where they become two words, what the border sees, what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coremlc import passes, targets
from coremlc.dtypes import F32
from coremlc.errors import InputError, RefusalsError
from coremlc.ir.graph import Graph
from coremlc.ops import binary, bitwise, convert_dtype
from coremlc.ops.shape import Reverse
from coremlc.signature import Signature
from tests.ir.graphs import const, graph, ops, run, t


def signed(made: Graph) -> Signature:
    return Signature.of_graph(made, targets.DEFAULT, passes.run(made))


def square(g, a):
    g.source = "model.go:4"
    return g.add(binary.Mul(), a, a)


def ranged(made: Graph, low: int, high: int) -> Graph:
    return replace(made, inputs=(replace(made.inputs[0], range=(low, high)),))


def test_a_wide_result_warns_with_its_line_and_its_way_out():
    (warning,) = passes.run(graph(square, "i64[3]")).warnings
    assert warning.startswith("1 int64 value computed exactly in two words, the first at ")
    assert "model.go:4" in warning
    assert "--assume" in warning
    assert passes.run(ranged(graph(square, "i64[3]"), -9, 9)).warnings == ()


@pytest.mark.parametrize(
    ("made", "inputs", "outputs"),
    [
        (graph(square, "i64[3]"), 1, 2),
        (ranged(graph(square, "i64[3]"), 0, 46340), 1, 1),
        (ranged(graph(square, "i64[3]"), 0, 2**40), 2, 2),
        (graph(square, "u64[3]"), 2, 2),
        (ranged(graph(square, "u64[3]"), 0, 9), 1, 1),
        (graph(square, "u32[3]"), 1, 1),
    ],
)
def test_features_of_the_border(made, inputs, outputs):
    signature = signed(made)
    assert Signature.from_json(signature.to_json()) == signature
    assert [len(p.features) for p in signature.inputs] == [inputs]
    assert [len(p.features) for p in signature.outputs] == [outputs]


@pytest.mark.parametrize("dtype", ["i64", "u64", "u32"])
def test_arrays_go_out_and_come_back(dtype):
    limits = t(f"{dtype}[]").dtype.limits
    made = ranged(graph(lambda g, a: g.add(bitwise.BitwiseNot(), a), f"{dtype}[5]"), *limits)
    signature = signed(made)
    x = np.array([*limits, 0, 1, limits[1] // 3], t(f"{dtype}[]").dtype.numpy)
    features = signature.encode({"a": x})
    assert all(f.dtype == np.int32 for f in features.values())
    np.testing.assert_array_equal(signature.inputs[0].decode(features), x)


def test_an_int64_input_of_one_word_refuses_more():
    with pytest.raises(InputError, match="outside -2147483648"):
        signed(graph(square, "i64[1]")).encode({"a": np.array([2**31])})


def test_low_words_alone_cost_one_op():
    """What only converts back to int32 needs no high words: they are dead."""

    def make(g, a):
        wide = g.add(convert_dtype.ConvertDType(t("i64[]").dtype), a)
        product = g.add(binary.Mul(), wide, const(g, 2**40 + 3, "i64"))
        return g.add(convert_dtype.ConvertDType(t("i32[]").dtype), product)

    assert ops(passes.run(graph(make, "i32[3]"))) == ["Mul"]


@pytest.mark.parametrize("dtype", ["f8e4m3fn", "f8e5m2"])
def test_float8_constants_are_float32(dtype):
    numbers = np.array([0.5, -1.75, 240.0, 2.0**-9]).astype(t(f"{dtype}[]").dtype.numpy)

    def make(g, a):
        table = g.add(Reverse((0,)), const(g, numbers, dtype))
        return g.add(binary.Mul(), a, g.add(convert_dtype.ConvertDType(F32), table))

    (y,) = run(passes.run(graph(make, "f32[4]")), [np.ones(4, np.float32)])
    np.testing.assert_array_equal(y, numbers.astype(np.float32)[::-1])


def test_float8_does_not_compute():
    made = graph(lambda g, a: g.add(binary.Add(), a, a), "f8e5m2[2]")
    with pytest.raises(RefusalsError, match="F8E5M2 is not supported"):
        passes.run(made)
