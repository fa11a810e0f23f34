"""Where and Clamp: elementwise choice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, REAL
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import broadcast, is_bool, is_float, number, row, select


@register
@dataclass(frozen=True)
class Where(Op):
    """`(condition: bool[..], on_true: T[..], on_false: T[..]) -> T[..]`, any dtype T.

    C1 condition is bool. C2 branches have one dtype. C3 each is a scalar, or of the ranks' common
    shape with each dim equal or 1 (GoMLX itself gives scalars or full shapes).
    Source: GoMLX `Where`; StableHLO `select`. MIL `select`.
    """

    native = True
    exactness = Exactness.EXACT

    def infer(self, condition: TensorType, on_true: TensorType, on_false: TensorType) -> TensorType:
        if condition.dtype is not BOOL:  # C1
            raise ShapeError(f"condition is {condition}", fix="make it a bool tensor")
        if on_true.dtype is not on_false.dtype:  # C2
            raise ShapeError(
                f"branches are {on_true} and {on_false}", fix="convert them to one dtype"
            )
        shape = broadcast(self.kind, condition, on_true, on_false)  # C3
        return TensorType(on_true.dtype, shape)

    def evaluate(self, condition: Array, on_true: Array, on_false: Array) -> Array:
        return np.where(condition, on_true, on_false)

    def lower(self, m: Builder, condition: Value, on_true: Value, on_false: Value) -> Value:
        return select(m, cond=condition, a=on_true, b=on_false)

    def range(self, condition: Range, on_true: Range, on_false: Range) -> Range:
        return min(on_true[0], on_false[0]), max(on_true[1], on_false[1])


def _clamp(low: Array, x: Array, high: Array) -> Array:
    return np.minimum(np.maximum(low, x), high)


def _lower_clamp(m: Builder, low: Value, x: Value, high: Value) -> Value:
    assert not is_bool(x)
    least, most = number(low), number(high)
    if is_float(x) and least is not None and most is not None and -math.inf < least < most:
        if most < math.inf:
            return m.clip(x=x, alpha=low, beta=high)
        if least == 0:
            return m.relu(x=x)
    return m.minimum(x=m.maximum(x=low, y=x), y=high)


Clamp = row(
    "Clamp",
    "`(min: N[..], x: N[..], max: N[..]) -> N[..]`: min(max(min, x), max), so max where min > max; "
    "NaN wins. MIL `clip` between numbers, else `maximum` and `minimum`.",
    3,
    REAL,
    _clamp,
    _lower_clamp,
    interval=lambda low, x, high: (
        min(max(low[0], x[0]), high[0]),
        min(max(low[1], x[1]), high[1]),
    ),
    exactness=Exactness.EXACT,
)
