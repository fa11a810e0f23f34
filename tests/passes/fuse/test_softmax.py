"""Softmax: every spelling, and what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.dtypes import F32
from coremlc.ops import binary, leaves, reduce, shape, unary
from coremlc.ops.selection import Where
from tests.ir.graphs import const
from tests.passes.fuse.cases import Fused, NearMiss, check_fused, check_missed, kept

EXP, SUB, DIV, MUL = unary.Exp(), binary.Sub(), binary.Div(), binary.Mul()


def power(g, x, *axes):
    return g.add(EXP, g.add(SUB, x, kept(g, reduce.ReduceMax, x, *axes)))


def softmax(*axes):
    def make(g, x):
        p = power(g, x, *axes)
        return g.add(DIV, p, kept(g, reduce.ReduceSum, p, *axes))

    return make


def times_inverse(g, x):
    p = power(g, x, 1)
    return g.add(MUL, p, g.add(DIV, const(g, 1), kept(g, reduce.ReduceSum, p, 1)))


def broadcast(g, x):
    """With every broadcast spelled out, as GoMLX does."""

    def wide(y):
        return g.add(shape.BroadcastInDim(x.type, (0, 1)), y)

    p = g.add(EXP, g.add(SUB, x, wide(kept(g, reduce.ReduceMax, x, 1))))
    return g.add(DIV, p, wide(kept(g, reduce.ReduceSum, p, 1)))


FUSED = [
    Fused("last axis", softmax(1), "FusedSoftmax"),
    Fused("first axis", softmax(0), "FusedSoftmax"),
    Fused("float64", softmax(1), "FusedSoftmax", ("f64[16,6]",)),
    Fused("vector", softmax(0), "FusedSoftmax", ("f32[5]",)),
    Fused("all axes", softmax(0, 1), "Reshape FusedSoftmax Reshape"),
    Fused("axes that adjoin", softmax(2, 1), "Reshape FusedSoftmax Reshape", ("f32[16,3,4]",)),
    Fused("broadcast", broadcast, "FusedSoftmax"),
    Fused("times the inverse", times_inverse, "FusedSoftmax"),
]


def masked(g, x, mask, low=-np.inf, other=0.0):
    """As GoMLX's MaskedSoftmax."""

    def where(y, rest):
        return g.add(Where(), mask, y, g.add(leaves.splat(F32, rest, x.type.shape)))

    top = kept(g, reduce.ReduceMax, where(x, low), 1)
    power = where(g.add(EXP, where(g.add(SUB, x, top), 0.0)), 0.0)
    return where(g.add(DIV, power, kept(g, reduce.ReduceSum, power, 1)), other)


MASKED = ("f32[16,6]", "bool[16,6]")
FUSED += [
    Fused("masked", masked, "Where FusedSoftmax Where", MASKED),
    Fused("masked columns", masked, "Where FusedSoftmax Where", ("f32[16,6]", "bool[1,6]")),
]


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
    NearMiss(
        "masked by a number",
        lambda g, x, mask: masked(g, x, mask, low=-1.0),
        "masked_softmax",
        "where the mask is true",
        MASKED,
    ),
    NearMiss("half", softmax(1), "softmax", "f16 rounds", ("f16[3,4]",)),
]


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_softmax(case):
    check_fused(case)


@pytest.mark.parametrize("case", MISSED, ids=str)
def test_not_softmax(case):
    check_missed(case)
