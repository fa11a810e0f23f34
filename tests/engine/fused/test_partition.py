"""What becomes a loop, what stays in a session, and what crosses the borders."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coremlc.engine.fused.costs import COSTS
from coremlc.engine.fused.partition import CUT_US, MAX_ALL_OPS, MAX_OPS, Part, partition
from coremlc.engine.fused.rules import RULES
from coremlc.mil.program import Program, Value
from coremlc.mil.types import TensorType
from tests.engine.fused.test_exact import check
from tests.engine.programs import C, Maker

X = np.linspace(-2, 2, 90_000, dtype=np.float32).reshape(30_000, 3)
"""Too large for a routine of all ops."""
ANY = -np.inf


def parts_of(program: Program, least_gain_us: float = ANY) -> list[Part]:
    return list(partition(program.functions["main"], least_gain_us).parts)


def form(parts: list[Part]) -> list[tuple[Any, ...]]:
    return [(part.kind, *(op.kind for op in part.ops)) for part in parts]


def test_every_cost_has_a_rule() -> None:
    assert set(COSTS) == set(RULES)


def test_a_matmul_is_a_session_between_loops() -> None:
    m = Maker()
    x = m.input("x", X)
    y = m.add("mul", x=m.add("add", x=x, y=1.0), y=x)
    z = m.add("matmul", x=y, y=C(np.ones((3, 3), np.float32)))
    program = m.program(m.add("add", x=z, y=y))
    fused, session, last = parts = parts_of(program)
    assert form(parts) == [("fused", "add", "mul"), ("session", "matmul"), ("fused", "add")]
    assert (fused.inputs, fused.outputs) == ([x], [y])
    assert (session.inputs, session.outputs) == ([y], [z])
    assert last.inputs == [z, y]
    check(program, {"x": X})


def test_small_gains_leave_one_session() -> None:
    m = Maker()
    y = m.input("x", X[:2])
    for _ in range(30):
        y = m.add("add", x=y, y=1.0)
    assert parts_of(m.program(y), 40.0) == []


def test_large_gains_are_taken() -> None:
    m = Maker()
    x = m.input("x", TensorType("fp32", (1 << 20,)))
    program = m.program(m.add("select", cond=m.add("less", x=x, y=0.5), a=x, b=1.0))
    assert form(parts_of(program, 40.0)) == [("fused", "less", "select")]


def test_a_second_session_must_pay() -> None:
    """The same gain, alone and with a reduction behind it."""
    m = Maker()
    y = x = m.input("x", TensorType("fp32", (1 << 16,)))
    for _ in range(10):
        y = m.add("add", x=y, y=x)
    assert len(parts_of(m.program(y), 40.0)) == 1
    total = m.add("reduce_sum", x=y, axes=[0])
    assert parts_of(m.program(total), 40.0) == []
    assert len(parts_of(m.program(total), 40.0 - CUT_US)) == 2


def test_long_regions_are_cut() -> None:
    m = Maker()
    y = x = m.input("x", X)
    for _ in range(MAX_OPS + 20):
        y = m.add("sub", x=x, y=y)
    program = m.program(y)
    assert [len(part.ops) for part in parts_of(program)] == [MAX_OPS, 20]
    check(program, {"x": X})


def test_loops_that_take_too_long_to_compile_stay_in_sessions() -> None:
    m = Maker()
    x = m.input("x", TensorType("fp32", (1 << 20,)))
    y = x
    for _ in range(MAX_ALL_OPS + 300):
        y = m.add("sub", x=x, y=y)
    parts = parts_of(m.program(y), 40.0)
    fused = sum(len(part.ops) for part in parts if part.kind == "fused")
    assert MAX_ALL_OPS - MAX_OPS < fused <= MAX_ALL_OPS
    assert sum(len(part.ops) for part in parts) == MAX_ALL_OPS + 300


def test_each_session_has_its_own_constants() -> None:
    """What constants alone decide is not handed from session to session at each run."""
    m = Maker()
    features = {"x": X.reshape(1000, 90)}
    x = m.input("x", features["x"])
    weight = m.add("transpose", x=C(np.eye(90, dtype=np.float32)), perm=[1, 0])
    y = m.add("add", x=m.add("matmul", x=x, y=weight), y=x)
    program = m.program(m.add("matmul", x=y, y=weight))
    parts = parts_of(program)
    assert form(parts) == [
        ("session", "transpose", "matmul"), ("fused", "add"), ("session", "transpose", "matmul"),
    ]  # fmt: skip
    names = [[v.name for v in part.inputs] for part in parts]
    assert names == [["x"], [parts[0].outputs[0].name, "x"], [y.name]]
    check(program, features)


def test_views_cross_borders_as_their_roots() -> None:
    m = Maker()
    x = m.input("x", X)
    turned = m.add("reshape", x=x, shape=[45_000, 2])
    y = m.add("add", x=m.add("expand_dims", x=turned, axes=[0]), y=1.0)
    z = m.add("matmul", x=m.add("squeeze", x=y, axes=[0]), y=C(np.ones((2, 3), np.float32)))
    flat = m.add("reshape", x=y, shape=[90_000])
    program = m.program(z, flat, turned)
    parts = parts_of(program)
    assert form(parts) == [("fused", "add"), ("session", "squeeze", "matmul")]
    assert (parts[0].inputs, parts[1].inputs) == ([x], [y])
    check(program, {"x": X})


def test_a_reshape_between_loops_parts_them() -> None:
    """The second reads the first's result in another shape, broadcast."""
    m = Maker()
    x = m.input("x", X)
    y = m.add("add", x=x, y=1.0)
    column = m.add("reshape", x=y, shape=[90_000, 1])
    program = m.program(m.add("mul", x=column, y=C(np.arange(4, dtype=np.float32))))
    assert form(parts_of(program)) == [("fused", "add"), ("fused", "mul")]
    check(program, {"x": X})


def test_a_result_that_is_constant_needs_a_session() -> None:
    m = Maker()
    x = m.input("x", X)
    constant = m.add("transpose", x=C(X), perm=[1, 0])
    assert parts_of(m.program(m.add("add", x=x, y=1.0), constant)) == []


def test_what_a_loops_body_captures_is_an_input() -> None:
    m = Maker()
    x = m.input("x", X)
    y = m.add("mul", x=x, y=3.0)
    start = m.input("n", TensorType("int32"))
    (count,) = (Value("count", TensorType("int32")),)
    condition, body = Maker(), Maker()
    again = condition.block(condition.add("less", x=count, y=5), inputs=(count,))
    (turn,) = (Value("turn", TensorType("int32")),)
    step = body.add("cast", x=body.add("reduce_max", x=y, axes=[0, 1]), dtype="int32")
    after = body.block(body.add("add", x=turn, y=step), inputs=(turn,))
    done = m.add("while_loop", loop_vars=(start,), blocks=(again, after))
    program = m.program(done)  # type: ignore[arg-type]
    parts = parts_of(program)
    assert form(parts) == [("fused", "mul"), ("session", "while_loop")]
    assert parts[1].inputs == [start, y]
    check(program, {"x": X, "n": np.array(0, np.int32)})


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_empty_tensors_stay_in_sessions(shape: tuple[int, ...]) -> None:
    m = Maker()
    x = m.input("x", TensorType("fp32", shape))
    assert parts_of(m.program(m.add("add", x=x, y=1.0))) == []


@pytest.mark.parametrize("dtype", ["fp16", "int16"])
def test_other_dtypes_stay_in_sessions(dtype: str) -> None:
    m = Maker()
    x = m.input("x", TensorType(dtype, (3,)))
    assert parts_of(m.program(m.add("cast", x=x, dtype="fp32"))) == []
