"""Graphs: the oracle evaluates them, the verifier finds what is broken, bodies see outer values."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.errors import CoremlcError, RefusedError, ShapeError, Where
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import Builder, Function, Graph, Input, Node, Output, collect, walk
from coremlc.ops import binary, iota, shape, unary
from coremlc.ops.call import Call
from coremlc.ops.refused import Unsupported
from tests.ir.graphs import const, graph, run, t


def test_ints_wrap_and_floats_round_after_each_op():
    made = graph(lambda g, x: g.add(binary.Add(), x, x), "i32[2]")
    assert run(made, [np.int32([2**31 - 1, -(2**31)])])[0].tolist() == [-2, 0]
    made = graph(lambda g, x: g.add(binary.Sub(), g.add(binary.Add(), x, x), x), "f16[1]")
    assert run(made, [np.float16([60000])])[0].tolist() == [np.inf]
    third = graph(lambda g, x: g.add(binary.Div(), x, const(g, [3.0])), "f32[1]")
    (y,) = run(third, [np.float32([1])])
    assert y.dtype == np.float32
    assert y[0] == np.float32(1) / np.float32(3)


def body(make, *types: str) -> Function:
    g = Builder()
    return g.finish(make(g, *[g.parameter(t(x)) for x in types]))


def test_call_evaluates_its_body():
    double = body(lambda g, x: g.add(binary.Add(), x, x), "f32[2]")
    made = graph(lambda g, x: g.add(Call(double), g.add(Call(double), x)), "f32[2]")
    assert run(made, [np.float32([1, 3])])[0].tolist() == [4, 12]
    verify.check(made)
    assert [n.op.kind for n in walk(made.main)] == ["Add", "Call", "Add", "Call"]


def test_bodies_see_values_around_them():
    g = Builder()
    x = g.parameter(t("f32[2]"))
    y = g.add(unary.Neg(), x)
    inner = body(lambda b, p: b.add(binary.Mul(), p, y), "f32[2]")
    outer = body(lambda b, p: b.add(Call(inner), b.add(binary.Add(), p, x)), "f32[2]")
    z = g.add(Call(outer), y)
    made = Graph(g.finish(z), (Input("x"),), (Output("z"),))
    verify.check(made)
    assert run(made, [np.float32([2, 3])])[0].tolist() == [0, 0]
    (w,) = evaluate.run(inner, [np.float32([5, 5])], {y: np.float32([2, 3])})
    assert w.tolist() == [10, 15]


def test_call_checks_its_operands():
    double = body(lambda g, x: g.add(binary.Add(), x, x), "f32[2]")
    with pytest.raises(ShapeError, match=r"f32\[3\]"):
        graph(lambda g, x: g.add(Call(double), x), "f32[3]")


def test_the_oracle_tells_where_it_failed():
    class Broken(unary.Neg):
        kind = "Broken"

        def evaluate(self, x):
            raise CoremlcError("no", fix="none")

    node_graph = graph(lambda g, x: g.add(Broken(), x), "f32[2]")
    node_graph.main.nodes[0].source = "model.go:3"
    with pytest.raises(CoremlcError, match="no") as caught:
        run(node_graph, [np.zeros(2, np.float32)])
    assert "where: Broken built at model.go:3" in str(caught.value)


def replaced(made: Graph, **fields: object) -> Graph:
    parts = {"parameters": made.main.parameters, "nodes": made.main.nodes,
             "results": made.main.results} | fields  # fmt: skip
    return made.with_main(Function(**parts))


def test_check_accepts_what_is_right():
    verify.check(graph(lambda g, x: g.add(unary.Neg(), g.add(unary.Neg(), x)), "f32[2]"))


@pytest.mark.parametrize(
    "case", ["order", "missing", "type", "result", "inputs", "outputs", "body"]
)
def test_check_finds_what_is_broken(case):
    made = graph(lambda g, x: g.add(unary.Neg(), g.add(unary.Abs(), x)), "f32[2]")
    nodes = made.main.nodes
    x = made.main.parameters[0]
    stranger = Builder().parameter(t("f32[2]"))
    inner = body(lambda b, p: b.add(binary.Mul(), p, stranger), "f32[2]")
    wrong = Node(unary.Neg(), (x,), (t("f32[3]"),))
    called = Node(Call(inner), (x,), (t("f32[2]"),))
    broken = {
        "order": replaced(made, nodes=nodes[::-1]),
        "missing": replaced(made, nodes=nodes[1:]),
        "type": replaced(made, nodes=(wrong,), results=wrong.results),
        "result": replaced(made, results=(stranger,)),
        "inputs": Graph(made.main, (), made.outputs),
        "outputs": Graph(made.main, made.inputs, ()),
        "body": replaced(made, nodes=(called,), results=called.results),
    }[case]
    with pytest.raises(AssertionError):
        verify.check(broken)


def test_refusals_are_all_told_with_their_places():
    g = Builder()
    x = g.parameter(t("f32[2]"))
    g.source = "model.go:1"
    wide = g.add(shape.Reshape((1, 1, 1, 1, 1, 2)), x)
    g.source = "model.go:2"
    odd = g.add(Unsupported("Sort", (t("f32[2]"),)), x)
    g.source = "model.go:3"
    counted = g.add(iota.Iota(t("i64[2]"), 0))
    results = (wide, odd, counted)
    made = Graph(
        g.finish(*results), (Input("x"),), tuple(Output(f"y{i}") for i in range(len(results)))
    )
    told = [str(error) for error in verify.refusals(made)]
    assert any("rank 6" in line and "model.go:1" in line for line in told)
    assert any("no lowering" in line and "model.go:2" in line for line in told)
    assert any("i64[2]" in line and "model.go:3" in line for line in told)


def test_what_is_right_has_no_refusals():
    made = graph(lambda g, x: g.add(unary.Neg(), x), "f32[2]")
    assert verify.refusals(made) == []


def test_equal_errors_are_told_once():
    errors = [RefusedError("a", fix="b", where=Where(source=f"m.go:{i}")) for i in (1, 2, 1)]
    assert [str(e.where) for e in collect(errors)] == ["built at m.go:1", "built at m.go:2"]


def test_graphs_are_extended_not_changed():
    made = graph(lambda g, x: g.add(unary.Neg(), x), "f32[2]")
    assert made.warn("careful").warnings == ("careful",)
    assert made.warnings == ()
