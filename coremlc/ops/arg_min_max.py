"""ArgMinMax: where the least or greatest element stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, INTEGER, REAL, DType
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import check_dtype, is_bool, select
from coremlc.ops.shape import check_axes


@register
@dataclass(frozen=True)
class ArgMinMax(Op):
    """`(x: T[..]) -> I[..]`: index of the least or greatest along `axis`, which disappears.

    C1 0 <= axis < rank, dim > 0. C2 output_dtype is an integer. C3 real or bool.
    The first of equals; the first NaN wins (XLA; the Go backend takes the last).
    Source: GoMLX `ArgMinMax`. MIL leaves ties open: lowers to the least index at which x is the
    extreme, by `reduce_max`, `equal`, `select` and `reduce_min`.
    """

    native = True
    axis: int
    output_dtype: DType
    is_min: bool

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axis", (self.axis,), x)  # C1
        if x.shape[self.axis] == 0:
            raise ShapeError(f"axis {self.axis} of {x} is empty", fix="give it an element")
        check_dtype("output_dtype", TensorType(self.output_dtype), INTEGER)  # C2
        check_dtype(self.kind, x, REAL | {BOOL})  # C3
        return x.without((self.axis,)).with_dtype(self.output_dtype)

    def evaluate(self, x: Array) -> Array:
        wide = x.astype(np.float64) if x.dtype.kind not in "iub" else x
        index = np.argmin(wide, self.axis) if self.is_min else np.argmax(wide, self.axis)
        return np.asarray(index).astype(self.output_dtype.numpy)

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        return 0, types[0].shape[self.axis] - 1

    def lower(self, m: Builder, x: Value) -> Value:
        if is_bool(x):
            x = m.cast(x=x, dtype="int32")
        dim = x.tensor.shape[self.axis]
        assert isinstance(dim, int)
        shape = [1] * len(x.tensor.shape)
        shape[self.axis] = dim
        places = np.arange(dim, dtype=np.int32).reshape(shape)
        extreme = (m.reduce_min if self.is_min else m.reduce_max)(
            x=x, axes=[self.axis], keep_dims=True
        )
        hit = m.equal(x=x, y=extreme)
        if x.tensor.dtype != "int32":
            hit = m.logical_or(x=hit, y=m.not_equal(x=x, y=x))
        index = select(m, cond=hit, a=m.const(places), b=dim)
        return m.reduce_min(x=index, axes=[self.axis], keep_dims=False)
