"""Means, by a sum."""

from __future__ import annotations

import math

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import MAX_RANK, TensorType
from coremlc.ops.binary import Div, Mul
from coremlc.ops.reduce import ReduceSum, reduce_mean
from coremlc.ops.shape import Reshape
from coremlc.passes.fuse.pattern import FUSED, either, near, number, unshaped
from coremlc.passes.fuse.rule import Found, FuseRules, Miss


def mean(g: Builder, op: Op, operands: tuple[Value, ...], out: TensorType) -> Found:
    """`sum(x) * (1 / n) -> reduce_mean(x)`, also `sum(x) / n`, n the number of elements summed.

    Error: 6e-7 relatively, of the constant 1 / n; none if n is a power of 2. A sum that overflows
    may have a finite mean.
    """
    pairs = [operands] if isinstance(op, Div) else either(operands)
    for total, scale in pairs:
        source, found = unshaped(total), number(scale)
        if isinstance(source.op, ReduceSum) and found is not None and total.type == out:
            inverse = 1 / found if found else math.inf
            return _mean(g, source, found if isinstance(op, Mul) else inverse, out)
    return None


def _mean(g: Builder, total: Value, scale: float, out: TensorType) -> Found:
    assert isinstance(total.op, ReduceSum)
    (x,), axes = total.operands, total.op.axes
    count = math.prod([x.type.shape[a] for a in axes])
    if not near(scale, 1 / count, x):
        return Miss(f"the sum of {count} elements is multiplied by {scale:.9g}")
    if out.dtype not in FUSED:
        return Miss(f"{out.dtype} rounds after each op")
    if x.type.rank > MAX_RANK:
        return Miss(f"{x.type} has rank {x.type.rank}")
    return g.add(Reshape(out.shape), g.add(reduce_mean(axes), x))


RULES: FuseRules = (((Mul, Div), mean),)
