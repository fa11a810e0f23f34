"""Products of rows: that they join, that the numbers stay, and what must not join."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.ops import binary
from coremlc.ops.dot_general import matmul
from coremlc.ops.shape import Concatenate, Reshape
from coremlc.passes import pipeline
from tests.ir.graphs import const, graph, ops, run
from tests.passes.rewriting import cut

RNG = np.random.default_rng(0)
W, V = RNG.normal(size=(2, 3, 5))
BIAS = RNG.normal(size=(1, 5))
ADD = binary.Add()


def steps(*rows, weights=(W, W, W), biases=(BIAS, BIAS, BIAS)):
    """`(x[start:limit] @ weight + bias) + (what came before)`, as a recurrent layer adds."""

    def make(g, x, h):
        for (start, limit), weight, bias in zip(rows, weights, biases, strict=False):
            part = cut(g, x, (start, 0), (limit, 3))
            h = g.add(ADD, g.add(ADD, g.add(matmul(), part, const(g, weight)), const(g, bias)), h)
        return h

    return graph(make, "f32[3,3]", "f32[1,5]")


ROWS = ((0, 1), (1, 2), (2, 3))


def test_rows_join():
    before = steps(*ROWS)
    after = pipeline.run(before)
    assert ops(after) == ["linear", "Slice", "Add", "Slice", "Add", "Slice", "Add"]
    given = [RNG.normal(size=p.type.shape).astype(np.float32) for p in before.main.parameters]
    np.testing.assert_allclose(run(after, given)[0], run(before, given)[0], rtol=1e-5)


def test_steps_of_a_batch_join():
    """Slices of an axis inside."""

    def make(g, x):
        parts = [cut(g, x, (0, i, 0), (2, i + 1, 3)) for i in range(4)]
        rows = [g.add(Reshape((2, 3)), part) for part in parts]
        return tuple(g.add(matmul(), r, const(g, W)) for r in rows)

    before = graph(make, "f32[2,4,3]")
    after = pipeline.run(before)
    assert ops(after) == ["Reshape", "linear", "Reshape", *["Slice", "Reshape"] * 4]
    given = [RNG.normal(size=(2, 4, 3)).astype(np.float32)]
    for got, due in zip(run(after, given), run(before, given), strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-5)


def test_rows_of_a_sequence_join_whatever_their_order_and_count():
    def make(g, x):
        first, second = (cut(g, x, (a, 0), (b, 3)) for a, b in ((1, 3), (0, 1)))
        return g.add(Concatenate(0), *[g.add(matmul(), p, const(g, W)) for p in (first, second)])

    assert ops(pipeline.run(graph(make, "f32[3,3]"))) == ["linear", "Slice", "Slice", "Concatenate"]


@pytest.mark.parametrize(
    "made",
    [
        steps((0, 1), (1, 2)),  # the last row would be computed for nothing
        steps(*ROWS, weights=(W, V, W)),
        steps(*ROWS, biases=(BIAS, 2 * BIAS, BIAS)),
    ],
    ids=["not every row", "other weights", "other bias"],
)
def test_near_misses(made):
    found = ops(pipeline.run(made))
    assert found.count("linear") == found.count("Slice") > 1


def test_one_product_of_columns_is_left_alone():
    made = graph(lambda g, x: g.add(matmul(), cut(g, x, (0, 0), (3, 3)), const(g, W)), "f32[3,4]")
    assert ops(pipeline.run(made)) == ["Slice", "linear"]
