"""Softmax: every spelling, and what only looks like one."""

from __future__ import annotations

import pytest

from coremlc.ops import binary, reduce, shape, unary
from tests.ir.graphs import const
from tests.passes.fuse.cases import Fused, NearMiss, check_fused, check_missed

EXP, SUB, DIV, MUL = unary.Exp(), binary.Sub(), binary.Div(), binary.Mul()


def kept(g, kind, x, *axes):
    """A reduction with its axes as dims of 1."""
    dims = tuple(1 if i in axes else d for i, d in enumerate(x.type.shape))
    return g.add(shape.Reshape(dims), g.add(kind(axes), x))


def wide(g, x, like):
    return g.add(shape.BroadcastInDim(like.type, tuple(range(like.type.rank))), x)


def power(g, x, *axes):
    return g.add(EXP, g.add(SUB, x, kept(g, reduce.ReduceMax, x, *axes)))


def softmax(*axes, divide=None):
    def make(g, x):
        p = power(g, x, *axes)
        total = kept(g, reduce.ReduceSum, p, *axes)
        return g.add(DIV, p, total) if divide is None else divide(g, p, total)

    return make


FUSED = [
    Fused("last axis", softmax(1), "FusedSoftmax"),
    Fused("first axis", softmax(0), "FusedSoftmax"),
    Fused("float64", softmax(1), "FusedSoftmax", ("f64[3,4]",)),
    Fused("vector", softmax(0), "FusedSoftmax", ("f32[5]",)),
    Fused("all axes", softmax(0, 1), "Reshape FusedSoftmax Reshape"),
    Fused("axes that adjoin", softmax(2, 1), "Reshape FusedSoftmax Reshape", ("f32[2,3,4]",)),
    Fused(
        "broadcasts spelled out", lambda g, x: g.add(
            DIV, power(g, x, 1), wide(g, kept(g, reduce.ReduceSum, power(g, x, 1), 1), x)
        ), "FusedSoftmax",
    ),
    Fused(
        "times the inverse", softmax(
            1, divide=lambda g, p, total: g.add(MUL, p, g.add(DIV, const(g, 1), total))
        ), "FusedSoftmax",
    ),
]  # fmt: skip


def without_maximum(g, x):
    p = g.add(EXP, x)
    return g.add(DIV, p, kept(g, reduce.ReduceSum, p, 1))


def other_axis(g, x):
    p = power(g, x, 0)
    return g.add(DIV, p, kept(g, reduce.ReduceSum, p, 1))


MISSED = [
    NearMiss("no maximum", without_maximum, "softmax", "overflows"),
    NearMiss("other axis", other_axis, "softmax", "the maximum is over axes (0,)"),
    NearMiss("axes apart", softmax(0, 2), "softmax", "do not adjoin", ("f32[2,3,4]",)),
    NearMiss("half", softmax(1), "softmax", "f16 rounds", ("f16[3,4]",)),
]


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_softmax(case):
    check_fused(case)


@pytest.mark.parametrize("case", MISSED, ids=str)
def test_not_softmax(case):
    check_missed(case)
