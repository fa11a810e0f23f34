"""Indices whose ops keep them in range are not clamped again; all others are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from coremlc.engine.base import Model
from coremlc.engine.ort.translate import planned
from coremlc.engine.specialize import no_array
from coremlc.mil.program import Program
from tests.engine.cases import seeded
from tests.engine.programs import Maker, run_all

INDICES = np.array([[0], [3], [-9], [7], [-2], [2**31 - 1]], np.int32)


def clamped(low: int | None, high: int | None) -> Program:
    m = Maker()
    x, index = m.input("x", seeded(4, 3)), m.input("i", INDICES)
    if low is not None:
        index = m.add("maximum", x=index, y=low)
    if high is not None:
        index = m.add("minimum", x=index, y=high)
    flat = m.add("reshape", x=index, shape=[6])
    return m.program(m.add("gather", x=x, indices=flat, axis=0))


def kinds(program: Program) -> Counter[str]:
    model = onnx.ModelProto.FromString(planned(Model(program.functions["main"], no_array)).onnx)
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    ("low", "high", "clamps"),
    [(0, 3, 2), (-4, 3, 2), (None, None, 2), (0, None, 2), (None, 3, 2), (0, 4, 3), (-5, 3, 3)],
)
def test_a_gather_clamps_what_may_be_out_of_range(
    low: int | None, high: int | None, clamps: int
) -> None:
    program = clamped(low, high)
    found = kinds(program)
    assert found["Max"] + found["Min"] == clamps
    (want,), (got,) = run_all(program, {"x": seeded(4, 3), "i": INDICES})
    np.testing.assert_array_equal(got, want)


def test_a_select_holds_what_either_side_holds() -> None:
    m = Maker()
    x, flags = m.input("x", seeded(9, 2)), m.input("flags", INDICES[:, 0] > 0)
    chosen = m.add("select", cond=flags, a=[1, 2, 3, 4, 5, 6], b=7)
    program = m.program(m.add("gather", x=x, indices=chosen, axis=0))
    assert not kinds(program)["Max"] + kinds(program)["Min"]
    (want,), (got,) = run_all(program, {"x": seeded(9, 2), "flags": INDICES[:, 0] > 0})
    np.testing.assert_array_equal(got, want)
