"""Max, Min and Clamp by numbers are one MIL op each; NaN, infinities and the rest stay."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load_program
from coremlc.ops import binary
from coremlc.ops.selection import Clamp
from tests.ir.graphs import const, graph, run

INF, NAN = np.inf, np.nan
EDGES = np.array([NAN, INF, -INF, 0, -0.0, 1e-40, -1e-40, 3, -3, 6, 7, 5.5, -1], np.float32)
MAX, MIN = binary.Max(), binary.Min()


def clamp(low, high):
    return lambda g, a: g.add(Clamp(), const(g, low), a, const(g, high))


CASES = {
    "relu": (lambda g, a: g.add(MAX, a, const(g, 0.0)), ["relu"]),
    "relu of 0 first": (lambda g, a: g.add(MAX, const(g, -0.0), a), ["relu"]),
    "relu without top": (clamp(0.0, INF), ["relu"]),
    "clip": (clamp(0.0, 6.0), ["clip"]),
    "clip by two": (lambda g, a: g.add(MIN, g.add(MAX, a, const(g, 0.0)), const(g, 6.0)), ["clip"]),
    "not by 1": (lambda g, a: g.add(MAX, a, const(g, 1.0)), ["maximum"]),
    "not by numbers": (lambda g, a: g.add(MAX, a, const(g, np.arange(13))), ["maximum"]),
    "not without bottom": (clamp(-INF, 6.0), ["maximum", "minimum"]),
    "not in the wrong order": (clamp(6.0, 0.0), ["maximum", "minimum"]),
    "not between equals": (clamp(6.0, 6.0), ["maximum", "minimum"]),
    "not by NaN": (clamp(NAN, 6.0), ["maximum", "minimum"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bounds(name):
    make, kinds = CASES[name]
    before = graph(make, "f32[13]")
    program = build_model(before, Recipe()).model.program
    found = [op.kind for op in program.functions["main"].block.ops if op.kind != "const"]
    assert found == kinds
    (expected,) = run(before, [EDGES])
    for engine in ("reference", "onnxruntime"):
        with load_program(program, engine=engine) as executable:
            np.testing.assert_array_equal(executable.run({"a": EDGES})["y0"], expected)
