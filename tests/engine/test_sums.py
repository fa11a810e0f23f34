"""Sums of many numbers lose little, however their axes lie."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.programs import one_op, run_all

SHAPES = {
    "one": ((300_000,), [0]),
    "two": ((900, 1100), [0, 1]),
    "three": ((100, 3, 90, 100), [0, 2, 3]),
    "outer": ((700, 700, 2), [0, 1]),
}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", ["reduce_sum", "reduce_mean", "reduce_sum_square"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_sum_of_many_is_as_exact_as_xla_s(shape: str, kind: str, keep: bool) -> None:
    dims, axes = SHAPES[shape]
    x = np.random.default_rng(0).uniform(1, 1.2, dims).astype(np.float32)
    wide = x.astype(np.float64)
    wanted = {
        "reduce_sum": wide.sum(tuple(axes), keepdims=keep),
        "reduce_mean": wide.mean(tuple(axes), keepdims=keep),
        "reduce_sum_square": np.square(wide).sum(tuple(axes), keepdims=keep),
    }
    program, features = one_op(kind, {"x": x, "axes": axes, "keep_dims": keep})
    for (got,) in run_all(program, features):
        assert got.shape == wanted[kind].shape
        np.testing.assert_allclose(got, wanted[kind], rtol=6e-6)
