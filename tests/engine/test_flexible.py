"""Shapes that only a run tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coremlc.errors import CompileError, InputError
from coremlc.mil.program import Program
from coremlc.mil.types import TensorType
from tests.engine.cases import Case
from tests.engine.programs import ENGINES, MIL, Maker, agree, run_all, start
from tests.engine.test_ops import CASES


def flexible(case: Case) -> tuple[Program, dict[str, np.ndarray]] | None:
    """The case with the first axis of every input unknown; None where MIL forbids that."""
    maker, features = Maker(case.opset), {}
    floats: Any = np.float32

    def arg(name: str, x: Any) -> Any:
        nonlocal floats
        if isinstance(x, tuple):
            return tuple(arg(f"{name}{i}", item) for i, item in enumerate(x))
        if not isinstance(x, np.ndarray):
            return x
        floats = np.float16 if x.dtype == np.float16 else floats
        features[name] = x
        return maker.input(name, TensorType(MIL[x.dtype], (None, *x.shape[1:])[: x.ndim]))

    try:
        args = {name: arg(name, x) for name, x in case.inputs.items()}
        result = maker.add(case.kind, floats=floats, **args)
    except CompileError:
        return None
    return maker.program(*(result if isinstance(result, tuple) else (result,))), features


@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES}))
def test_ops_with_an_unknown_axis(kind: str) -> None:
    cases = [case for case in CASES if case.kind == kind]
    for case in cases[:: max(len(cases) // 3, 1)]:
        made = flexible(case)
        if made is None:
            continue
        reference, other = run_all(*made)
        for want, got in zip(reference, other, strict=True):
            agree(got, want, case.rtol, case.atol)


def flattening() -> Program:
    """x as [rows, 6], by arithmetic on its own shape."""
    m = Maker()
    x = m.input("x", TensorType("fp32", (None, 2, 3)))
    rows = m.add("slice_by_index", x=m.add("shape", x=x), begin=[0], end=[1])
    flat = m.add("reshape", x=x, shape=m.add("concat", values=(rows, [6]), axis=0))
    return m.program(m.add("softmax", x=flat, axis=1))


@pytest.mark.parametrize("engine", ENGINES)
def test_shapes_change_from_run_to_run(engine: str) -> None:
    program = flattening()
    with start(program, engine) as executable:
        for rows in (1, 4, 2, 4, *range(5, 15), 1):
            x = np.ones((rows, 2, 3), np.float32)
            (y,) = executable.run({"x": x}).values()
            assert y.shape == (rows, 6)


@pytest.mark.parametrize("engine", ENGINES)
def test_shapes_that_do_not_fit_together(engine: str) -> None:
    m = Maker()
    x = m.input("x", TensorType("fp32", (None,)))
    y = m.input("y", TensorType("fp32", (None,)))
    program = m.program(m.add("add", x=x, y=y))
    with start(program, engine) as executable:
        features = {"x": np.ones(3, np.float32), "y": np.ones(2, np.float32)}
        with pytest.raises(InputError) as caught:
            executable.run(features)
        assert "MIL op add" in str(caught.value)
