"""Layer norm, by its mean and variance, and its gain and offset."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Div, Mul, Sub
from coremlc.ops.norm import FusedLayerNorm
from coremlc.ops.reduce import reduce_mean
from coremlc.ops.unary import Rsqrt, Sqrt
from coremlc.passes.fuse.pattern import (
    either,
    kept,
    near,
    number,
    operands_of,
    pair,
    plus_number,
    power,
    spans,
    unshaped,
)
from coremlc.passes.fuse.rule import Found, FuseRules, Miss

Axes = tuple[int, ...]


@dataclass(frozen=True)
class _Quotient:
    """`dividend / divisor`, where the divisor is the square root of `radicand`."""

    dividend: Value
    divisor: Value
    radicand: Value


def layer_norm(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`(x - mean x) / sqrt(variance + epsilon) -> FusedLayerNorm(x)`; also times `rsqrt`.

    The variance is the mean of `(x - mean x) ** 2` over the same axes, epsilon finite and above 0.
    Error: `x - mean x` is as exact as the mean is: within 4 ulp of the mean; all else is within
    2e-6, relatively. A row with NaN or inf is NaN in both. Squares that overflow make 0 of a row.
    """
    for q in _quotients(op, operands):
        for x, axes in _centered(q.dividend):
            return _layer_norm(g, x, q, axes)
    if isinstance(op, Div) and any(_centered(operands[0])):
        for deviation, _ in plus_number(unshaped(operands[1])):
            if isinstance(unshaped(deviation).op, Sqrt):
                return Miss("epsilon is added to the root, not under it")
    return None


def _centered(value: Value) -> Iterator[tuple[Value, Axes]]:
    """(x, axes) where `value` is x less its mean over axes."""
    for x, mean in pair(value, Sub):
        found = kept(mean, reduce_mean, x.type.rank)
        if found is not None and found[0] is x:
            yield found


def _quotients(op: Op, operands: tuple[Value, ...]) -> Iterator[_Quotient]:
    """As what the value `op(*operands)` may be read."""
    if isinstance(op, Div):
        dividend, divisor = operands
        for radicand in operands_of(unshaped(divisor), Sqrt):
            yield _Quotient(dividend, divisor, radicand)
        return
    for dividend, inverse in either(operands):
        for radicand in operands_of(unshaped(inverse), Rsqrt):
            yield _Quotient(dividend, inverse, radicand)
        for one, divisor in pair(inverse, Div):
            for radicand in operands_of(unshaped(divisor), Sqrt):
                if near(number(one), 1, divisor):
                    yield _Quotient(dividend, divisor, radicand)


def _layer_norm(g: Builder, x: Value, q: _Quotient, axes: Axes) -> Found:
    for variance, epsilon in plus_number(unshaped(q.radicand)):
        reduced = unshaped(variance)
        if not isinstance(reduced.op, reduce_mean):
            return Miss("no epsilon is added to a mean under the root")
        if power(reduced.operands[0], q.dividend, 2) != 1:
            return Miss("the mean under the root is not that of the squares of what is divided")
        if reduced.op.axes != axes or not spans(q.divisor, x, axes):
            return Miss(f"the mean is over axes {axes}, the variance over {reduced.op.axes}")
        if not 0 < epsilon < math.inf:
            return Miss(f"epsilon is {epsilon:g}")
        return g.add(FusedLayerNorm(tuple(sorted(axes)), epsilon, False, False), x)
    return Miss("no epsilon is added to the variance under the root")


def gain(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`FusedLayerNorm(x) * gamma -> FusedLayerNorm(x, gamma)`. Exact."""
    for norm, gamma in either(operands):
        if isinstance(norm.op, FusedLayerNorm) and not norm.op.gamma and not norm.op.beta:
            return _affine(g, norm, gamma, replace(norm.op, gamma=True))
    return None


def offset(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`FusedLayerNorm(x, ..) + beta -> FusedLayerNorm(x, .., beta)`. Exact."""
    for norm, beta in either(operands):
        if isinstance(norm.op, FusedLayerNorm) and not norm.op.beta:
            return _affine(g, norm, beta, replace(norm.op, beta=True))
    return None


def _affine(g: Builder, norm: Value, vector: Value, op: FusedLayerNorm) -> Found:
    wide = tuple([d if i in op.axes else 1 for i, d in enumerate(norm.type.shape)])
    if vector.type.shape != wide:
        return Miss(f"{vector.type} is not of the dims of axes {op.axes} of {norm.type}")
    return g.add(op, *norm.operands, vector)


RULES: FuseRules = (((Div, Mul), layer_norm), ((Mul,), gain), ((Add,), offset))
