"""Softmax, by its maximum, exponentials and their sum."""

from __future__ import annotations

import math
from collections.abc import Iterator

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Div, Mul, Sub
from coremlc.ops.norm import FusedSoftmax
from coremlc.ops.reduce import ReduceMax, ReduceSum
from coremlc.ops.selection import Where
from coremlc.ops.shape import Reshape
from coremlc.ops.unary import Exp
from coremlc.passes.fuse.pattern import (
    FUSED,
    Pair,
    either,
    kept,
    near,
    number,
    operands_of,
    pair,
)
from coremlc.passes.fuse.rule import Found, FuseRules, Miss

Axes = tuple[int, ...]


def softmax(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`exp(x - max x) / sum(exp(x - max x))`, or times `1 / sum`, `-> FusedSoftmax(x)`.

    Error: each is within 4e-6 of the exact value, relatively. Equal at every edge: a row with NaN
    or inf, or of nothing but -inf, is NaN. Several axes that adjoin become one.
    """
    for power, total in _quotients(op, operands):
        found = kept(total, ReduceSum, out.rank)
        if isinstance(power.op, Exp) and found is not None and found[0] is power:
            return _softmax(g, power.operands[0], found[1], out)
    return None


def _quotients(op: Op, operands: tuple[Value, ...]) -> Iterator[Pair]:
    """(dividend, divisor), as the value may be read."""
    if isinstance(op, Div):
        yield operands[0], operands[1]
        return
    for x, inverse in either(operands):
        for one, divisor in pair(inverse, Div):
            if near(number(one), 1, x):
                yield x, divisor


def _softmax(g: Builder, shifted: Value, axes: Axes, out: TensorType) -> Found:
    for x, top in pair(shifted, Sub):
        found = kept(top, ReduceMax, out.rank)
        if found is None or found[0] is not x:
            break
        if sorted(found[1]) != sorted(axes):
            return Miss(f"the maximum is over axes {found[1]}, the sum over {axes}")
        return _over(g, x, axes, out)
    return Miss("exp of x as it is overflows where softmax does not: subtract the maximum of x")


def _over(g: Builder, x: Value, axes: Axes, out: TensorType) -> Found:
    if out.dtype not in FUSED:
        return Miss(f"{out.dtype} rounds after each op")
    first, last = min(axes), max(axes)
    if last - first >= len(axes):
        return Miss(f"axes {axes} do not adjoin")
    one = math.prod(out.shape[first : last + 1])
    merged = g.add(Reshape((*out.shape[:first], one, *out.shape[last + 1 :])), x)
    return g.add(Reshape(out.shape), g.add(FusedSoftmax(first), merged))


def masked_softmax(g: Builder, op: Where, operands: tuple[Value, ...], out: TensorType) -> Found:
    """GoMLX's `MaskedSoftmax(x) -> Where(mask, FusedSoftmax(Where(mask, x, -inf)), 0)`.

    It takes the maximum, the exponentials and the quotients where the mask is true, and -inf or 0
    elsewhere. Error: as of `softmax`. Equal at every edge; a row that is masked whole is 0.
    """
    mask, quotient, zero = operands
    if number(zero) != 0:
        return None
    for power, total in pair(quotient, Div):
        found, exponential = kept(total, ReduceSum, out.rank), _chosen(mask, power, 0)
        if found is None or found[0] is not power or exponential is None:
            continue
        for inner in operands_of(exponential, Exp):
            shifted = _chosen(mask, inner)
            return _masked(g, mask, inner if shifted is None else shifted, found[1], out, zero)
    return None


def _chosen(mask: Value, x: Value, other: float | None = None) -> Value | None:
    """Y, where `x` is `Where(mask, y, other)`, by default of any number."""
    if not isinstance(x.op, Where):
        return None
    condition, y, rest = x.operands
    found = number(rest)
    return y if condition is mask and found is not None and other in (None, found) else None


def _masked(
    g: Builder, mask: Value, shifted: Value, axes: Axes, out: TensorType, zero: Value
) -> Found:
    for x, top in pair(shifted, Sub):
        found = kept(top, ReduceMax, out.rank)
        if found is None or x.type != out or _chosen(mask, found[0], -math.inf) is not x:
            break
        if sorted(found[1]) != sorted(axes):
            return Miss(f"the maximum is over axes {found[1]}, the sum over {axes}")
        weights = _over(g, found[0], axes, out)
        return g.add(Where(), mask, weights, zero) if isinstance(weights, Value) else weights
    return Miss("the exponentials are not of x less its maximum where the mask is true")


RULES: FuseRules = (((Div, Mul), softmax), ((Where,), masked_softmax))
