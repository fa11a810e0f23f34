"""Small functions as one routine: data movement, sums, products and control flow in loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coremlc.engine.fused.nests import Nest, routine
from coremlc.engine.fused.partition import partition
from coremlc.engine.fused.places import Place, dense, moved
from coremlc.engine.ort.parts import PartsExecutable
from coremlc.mil.program import Block, Program, Value
from coremlc.mil.types import TensorType
from tests.engine.fused.regions import hard
from tests.engine.fused.test_exact import ALWAYS, check
from tests.engine.programs import C, Maker, agree, one_op, start

RNG = np.random.default_rng(3)


def near(program: Program, features: dict[str, np.ndarray], atol: float = 1e-5) -> None:
    """One routine gives the reference's numbers, but for the order of sums."""
    want = start(program, "reference").run(features)
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        assert isinstance(executable, PartsExecutable)
        assert [len(executable._kernels.all), len(executable._sessions)] == [1, 0]
        got = executable.run(features)
    assert list(got) == list(want)
    for name in want:
        agree(got[name], want[name], 1e-5, atol)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


ONE = [
    ("linear", {"x": floats(3, 5), "weight": C(floats(4, 5)), "bias": C(floats(4))}),
    ("linear", {"x": floats(2, 3, 37), "weight": C(floats(1, 37))}),
    ("matmul", {"x": floats(3, 5), "y": floats(5, 4)}),
    ("matmul", {"x": floats(2, 1, 5, 3), "y": floats(6, 5, 4), "transpose_x": True}),
    ("matmul", {"x": floats(2, 3, 5), "y": floats(1, 4, 5), "transpose_y": True}),
    ("matmul", {"x": hard(RNG, "i", (3, 5)), "y": hard(RNG, "i", (5, 4))}),
    ("reduce_sum", {"x": floats(3, 5, 7), "axes": [1], "keep_dims": True}),
    ("reduce_sum", {"x": hard(RNG, "i", (3, 5)), "axes": [-1], "keep_dims": False}),
    ("reduce_sum", {"x": floats(3, 5)}),
    ("reduce_mean", {"x": floats(3, 5, 7), "axes": [0, 2], "keep_dims": False}),
    ("reduce_max", {"x": hard(RNG, "f", (6, 9)), "axes": [0], "keep_dims": False}),
    ("reduce_min", {"x": hard(RNG, "f", (6, 9)), "axes": [1], "keep_dims": True}),
    ("reduce_max", {"x": hard(RNG, "i", (6, 9)), "axes": [0, 1], "keep_dims": False}),
    ("transpose", {"x": floats(2, 3, 4), "perm": [2, 0, 1]}),
    ("reverse", {"x": hard(RNG, "b", (3, 4)), "axes": [1]}),
    ("slice_by_index", {"x": floats(7, 9), "begin": [6, 1], "end": [0, 9], "stride": [-2, 3]}),
    ("slice_by_index", {"x": floats(7, 9), "begin": [2, 0], "end": [0, 0],
                        "squeeze_mask": C(np.array([True, False])),
                        "end_mask": C(np.array([False, True]))}),
    ("concat", {"values": (floats(2, 3), floats(2, 1), C(floats(2, 4))), "axis": -1,
                "interleave": False}),
    ("concat", {"values": (hard(RNG, "b", (1, 3)), hard(RNG, "b", (2, 3))), "axis": 0,
                "interleave": False}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "inputs"), ONE)
def test_one_op(kind: str, inputs: dict[str, Any]) -> None:
    near(*one_op(kind, inputs))


def test_a_move_of_a_move_is_only_other_steps() -> None:
    m = Maker()
    features = {"x": floats(4, 6)}
    x = m.input("x", features["x"])
    y = m.add("reverse", x=m.add("transpose", x=x, perm=[1, 0]), axes=[0])
    y = m.add("slice_by_index", x=y, begin=[1, 0], end=[6, 4], stride=[2, 1])
    program = m.program(m.add("add", x=y, y=1.0))
    function = program.functions["main"]
    (nest,) = routine(function.block.ops, [x], function.block.outputs, {}, lambda _: x).steps
    assert isinstance(nest, Nest)
    assert [(key.offset, key.steps) for key in nest.reads] == [(4, (-2, 6))]
    near(program, features)


def test_a_reshape_of_steps_needs_a_copy() -> None:
    assert moved(Place(0, 0, (1, 3)), (3, 4), "reshape", {"shape": np.array([12])}) is None
    assert moved(dense(0, (3, 4)), (3, 4), "reshape", {"shape": np.array([12])}) == Place(
        0, 0, (1,)
    )
    m = Maker()
    features = {"x": floats(4, 6)}
    x = m.input("x", features["x"])
    y = m.add("reshape", x=m.add("transpose", x=x, perm=[1, 0]), shape=[3, 8])
    near(m.program(m.add("mul", x=y, y=y)), features)


def test_results_may_be_inputs_constants_and_each_other() -> None:
    m = Maker()
    features = {"x": floats(2, 3)}
    x = m.input("x", features["x"])
    y = m.add("add", x=x, y=1.0)
    again = m.add("reshape", x=y, shape=[6])
    constant = m.add("transpose", x=C(floats(2, 3)), perm=[1, 0])
    near(m.program(y, again, m.add("identity", x=x), constant), features)


State = tuple[Value, ...]


def loop(
    m: Maker, start: State, again: Callable[[Maker, State], Value],
    turn: Callable[[Maker, State], State],
) -> State:  # fmt: skip
    """A while_loop of MIL."""
    blocks: list[Block] = []
    for write in (lambda b, s: (again(b, s),), turn):
        inner = Maker()
        state = tuple(Value(f"s{id(inner) % 9973}_{i}", v.type) for i, v in enumerate(start))
        blocks.append(inner.block(*write(inner, state), inputs=state))
    made = m.add("while_loop", loop_vars=start, blocks=tuple(blocks))
    return made if isinstance(made, tuple) else (made,)


def test_a_loop_whose_trips_an_input_decides() -> None:
    """Fibonacci: the state moves along, so that each turn reads what the one before wrote."""
    m = Maker()
    n, a, b = (m.input(k, TensorType("int32")) for k in "nab")
    program = m.program(*loop(
        m, (n, a, b), lambda w, s: w.add("greater", x=s[0], y=0),
        lambda w, s: (w.add("sub", x=s[0], y=1), s[2], w.add("add", x=s[1], y=s[2])),
    ))  # fmt: skip
    for count in (0, 1, 7, 60):
        numbers = {"n": count, "a": 0, "b": 1}
        check(program, {name: np.array(x, np.int32) for name, x in numbers.items()})


def test_loops_swap_arrays_and_see_what_is_outside() -> None:
    m = Maker()
    features = {"n": np.array(5, np.int32), "x": floats(2, 3), "y": floats(2, 3)}
    n, x, y = (m.input(k, v) for k, v in features.items())
    outer = m.add("mul", x=x, y=y)
    _, left, right = loop(
        m, (n, x, y), lambda w, s: w.add("not_equal", x=s[0], y=0),
        lambda w, s: (w.add("sub", x=s[0], y=1), s[2], w.add("maximum", x=s[1], y=outer)),
    )  # fmt: skip
    check(m.program(left, right), features)


def test_loops_in_loops() -> None:
    m = Maker()
    n, total = (m.input(k, TensorType("int32")) for k in ("n", "total"))

    def turn(w: Maker, s: State) -> State:
        _, _, summed = loop(
            w, (s[0], s[0], s[1]), lambda v, t: v.add("greater", x=t[0], y=0),
            lambda v, t: (v.add("sub", x=t[0], y=1), t[1],
                          v.add("add", x=t[2], y=v.add("mul", x=t[0], y=t[1]))),
        )  # fmt: skip
        return w.add("sub", x=s[0], y=1), summed

    program = m.program(*loop(m, (n, total), lambda w, s: w.add("greater", x=s[0], y=0), turn))
    check(program, {"n": np.array(9, np.int32), "total": np.array(3, np.int32)})


@pytest.mark.parametrize("way", [True, False])
def test_one_of_two_branches(way: bool) -> None:
    m = Maker()
    features = {"p": np.array(way), "x": floats(2, 3)}
    p, x = (m.input(k, v) for k, v in features.items())
    yes, no = Maker(), Maker()
    blocks = (yes.block(yes.add("add", x=x, y=1.0)), no.block(no.add("mul", x=x, y=3.0)))
    made = m.add("cond", pred=p, blocks=blocks)
    assert isinstance(made, Value)
    check(m.program(m.add("sub", x=made, y=x)), features)


def test_what_no_loop_holds_leaves_a_session() -> None:
    m = Maker()
    x = m.input("x", floats(2, 3))
    y = m.add("softmax", x=m.add("linear", x=x, weight=C(floats(4, 3))), axis=-1)
    function = m.program(y).functions["main"]
    assert partition(function, 0.0).parts == []


@st.composite
def small_programs(draw: st.DrawFn) -> tuple[Program, dict[str, np.ndarray]]:
    """Moves, largest elements and exact arithmetic on matrices, in any order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m = Maker()
    features = {f"x{i}": hard(rng, "f", (int(rng.integers(1, 6)), int(rng.integers(1, 6))))
                for i in range(3)}  # fmt: skip
    values: list[Value] = [m.input(name, x) for name, x in features.items()]
    for _ in range(draw(st.integers(4, 30))):
        x = values[rng.integers(len(values))]
        rows, columns = (int(d) for d in x.tensor.shape)  # type: ignore[arg-type]
        match rng.integers(8):
            case 0:
                y = m.add("transpose", x=x, perm=[1, 0])
            case 1:
                y = m.add("reverse", x=x, axes=[int(rng.integers(2))])
            case 2:
                first = [int(rng.integers(rows)), int(rng.integers(columns))]
                y = m.add("slice_by_index", x=x, begin=first, end=[rows, columns])
            case 3:
                y = m.add("concat", values=(x, x), axis=int(rng.integers(2)), interleave=False)
            case 4:
                y = m.add("reduce_max", x=x, axes=[int(rng.integers(2))], keep_dims=True)
            case 5:
                y = m.add("reshape", x=x, shape=[columns, rows])
            case 6:
                y = m.add("sub", x=x, y=m.add("reverse", x=x, axes=[0, 1]))
            case _:
                y = m.add("mul", x=x, y=C(hard(rng, "f", (1, columns))))
        assert isinstance(y, Value)
        if np.prod(y.tensor.shape) <= 200:  # type: ignore[arg-type]
            values.append(y)
    results = [v for v in values[3:] if rng.random() < 0.3] or values[-1:]
    return m.program(*(m.add("abs", x=v) for v in results)), features  # type: ignore[misc]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(small_programs())
def test_random_routines(case: tuple[Program, dict[str, np.ndarray]]) -> None:
    check(*case)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(small_programs())
def test_many_random_routines(case: tuple[Program, dict[str, np.ndarray]]) -> None:
    check(*case)
