"""Means and layer norms: every spelling, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.ops import binary, reduce, shape, unary
from tests.ir.graphs import const
from tests.passes.fuse.cases import Fused, NearMiss, check_fused, check_missed, kept

ADD, SUB, DIV, MUL, POW = (
    kind() for kind in (binary.Add, binary.Sub, binary.Div, binary.Mul, binary.Pow)
)
SQRT, RSQRT = unary.Sqrt(), unary.Rsqrt()
GAMMA, BETA = np.linspace(-1, 2, 6), np.linspace(3, -1, 6)


def count(x, axes):
    return int(np.prod([x.type.shape[a] for a in axes]))


def like(g, x, value):
    return const(g, value, x.type.dtype.short)


def times_inverse(g, x, *axes):
    """As GoMLX's ReduceMean."""
    total = g.add(reduce.ReduceSum(axes), x)
    dims = tuple(1 if i in axes else d for i, d in enumerate(x.type.shape))
    return g.add(shape.Reshape(dims), g.add(MUL, total, like(g, x, 1 / count(x, axes))))


def over_count(g, x, *axes):
    return g.add(DIV, kept(g, reduce.ReduceSum, x, *axes), like(g, x, count(x, axes)))


def over_less(g, x, *axes):
    return g.add(DIV, kept(g, reduce.ReduceSum, x, *axes), like(g, x, count(x, axes) - 1))


def squared(g, x):
    return g.add(MUL, x, x)


def by_pow(g, x):
    return g.add(POW, x, like(g, x, 2))


def divided(g, x, radicand):
    return g.add(DIV, x, g.add(SQRT, radicand))


def by_rsqrt(g, x, radicand):
    return g.add(MUL, g.add(RSQRT, radicand), x)


def by_inverse(g, x, radicand):
    return g.add(MUL, x, g.add(DIV, like(g, x, 1), g.add(SQRT, radicand)))


def norm(*axes, mean=times_inverse, variance=None, square=squared, end=divided, epsilon=1e-5):
    """A layer norm without gain and offset."""

    def make(g, x):
        centered = g.add(SUB, x, mean(g, x, *axes))
        spread = (variance or mean)(g, square(g, centered), *axes)
        return end(g, centered, g.add(ADD, spread, like(g, x, epsilon)))

    return make


def affine(g, x):
    return g.add(ADD, g.add(MUL, norm(1)(g, x), like(g, x, GAMMA[None])), like(g, x, BETA[None]))


FUSED = [
    Fused("mean", lambda g, x: times_inverse(g, x, 1), "reduce_mean Reshape"),
    Fused("mean of all", lambda g, x: over_count(g, x, 0, 1), "reduce_mean Reshape", ("f32[5,7]",)),
    Fused("as GoMLX", norm(1), "FusedLayerNorm"),
    Fused("float64", norm(1), "FusedLayerNorm", ("f64[16,6]",)),
    Fused(
        "division, power, rsqrt",
        norm(1, mean=over_count, square=by_pow, end=by_rsqrt),
        "FusedLayerNorm",
    ),
    Fused("inverse", norm(1, end=by_inverse), "FusedLayerNorm"),
    Fused("first axis", norm(0), "FusedLayerNorm"),
    Fused("two axes", norm(2, 1), "FusedLayerNorm", ("f32[16,3,4]",)),
    Fused("vector", norm(0), "FusedLayerNorm", ("f32[7]",)),
    Fused("gain and offset", affine, "FusedLayerNorm"),
    Fused(
        "offset", lambda g, x: g.add(ADD, like(g, x, BETA[None]), norm(1)(g, x)), "FusedLayerNorm"
    ),
    Fused(
        "gain that is computed",
        lambda g, x, y: g.add(MUL, norm(1)(g, x), g.add(SQRT, g.add(MUL, y, y))),
        "Mul Sqrt FusedLayerNorm",
        ("f32[16,6]", "f32[1,6]"),
    ),
]


def outside(g, x):
    """Epsilon beside the deviation."""
    centered = g.add(SUB, x, times_inverse(g, x, 1))
    deviation = g.add(SQRT, times_inverse(g, squared(g, centered), 1))
    return g.add(DIV, centered, g.add(ADD, deviation, like(g, x, 1e-5)))


def of_squares(g, x):
    """The variance as the mean of squares less the square of the mean."""
    mean = times_inverse(g, x, 1)
    spread = g.add(SUB, times_inverse(g, squared(g, x), 1), squared(g, mean))
    return divided(g, g.add(SUB, x, mean), g.add(ADD, spread, like(g, x, 1e-5)))


def other_axis(g, x, *axes):
    return times_inverse(g, x, 0)


def per_row(g, x, y):
    return g.add(MUL, norm(1)(g, x), y)


def over_zero(g, x):
    return g.add(DIV, kept(g, reduce.ReduceSum, x, 1), like(g, x, 0))


MISSED = [
    NearMiss("divided by zero", over_zero, "mean", "multiplied by inf"),
    NearMiss("epsilon is no number", norm(1, epsilon=np.nan), "layer_norm", "epsilon is nan"),
    NearMiss("epsilon is infinite", norm(1, epsilon=np.inf), "layer_norm", "epsilon is inf"),
    NearMiss("another count", lambda g, x: over_less(g, x, 1), "mean", "multiplied by 0.2"),
    NearMiss(
        "mean of halves", lambda g, x: over_count(g, x, 1), "mean", "f16 rounds", ("f16[3,4]",)
    ),
    NearMiss(
        "unbiased", norm(1, variance=over_less), "layer_norm", "no epsilon is added to a mean"
    ),
    NearMiss(
        "other axis",
        norm(1, variance=other_axis),
        "layer_norm",
        "the variance over (0,)",
        ("f32[6,6]",),
    ),
    NearMiss(
        "of x itself",
        norm(1, square=lambda g, c: squared(g, g.add(unary.Abs(), c))),
        "layer_norm",
        "not that of the squares",
    ),
    NearMiss("epsilon below 0", norm(1, epsilon=-1e-5), "layer_norm", "epsilon is -1e-05"),
    NearMiss("mean of squares", of_squares, "layer_norm", "no epsilon is added to a mean"),
    NearMiss("epsilon outside", outside, "layer_norm", "not under it"),
    NearMiss(
        "gain by row", per_row, "gain", "is not of the dims of axes (1,)", ("f32[4,6]", "f32[4,1]")
    ),
]


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_norm(case):
    check_fused(case)


@pytest.mark.parametrize("case", MISSED, ids=str)
def test_not_norm(case):
    check_missed(case)
