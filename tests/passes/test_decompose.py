"""What composites become, as text; the numbers of each are compared with `evaluate` beside it."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.ir.text import print_graph
from coremlc.ops import dense, norm
from coremlc.ops.conv_general import ConvGeneral, ConvolveAxesConfig, Pair
from coremlc.ops.gather import Gather
from coremlc.ops.reduce_window import ReduceWindow
from coremlc.ops.scatter import ScatterSum
from coremlc.passes.decompose import decompose
from tests.ir.graphs import const, graph, run

WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
KERNEL = np.arange(18, dtype=np.float32).reshape(3, 3, 1, 2) / 8
NHWC = ConvolveAxesConfig(0, 3, (1, 2), 2, 3, (0, 1), 0, 3, (1, 2))


def gather_rows(g, x, ids):
    return g.add(Gather(1, (1,), (0,), (0,), (1, 3), indices_are_sorted=False), x, ids)


def gather_points(g, x, ids):
    return g.add(Gather(1, (), (0, 1), (0, 1), (1, 1), indices_are_sorted=False), x, ids)


def fused_dense(g, x, bias):
    op = dense.FusedDense(dense.DenseConfig("relu", "InputOutputs"))
    return g.add(op, x, const(g, WEIGHT), bias)


def softmax(g, x):
    return g.add(norm.FusedSoftmax(1), x)


def max_pool(g, x):
    none = (Pair(0, 0),) * 4
    return g.add(
        ReduceWindow("Max", (1, 2, 2, 1), (1, 2, 2, 1), (1,) * 4, (1,) * 4, none), x
    )  # fmt: skip


def sum_window(g, x):
    return g.add(ReduceWindow("Sum", (3,), (1,), (1,), (2,), (Pair(1, 2),)), x)


def conv_nhwc(g, x):
    op = ConvGeneral(NHWC, (2, 1), (Pair(1, 1), Pair(0, 2)), (1, 1), (1, 1), 1, 1)
    return g.add(op, x, const(g, KERNEL))


def conv_transposed(g, x):
    op = ConvGeneral(NHWC, (1, 1), (Pair(2, 2), Pair(2, 2)), (2, 2), (1, 1), 1, 1)
    return g.add(op, x, const(g, KERNEL))


def scatter_rows(g, x, ids, updates):
    op = ScatterSum(1, (1,), (0,), (0,), indices_are_sorted=False, unique_indices=False)
    return g.add(op, x, ids, updates)


CASES = {
    gather_rows: ("f32[4,3]", "i32[5,1]"),
    gather_points: ("f32[4,3]", "i32[5,2]"),
    fused_dense: ("f32[2,3]", "f32[4]"),
    softmax: ("f32[2,3]",),
    max_pool: ("f32[1,4,4,2]",),
    sum_window: ("f32[8]",),
    conv_nhwc: ("f32[2,5,4,1]",),
    conv_transposed: ("f32[1,3,3,1]",),
    scatter_rows: ("f32[4,3]", "i32[5,1]", "f32[5,3]"),
}
INDICES = np.array([[0, -1], [3, 2], [7, 1], [1, 9], [3, 0]], np.int32)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_form_and_meaning(make, golden):
    made = graph(make, *CASES[make])
    small = made.with_main(decompose(made.main))
    golden(f"decompose/{make.__name__}.gir", print_graph(small))

    rng = np.random.default_rng(0)
    given = []
    for parameter in made.main.parameters:
        shape = parameter.type.shape
        ids = parameter.type.dtype.is_integer
        given.append(INDICES[:, : shape[1]] if ids else rng.normal(size=shape).astype(np.float32))
    (got,), (due,) = run(small, given), run(made, given)
    np.testing.assert_allclose(got, due, rtol=1e-6, atol=1e-6)


def test_convolution_by_hand():
    """One window, summed in the open."""
    made = graph(conv_nhwc, *CASES[conv_nhwc])
    x = np.random.default_rng(1).normal(size=(2, 5, 4, 1)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (0, 2), (0, 0)))
    (y,) = run(made.with_main(decompose(made.main)), [x])
    assert y.shape == (2, 3, 4, 2)
    window = padded[1, 2:5, 1:4, 0]
    np.testing.assert_allclose(y[1, 1, 1, 1], np.sum(window * KERNEL[:, :, 0, 1]), rtol=1e-5)


def test_rows_by_hand():
    made = graph(gather_rows, *CASES[gather_rows])
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    ids = np.int32([[0], [-5], [3], [4], [2]])
    (y,) = run(made.with_main(decompose(made.main)), [x, ids])
    np.testing.assert_array_equal(y, x[[0, 0, 3, 3, 2]])


def test_scatter_by_hand():
    """Duplicates add up; rows outside are dropped."""
    made = graph(scatter_rows, *CASES[scatter_rows])
    x = np.zeros((4, 3), np.float32)
    ids = np.int32([[1], [1], [-1], [4], [0]])
    updates = np.arange(15, dtype=np.float32).reshape(5, 3)
    (y,) = run(made.with_main(decompose(made.main)), [x, ids, updates])
    expected = np.zeros((4, 3))
    expected[1] = updates[0] + updates[1]
    expected[0] = updates[4]
    np.testing.assert_array_equal(y, expected)
