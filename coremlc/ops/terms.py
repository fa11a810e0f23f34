"""Term: a value with Python's operators, for formulas that would not be readable as nodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Op
from coremlc.ops.binary import Add, Atan2, Div, LogicalAnd, LogicalOr, Max, Min, Mul, Sub
from coremlc.ops.compare import Equal, GreaterOrEqual, LessThan, NotEqual
from coremlc.ops.leaves import constant
from coremlc.ops.selection import Where
from coremlc.ops.unary import Abs, Cos, Exp, Expm1, Log, Log1p, Neg, Sin, Sqrt


@dataclass(frozen=True)
class Term:
    """A real or bool value. Numbers beside it become constants of its dtype."""

    g: Graph
    value: Node

    def of(self, y: Term | float) -> Node:
        """`y` as a value of this dtype."""
        return y.value if isinstance(y, Term) else self.g.add(constant(self.value.type.dtype, y))

    def __add__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(Add(), self.value, self.of(y)))

    def __sub__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(Sub(), self.value, self.of(y)))

    def __mul__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(Mul(), self.value, self.of(y)))

    def __truediv__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(Div(), self.value, self.of(y)))

    def __rtruediv__(self, y: float) -> Term:
        return Term(self.g, self.g.add(Div(), self.of(y), self.value))

    def __neg__(self) -> Term:
        return Term(self.g, self.g.add(Neg(), self.value))

    def __abs__(self) -> Term:
        return Term(self.g, self.g.add(Abs(), self.value))

    def __lt__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(LessThan(), self.value, self.of(y)))

    def __ge__(self, y: Term | float) -> Term:
        return Term(self.g, self.g.add(GreaterOrEqual(), self.value, self.of(y)))

    def __and__(self, y: Term) -> Term:
        return Term(self.g, self.g.add(LogicalAnd(), self.value, y.value))

    def __or__(self, y: Term) -> Term:
        return Term(self.g, self.g.add(LogicalOr(), self.value, y.value))

    def equals(self, y: Term | float) -> Term:
        """`==`, which Python keeps for itself."""
        return Term(self.g, self.g.add(Equal(), self.value, self.of(y)))

    def differs(self, y: Term | float) -> Term:
        """IEEE 754 `!=`."""
        return Term(self.g, self.g.add(NotEqual(), self.value, self.of(y)))


def where(condition: Term, on_true: Term | float, on_false: Term | float) -> Term:
    """Elementwise choice; one of the branches is a Term."""
    g, known = condition.g, on_true if isinstance(on_true, Term) else on_false
    assert isinstance(known, Term), "two numbers have no dtype"
    branches = known.of(on_true), known.of(on_false)
    return Term(g, g.add(Where(), condition.value, *branches))


def _function(kind: type[Op]) -> Callable[..., Term]:
    """An op as a function of Terms."""

    def apply(*xs: Term) -> Term:
        g = xs[0].g
        return Term(g, g.add(kind(), *[x.value for x in xs]))

    return apply


atan2 = _function(Atan2)
cos = _function(Cos)
exp = _function(Exp)
expm1 = _function(Expm1)
greater = _function(Max)
lesser = _function(Min)
log = _function(Log)
log1p = _function(Log1p)
sin = _function(Sin)
sqrt = _function(Sqrt)


def negative(x: Term) -> Term:
    """Whether the sign bit is set, -0 included; false for NaN."""
    return (x < 0.0) | (1.0 / x < 0.0)


def infinite(x: Term) -> Term:
    """Whether it is inf or -inf."""
    return abs(x).equals(math.inf)
