"""Each rewrite rule: that it fires, that the meaning stays, and a near miss that must not fire."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.dtypes import BOOL, F32, I32
from coremlc.ir.types import TensorType
from coremlc.ops import compare, convert_dtype, leaves, reduce, shape, unary
from coremlc.ops.dot_general import matmul
from coremlc.ops.selection import Where
from coremlc.passes.pipeline import simplify
from coremlc.passes.rules import RULES
from tests.ir.graphs import const, graph, ops, run
from tests.ops.control_flow import branch, loop
from tests.passes import fewer_cases, regroup_cases
from tests.passes.rewriting import (
    ADD,
    DIV,
    MUL,
    NEG,
    SUB,
    Case,
    cut,
    dims,
    perm,
    rev,
    short,
    simplified,
    splat,
    wide,
)

SUM = reduce.ReduceSum((0,))
UNTIL = loop((TensorType(BOOL),), lambda g, p: p, lambda g, p: g.add(unary.LogicalNot(), p))

KEPT = loop(
    (TensorType(BOOL), TensorType(F32, (2,))),
    lambda g, p, x: p,
    lambda g, p, x: (g.add(unary.LogicalNot(), p), x),
)


def counted(g, start, x):
    """x doubled twice, by a loop."""
    op = loop(
        (start.type, x.type),
        lambda b, i, y: b.add(compare.LessThan(), i, const(b, 2, "i32")),
        lambda b, i, y: (b.add(ADD, i, const(b, 1, "i32")), b.add(ADD, y, y)),
    )
    return g.add_multi(op, start, x)[1]


def picked(g, p, x, op):
    """`p ? op(x) : x`; of a scalar op -1 for x."""

    def other(b):
        return x if op is NEG else const(b, -1)

    return g.add(branch(lambda b: b.add(op, x), other), p)


FIRED = [
    Case("identity", lambda g, a: g.add(leaves.Identity(), a), ("f32[2]",), "-> a"),
    Case("reshape", lambda g, a: dims(g, a, 2, 3), ("f32[2,3]",), "-> a"),
    Case(
        "reshape", lambda g, a: dims(g, dims(g, a, 6), 3, 2), ("f32[2,3]",),
        "Reshape(a):f32[3,2] -> %",
    ),
    Case("reshape", lambda g, a: dims(g, dims(g, a, 6), 2, 3), ("f32[2,3]",), "-> a"),
    Case("transpose", lambda g, a: perm(g, a, 0, 1), ("f32[2,3]",), "-> a"),
    Case("transpose", lambda g, a: perm(g, perm(g, a, 1, 2, 0), 2, 0, 1), ("i32[2,3,4]",), "-> a"),
    Case(
        "transpose", lambda g, a: perm(g, perm(g, a, 1, 2, 0), 1, 2, 0), ("f32[2,3,4]",),
        "Transpose(a):f32[4,2,3] -> %",
    ),
    Case(
        "transpose", lambda g, a: perm(g, a, 1, 0, 2), ("f32[1,3,2]",),
        "Reshape(a):f32[3,1,2] -> %",
    ),
    Case(
        "broadcast_nothing", lambda g, a: wide(g, a, 3, 1, 2, axes=(2, 0)), ("f32[2,3]",),
        "Transpose(a):f32[3,2] Reshape(%):f32[3,1,2] -> %",
    ),
    Case("broadcast_nothing", lambda g, a: wide(g, a, 2, 3), ("f32[2,3]",), "-> a"),
    Case("slice_all", lambda g, a: cut(g, a, (0, 0), (2, 3)), ("f32[2,3]",), "-> a"),
    Case(
        "slice_slice", lambda g, a: cut(g, cut(g, a, (1,), (9,), (2,)), (1,), (4,), (2,)),
        ("f32[10]",), "Slice(a):f32[2] -> %",
    ),
    Case("concatenate_one", lambda g, a: g.add(shape.Concatenate(0), a), ("f32[2]",), "-> a"),
    Case(
        "concatenate_one",
        lambda g, a: g.add(shape.Concatenate(0), a, splat(g, 0, 0), a), ("f32[2]",),
        "Concatenate(a, a):f32[4] -> %",
    ),
    Case(
        "concatenate_one", lambda g, a: g.add(shape.Concatenate(0), splat(g, 0, 0), a),
        ("f32[2]",), "-> a",
    ),
    Case("reverse_one", lambda g, a: rev(g, a, 0), ("f32[1,3]",), "-> a"),
    Case("reverse_one", lambda g, a: rev(g, a), ("f32[2]",), "-> a"),
    Case("reverse_one", lambda g, a: rev(g, rev(g, a, 1, 0), 0, 1), ("f32[2,3]",), "-> a"),
    Case("reverse_one", lambda g, a: rev(g, a, 1, 0), ("f32[1,3]",), "Reverse(a):f32[1,3] -> %"),
    Case(
        "convert_nothing", lambda g, a: g.add(convert_dtype.ConvertDType(F32), a), ("f32[2]",),
        "-> a",
    ),
    Case("times_one", lambda g, a: g.add(MUL, a, splat(g, 1, 2)), ("f32[2]",), "-> a"),
    Case("times_one", lambda g, a: g.add(MUL, const(g, 1.0), a), ("f32[2]",), "-> a"),
    Case("times_one", lambda g, a: g.add(DIV, a, const(g, [1, 1])), ("f32[2]",), "-> a"),
    Case("times_one", lambda g, a: g.add(DIV, a, const(g, 1, "i32")), ("i32[2]",), "-> a"),
    Case("plus_zero", lambda g, a: g.add(ADD, a, const(g, 0, "i32")), ("i32[2]",), "-> a"),
    Case("plus_zero", lambda g, a: g.add(ADD, const(g, -0.0), a), ("f32[2]",), "-> a"),
    Case("plus_zero", lambda g, a: g.add(SUB, a, const(g, 0.0)), ("f32[2]",), "-> a"),
    Case("plus_zero", lambda g, a: g.add(ADD, a, const(g, [-0.0, -0.0])), ("f32[2]",), "-> a"),
    Case(
        "where_known", lambda g, a, b: g.add(Where(), splat(g, True, 2, dtype=BOOL), a, b),
        ("f32[2]", "f32[2]"), "-> a",
    ),
    Case(
        "where_known", lambda g, a, b: g.add(Where(), const(g, False, "bool"), a, b),
        ("f32[2]", "f32[2]"), "-> b",
    ),
    Case("where_known", lambda g, a, b: g.add(Where(), a, b, b), ("bool[2]", "f32[2]"), "-> b"),
    Case(
        "implicit", lambda g, a, b: g.add(ADD, wide(g, a, 4, 2, axes=(1,)), b),
        ("f32[2]", "f32[4,2]"), "Reshape(a):f32[1,2] Add(%, b):f32[4,2] -> %",
    ),
    Case(
        "implicit", lambda g, a, b: g.add(MUL, wide(g, a, 4, 2, axes=()), b),
        ("f32[]", "f32[4,2]"), "Mul(a, b):f32[4,2] -> %",
    ),
    Case(
        "implicit", lambda g, a: g.add(ADD, a, splat(g, 2.5, 4, 2)), ("f32[4,2]",),
        "Add(a, 2.5):f32[4,2] -> %",
    ),
    Case(
        "implicit", lambda g, a: g.add(NEG, wide(g, a, 4, 2, axes=(1,))), ("f32[2]",),
        "Neg(a):f32[2] Reshape(%):f32[1,2] BroadcastInDim(%):f32[4,2] -> %",
    ),
    Case(
        "implicit",
        lambda g, a, b: g.add(ADD, wide(g, a, 4, 2, axes=(0,)), wide(g, b, 4, 2, axes=(1,))),
        ("f32[4]", "f32[2]"),
        "Reshape(a):f32[4,1] Reshape(b):f32[1,2] Add(%, %):f32[4,2] -> %",
    ),
    Case(
        "implicit", lambda g, a: g.add(NEG, wide(g, a, 4, 2, axes=())), ("f32[]",),
        "Neg(a):f32[] BroadcastInDim(%):f32[4,2] -> %",
    ),
    Case(
        "transpose_below", lambda g, a: g.add(NEG, perm(g, a, 1, 0)), ("f32[2,3]",),
        "Neg(a):f32[2,3] Transpose(%):f32[3,2] -> %",
    ),
    Case(
        "transpose_below",
        lambda g, a, b: perm(g, g.add(SUB, perm(g, a, 1, 2, 0), perm(g, b, 1, 2, 0)), 2, 0, 1),
        ("f32[2,3,4]", "f32[2,3,4]"), "Sub(a, b):f32[2,3,4] -> %",
    ),
    Case(
        "transpose_below",
        lambda g, a, b: g.add(SUB, b, perm(g, a, 1, 2, 0)), ("f32[2,3,4]", "f32[1,4,1]"),
        "Reshape(b):f32[1,1,4] Sub(%, a):f32[2,3,4] Transpose(%):f32[3,4,2] -> %",
    ),
    Case(
        "transpose_below",
        lambda g, a: g.add(DIV, const(g, np.arange(6).reshape(3, 2)), perm(g, a, 1, 0)),
        ("f32[2,3]",), "Div(const:f32[2,3], a):f32[2,3] Transpose(%):f32[3,2] -> %",
    ),
    Case(
        "implicit",
        lambda g, a, b: g.add(Where(), wide(g, a, 2, 3, axes=(0,)), b, splat(g, 0.0, 2, 3)),
        ("bool[2]", "f32[2,3]"), "Reshape(a):bool[2,1] Where(%, b, 0.0):f32[2,3] -> %",
    ),
]  # fmt: skip

NEAR = [
    Case("identity", lambda g, a: g.add(NEG, a), ("f32[2]",), "Neg(a):f32[2] -> %"),
    Case("reshape", lambda g, a: dims(g, a, 3, 2), ("f32[2,3]",), "Reshape(a):f32[3,2] -> %"),
    Case(
        "transpose", lambda g, a: perm(g, a, 1, 0, 2), ("f32[2,3,1]",),
        "Transpose(a):f32[3,2,1] -> %",
    ),
    Case(
        "broadcast_nothing", lambda g, a: wide(g, a, 2, 3), ("f32[2,1]",),
        "BroadcastInDim(a):f32[2,3] -> %",
    ),
    Case(
        "slice_all", lambda g, a: cut(g, a, (0,), (3,), (2,)), ("f32[3]",),
        "Slice(a):f32[2] -> %",
    ),
    Case(
        "slice_slice", lambda g, a: cut(g, g.add(NEG, cut(g, a, (1,), (4,))), (1,), (2,)),
        ("f32[5]",), "Slice(a):f32[3] Neg(%):f32[3] Slice(%):f32[1] -> %",
    ),
    Case(
        "concatenate_one", lambda g, a: g.add(shape.Concatenate(0), a, a), ("f32[2]",),
        "Concatenate(a, a):f32[4] -> %",
    ),
    Case(
        "reverse_one", lambda g, a: rev(g, rev(g, a, 0), 1), ("f32[2,3]",),
        "Reverse(a):f32[2,3] Reverse(%):f32[2,3] -> %",
    ),
    Case(
        "convert_nothing", lambda g, a: g.add(convert_dtype.ConvertDType(I32), a), ("bool[2]",),
        "ConvertDType(a):i32[2] -> %",
    ),
    Case(
        "times_one", lambda g, a: g.add(DIV, const(g, 1.0), a), ("f32[2]",),
        "Div(1.0, a):f32[2] -> %",
    ),
    Case(
        "times_one", lambda g, a: g.add(MUL, a, const(g, [1.0, 2.0])), ("f32[2]",),
        "Mul(a, const:f32[2]):f32[2] -> %",
    ),
    Case(
        "times_one", lambda g, a: g.add(MUL, a, const(g, [[1.0], [1.0]])), ("f32[1,2]",),
        "Mul(a, const:f32[2,1]):f32[2,2] -> %",
    ),
    Case(
        "plus_zero", lambda g, a: g.add(ADD, a, const(g, 0.0)), ("f32[2]",),
        "Add(a, 0.0):f32[2] -> %",
    ),
    Case(
        "plus_zero", lambda g, a: g.add(SUB, a, const(g, -0.0)), ("f32[2]",),
        "Sub(a, -0.0):f32[2] -> %",
    ),
    Case(
        "plus_zero", lambda g, a: g.add(SUB, const(g, 0, "i32"), a), ("i32[2]",),
        "Sub(0, a):i32[2] -> %",
    ),
    Case(
        "plus_zero", lambda g, a: g.add(ADD, a, const(g, [0.0, -0.0])), ("f32[2]",),
        "Add(a, const:f32[2]):f32[2] -> %",
    ),
    Case(
        "where_known", lambda g, a, b: g.add(Where(), const(g, [True, False], "bool"), a, b),
        ("f32[2]", "f32[2]"), "Where(const:bool[2], a, b):f32[2] -> %",
    ),
    Case(
        "where_known", lambda g, a, b: g.add(Where(), const(g, [True, True], "bool"), a, b),
        ("f32[]", "f32[2]"), "Where(const:bool[2], a, b):f32[2] -> %",
    ),
    Case(
        "transpose_below", lambda g, a, b: g.add(SUB, perm(g, a, 1, 0), b),
        ("f32[2,3]", "f32[3,2]"), "Transpose(a):f32[3,2] Sub(%, b):f32[3,2] -> %",
    ),
    Case(
        "transpose_below",
        lambda g, a, b: g.add(SUB, perm(g, a, 1, 2, 0), perm(g, b, 2, 0, 1)),
        ("f32[2,3,4]", "f32[4,2,3]"),
        "Transpose(a):f32[3,4,2] Transpose(b):f32[3,4,2] Sub(%, %):f32[3,4,2] -> %",
    ),
    Case(
        "implicit", lambda g, a: g.add(reduce.ReduceMax((0,)), wide(g, a, 4, 2, axes=(1,))),
        ("f32[2]",), "BroadcastInDim(a):f32[4,2] ReduceMax(%):f32[2] -> %",
    ),
]  # fmt: skip

FIRED += [
    Case("unrolled", lambda g, a: counted(g, const(g, 0, "i32"), a), ("f32[2]",),
         "Add(a, a):f32[2] Add(%, %):f32[2] -> %"),
    Case("branch_known", lambda g, a: picked(g, const(g, True, "bool"), a, SUM), ("f32[2]",),
         "ReduceSum(a):f32[] -> %"),
    Case("select_cheap", lambda g, p, a: picked(g, p, a, NEG), ("bool[]", "f32[2]"),
         "Neg(b):f32[2] Where(a, %, b):f32[2] -> %"),
]  # fmt: skip
FIRED += [
    Case("fixed_state", lambda g, p, x: g.add_multi(KEPT, p, x)[0], ("bool[]", "f32[2]"),
         "While(a):bool[] -> %"),
]  # fmt: skip
NEAR += [
    Case("fixed_state", lambda g, p: g.add(UNTIL, p), ("bool[]",), "While(a):bool[] -> %"),
    Case("unrolled", lambda g, p: g.add(UNTIL, p), ("bool[]",), "While(a):bool[] -> %"),
    Case("branch_known", lambda g, p, a: picked(g, p, a, SUM), ("bool[]", "f32[2]"),
         "If(a):f32[] -> %"),
    Case("select_cheap", lambda g, p, a: picked(g, p, a, SUM), ("bool[]", "f32[2]"),
         "If(a):f32[] -> %"),
]  # fmt: skip
FIRED += [
    Case("transposed_operand", lambda g, a, b: g.add(matmul(), perm(g, a, 1, 0), b),
         ("f32[3,2]", "f32[3,4]"), "matmul(a, b):f32[2,4] -> %"),
    Case("transposed_operand", lambda g, a, b: g.add(matmul(True, True), a, perm(g, b, 0, 2, 1)),
         ("f32[2,4,3]", "f32[2,4,5]"), "matmul(a, b):f32[2,3,5] -> %"),
    Case("transposed_operand",
         lambda g, a: g.add(matmul(), a, perm(g, const(g, np.arange(6).reshape(2, 3)), 1, 0)),
         ("f32[4,3]",), "matmul(a, const:f32[2,3]):f32[4,2] -> %"),
]  # fmt: skip
NEAR += [
    Case("transposed_operand", lambda g, a, b: g.add(matmul(), a, perm(g, b, 1, 2, 0)),
         ("f32[2,5,3]", "f32[4,2,3]"),
         "Transpose(b):f32[2,3,4] matmul(a, %):f32[2,5,4] -> %"),
    Case("transposed_operand",  # a symmetric constant is its own transpose
         lambda g, a: g.add(matmul(), a, const(g, np.array([[1, 2], [2, 1]], np.float32).T)),
         ("f32[4,2]",), "matmul(a, const:f32[2,2]):f32[4,2] -> %"),
    Case("transposed_operand", lambda g, a: g.add(matmul(), a, splat(g, 2.0, 3, 4)),
         ("f32[5,3]",), "matmul(a, 2.0:f32[3,4]):f32[5,4] -> %"),
    Case("transposed_operand", lambda g, a: g.add(matmul(), perm(g, a, 1, 0), splat(g, 2.0, 3, 4)),
         ("f32[3,5]",), "Transpose(a):f32[5,3] matmul(%, 2.0:f32[3,4]):f32[5,4] -> %"),
]  # fmt: skip


FIRED += [*regroup_cases.FIRED, *fewer_cases.FIRED]
NEAR += [*regroup_cases.NEAR, *fewer_cases.NEAR]


@pytest.mark.parametrize("case", FIRED, ids=lambda c: f"{c.rule}-{c.text}")
def test_rule_fires(case: Case) -> None:
    assert short(simplified(case)) == case.text


@pytest.mark.parametrize("case", NEAR, ids=lambda c: f"{c.rule}-{c.text}")
def test_near_miss_does_not_fire(case: Case) -> None:
    assert short(simplified(case)) == case.text


def test_every_rule_has_both():
    rules = {rule.__name__ for family in RULES.values() for rule in family}
    assert {case.rule for case in FIRED} == rules
    assert {case.rule for case in NEAR} == rules


def test_rules_fire_in_turn():
    """What one rule leaves, the next finds."""

    def make(g, a):
        x = perm(g, dims(g, g.add(leaves.Identity(), a), 2, 3), 0, 1)
        y = g.add(ADD, g.add(MUL, x, splat(g, 1, 2, 3)), splat(g, -0.0, 2, 3))
        return rev(g, rev(g, y, 0), 0)

    assert short(simplify(graph(make, "f32[2,3]"))) == "-> a"


def test_complex_zeros_are_left_alone():
    """-W error: not even a warning."""
    zero = np.complex64(0)
    made = graph(lambda g, a: g.add(ADD, a, const(g, zero, "c64")), "c64[2]")
    assert ops(simplify(made)) in ([], ["Add"])
    x = np.array([complex(-0.0, -0.0), 1 + 2j], np.complex64)
    (got,), (due,) = run(simplify(made), [x]), run(made, [x])
    assert got.tobytes() == due.tobytes()
