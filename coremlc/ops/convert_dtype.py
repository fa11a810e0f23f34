"""ConvertDType: each element as another dtype."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, I32, DType
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import is_float, select

INT32_MAX = 2**31 - 1
BELOW_2_31 = 2147483520.0
"""The largest float32 below 2^31."""


def convert(x: Array, dtype: DType) -> Array:
    """`x` as `dtype`: floats saturate and truncate to integers, NaN is 0; integers wrap.

    Of complex numbers the real part, even to bool. Source: XLA; the Go backend leaves out-of-range
    floats to the processor.
    """
    if x.dtype.kind == "c" and not dtype.is_complex:
        x = x.real
    if dtype is BOOL:
        result: Array = x != 0
        return result
    if dtype.is_integer and x.dtype.kind not in "iub":
        return _saturate(np.asarray(x, dtype=np.float64), dtype)
    return x.astype(dtype.numpy)


def _saturate(x: Array, dtype: DType) -> Array:
    low, high = dtype.limits
    inside = np.where(np.isnan(x) | (x >= high) | (x <= low), 0, x).astype(dtype.numpy)
    top = np.where(x >= high, np.array(high, dtype.numpy), inside)
    result: Array = np.where(x <= low, np.array(low, dtype.numpy), top)
    return result


@register
@dataclass(frozen=True)
class ConvertDType(Op):
    """`(x: T[..]) -> U[..]`, any dtypes T and U.

    From complex to another: the real part. To bool: != 0. Float to integer: truncates, saturates,
    NaN is 0 (XLA). Integers wrap. To a float: to nearest even.
    Source: GoMLX `ConvertDType`; StableHLO `convert`.
    MIL `cast`; to bool `not_equal`; float to integer guarded, since MIL leaves the edges open.
    """

    native = True
    exactness = Exactness.EXACT
    dtype: DType

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def evaluate(self, x: Array) -> Array:
        return convert(x, self.dtype)

    def range(self, x: Range) -> Range:
        return (int(x[0] != 0 and x[1] != 0 and x[0] * x[1] > 0), 1) if self.dtype is BOOL else x

    def lower(self, m: Builder, x: Value) -> Value:
        target = self.dtype.mil
        if x.tensor.dtype == target:
            return x
        if target == "bool":
            return m.not_equal(x=x, y=0.0 if is_float(x) else 0)
        if target == "int32" and is_float(x):
            return self._to_int(m, x)
        return m.cast(x=x, dtype=target)

    def _to_int(self, m: Builder, x: Value) -> Value:
        wide = m.cast(x=x, dtype="fp32") if x.tensor.dtype == "fp16" else x
        number = select(m, cond=m.equal(x=wide, y=wide), a=wide, b=0.0)
        inside = m.minimum(x=m.maximum(x=number, y=-(2.0**31)), y=BELOW_2_31)
        value = m.cast(x=inside, dtype="int32")
        return select(m, cond=m.greater(x=wide, y=BELOW_2_31), a=INT32_MAX, b=value)


@register
@dataclass(frozen=True)
class to_int32(Op):  # noqa: N801  (an op of ours)
    """`(x: f32[..]) -> i32[..]` of whole numbers in int32's range; MIL `cast`."""

    gomlx = False

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(I32)

    def evaluate(self, x: Array) -> Array:
        return x.astype(np.int32)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.cast(x=x, dtype="int32")
