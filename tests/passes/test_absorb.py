"""What a product absorbs, that the meaning stays, and near misses that it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.ir import verify
from coremlc.ir.graph import Graph
from coremlc.ops import binary, leaves, shape, unary
from coremlc.ops.control_flow import If
from coremlc.ops.conv_general import conv
from coremlc.ops.dot_general import matmul
from coremlc.passes import absorb as pass_
from coremlc.passes.absorb import absorb
from coremlc.passes.pipeline import simplify
from tests.ir.graphs import const, graph, ops, run
from tests.ops.control_flow import branch

ADD, SUB, MUL, DIV = binary.Add(), binary.Sub(), binary.Mul(), binary.Div()
RNG = np.random.default_rng(7)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
MATRIX = RNG.normal(size=(5, 4)).astype(np.float32)
CONV = conv((1, 1), (1, 1, 1, 1), (1, 1), 1)


def per(*values: float, rank: int = 4) -> np.ndarray:
    """A constant along axis 1."""
    return np.array(values, np.float32).reshape(1, -1, *(1,) * (rank - 2))


def convolved(g, a, kernel=KERNEL):
    return g.add(CONV, a, const(g, kernel))


def dense(g, a, matrix=MATRIX):
    return g.add(matmul(), a, const(g, matrix))


FOUR = (1.5, -2.0, 0.25, 3.0)
IMAGE, ROWS = "f32[2,3,5,6]", "f32[6,5]"

CHAINS = {
    "bias": (IMAGE, lambda g, a: g.add(ADD, convolved(g, a), const(g, per(*FOUR)))),
    "a scalar before": (IMAGE, lambda g, a: g.add(SUB, const(g, 2.0), convolved(g, a))),
    "batch norm": (
        IMAGE,
        lambda g, a: g.add(
            ADD,
            g.add(
                MUL,
                g.add(
                    DIV,
                    g.add(SUB, convolved(g, a), const(g, per(*FOUR))),
                    const(g, per(0.5, 1, 2, 0.1)),
                ),
                const(g, per(1, -1, 3, 0)),
            ),
            const(g, per(0, 0.1, 0.2, 0.3)),
        ),
    ),
    "dense": (ROWS, lambda g, a: dense(g, a)),
    "dense and bias": (ROWS, lambda g, a: g.add(ADD, const(g, per(*FOUR, rank=2)), dense(g, a))),
    "dense, scaled": (ROWS, lambda g, a: g.add(MUL, dense(g, a), const(g, 0.125))),
    "weights as outputs by inputs": (
        ROWS,
        lambda g, a: g.add(
            ADD, g.add(matmul(transpose_y=True), a, const(g, MATRIX.T)), const(g, 1.0)
        ),
    ),
}


def absorbed(made: Graph) -> Graph:
    made = simplify(made)
    result = made.with_main(absorb(made.main))
    verify.check(result)
    return result


def close(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for x, y in zip(got, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5)


def inputs(made: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=p.type.shape).astype(np.float32) for p in made.main.parameters]


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_becomes_one_op(name):
    kind, make = CHAINS[name]
    made = graph(make, kind)
    result = absorbed(made)
    assert ops(result) == ["linear" if kind == ROWS else "conv"]
    given = inputs(made)
    close(run(result, given), run(made, given))
    given[0].flat[3] = np.nan
    given[0].flat[-1] = np.inf
    close(run(result, given), run(made, given))


def test_a_weight_that_nothing_scales_is_the_stored_one():
    made = graph(lambda g, a: g.add(matmul(transpose_y=True), a, const(g, MATRIX.T)), ROWS)
    result = absorbed(made)
    (before,), (after,) = (
        [n.op.value.array for n in m.main.nodes if n.op.kind == "Constant"] for m in (made, result)
    )
    assert np.shares_memory(before, after)


def test_products_in_and_around_a_body():
    """The body uses a value that became another, and absorbs on its own."""

    def make(g, p, a):
        y = g.add(ADD, dense(g, a), const(g, 2.0))

        def yes(b):
            return b.add(MUL, y, b.add(ADD, dense(b, b.add(unary.Neg(), a)), const(b, 1.0)))

        return g.add(branch(yes, lambda b: y), p)

    made = graph(make, "bool[]", ROWS)
    result = absorbed(made)
    assert ops(result) == ["linear", "If"]
    (node,) = [n for n in result.main.nodes if isinstance(n.op, If)]
    kinds = [n.op.kind for n in node.op.true_branch.nodes if n.op.kind != "Constant"]
    assert kinds == ["Neg", "linear", "Mul"]
    for p in (True, False):
        given = [np.array(p), *inputs(made)[1:]]
        close(run(result, given), run(made, given))


def used_twice(g, a):
    y = convolved(g, a)
    return g.add(ADD, y, const(g, per(*FOUR))), y


def shared_weights(g, a):
    w = const(g, MATRIX)
    y = g.add(MUL, g.add(matmul(), a, w), const(g, 2.0))
    return y, g.add(matmul(), g.add(unary.Neg(), a), w)


def weights_as_they_lie(g, a):
    w = const(g, MATRIX)
    return g.add(matmul(), a, w), g.add(MUL, w, g.add(shape.Slice((0, 0), (5, 4), (1, 1)), a))


MISSES = {
    "who else uses the product": (IMAGE, used_twice, ["conv", "Add"]),
    "scaling would copy shared weights": (ROWS, shared_weights, ["linear", "Mul", "Neg", "linear"]),
    "others need the weights as they lie": (
        ROWS, weights_as_they_lie, ["matmul", "Slice", "Mul"],
    ),
    "the constant lies along another axis": (
        IMAGE,
        lambda g, a: g.add(ADD, convolved(g, a), const(g, np.arange(6).reshape(1, 1, 1, 6))),
        ["conv", "Add"],
    ),
    "the constant spreads the result": (
        "f32[1,5]",
        lambda g, a: g.add(ADD, dense(g, a), const(g, np.arange(12).reshape(3, 4))),
        ["linear", "Add"],
    ),
    "division of a constant": (
        IMAGE, lambda g, a: g.add(DIV, const(g, 1.0), convolved(g, a)), ["conv", "Div"],
    ),
    "not a constant": (IMAGE, lambda g, a: g.add(ADD, convolved(g, a), convolved(g, a)), None),
    "a weight would overflow": (
        IMAGE, lambda g, a: g.add(MUL, convolved(g, a), const(g, 3e38)), ["conv", "Mul"],
    ),
    "a weight would vanish": (
        IMAGE, lambda g, a: g.add(MUL, convolved(g, a), const(g, 1e-44)), ["conv", "Mul"],
    ),
    "a bias is infinite": (
        IMAGE, lambda g, a: g.add(ADD, convolved(g, a), const(g, np.inf)), ["conv", "Add"],
    ),
    "division by zero": (
        IMAGE, lambda g, a: g.add(DIV, convolved(g, a), const(g, 0.0)), ["conv", "Div"],
    ),
    "integers": (
        "i32[6,5]",
        lambda g, a: g.add(
            ADD, g.add(matmul(), a, const(g, np.ones((5, 4)), "i32")), const(g, 1, "i32")
        ),
        ["matmul", "Add"],
    ),
    "float16 rounds after each op": (
        "f16[6,5]",
        lambda g, a: g.add(ADD, g.add(matmul(), a, const(g, MATRIX, "f16")), const(g, 1, "f16")),
        ["matmul", "Add"],
    ),
    "weights that are computed": (
        ROWS, lambda g, a: g.add(ADD, g.add(matmul(False, True), a, a), const(g, 1.0)),
        ["matmul", "Add"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSES)
def test_near_misses(name):
    kind, make, kinds = MISSES[name]
    made = graph(make, kind)
    result = absorbed(made)
    assert ops(result) == (kinds or ops(simplify(made)))


def test_large_weights_are_not_scaled(monkeypatch):
    monkeypatch.setattr(pass_, "MAX_SCALED", 19)
    made = graph(
        lambda g, a: g.add(MUL, g.add(ADD, dense(g, a), const(g, 1.0)), const(g, 2.0)), ROWS
    )
    assert ops(absorbed(made)) == ["linear", "Mul"]


def test_nothing_is_copied_that_stays():
    made = simplify(graph(lambda g, a: g.add(leaves.Identity(), g.add(ADD, a, a)), ROWS))
    assert absorb(made.main).nodes[0] is made.main.nodes[0]
