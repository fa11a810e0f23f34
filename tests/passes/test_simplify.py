"""Folding and its bounds, common subexpressions, dead code, calls; and that no bit ever changes."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coremlc import passes
from coremlc.dtypes import F32
from coremlc.errors import RefusalsError, ShapeError
from coremlc.frontend import read
from coremlc.ir import verify
from coremlc.ir.graph import Builder, Function, Graph, Input, Node, Output
from coremlc.ir.literal import TensorData
from coremlc.ops import binary, convert_dtype, dense, iota, leaves, norm, shape, unary
from coremlc.ops.call import Call
from coremlc.ops.leaves import Constant
from coremlc.passes.decompose import decompose
from coremlc.passes.pipeline import simplify
from coremlc.passes.smart import FOLD_SIZE, REPEAT_SIZE
from tests.frontend.files import File
from tests.ir.graphs import Random, arrays, const, graph, ops, run, same, t

ADD, SUB, MUL, NEG = binary.Add(), binary.Sub(), binary.Mul(), unary.Neg()


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 30))
def test_simplify_changes_no_bit(seed, nodes):
    before = Random(seed, nodes).graph()
    after = simplify(before)
    verify.check(after)
    assert len(after.main.nodes) <= 3 * len(before.main.nodes)
    x = arrays(before, seed)
    same(run(after, x), run(before, x))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 20))
def test_all_passes_change_no_bit_of_exact_ops(seed, nodes):
    before = Random(seed, nodes).graph()
    after = passes.run(before)
    assert all(node.op.lower is not None for node in after.main.nodes)
    x = arrays(before, seed)
    same(run(after, x), run(before, x))


@pytest.mark.slow
def test_many_random_graphs_keep_every_bit():
    for seed in range(5000):
        before = Random(seed, seed % 60).graph()
        x = arrays(before, seed)
        expected = run(before, x)
        same(run(simplify(before), x), expected)
        same(run(passes.run(before), x), expected)


def folded(make) -> np.ndarray:
    """The elements of the one constant that is left."""
    after = simplify(graph(make))
    (node,) = after.main.nodes
    return node.op.value.array


def test_constants_fold():
    x = folded(lambda g: g.add(ADD, g.add(MUL, const(g, [1, 2]), const(g, [3, 4])), const(g, 1.0)))
    assert x.tolist() == [4, 9]


def test_folding_rounds_to_the_dtype():
    x = folded(lambda g: g.add(ADD, const(g, [60000.0], "f16"), const(g, [60000.0], "f16")))
    assert x.dtype == np.float16
    assert np.isinf(x[0])
    wrapped = folded(lambda g: g.add(ADD, const(g, 2**31 - 1, "i32"), const(g, 1, "i32")))
    assert wrapped == -(2**31)


def test_what_has_no_elements_folds():
    after = simplify(graph(lambda g, a: g.add(NEG, a), "f32[0,3]"))
    assert ops(after) == []
    assert run(after, [np.zeros((0, 3), np.float32)])[0].shape == (0, 3)


@pytest.mark.parametrize(("size", "kept"), [(FOLD_SIZE, []), (FOLD_SIZE + 1, ["Iota"])])
def test_an_iota_folds_up_to_the_bound(size, kept):
    after = simplify(graph(lambda g: g.add(iota.Iota(t(f"i32[{size}]"), 0))))
    assert ops(after) == kept


@pytest.mark.parametrize(
    ("rows", "kept"), [(REPEAT_SIZE // 2, []), (REPEAT_SIZE // 2 + 1, ["BroadcastInDim"])]
)
def test_a_repeated_constant_folds_up_to_the_bound(rows, kept):
    def make(g):
        return g.add(shape.BroadcastInDim(t(f"f32[{rows},2]"), (1,)), const(g, [1.0, 2.0]))

    assert ops(simplify(graph(make))) == kept


def test_a_large_constant_folds_into_one_as_large():
    big = np.arange(FOLD_SIZE * 2, dtype=np.float32)
    x = folded(lambda g: g.add(NEG, const(g, big)))
    np.testing.assert_array_equal(x, -big)


def test_a_huge_splat_is_never_spread():
    """2^34 elements: touching them all would take a minute and 64 GB."""

    def make(g, a):
        huge = g.add(leaves.splat(F32, 2.0, (1 << 17, 1 << 17)))
        return g.add(MUL, a, g.add(shape.Slice((5, 5), (6, 6), (1, 1)), huge))

    after = simplify(graph(make, "f32[1,1]"))
    assert ops(after) == ["Mul"]
    assert run(after, [np.float32([[3]])])[0].tolist() == [[6]]


MOVES = {
    "reshape": (lambda g, w: g.add(shape.Reshape((50, 8)), w), lambda w: w.reshape(50, 8)),
    "transpose": (lambda g, w: g.add(shape.Transpose((1, 0)), w), lambda w: w.T),
    "slice": (
        lambda g, w: g.add(shape.Slice((1, 0), (19, 20), (2, 1)), w), lambda w: w[1:19:2, 0:20],
    ),
    "reverse": (lambda g, w: g.add(shape.Reverse((0,)), w), lambda w: w[::-1]),
    "identity": (lambda g, w: g.add(leaves.Identity(), w), lambda w: w),
    "convert": (lambda g, w: g.add(convert_dtype.ConvertDType(F32), w), lambda w: w),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_moving_a_weight_copies_nothing(move, tmp_path):
    """What comes out is a view of the file that is mapped."""
    file = File()
    value = np.arange(400, dtype=np.float32).reshape(20, 20)
    file.result(file.constant(value, "Float32"))
    source = read(file.save(tmp_path))
    mapped = source.main.nodes[0].op.value.array
    base = mapped
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base.base, mmap.mmap | memoryview)

    make, expected = MOVES[move]
    g = Builder()
    g.nodes.extend(source.main.nodes)
    moved = Graph(g.finish(make(g, source.main.results[0])), (), (Output("y"),))
    (node,) = passes.run(moved).main.nodes
    np.testing.assert_array_equal(node.op.value.array, expected(value))
    assert np.shares_memory(node.op.value.array, mapped)


def test_equal_nodes_are_one():
    def make(g, a, b):
        x = g.add(ADD, g.add(NEG, a), b)
        y = g.add(ADD, g.add(NEG, a), b)
        return g.add(MUL, x, y)

    after = simplify(graph(make, "f32[2]", "f32[2]"))
    assert ops(after) == ["Neg", "Add", "Mul"]


def test_nodes_that_differ_in_an_attribute_are_two():
    def make(g, a):
        return g.add(shape.Reverse((0,)), a), g.add(shape.Reverse((1,)), a)

    assert ops(simplify(graph(make, "f32[2,2]"))) == ["Reverse", "Reverse"]


def test_operands_in_another_order_are_another_node():
    made = graph(lambda g, a, b: (g.add(SUB, a, b), g.add(SUB, b, a)), "f32[2]", "f32[2]")
    assert ops(simplify(made)) == ["Sub", "Sub"]


def test_zeros_of_either_sign_are_two_constants():
    made = graph(lambda g: (const(g, [0.0, 1.0]), const(g, [-0.0, 1.0])))
    assert len(simplify(made).main.nodes) == 2


def test_dead_nodes_go():
    def make(g, a, b):
        g.add(NEG, g.add(ADD, a, b))
        g.add_multi(leaves.OptimizationBarrier(), a, b)
        return g.add(NEG, b)

    before = graph(make, "f32[2]", "f32[2]")
    after = simplify(before)
    assert ops(after) == ["Neg"]
    assert len(after.main.parameters) == 2


def test_a_node_with_one_live_result_stays():
    made = graph(
        lambda g, a, b: g.add_multi(leaves.OptimizationBarrier(), a, b)[1], "f32[2]", "f32[3]"
    )
    after = passes.run(made)
    assert after.main.results == (after.main.parameters[1],)


def body(make, *types):
    g = Builder()
    g.source = "inner.go:1"
    return g.finish(make(g, *[g.parameter(t(x)) for x in types]), name="f")


def called(make, kind="f32[2,3]") -> Graph:
    inner = body(make, kind)
    return graph(lambda g, a: g.add(Call(inner), g.add(Call(inner), a)), kind)


def test_composites_inside_calls_are_decomposed():
    made = called(lambda g, x: g.add(norm.FusedSoftmax(1), g.add(dense.FusedGelu(exact=True), x)))
    after = passes.run(made)
    assert all(node.op.decompose is None for node in after.main.nodes)
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(run(after, [x])[0], run(made, [x])[0], rtol=1e-6)


def test_calls_inside_calls_are_inlined():
    inner = body(lambda g, x: g.add(NEG, x), "f32[2,3]")
    made = called(lambda g, x: g.add(MUL, g.add(Call(inner), x), x))
    after = passes.run(made)
    assert "Call" not in ops(after)
    x = np.float32([[1, 2, 3], [4, 5, 6]])
    same(run(after, [x]), run(made, [x]))


def test_dtypes_inside_calls_are_legalized():
    def make(g, x):
        wide = g.add(convert_dtype.ConvertDType(t("f64[]").dtype), x)
        return g.add(convert_dtype.ConvertDType(F32), g.add(ADD, wide, wide))

    after = passes.run(called(make))
    assert any("float64" in warning for warning in after.warnings)
    assert run(after, [np.ones((2, 3), np.float32)])[0].tolist() == [[4.0] * 3] * 2


def test_strict_looks_into_calls():
    def make(g, x):
        wide = g.add(convert_dtype.ConvertDType(t("f64[]").dtype), x)
        return g.add(convert_dtype.ConvertDType(F32), wide)

    with pytest.raises(RefusalsError, match="Core ML has no float64"):
        passes.run(called(make), strict=True)


def test_refusals_inside_calls_name_the_inner_line():
    def make(g, x):
        small = g.add(convert_dtype.ConvertDType(t("f8e5m2[]").dtype), x)
        return g.add(convert_dtype.ConvertDType(F32), small)

    with pytest.raises(RefusalsError) as caught:
        passes.run(called(make), strict=True)
    assert "f8e5m2[2,3]" in str(caught.value)
    assert "inner.go:1" in str(caught.value)


def test_calls_are_simplified_together():
    """Two equal calls are one, and their constants fold with those around."""

    def make(g, a):
        inner = body(lambda b, x: b.add(ADD, x, const(b, [1.0, 2.0])), "f32[2]")
        return g.add(ADD, g.add(Call(inner), a), g.add(Call(inner), a))

    assert ops(passes.run(graph(make, "f32[2]"))) == ["Add", "Add"]


def test_bodies_keep_the_values_that_they_capture():
    g = Builder()
    x = g.parameter(t("f32[2]"))
    y = g.add(NEG, x)
    b = Builder()
    p = b.parameter(t("f32[2]"))
    inner = b.finish(b.add(MUL, p, y))
    made = Graph(g.finish(g.add(Call(inner), x)), (Input("x"),), (Output("y"),))
    assert run(passes.run(made), [np.float32([2, 3])])[0].tolist() == [-4, -9]
    assert run(simplify(made), [np.float32([2, 3])])[0].tolist() == [-4, -9]


def test_the_input_of_a_pass_is_not_changed():
    before = graph(
        lambda g, a: g.add(ADD, g.add(leaves.Identity(), a), const(g, [1.0, 2.0])), "f32[2]"
    )
    nodes = before.main.nodes
    operands = [n.operands for n in nodes]
    passes.run(before)
    assert before.main.nodes is nodes
    assert [n.operands for n in nodes] == operands


def test_new_nodes_know_the_line_they_stand_for():
    def make(g, a):
        g.source = "model.go:8"
        return g.add(norm.FusedSoftmax(1), a)

    after = decompose(graph(make, "f32[2,3]").main)
    assert {node.source for node in after.nodes} == {"model.go:8"}
    assert len(after.nodes) == 1 or len(after.nodes) > 2


def test_an_error_while_rebuilding_names_the_line():
    broken = Node(
        ADD, tuple(graph(lambda g, a, b: a, "f32[2]", "f32[3]").main.parameters), (t("f32[2]"),)
    )
    broken.source = "model.go:4"
    made = graph(lambda g, a, b: a, "f32[2]", "f32[3]")

    main = Function(broken.operands, (broken,), broken.results)
    with pytest.raises(ShapeError) as caught:
        simplify(made.with_main(main))
    assert "model.go:4" in str(caught.value)


def test_a_constant_is_the_array_it_was():
    data = TensorData(F32, np.arange(3, dtype=np.float32))
    after = simplify(graph(lambda g: g.add(Constant(data))))
    assert after.main.nodes[0].op.value is data
