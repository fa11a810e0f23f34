"""Scatters with a spare row: the row goes where no index needs it, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coremlc.engine.spare import without_spare_rows
from coremlc.engine.specialize import no_array
from coremlc.mil.program import Program
from tests.engine.cases import seeded
from tests.engine.programs import C, Maker, run_all

ROWS = 5
INDICES = {
    "inside": [4, 0, 0, 3],
    "dropped": [4, ROWS, 0, ROWS],
    "from the end": [-1, 2, -2, 0],
}


def scattered(indices: Any, *, mode: str = "add", begin: int = 0, axis: int = 0) -> Program:
    m = Maker()
    x, u = m.input("x", seeded(ROWS, 3)), m.input("u", seeded(4, 3, seed=1))
    i = m.input("i", np.asarray(indices, np.int32))
    spare = C(np.zeros((1, 3), np.float32))
    longer = m.add("concat", values=(x, spare), axis=0)
    changed = m.add("scatter", data=longer, indices=i, updates=u, axis=axis, mode=mode)
    ends = [ROWS + begin, 3]
    return m.program(m.add("slice_by_index", x=changed, begin=[begin, 0], end=ends))


def features(indices: Any) -> dict[str, np.ndarray]:
    return {"x": seeded(ROWS, 3), "u": seeded(4, 3, seed=1), "i": np.asarray(indices, np.int32)}


def kinds(program: Program) -> list[str]:
    block = without_spare_rows(program.functions["main"], no_array).block
    return [op.kind for op in block.ops]


@pytest.mark.parametrize("mode", ["add", "max", "min", "update"])
@pytest.mark.parametrize("indices", INDICES.values(), ids=INDICES.keys())
def test_the_numbers_stay(indices: list[int], mode: str) -> None:
    program = scattered(indices, mode=mode)
    assert kinds(program)[-1] == "cond"
    assert "concat" not in kinds(program)
    (want,), (got,) = run_all(program, features(indices))
    np.testing.assert_array_equal(got, want)


def test_other_slices_stay() -> None:
    indices = INDICES["dropped"]
    program = scattered(indices, begin=1)
    assert kinds(program) == ["concat", "scatter", "slice_by_index"]
    (want,), (got,) = run_all(program, features(indices))
    np.testing.assert_array_equal(got, want)


def test_a_row_that_is_used_stays() -> None:
    program = scattered(INDICES["inside"])
    main = program.functions["main"]
    concat = main.block.ops[0]
    m = Maker()
    m.ops, m.inputs = list(main.block.ops), list(main.inputs)
    again = m.add("identity", x=concat.outputs[0])
    assert kinds(m.program(*main.block.outputs, again))[:3] == [
        "concat", "scatter", "slice_by_index"
    ]  # fmt: skip
