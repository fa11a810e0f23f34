"""Samples of While, If and Sort."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from coremlc.dtypes import BY_SHORT
from coremlc.ir.graph import Builder, Function, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, LogicalAnd, LogicalOr, Mul, Rem, Sub
from coremlc.ops.compare import (
    Equal,
    GreaterOrEqual,
    GreaterThan,
    GreaterThanTotalOrder,
    LessThan,
    LessThanTotalOrder,
    NotEqual,
)
from coremlc.ops.control_flow import If, While
from coremlc.ops.leaves import constant
from coremlc.ops.reduce import ReduceMax
from coremlc.ops.selection import Where
from coremlc.ops.shape import Reverse
from coremlc.ops.sort import Sort
from coremlc.ops.unary import Abs, LogicalNot, Neg, Sin
from tests.ops.samples import INF, NAN, Reject, Sample, array, edges, randoms, t

Build = Callable[..., Value | Sequence[Value]]


def body(types: Sequence[TensorType], build: Build) -> Function:
    """A body whose parameters have these types; `build(g, *parameters)` gives its results."""
    g = Builder()
    results = build(g, *[g.parameter(type_) for type_ in types])
    return g.finish(*([results] if isinstance(results, Value) else results))


def loop(types: Sequence[TensorType], cond: Build, step: Build) -> While:
    return While(body(types, cond), body(types, step))


def branch(true: Build, false: Build) -> If:
    return If(body((), true), body((), false))


def sort(axis: int, types: Sequence[str], build: Build, *, stable: bool = True) -> Sort:
    """build(g, lhs0, rhs0, lhs1, rhs1 ..)."""
    pairs = [t(short) for short in types for _ in range(2)]
    return Sort(axis, stable, body(pairs, build))


def number(g: Builder, dtype: str, value: object) -> Value:
    return g.add(constant(BY_SHORT[dtype], value))


def op2(op: Callable[[], Op]) -> Build:
    """A comparator that compares the first pair."""
    return lambda g, a, b, *_: g.add(op(), a, b)


def lexicographic(g: Builder, a: Value, b: Value, c: Value, d: Value, *_: Value) -> Value:
    """Ascending by the first, ties descending by the second."""
    tie = g.add(LogicalAnd(), g.add(Equal(), a, b), g.add(GreaterThan(), c, d))
    return g.add(LogicalOr(), g.add(LessThan(), a, b), tie)


def chosen(g: Builder, a: Value, b: Value, c: Value, d: Value, *_: Value) -> Value:
    """The same, spelled with Where."""
    return g.add(Where(), g.add(NotEqual(), a, b), g.add(LessThan(), a, b), g.add(LessThan(), d, c))


def even_first(g: Builder, a: Value, b: Value, *_: Value) -> Value:
    """Even numbers before odd ones, each ascending: no key of its own."""
    two, zero = number(g, "i32", 2), number(g, "i32", 0)
    even_a = g.add(Equal(), g.add(Rem(), a, two), zero)
    even_b = g.add(Equal(), g.add(Rem(), b, two), zero)
    less = g.add(LessThan(), a, b)
    only_a = g.add(LogicalAnd(), even_a, g.add(LogicalNot(), even_b))
    only_b = g.add(LogicalAnd(), even_b, g.add(LogicalNot(), even_a))
    return g.add(Where(), only_a, only_a, g.add(LogicalAnd(), g.add(LogicalNot(), only_b), less))


def by_magnitude(g: Builder, a: Value, b: Value, *_: Value) -> Value:
    return g.add(LessThan(), g.add(Neg(), g.add(Abs(), a)), g.add(Neg(), g.add(Abs(), b)))


F2 = t("f32", 2)
S = t("i32")
COUNT = loop(
    (S, F2),
    lambda g, i, x: g.add(LessThan(), i, number(g, "i32", 5)),
    lambda g, i, x: (g.add(Add(), i, number(g, "i32", 1)), g.add(Sin(), g.add(Add(), x, x))),
)


def doubling(dtype: str) -> While:
    """Until the greatest is 100."""
    return loop(
        (t(dtype, 3),),
        lambda g, x: g.add(LessThan(), g.add(ReduceMax((0,)), x), number(g, dtype, 100)),
        lambda g, x: g.add(Add(), g.add(Mul(), x, number(g, dtype, 2)), number(g, dtype, 1)),
    )


SWAP = loop(
    (S, F2, F2, t("bool")),
    lambda g, i, x, y, p: g.add(LogicalAnd(), p, g.add(GreaterThan(), i, number(g, "i32", 0))),
    lambda g, i, x, y, p: (g.add(Sub(), i, number(g, "i32", 1)), y, x, p),
)
NESTED = loop(
    (S, S),
    lambda g, i, n: g.add(LessThan(), i, number(g, "i32", 4)),
    lambda g, i, n: (
        g.add(Add(), i, number(g, "i32", 1)),
        g.add_multi(
            loop(
                (S, S),
                lambda h, j, m: h.add(LessThan(), j, i),
                lambda h, j, m: (h.add(Add(), j, number(h, "i32", 1)), h.add(Add(), m, j)),
            ),
            number(g, "i32", 0),
            n,
        )[1],
    ),
)


SPIN = loop(
    (S, t("c64", 2)),
    lambda g, i, x: g.add(LessThan(), i, number(g, "i32", 3)),
    lambda g, i, x: (
        g.add(Add(), i, number(g, "i32", 1)),
        g.add(Mul(), x, number(g, "c64", [1j, 0.5])),
    ),
)

TURN = loop(
    (t("f32", 2), S),
    lambda g, x, i: g.add(LessThan(), i, number(g, "i32", 3)),
    lambda g, x, i: (g.add(Reverse((0,)), x), g.add(Add(), i, number(g, "i32", 1))),
)


def collatz(dtype: str) -> While:
    """Steps of n -> n / 2 or 3 n + 1 until it is 1, 60 at most; small integers wrap."""

    def step(g: Builder, n: Value, count: Value) -> tuple[Value, ...]:
        two = number(g, dtype, 2)
        even = g.add(Equal(), g.add(Rem(), n, two), number(g, dtype, 0))
        more = g.add(Add(), g.add(Mul(), n, number(g, dtype, 3)), number(g, dtype, 1))
        next_ = g.add(Where(), even, g.add(Div(), n, two), more)
        return next_, g.add(Add(), count, number(g, "i64", 1))

    return loop(
        (t(dtype), t("i64")),
        lambda g, n, count: g.add(
            LogicalAnd(),
            g.add(NotEqual(), n, number(g, dtype, 1)),
            g.add(LessThan(), count, number(g, "i64", 60)),
        ),
        step,
    )


def heavy(g: Builder, x: float) -> Value:
    """A branch that is not cheap: a loop."""
    wide = t("f32", 2)
    (y,) = g.add_multi(
        loop(
            (wide,),
            lambda h, v: h.add(LessThan(), h.add(ReduceMax((0,)), v), number(h, "f32", 9)),
            lambda h, v: h.add(Add(), v, number(h, "f32", 1)),
        ),
        number(g, "f32", [x, -x]),
    )
    return y


TRUE, FALSE = np.array(True), np.array(False)
LOOPS = [
    Sample(COUNT, (array("i32", 0), randoms("f32", 2))),
    Sample(COUNT, (array("i32", 5), randoms("f32", 2)), note="zero trips"),
    Sample(COUNT, (array("i32", 2), randoms("f32", 2)), frozenset({0}), note="known"),
    Sample(COUNT, (array("i32", 9), randoms("f32", 2)), frozenset({0}), note="known zero"),
    *(Sample(doubling(d), (array(d, [1, 2, 3]),)) for d in ("f32", "f16", "i32", "f64")),
    Sample(SWAP, (array("i32", 3), randoms("f32", 2), randoms("f32", 2, seed=1), TRUE)),
    Sample(SWAP, (array("i32", 3), randoms("f32", 2), randoms("f32", 2, seed=1), FALSE)),
    Sample(TURN, (randoms("f32", 2), array("i32", 0)), note="moves"),
    Sample(SPIN, (array("i32", 0), array("c64", [1 + 2j, -3j])), note="complex"),
    Sample(collatz("i64"), (array("i64", 2**40 + 1), array("i64", 0)), note="beyond int32"),
    *(Sample(collatz(d), (array(d, 27), array("i64", 0)), note=d) for d in ("i32", "u8", "u32")),
    Sample(NESTED, (array("i32", 0), array("i32", 7))),
]
CHEAP = branch(lambda g: number(g, "f32", [1, 2]), lambda g: number(g, "f32", [3, NAN]))
TWO = branch(
    lambda g: (heavy(g, 1), number(g, "i32", 1), number(g, "bool", value=True)),
    lambda g: (heavy(g, 3.5), number(g, "i32", 2), number(g, "bool", value=False)),
)
BRANCHES = [
    Sample(op, (p,), constants, note=note)
    for op in (CHEAP, TWO)
    for p in (TRUE, FALSE)
    for constants, note in ((frozenset(), str(p)), (frozenset({0}), f"known {p}"))
]
PLACES = np.tile(np.arange(7, dtype=np.int32), (3, 1))
WORDS = np.array(
    [[2**62, -5, 2**31, -(2**31)], [7, 2**32 + 7, 7 - 2**32, 7], [-1, 0, 2**63 - 1, -(2**63)]] * 2
)[:4]
TIES = array("f32", [[2, 1, 2, NAN, 1, INF, -INF], [0.0, -0.0, 0, -0.0, 1, NAN, NAN], [1] * 7])
SORTS = [
    *(
        Sample(sort(0, (d,), op2(op), stable=False), (edges(d),))
        for d in ("f32", "f16", "i32", "bool", "u8", "i16", "f64")
        for op in (LessThan, GreaterThan)
    ),
    *(Sample(sort(axis, ("f32",), op2(LessThan)), (randoms("f32", 2, 3, 4),)) for axis in range(3)),
    *(
        Sample(sort(1, ("f32", "i32"), op2(op)), (TIES, PLACES), note=op.__name__)
        for op in (
            *(LessThan, GreaterThan, GreaterOrEqual),
            *(LessThanTotalOrder, GreaterThanTotalOrder),
        )
    ),
    Sample(sort(1, ("f32", "i32"), op2(LessThan)), (TIES, PLACES), frozenset({1}), note="places"),
    Sample(sort(0, ("f32",), op2(LessThanTotalOrder)), (edges("f32"),), note="total"),
    *(
        Sample(
            sort(1, ("i32", "f32", "bool"), build),
            (
                array("i32", np.arange(24) % 3, (2, 12)),
                array("f32", np.arange(24) % 5 - 2, (2, 12)),
                array("bool", np.arange(24) % 7 < 3, (2, 12)),
            ),
            note=build.__name__,
        )
        for build in (lexicographic, chosen)
    ),
    Sample(sort(0, ("i32",), even_first), (randoms("i32", 9),), note="no key"),
    Sample(
        sort(0, ("i32", "f32"), even_first),
        (randoms("i32", 9, 2), randoms("f32", 9, 2)),
        note="no key, payload",
    ),
    Sample(sort(0, ("f32", "i32"), by_magnitude), (TIES[0], PLACES[0]), note="magnitude"),
    *(
        Sample(sort(0, (d, "f32"), op2(LessThan)), (randoms(d, 9), randoms("f32", 9)))
        for d in ("i64", "bool", "i8", "f16")
    ),
    *(
        Sample(
            sort(1, (d, "i64"), op2(op)),
            (array(d, WORDS), array("i64", WORDS.T.copy())),
            note=op.__name__,
        )
        for d in ("i64", "u64", "u32")
        for op in (LessThan, GreaterThan)
    ),
    Sample(sort(0, ("bf16", "f32"), op2(LessThan)), (randoms("bf16", 9), randoms("f32", 9))),
    Sample(
        sort(0, ("i32", "c64"), op2(LessThan)),
        (randoms("i32", 9), randoms("f32", 9) + 1j * randoms("f32", 9, seed=1)),
        note="complex payload",
    ),
    Sample(sort(0, ("f32", "f32"), op2(LessThan)), (randoms("f32", 1), randoms("f32", 1))),
    Sample(sort(0, ("f32",), op2(LessThan)), (randoms("f32", 0),)),
]
SAMPLES = [*LOOPS, *BRANCHES, *SORTS]

_PRED = t("bool")
_YES = body((), lambda g: number(g, "f32", 1))
_LESS = body((t("f32"), t("f32")), op2(LessThan))
REJECTS = [
    Reject("C1", COUNT, (), "While without a state"),
    Reject("C2", COUNT, (S,), "cond takes i32[], f32[2]"),
    Reject("C3", loop((S,), lambda g, i: i, lambda g, i: i), (S,), "cond gives i32[]"),
    Reject(
        "C4",
        loop((S,), lambda g, i: number(g, "bool", value=True), lambda g, i: (i, i)),
        (S,),
        "body gives i32[], i32[]",
    ),
    Reject("C1", CHEAP, (t("bool", 1),), "If of bool[1]"),
    Reject("C2", If(body((S,), lambda g, x: x), _YES), (_PRED,), "true_branch takes i32[]"),
    Reject(
        "C3",
        If(_YES, body((), lambda g: number(g, "i32", 1))),
        (_PRED,),
        "false_branch gives i32[]",
    ),
    Reject("C1", Sort(0, True, _LESS), (t("f32", 2), t("f32", 3)), "Sort of f32[2], f32[3]"),
    Reject("C2", Sort(1, True, _LESS), (t("f32", 2),), "axis (1,) of f32[2]"),
    Reject("C3", Sort(0, True, _LESS), (t("i32", 2),), "comparator takes f32[], f32[]"),
    Reject(
        "C4",
        Sort(0, True, body((t("f32"), t("f32")), lambda g, a, b: a)),
        (t("f32", 2),),
        "comparator gives f32[]",
    ),
]
