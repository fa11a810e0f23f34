"""Ranges of loop states: counters, what a bounded loop adds up, and what is not proved."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.dtypes import I64
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, LogicalAnd, Mul, Sub
from coremlc.ops.compare import GreaterThan, LessOrEqual, LessThan, NotEqual
from coremlc.ops.control_flow import While
from coremlc.passes import loops
from tests.ops.control_flow import branch, loop, number

S = TensorType(I64)
FULL = I64.limits


def n(g: Builder, value: int):
    return number(g, "i64", value)


def below(op, bound: int):
    return lambda g, i, *_: g.add(op(), i, n(g, bound))


def spans(op: While, *start: int | tuple[int, int]) -> loops.Spans:
    g = Builder()
    values = [g.parameter(S) for _ in start]
    results = g.add_multi(op, *values)
    ranges = [s if isinstance(s, tuple) else (s, s) for s in start]
    found = loops.of_loop(results[0].node, dict(zip(values, ranges, strict=True)))
    low, high = np.array(ranges).T
    for trial in np.random.default_rng(0).integers(low, high + 1, (20, len(start))):
        _check(op, found, [np.array(x) for x in trial])
    return found


def _check(op: While, found: loops.Spans, state: list[np.ndarray]) -> None:
    """What the loop really holds lies in the intervals."""
    for _ in range(300):
        assert all(a <= x <= b for x, (a, b) in zip(state, found.state, strict=True))
        if not evaluate.run(op.cond, state)[0]:
            return
        assert all(a <= x <= b for x, (a, b) in zip(state, found.entered, strict=True))
        state = evaluate.run(op.body, state)


@pytest.mark.parametrize(
    ("test", "step", "start", "state", "entered"),
    [
        (below(LessThan, 10), 1, 0, (0, 10), (0, 9)),
        (below(LessThan, 10), 3, 0, (0, 12), (0, 9)),
        (below(LessOrEqual, 10), 1, (-5, 0), (-5, 11), (-5, 10)),
        (below(GreaterThan, 0), -2, (1, 9), (-1, 9), (1, 9)),
        (below(LessThan, 10), 1, (50, 60), (50, 60), (50, 60)),
        (below(NotEqual, 10), 1, 0, FULL, FULL),
        (lambda g, i: g.add(LogicalAnd(), below(LessThan, 10)(g, i), below(GreaterThan, -1)(g, i)),
         1, 0, (0, 10), (0, 9)),
        (below(LessThan, 10), -1, 0, (FULL[0], 0), (FULL[0], 0)),
    ],
)  # fmt: skip
def test_a_counter_stays_in_its_bound(test, step, start, state, entered):
    op = loop((S,), test, lambda g, i: g.add(Add(), i, n(g, step)))
    found = spans(op, start)
    wide = [found.state[0], found.entered[0]]
    if state == FULL:
        assert wide[0][1] == FULL[1]
        return
    assert wide[0] == state or state[0] == FULL[0]
    assert wide[1] == entered or state[0] == FULL[0]


def test_what_a_bounded_loop_adds_up_is_bounded():
    op = loop(
        (S, S, S),
        below(LessThan, 100),
        lambda g, i, a, b: (
            g.add(Add(), i, n(g, 1)),
            g.add(Add(), i, a),
            g.add(Sub(), b, g.add(Mul(), i, n(g, 2))),
        ),
    )
    found = spans(op, 0, 7, 0)
    assert found.state == ((0, 100), (7, 7 + 99 * 100), (-198 * 100, 0))


def test_a_state_that_multiplies_is_not_proved():
    op = loop(
        (S, S),
        below(LessThan, 100),
        lambda g, i, a: (g.add(Add(), i, n(g, 1)), g.add(Mul(), a, n(g, 3))),
    )
    assert spans(op, 0, 1).state == ((0, 100), FULL)


def test_a_state_that_converges_is_proved():
    op = loop(
        (S, S),
        below(LessThan, 100),
        lambda g, i, a: (g.add(Add(), i, n(g, 1)), g.add(Div(), a, n(g, 2))),
    )
    assert spans(op, 0, (0, 1000)).state == ((0, 100), (0, 1000))


def test_a_counter_that_counts_past_the_dtype_wraps():
    op = loop((S,), below(LessThan, FULL[1]), lambda g, i: g.add(Add(), i, n(g, 2)))
    assert spans(op, 0).state[0] == FULL


def test_branches_join_and_inner_loops_are_looked_into():
    inner = loop((S, S), lambda g, j, m: g.add(LessThan(), j, m),
                 lambda g, j, m: (g.add(Add(), j, n(g, 1)), m))  # fmt: skip

    def step(g, i, a):
        (kept,) = g.add_multi(
            branch(lambda h: h.add(Add(), a, n(h, 0)), lambda h: n(h, 50)),
            g.add(LessThan(), i, n(g, 3)),
        )
        return g.add(Add(), i, n(g, 1)), g.add_multi(inner, n(g, 0), kept)[0]

    op = loop((S, S), below(LessThan, 20), step)
    assert spans(op, 0, 4).state == ((0, 20), (0, 50))
