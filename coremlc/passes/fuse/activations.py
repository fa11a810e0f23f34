"""Activations: gelu, sigmoid, silu."""

from __future__ import annotations

import math
from collections.abc import Iterator

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, Mul
from coremlc.ops.dense import FusedGelu
from coremlc.ops.unary import Erf, Exp, Logistic, Neg, Tanh, silu
from coremlc.passes.fuse.pattern import (
    FUSED,
    either,
    factor,
    factor_of,
    leaves,
    near,
    number,
    operands_of,
    plus_number,
    power,
)
from coremlc.passes.fuse.rule import Found, FuseRules, Miss

Operands = tuple[Value, ...]
ROOT = math.sqrt(2 / math.pi)
CUBIC = 0.044715
"""`ROOT * (x + CUBIC * x ** 3)` is the argument of the tanh by which gelu is approximated."""


def gelu(g: Builder, op: Op, operands: Operands, out: TensorType) -> Found:
    """`x * (1 + erf(x / sqrt 2)) / 2 -> FusedGelu(x)`; with tanh its approximation.

    The factors in any order, 1/2 anywhere among them. Error: 5e-7 of the larger of 1 and x. Of
    -inf both are NaN.
    """
    for gate in (leaf for x in operands for leaf in leaves(x)):
        for curve, one in _curves(gate):
            exact = isinstance(curve.op, Erf)
            (inner,) = curve.operands
            arguments = list(_exact_arguments(inner) if exact else _tanh_arguments(inner))
            if not arguments:
                name = "erf" if exact else "tanh"
                return Miss(f"that is not the argument of {name} in gelu")
            for x in arguments:
                half = factor_of(op, operands, (x, gate))
                if half is not None:
                    return _gelu(g, x, half * one, exact)
    return None


def _gelu(g: Builder, x: Value, half: float, exact: bool) -> Found:
    if not near(half, 0.5, x):
        return Miss(f"x * (1 + {'erf' if exact else 'tanh'} ..) is multiplied by {half:.9g}")
    return _raised(g, FusedGelu(exact), x)


def _curves(gate: Value) -> Iterator[tuple[Value, float]]:
    """(curve, c) where `gate` is c * (1 + curve), the curve an erf or a tanh."""
    for bent, one in plus_number(gate):
        for curve in leaves(bent):
            if isinstance(curve.op, Erf | Tanh) and factor(bent, (curve,)) == one:
                yield curve, one


def _exact_arguments(inner: Value) -> Iterator[Value]:
    """X, where `inner` is `x / sqrt 2`."""
    return (x for x in leaves(inner) if near(factor(inner, (x,)), math.sqrt(0.5), x))


def _tanh_arguments(inner: Value) -> Iterator[Value]:
    """X, where `inner` is `ROOT * (x + CUBIC * x ** 3)` or `ROOT * x * (1 + CUBIC * x ** 2)`."""
    for total in leaves(inner):
        for x, cube in either(operands_of(total, Add)):
            if near(power(cube, x, 3), CUBIC, x) and near(factor(inner, (total,)), ROOT, x):
                yield x
        for square, one in plus_number(total):
            for x in leaves(inner) if one == 1 else ():
                if near(power(square, x, 2), CUBIC, x) and near(factor(inner, (x, total)), ROOT, x):
                    yield x


def sigmoid(g: Builder, op: Op, operands: Operands, out: TensorType) -> Found:
    """`1 / (1 + exp(-x)) -> Logistic(x)`, `x / (1 + exp(-x)) -> silu(x)`.

    Exact, the edges too: the engines compute them so. Core ML does not say how.
    """
    dividend, divisor = operands
    for exponential, one in plus_number(divisor):
        for inner in operands_of(exponential, Exp) if one == 1 else ():
            for x in _negated(inner):
                if number(dividend) == 1 and x.type == out:
                    return _raised(g, Logistic(), x)
                if dividend is x:
                    return _raised(g, silu(), x)
    return None


def _negated(x: Value) -> Iterator[Value]:
    """Y, where `x` is -y."""
    yield from operands_of(x, Neg)
    yield from (y for y in leaves(x, 1) if factor(x, (y,)) == -1)


def _raised(g: Builder, op: Op, x: Value) -> Found:
    if x.type.dtype not in FUSED:
        return Miss(f"{x.type.dtype} rounds after each op")
    return g.add(op, x)


def gated(g: Builder, op: Op, operands: Operands, out: TensorType) -> Found:
    """`x * Logistic(x) -> silu(x)`.

    Error: 2 ulp, of one rounding less. Of -inf both are NaN.
    """
    for x, gate in either(operands):
        if isinstance(gate.op, Logistic) and gate.operands[0] is x:
            return _raised(g, silu(), x)
    return None


RULES: FuseRules = (((Mul, Div), gelu), ((Div,), sigmoid), ((Mul,), gated))
