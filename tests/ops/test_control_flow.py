"""Sort comparators: which are keys, which are asked for each pair, which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.errors import RefusedError
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder
from coremlc.ops import compare, sort_keys, sort_pairs
from coremlc.ops.binary import Add, LogicalAnd, LogicalOr
from coremlc.ops.comparator import Key, keys_of
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.selection import Where
from coremlc.ops.shape import Reshape
from coremlc.ops.unary import LogicalNot
from coremlc.passes.decompose import decompose
from tests.ops import control_flow as made
from tests.ops.control_flow import body, op2
from tests.ops.samples import Sample, array, expected, graph_of, randoms, t

PAIRS = (t("f32"),) * 4


def keys(build, types=PAIRS) -> list[tuple[int, str]] | None:
    """(parameter, direction) of each key; -1 for a key that is computed."""
    comparator = body(types, build)
    found = keys_of(comparator)
    if found is None:
        return None
    places = {p: i // 2 for i, p in enumerate(comparator.parameters)}
    return [(places.get(k.value, -1), "down" if k.descending else "up") for k in found]


def less(g: Builder, a, b):
    return g.add(compare.LessThan(), a, b)


def both(g: Builder, first, tie, rest):
    return g.add(LogicalOr(), g.add(LogicalAnd(), tie, rest), first)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (op2(compare.LessThan), [(0, "up")]),
        (op2(compare.GreaterOrEqual), [(0, "down")]),
        (lambda g, a, b, *_: less(g, b, a), [(0, "down")]),
        (lambda g, a, b, c, d: less(g, d, c), [(1, "down")]),
        (lambda g, a, b, *_: g.add(LogicalNot(), g.add(compare.LessOrEqual(), b, a)), [(0, "up")]),
        (made.lexicographic, [(0, "up"), (1, "down")]),
        (made.chosen, [(0, "up"), (1, "down")]),
        (made.by_magnitude, [(-1, "up")]),
        (lambda g, a, b, c, d: less(g, g.add(Add(), a, c), g.add(Add(), b, d)), [(-1, "up")]),
        (lambda g, a, b, c, d: both(g, less(g, a, b), g.add(compare.LessOrEqual(), a, b),
                                    less(g, c, d)), [(0, "up"), (1, "up")]),
        (lambda g, a, b, c, d: g.add(Where(), g.add(compare.Equal(), b, a), less(g, c, d),
                                     less(g, a, b)), [(0, "up"), (1, "up")]),
        # Not keys: mixed sides, a tie of another key, `<=` where `<` is due.
        (lambda g, a, b, c, d: less(g, a, d), None),
        (lambda g, a, b, c, d: less(g, a, c), None),
        (lambda g, a, b, c, d: both(g, less(g, a, b), g.add(compare.Equal(), c, d), less(g, c, d)),
         None),
        (lambda g, a, b, c, d: both(g, less(g, a, b), g.add(compare.GreaterOrEqual(), a, b),
                                    less(g, c, d)), None),
        (lambda g, a, b, c, d: both(g, g.add(compare.LessOrEqual(), a, b),
                                    g.add(compare.Equal(), a, b), less(g, c, d)), None),
        (lambda g, a, b, c, d: g.add(Where(), g.add(compare.LessOrEqual(), a, b), less(g, c, d),
                                     less(g, a, b)), None),
    ],
)  # fmt: skip
def test_keys_are_recognised(build, wanted):
    assert keys(build) == wanted


def test_a_comparator_that_doubles_and_doubles_is_read_soon():
    def build(g, a, b, *_):
        for _ in range(60):
            a, b = g.add(Add(), a, a), g.add(Add(), b, b)
        return less(g, a, b)

    assert keys(build) == [(-1, "up")]


def test_a_captured_value_is_the_same_on_both_sides():
    g = Builder()
    outer = g.parameter(t("f32"))
    shifted = lambda g, a, b, *_: less(g, g.add(Add(), a, outer), g.add(Add(), b, outer))  # noqa: E731
    assert keys(shifted) == [(-1, "up")]
    assert keys(lambda g, a, b, *_: less(g, g.add(Add(), a, outer), b)) is None


@pytest.mark.parametrize("kind", ["While", "Reshape"])
def test_a_comparator_of_whole_arrays_is_refused_by_name(kind: str):
    def build(g, a, b):
        if kind == "While":
            op = made.loop((t("f32"),), lambda h, x: less(h, x, b), lambda h, x: h.add(Add(), x, x))
            return less(g, g.add(op, a), b)
        one = g.add(Reshape((1,)), a)
        return less(g, g.add(ReduceSum((0,)), one), b)

    sample = Sample(made.sort(0, ("f32",), build), (randoms("f32", 4),))
    with pytest.raises(RefusedError, match=f"its comparator has {kind}, which is not elementwise"):
        decompose(graph_of(sample)[0].main)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 31, 64, 100])
def test_the_network_sorts(n: int):
    """By the 0-1 principle: whatever zeros and ones it sorts."""
    rng = np.random.default_rng(n)
    x = rng.integers(0, 2, (500, n))
    for partner in sort_pairs.merge_exchange(n) if n > 1 else []:
        np.testing.assert_array_equal(partner[partner], np.arange(n))
        low, high = np.minimum(x, x[:, partner]), np.maximum(x, x[:, partner])
        x = np.where(partner < np.arange(n), high, low)
    assert np.all(np.diff(x, axis=1) >= 0)


def test_the_oracle_gives_one_order_by_pairs_and_by_network(monkeypatch: pytest.MonkeyPatch):
    values = np.random.default_rng(0).integers(0, 9, (3, 40))
    sample = Sample(
        made.sort(1, ("i32", "i32"), made.even_first),
        (array("i32", values), array("i32", np.tile(np.arange(40), (3, 1)))),
    )
    pairs = expected(sample)
    monkeypatch.setattr(sort_pairs, "FEW_PAIRS", 1)
    for a, b in zip(pairs, expected(sample), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("limit", [30, 200, 2**31 - 1])
@pytest.mark.parametrize("descending", [False, True])
def test_ranks_by_digits_give_the_same_order(
    monkeypatch: pytest.MonkeyPatch, limit: int, descending: bool
):
    monkeypatch.setattr(sort_keys, "LIMIT", limit)
    g = Builder()
    x = g.parameter(t("f32", 2, 9))
    key = Key(x, descending, total=False)
    main = decompose(g.finish(sort_keys.stable_order(g, x, key, 1)))
    data = array("f32", [[3, 1, np.nan, 1, np.inf, -0.0, 0, np.nan, 1], [2] * 9])
    (got,) = evaluate.run(main, [data])
    ranks = np.where(np.isnan(data), 99, np.where(np.isinf(data), 50, data))
    np.testing.assert_array_equal(
        got, np.argsort(-ranks if descending else ranks, 1, kind="stable")
    )
