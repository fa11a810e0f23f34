"""The Go backend's random bits: what draws from a state that was drawn from."""

from __future__ import annotations

import numpy as np

from benchmarks.harvest.pcg import Pcg, drawn
from coremlc.ops.rng_bit_generator import RNGBitGenerator
from tests.ir.graphs import graph, t

BITS = t("u32[5]")


def test_each_generator_draws_from_the_state_before() -> None:
    def make(g, state):
        after, first = g.add_multi(RNGBitGenerator(BITS), state)
        return first, *g.add_multi(RNGBitGenerator(BITS), after)

    main = graph(make, "u64[3]").main
    state = np.uint64([42, 7, 3])
    after, first = Pcg(BITS).evaluate(state)
    last, second = Pcg(BITS).evaluate(after)
    found = drawn(main, [state])
    for value, due in zip(main.results, (first, last, second), strict=True):
        np.testing.assert_array_equal(found[value], due)
    assert not np.array_equal(first, second)
