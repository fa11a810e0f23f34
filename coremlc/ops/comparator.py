"""What a Sort comparator says: keys in order of weight, if it is of that form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from coremlc.ir.graph import Function, Value
from coremlc.ir.op import Op
from coremlc.ops.binary import LogicalAnd, LogicalOr
from coremlc.ops.compare import (
    Equal,
    EqualTotalOrder,
    GreaterOrEqual,
    GreaterOrEqualTotalOrder,
    GreaterThan,
    GreaterThanTotalOrder,
    LessOrEqual,
    LessOrEqualTotalOrder,
    LessThan,
    LessThanTotalOrder,
    NotEqual,
    NotEqualTotalOrder,
)
from coremlc.ops.selection import Where
from coremlc.ops.unary import LogicalNot

_ASCENDING = (LessThan, LessOrEqual, LessThanTotalOrder, LessOrEqualTotalOrder)
_DESCENDING = (GreaterThan, GreaterOrEqual, GreaterThanTotalOrder, GreaterOrEqualTotalOrder)
_STRICT = (LessThan, LessThanTotalOrder, GreaterThan, GreaterThanTotalOrder)
_TOTAL = (
    *(LessThanTotalOrder, LessOrEqualTotalOrder),
    *(GreaterThanTotalOrder, GreaterOrEqualTotalOrder),
)
MAX_DEPTH = 64


@dataclass(frozen=True)
class Key:
    """One key: an expression of the left element, that the right one has alike."""

    value: Value
    descending: bool
    total: bool
    """-0 stands before +0."""


def keys_of(comparator: Function) -> tuple[Key, ...] | None:
    """Keys that the comparator compares, the weightiest first; None if it has another form.

    `<=` counts as `<`: a comparator that holds for equals has no order to give them.
    """
    return _Reader(comparator).keys(comparator.results[0])


class _Reader:
    def __init__(self, comparator: Function) -> None:
        left, right = comparator.parameters[::2], comparator.parameters[1::2]
        self._pair = dict(zip(left, right, strict=True))
        self._right = frozenset(right)
        self._mirrored: dict[tuple[Value, Value], bool] = {}
        self._own = {r for node in comparator.nodes for r in node.results} | {*left, *right}

    def keys(self, test: Value, depth: int = 0) -> tuple[Key, ...] | None:
        """`a < a'`, `a < a' | (a == a' & rest)`, `a == a' ? rest : a < a'`, and their likes."""
        if depth > MAX_DEPTH:
            return None
        found = self._compared(test)
        if found is not None:
            return (found[0],)
        operands = test.operands
        if isinstance(test.op, LogicalOr):
            first = self._either(operands[0], operands[1], depth)
            return first if first is not None else self._either(operands[1], operands[0], depth)
        if isinstance(test.op, Where):
            condition, on_true, on_false = operands
            if self._is_equality(condition, on_false, (Equal, EqualTotalOrder)):
                return self._then(on_false, on_true, depth)
            if self._is_equality(condition, on_true, (NotEqual, NotEqualTotalOrder)):
                return self._then(on_true, on_false, depth)
        return None

    def _either(self, first: Value, second: Value, depth: int) -> tuple[Key, ...] | None:
        """`first | (tie & rest)`."""
        if not isinstance(second.op, LogicalAnd):
            return None
        a, b = second.operands
        if self._tie(a, first):
            return self._then(first, b, depth)
        return self._then(first, a, depth) if self._tie(b, first) else None

    def _then(self, first: Value, rest: Value, depth: int) -> tuple[Key, ...] | None:
        found, more = self._compared(first), self.keys(rest, depth + 1)
        if found is None or more is None or not found[1]:
            return None
        return (found[0], *more)

    def _compared(self, test: Value) -> tuple[Key, bool] | None:
        """The key of a single compare of both sides, and whether it excludes equals."""
        op = test.op
        if isinstance(op, LogicalNot):
            inner = self._compared(test.operands[0])
            if inner is None:
                return None
            key, strict = inner
            return replace(key, descending=not key.descending), not strict
        if not isinstance(op, _ASCENDING + _DESCENDING):
            return None
        a, b = test.operands
        descending = isinstance(op, _DESCENDING)
        if not self._mirrors(a, b):
            a, b, descending = b, a, not descending
            if not self._mirrors(a, b):
                return None
        return Key(a, descending, isinstance(op, _TOTAL)), isinstance(op, _STRICT)

    def _tie(self, test: Value, compare: Value) -> bool:
        """Whether `test` holds for equal keys, and else at most where `compare` holds too."""
        if self._is_equality(test, compare, (Equal, EqualTotalOrder)):
            return True
        first, other = self._compared(compare), self._compared(test)
        if first is None or other is None or other[1]:
            return False
        a, b = first[0], other[0]
        return (a.descending, a.total) == (b.descending, b.total) and _same(a.value, b.value)

    def _is_equality(self, test: Value, compare: Value, kinds: tuple[type[Op], type[Op]]) -> bool:
        """Whether `test` asks whether the keys are equal that `compare` compares."""
        found = self._compared(compare)
        if found is None or type(test.op) is not kinds[found[0].total]:
            return False
        a, b = test.operands
        key = found[0].value
        return any(_same(x, key) and self._mirrors(x, y) for x, y in ((a, b), (b, a)))

    def _mirrors(self, left: Value, right: Value) -> bool:
        """Whether `right` is of the right element what `left` is of the left one."""
        pair = left, right
        if pair not in self._mirrored:
            self._mirrored[pair] = self._is_mirror(left, right)
        return self._mirrored[pair]

    def _is_mirror(self, left: Value, right: Value) -> bool:
        if left in self._pair:
            return self._pair[left] is right
        if left in self._right:
            return False
        if left not in self._own:
            return left is right
        a, b = left.node, right.node
        if a is None or b is None or right not in self._own:
            return False
        if a.op != b.op or left.index != right.index or a.op.bodies:
            return False
        return all(map(self._mirrors, a.operands, b.operands))


def _same(a: Value, b: Value, known: dict[tuple[Value, Value], bool] | None = None) -> bool:
    """Whether two values are computed alike."""
    if a is b:
        return True
    if a.node is None or b.node is None or a.op != b.op or a.index != b.index or a.node.op.bodies:
        return False
    memo = {} if known is None else known
    if (a, b) not in memo:
        pairs = zip(a.operands, b.operands, strict=True)
        memo[a, b] = all(_same(x, y, memo) for x, y in pairs)
    return memo[a, b]
