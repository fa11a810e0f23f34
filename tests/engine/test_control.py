"""cond and while_loop on both engines: captures, nesting, swapped state, zero trips."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.engine.unroll import unrolled
from coremlc.mil.program import Block, Program, Value
from coremlc.mil.types import StateType, TensorType
from tests.engine.programs import ENGINES, Maker, agree, run_all, start

F32, I32 = TensorType("fp32", (3,)), TensorType("int32")


def sub_block(maker: Maker, inputs: tuple[Value, ...], build) -> Block:
    inner = Maker(maker.opset)
    outputs = build(inner)
    return inner.block(*outputs, inputs=inputs)


def both(program: Program, features: dict[str, np.ndarray]) -> list[np.ndarray]:
    reference, other = run_all(program, features)
    for want, got in zip(reference, other, strict=True):
        agree(got, want)
    return reference


@pytest.mark.parametrize("flag", [True, False])
def test_cond_captures_and_returns_outer_values(flag: bool) -> None:
    m = Maker()
    p, x = m.input("p", TensorType("bool")), m.input("x", F32)
    y = m.add("add", x=x, y=1.0)
    yes = sub_block(m, (), lambda b: [b.add("mul", x=y, y=2.0), x])
    no = sub_block(m, (), lambda b: [b.add("identity", x=y), y])
    a, b = m.add("cond", pred=p, blocks=(yes, no))
    features = {"p": np.array(flag), "x": np.array([1, 2, 3], np.float32)}
    out = both(m.program(a, b), features)
    assert out[0].tolist() == ([4, 6, 8] if flag else [2, 3, 4])


def loop_program(body_extra=None) -> Program:
    m = Maker()
    n, a, b = m.input("n", I32), m.input("a", F32), m.input("b", F32)
    scale = m.add("mul", x=a, y=0.5)
    i0 = m.add("sub", x=n, y=n)
    loop = tuple(Value(f"l{k}", t) for k, t in enumerate((I32, F32, F32)))
    body_in = tuple(Value(f"k{k}", t) for k, t in enumerate((I32, F32, F32)))
    test = sub_block(m, loop, lambda c: [c.add("less", x=loop[0], y=n)])

    def build(c: Maker) -> list[Value]:
        i, p, q = body_in
        moved = c.add("add", x=q, y=scale)
        if body_extra is not None:
            moved = body_extra(c, moved, i)
        return [c.add("add", x=i, y=1), moved, p]

    body = sub_block(m, body_in, build)
    out = m.add("while_loop", loop_vars=(i0, a, b), blocks=(test, body))
    return m.program(*out)


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_loop_swaps_its_state(turns: int) -> None:
    rng = np.random.default_rng(0)
    features = {
        "n": np.array(turns, np.int32),
        "a": rng.normal(size=3).astype(np.float32),
        "b": rng.normal(size=3).astype(np.float32),
    }
    out = both(loop_program(), features)
    assert out[0] == turns


def test_cond_inside_a_loop() -> None:
    def extra(c: Maker, moved: Value, i: Value) -> Value:
        odd = c.add("equal", x=c.add("mod", x=i, y=2), y=1)
        yes = sub_block(c, (), lambda b: [b.add("sin", x=moved)])
        no = sub_block(c, (), lambda b: [moved])
        return c.add("cond", pred=odd, blocks=(yes, no))

    features = {
        "n": np.array(6, np.int32),
        "a": np.ones(3, np.float32),
        "b": np.zeros(3, np.float32),
    }
    both(loop_program(extra), features)


def test_half_floats_in_a_loop_round_at_every_op() -> None:
    half = TensorType("fp16", (2,))
    m = Maker()
    x = m.input("x", half)
    loop, body_in = (Value("l", half),), (Value("k", half),)
    test = sub_block(m, loop, lambda c: [
        c.add("less", x=c.add("reduce_max", x=loop[0]), y=100.0, floats=np.float16)])  # fmt: skip
    body = sub_block(m, body_in, lambda c: [
        c.add("add", x=c.add("mul", x=body_in[0], y=1.1, floats=np.float16), y=x)])  # fmt: skip
    out = m.add("while_loop", loop_vars=(x,), blocks=(test, body))
    reference, other = run_all(m.program(out), {"x": np.array([0.3, 0.7], np.float16)})
    np.testing.assert_array_equal(reference[0], other[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_states_live_from_run_to_run(engine: str) -> None:
    m = Maker()
    kind = TensorType("fp16", (2,))
    state = m.input("count", StateType(kind))
    x = m.input("x", kind)
    old = m.add("read_state", input=state)
    new = m.add("add", x=old, y=x)
    m.add("write_state", input=state, data=new)
    again = m.add("read_state", input=state)
    out = m.add("mul", x=again, y=2.0, floats=np.float16)
    with start(m.program(out), engine) as executable:
        assert list(executable.inputs) == ["x"]
        one = np.ones(2, np.float16)
        results = [executable.run({"x": one})[out.name][0] for _ in range(3)]
        assert results == [2, 4, 6]
        executable.reset()
        assert executable.run({"x": one})[out.name][0] == 2


def counted(trips: int, by: int = 1) -> Program:
    """x = x * 0.5 + i for i = 0, 1, ..: known trips, and a constant that changes with each."""
    m = Maker()
    x = m.input("x", F32)
    loop, body_in = (tuple(Value(f"{s}{k}", t) for k, t in enumerate((I32, F32))) for s in "lk")
    test = sub_block(m, loop, lambda c: [c.add("less", x=loop[0], y=trips)])

    def build(c: Maker) -> list[Value]:
        i = c.add("cast", x=body_in[0], dtype="fp32")
        half = c.add("mul", x=body_in[1], y=0.5)
        return [c.add("add", x=body_in[0], y=by), c.add("add", x=half, y=i)]

    body = sub_block(m, body_in, build)
    return m.program(*m.add("while_loop", loop_vars=(0, x), blocks=(test, body)))


def kinds(program: Program) -> list[str]:
    return [op.kind for op in unrolled(program.functions["main"]).block.ops]


@pytest.mark.parametrize("trips", [0, 1, 7, 300])
def test_known_trips(trips: int) -> None:
    program = counted(trips)
    out = both(program, {"x": np.array([1, -2, 3], np.float32)})
    assert out[0] == trips
    assert ("while_loop" in kinds(program)) == (trips > 256)
    if trips <= 256:
        assert kinds(program) == ["mul", "add"] * trips + ["identity"]


def test_a_loop_that_never_ends_is_not_written_out() -> None:
    assert kinds(counted(5, by=0)) == ["while_loop"]


def test_trips_that_an_input_decides() -> None:
    assert kinds(loop_program())[-1] == "while_loop"


def test_a_loop_in_a_loop() -> None:
    """The inner one's trips are the outer one's counter."""
    m = Maker()
    x = m.input("x", F32)
    loop, outer = (tuple(Value(f"{s}{k}", t) for k, t in enumerate((I32, F32))) for s in "lo")
    test = sub_block(m, loop, lambda c: [c.add("less", x=loop[0], y=4)])

    def build(c: Maker) -> list[Value]:
        t, inner = (tuple(Value(f"{s}{k}", v.type) for k, v in enumerate(outer)) for s in "ti")
        more = sub_block(c, t, lambda d: [d.add("less", x=t[0], y=outer[0])])
        step = sub_block(c, inner, lambda d: [
            d.add("add", x=inner[0], y=1), d.add("add", x=inner[1], y=x)])  # fmt: skip
        done = c.add("while_loop", loop_vars=(0, outer[1]), blocks=(more, step))
        return [c.add("add", x=outer[0], y=1), done[1]]

    body = sub_block(m, outer, build)
    out = m.add("while_loop", loop_vars=(0, x), blocks=(test, body))
    program = m.program(out[1])
    (got,) = both(program, {"x": np.array([1, 2, 3], np.float32)})
    assert got.tolist() == [7, 14, 21]
    assert set(kinds(program)) == {"add", "identity"}


def test_a_branch_that_returns_a_counter() -> None:
    """The counter is a constant of each trip, which a block's output may not be."""
    m = Maker()
    flag, x = m.input("flag", TensorType("bool")), m.input("x", I32)
    loop, body_in = ((Value(s, I32), Value(s + "y", I32)) for s in "lk")
    test = sub_block(m, loop, lambda c: [c.add("less", x=loop[0], y=3)])

    def build(c: Maker) -> list[Value]:
        yes = sub_block(c, (), lambda d: [body_in[0]])
        no = sub_block(c, (), lambda d: [body_in[1]])
        kept = c.add("cond", pred=flag, blocks=(yes, no))
        return [c.add("add", x=body_in[0], y=1), c.add("add", x=body_in[1], y=kept)]

    out = m.add("while_loop", loop_vars=(0, x), blocks=(test, sub_block(m, body_in, build)))
    program = m.program(out[1])
    assert set(kinds(program)) == {"cond", "add", "identity"}
    for choice, want in ((True, 8), (False, 40)):
        (got,) = both(program, {"flag": np.array(choice), "x": np.array(5, np.int32)})
        assert got == want
