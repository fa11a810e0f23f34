"""Tolerances of benchmarks' vectors, from GoMLX's own error."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tolerances import in_float64, tolerances
from coremlc.ops import binary, reduce
from coremlc.ops.control_flow import If
from tests.ir.graphs import const, graph
from tests.ops.control_flow import body

SUM = graph(lambda g, x: g.add(reduce.ReduceSum((0,)), x), "f32[3]")
X = np.array([1e6, 0.1, -1e6], np.float32)
EXACT = np.float64(np.float32(0.1))


def test_thrice_the_error_beyond_the_relative_part():
    given = np.float32(0.125)
    found = tolerances(SUM, {"in.a": X, "out.y0": np.asarray(given)})
    rest = 3 * (given - EXACT) - 1e-5 * EXACT
    relative, absolute = found["tolerance.y0"]
    assert relative == 1e-5
    assert absolute == pytest.approx(rest, abs=1e-6)
    assert absolute >= rest


@pytest.mark.parametrize("error", [0, 2e-7, -2e-7])
def test_what_is_near_needs_none(error):
    assert not tolerances(SUM, {"in.a": X, "out.y0": np.asarray(np.float32(EXACT + error))})


def test_outputs_that_nobody_knows_and_integers_have_none():
    assert not tolerances(SUM, {"in.a": X})
    ints = graph(lambda g, x: g.add(binary.Add(), x, x), "i32[2]")
    assert not tolerances(ints, {"in.a": np.ones(2, np.int32), "out.y0": np.ones(2, np.int32)})


def test_float64_goes_into_bodies_constants_and_what_they_capture():
    def chosen(g, p, x):
        third = const(g, 1 / 3)
        double = body((), lambda h: h.add(binary.Add(), x, third))
        (y,) = g.add_multi(If(double, double), p)
        return y

    made = graph(chosen, "bool[]", "f32[]")
    (y,) = in_float64(made, {"in.a": np.array(True), "in.b": np.float32(1e8)})
    assert y == np.float64(1e8) + np.float64(np.float32(1 / 3))
