"""round_bfloat16: a float32 to the nearest bfloat16, which MIL lacks."""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import select

LARGEST = float(np.finfo(np.float32).max)
LEAST_NORMAL = 2.0**-126
STEP = 1.5 * 2.0**-110
"""Beside it float32 numbers are 2^-133 apart, as subnormal bfloat16 numbers are."""


@register
@dataclass(frozen=True)
class round_bfloat16(Op):  # noqa: N801  (of ours, as MIL's primitives)
    """`(x: f32[..]) -> f32[..]`: the nearest bfloat16, ties to even; NaN, inf and -0 stay.

    MIL has no bits to mask, but a subtraction rounds: with M = 2^16 x, M - (M - x) has the 8 bits
    that a bfloat16 has, exactly. For M - x is at least (1 - 2^-16) M, so float32 rounds it where
    the 8th bit of x ends, or finer just above a power of two, where nothing is to be rounded; and
    a tie has an even M. (M + x may cross a power of two, and would round coarser.) Subnormal
    numbers are rounded beside STEP; large ones, whose M overflows, at 2^-24 of their size.
    """

    gomlx = False

    def infer(self, x: TensorType) -> TensorType:
        return x

    def evaluate(self, x: Array) -> Array:
        return x.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)

    def lower(self, m: Builder, x: Value) -> Value:
        size = m.abs(x=x)
        large = m.greater(x=size, y=2.0**100)
        y = select(m, cond=large, a=m.mul(x=x, y=2.0**-24), b=x)
        beside = m.mul(x=y, y=2.0**16)
        beside = select(m, cond=m.less(x=size, y=LEAST_NORMAL), a=STEP, b=beside)
        rounded = m.sub(x=beside, y=m.sub(x=beside, y=y))
        rounded = select(m, cond=large, a=m.mul(x=rounded, y=2.0**24), b=rounded)
        signed = select(m, cond=m.equal(x=rounded, y=0.0), a=m.mul(x=x, y=0.0), b=rounded)
        return select(m, cond=m.less_equal(x=size, y=LARGEST), a=signed, b=x)
