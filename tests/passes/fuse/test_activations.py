"""Gelu, sigmoid, silu: every spelling, and what only looks like one."""

from __future__ import annotations

import math

import pytest

from coremlc.ops import binary, unary
from tests.ir.graphs import const
from tests.passes.fuse.cases import Fused, NearMiss, check_fused, check_missed

ADD, SUB, DIV, MUL, POW = (
    kind() for kind in (binary.Add, binary.Sub, binary.Div, binary.Mul, binary.Pow)
)
ERF, TANH, EXP, NEG, LOGISTIC = (
    kind() for kind in (unary.Erf, unary.Tanh, unary.Exp, unary.Neg, unary.Logistic)
)
ROOT, HALF_ROOT = math.sqrt(2 / math.pi), math.sqrt(0.5)


def of(g, x, value):
    return const(g, value, x.type.dtype.short)


def times(g, x, value):
    return g.add(MUL, x, of(g, x, value))


def plus(g, x, value):
    return g.add(ADD, of(g, x, value), x)


def erf(g, x, scale=HALF_ROOT):
    return g.add(ERF, times(g, x, scale))


def onnx(g, x):
    """`0.5 * (x * (1 + erf(x / sqrt 2)))`."""
    curve = g.add(ERF, g.add(DIV, x, of(g, x, math.sqrt(2))))
    return times(g, g.add(MUL, x, plus(g, curve, 1)), 0.5)


def cube(g, x):
    return g.add(POW, x, of(g, x, 3))


def products(g, x):
    return g.add(MUL, g.add(MUL, x, x), x)


def tanh(cube=cube, cubic=0.044715):
    """As GoMLX's approximation."""

    def make(g, x):
        inner = times(g, g.add(ADD, x, times(g, cube(g, x), cubic)), ROOT)
        return g.add(MUL, x, times(g, plus(g, g.add(TANH, inner), 1), 0.5))

    return make


def tanh_of_product(g, x):
    """The argument as `ROOT * x * (1 + 0.044715 * x * x)`."""
    square = g.add(MUL, times(g, x, 0.044715), x)
    inner = g.add(MUL, times(g, x, ROOT), plus(g, square, 1))
    return g.add(MUL, times(g, x, 0.5), plus(g, g.add(TANH, inner), 1))


def sigmoid(g, x):
    return g.add(DIV, of(g, x, 1), plus(g, g.add(EXP, g.add(NEG, x)), 1))


def over_sigmoid(g, x):
    return g.add(DIV, x, plus(g, g.add(EXP, times(g, x, -1)), 1))


FUSED = [
    Fused(
        "gelu as GoMLX",
        lambda g, x: g.add(MUL, x, times(g, plus(g, erf(g, x), 1), 0.5)),
        "FusedGelu",
    ),
    Fused(
        "float64",
        lambda g, x: g.add(MUL, x, times(g, plus(g, erf(g, x), 1), 0.5)),
        "FusedGelu",
        ("f64[16,6]",),
    ),
    Fused(
        "gelu as BERT",
        lambda g, x: g.add(MUL, times(g, x, 0.5), plus(g, erf(g, x), 1)),
        "FusedGelu",
    ),
    Fused("gelu as ONNX", onnx, "FusedGelu"),
    Fused(
        "half inside",
        lambda g, x: g.add(MUL, plus(g, times(g, erf(g, x), 0.5), 0.5), x),
        "FusedGelu",
    ),
    Fused(
        "half by division",
        lambda g, x: g.add(DIV, g.add(MUL, x, plus(g, erf(g, x), 1)), of(g, x, 2)),
        "FusedGelu",
    ),
    Fused("gelu of a product", lambda g, x: onnx(g, g.add(MUL, x, x)), "Mul FusedGelu"),
    Fused("tanh as GoMLX", tanh(), "FusedGelu"),
    Fused("tanh, products", tanh(products), "FusedGelu"),
    Fused("tanh of a product", tanh_of_product, "FusedGelu"),
    Fused("sigmoid", sigmoid, "Logistic"),
    Fused("silu", lambda g, x: g.add(MUL, g.add(LOGISTIC, x), x), "silu"),
    Fused("silu of primitives", lambda g, x: g.add(MUL, x, sigmoid(g, x)), "silu"),
    Fused("silu by division", over_sigmoid, "silu"),
]


MISSED = [
    NearMiss(
        "erf of another argument",
        lambda g, x: g.add(MUL, x, plus(g, erf(g, x, 0.7), 1)),
        "gelu",
        "not the argument of erf",
    ),
    NearMiss(
        "another factor",
        lambda g, x: g.add(MUL, x, plus(g, erf(g, x), 1)),
        "gelu",
        "multiplied by 1",
    ),
    NearMiss("another cubic", tanh(cubic=0.0447), "gelu", "not the argument of tanh"),
    NearMiss(
        "half precision",
        lambda g, x: g.add(MUL, times(g, x, 0.5), plus(g, erf(g, x), 1)),
        "gelu",
        "f16 rounds",
        ("f16[3]",),
    ),
    NearMiss(
        "silu of halves",
        lambda g, x: g.add(MUL, x, g.add(LOGISTIC, x)),
        "gated",
        "f16 rounds",
        ("f16[3]",),
    ),
]


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_activation(case):
    check_fused(case)


@pytest.mark.parametrize("case", MISSED, ids=str)
def test_not_an_activation(case):
    check_missed(case)
