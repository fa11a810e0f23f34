"""Value ranges of loops: what a state may hold whenever it is looked at.

A counter (`i < n`, `i = i + 1`) stays within its bound; what a loop of bounded trips adds to a
state in each trip is bounded too; any other state that grows has the full range of its dtype.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from coremlc.ir.graph import Function, Node, Value
from coremlc.ir.op import Op, Range
from coremlc.ops import compare
from coremlc.ops.binary import Add, LogicalAnd, LogicalOr, Sub
from coremlc.ops.control_flow import If, While
from coremlc.ops.unary import LogicalNot
from coremlc.passes import ranges

Known = Mapping[Value, Range]
MAX_DEPTH = 3
"""Loops inside loops, beyond which a state has the full range: each level walks the next often."""
JOINS = 3
NARROWINGS = 3
_FLIPPED: dict[type[Op], type[Op]] = {
    compare.LessThan: compare.GreaterOrEqual,
    compare.LessOrEqual: compare.GreaterThan,
    compare.GreaterThan: compare.LessOrEqual,
    compare.GreaterOrEqual: compare.LessThan,
    compare.Equal: compare.NotEqual,
    compare.NotEqual: compare.Equal,
}
_SWAPPED: dict[type[Op], type[Op]] = {
    compare.GreaterThan: compare.LessThan,
    compare.GreaterOrEqual: compare.LessOrEqual,
}


@dataclass(frozen=True)
class Spans:
    """Intervals of a loop's states."""

    state: tuple[Range, ...]
    """Whenever the condition is computed, and after the loop."""
    entered: tuple[Range, ...]
    """Whenever the body begins: the condition holds."""


def of_results(node: Node, known: Known, depth: int = 0) -> list[Range] | None:
    """Intervals of the results of a While or an If; None for another op."""
    if isinstance(node.op, While):
        return list(of_loop(node, known, depth).state)
    if isinstance(node.op, If):
        yes, no = ([w[r] for r in b.results] for b, w in _branches(node.op, known, depth))
        return [_join(a, b) for a, b in zip(yes, no, strict=True)]
    return None


def _branches(op: If, known: Known, depth: int) -> list[tuple[Function, Known]]:
    return [(body, _walked(body, (), known, depth)) for body in op.bodies]


def of_loop(node: Node, known: Known, depth: int = 0) -> Spans:
    """Intervals of the states of a While."""
    return _Loop(node, known, depth).spans()


class _Loop:
    def __init__(self, node: Node, known: Known, depth: int) -> None:
        assert isinstance(node.op, While)
        self._op = node.op
        self._known = known
        self._depth = depth
        self._full = tuple([ranges.full(o.type) for o in node.operands])
        self._start = tuple([_of(o, known) for o in node.operands])

    def spans(self) -> Spans:
        if self._depth >= MAX_DEPTH:
            return Spans(self._full, self._full)
        state = self._start
        for _ in range(JOINS):
            state = self._joined(state)
        while True:
            wider = tuple(map(_widened, state, self._joined(state), self._full))
            if wider == state:
                break
            state = wider
        state = self._within_trips(state)
        for _ in range(NARROWINGS):
            after = map(_join, self._start, self._after(state))
            state = tuple(map(_meet, state, after))
        return Spans(state, self._entered(state))

    def _joined(self, state: tuple[Range, ...]) -> tuple[Range, ...]:
        return tuple(map(_join, state, self._after(state)))

    def _after(self, state: tuple[Range, ...]) -> list[Range]:
        """After one trip."""
        walked = self._body(self._entered(state))
        return [_of(r, walked) for r in self._op.body.results]

    def _body(self, entered: tuple[Range, ...]) -> Known:
        return _walked(self._op.body, entered, self._known, self._depth + 1)

    def _entered(self, state: tuple[Range, ...]) -> tuple[Range, ...]:
        """The states for which the condition holds."""
        condition = self._op.cond
        walked = _walked(condition, state, self._known, self._depth + 1)
        _assume(condition.results[0], walked, holds=True)
        return tuple([walked[p] for p in condition.parameters])

    def _within_trips(self, state: tuple[Range, ...]) -> tuple[Range, ...]:
        """Tighter, for what each of a bounded number of trips changes by a bounded amount."""
        entered = self._entered(state)
        walked = self._body(entered)
        steps = [self._step(i, walked) for i in range(len(state))]
        bounds = [self._trips(i, entered[i], s) for i, s in enumerate(steps) if s is not None]
        trips = min((b for b in bounds if b is not None), default=None)
        if trips is None:
            return state
        tight = list(state)
        for i, step in enumerate(steps):
            if step is None:
                continue
            low, high = self._start[i]
            reach = low + min(0, trips * step[0]), high + max(0, trips * step[1])
            if _inside(reach, self._full[i]):
                tight[i] = _meet(state[i], reach)
        return tuple(tight)

    def _step(self, i: int, walked: Known) -> Range | None:
        """What a trip adds to integer state i."""
        result, parameter = self._op.body.results[i], self._op.body.parameters[i]
        if not parameter.type.dtype.is_integer:
            return None
        if result is parameter:
            return 0, 0
        operands = result.operands
        if isinstance(result.op, Add) and parameter in operands:
            other = operands[0] if operands[1] is parameter else operands[1]
            return _of(other, walked)
        if isinstance(result.op, Sub) and operands[0] is parameter:
            low, high = _of(operands[1], walked)
            return -high, -low
        return None

    def _trips(self, i: int, entered: Range, step: Range) -> int | None:
        """Trips after which counter i ends the loop, if it does before it wraps."""
        if step[0] > 0 and entered[1] + step[1] <= self._full[i][1]:
            return max(0, (entered[1] - self._start[i][0]) // step[0] + 1)
        if step[1] < 0 and entered[0] + step[0] >= self._full[i][0]:
            return max(0, (self._start[i][1] - entered[0]) // -step[1] + 1)
        return None


class _Inner(dict[Value, Range]):
    """Intervals of a body's values; behind them, those around it."""

    def __init__(self, around: Known) -> None:
        super().__init__()
        self._around = around

    def get(self, value: Value, default: Range | None = None) -> Range | None:  # type: ignore[override]
        found = super().get(value)
        return self._around.get(value, default) if found is None else found

    def __missing__(self, value: Value) -> Range:
        return _of(value, self._around)


def _walked(body: Function, given: Sequence[Range], known: Known, depth: int) -> dict[Value, Range]:
    """Intervals of all values of a body whose parameters lie in `given`."""
    inner: dict[Value, Range] = _Inner(known)
    inner.update(zip(body.parameters, given, strict=True))
    for node in body.nodes:
        intervals = of_results(node, inner, depth)
        if intervals is None:
            intervals = ranges.of_node(node, inner)
        for result, interval in zip(node.results, intervals, strict=True):
            inner[result] = ranges.wrapped(interval, result.type)
    return inner


def _assume(test: Value, walked: dict[Value, Range], *, holds: bool) -> None:
    """Narrow what is compared in a test that holds, or does not hold."""
    op, operands = test.op, test.operands
    if isinstance(op, LogicalNot):
        _assume(operands[0], walked, holds=not holds)
    elif isinstance(op, LogicalAnd if holds else LogicalOr):
        for operand in operands:
            _assume(operand, walked, holds=holds)
    elif op is not None and type(op) in _FLIPPED and operands[0].type.dtype.is_integer:
        kind = type(op) if holds else _FLIPPED[type(op)]
        if kind in _SWAPPED:
            kind, operands = _SWAPPED[kind], operands[::-1]
        _compare(kind, operands[0], operands[1], walked)


def _compare(kind: type, a: Value, b: Value, walked: dict[Value, Range]) -> None:
    """What follows for both sides: nothing if that leaves no value, as then no trip is made."""
    if a.type.shape or b.type.shape:
        return
    x, y = _of(a, walked), _of(b, walked)
    if kind in (compare.LessThan, compare.LessOrEqual):
        strict = int(kind is compare.LessThan)
        new = (x[0], min(x[1], y[1] - strict)), (max(y[0], x[0] + strict), y[1])
    elif kind is compare.Equal:
        both = max(x[0], y[0]), min(x[1], y[1])
        new = both, both
    else:
        new = _without(x, y), _without(y, x)
    if all(low <= high for low, high in new):
        walked[a], walked[b] = new


def _without(x: Range, y: Range) -> Range:
    """The interval without one value at its end."""
    if y[0] != y[1]:
        return x
    return x[0] + (x[0] == y[0]), x[1] - (x[1] == y[0])


def _of(value: Value, known: Known) -> Range:
    found = known.get(value)
    return ranges.full(value.type) if found is None else found


def _join(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _meet(a: Range, b: Range) -> Range:
    return max(a[0], b[0]), min(a[1], b[1])


def _inside(a: Range, b: Range) -> bool:
    return b[0] <= a[0] and a[1] <= b[1]


def _widened(before: Range, after: Range, full: Range) -> Range:
    """Where an end moved, as far as the dtype goes."""
    return (
        before[0] if after[0] >= before[0] else full[0],
        before[1] if after[1] <= before[1] else full[1],
    )
