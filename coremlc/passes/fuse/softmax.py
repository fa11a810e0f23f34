"""Softmax, by its maximum, exponentials and their sum."""

from __future__ import annotations

import math

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Div, Mul, Sub
from coremlc.ops.norm import FusedSoftmax
from coremlc.ops.reduce import ReduceMax, ReduceSum
from coremlc.ops.shape import Reshape
from coremlc.ops.unary import Exp
from coremlc.passes.fuse.pattern import FUSED, either, is_about, kept, operands_of
from coremlc.passes.fuse.rule import Found, FuseRules, Miss

Axes = tuple[int, ...]


def softmax(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`exp(x - max x) / sum(exp(x - max x))`, or times `1 / sum`, `-> FusedSoftmax(x)`.

    Error: each is within 4e-6 of the exact value, relatively. Equal at every edge: a row with NaN
    or inf, or of nothing but -inf, is NaN. Several axes that adjoin become one.
    """
    for power, total in _quotients(op, operands):
        (shifted,) = operands_of(power, Exp) or (None,)
        found = kept(total, ReduceSum, out.rank)
        if shifted is None or found is None or found[0] is not power:
            continue
        return _softmax(g, shifted, found[1], out)
    return None


def _quotients(op: Op, operands: tuple[Value, ...]) -> list[tuple[Value, ...]]:
    """(numerator, denominator), as the value may be read."""
    if isinstance(op, Div):
        return [operands]
    inverses = [(x, operands_of(y, Div)) for x, y in either(operands)]
    return [(x, y[1]) for x, y in inverses if y and is_about(y[0], 1)]


def _softmax(g: Builder, shifted: Value, axes: Axes, out: TensorType) -> Found:
    x, top = operands_of(shifted, Sub) or (None, None)
    peak = kept(top, ReduceMax, out.rank) if top is not None else None
    if peak is None or peak[0] is not x:
        return Miss("exp of x as it is overflows where softmax does not: subtract its maximum")
    if sorted(peak[1]) != sorted(axes):
        return Miss(f"the maximum is over axes {peak[1]}, the sum over {axes}")
    if out.dtype not in FUSED:
        return Miss(f"{out.dtype} rounds after each op")
    first, last = min(axes), max(axes)
    if last - first >= len(axes):
        return Miss(f"axes {axes} do not adjoin")
    assert x is not None
    one = math.prod(out.shape[first : last + 1])
    merged = g.add(Reshape((*out.shape[:first], one, *out.shape[last + 1 :])), x)
    result = g.add(FusedSoftmax(first), merged)
    return g.add(Reshape(out.shape), result)


RULES: FuseRules = (((Div, Mul), softmax),)
