"""ReduceWindow: a reduction over sliding windows on any axes; and MIL's `max_pool`.

All four reductions split into one axis after the other, and a window of w into parts of powers of
two, so that the cost is the logarithm of w: an exact form for any dtype, dilation and size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from coremlc.dtypes import BOOL, BY_NUMPY, F32, HALF, NUMBER, REAL, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add, Max, Min, Mul
from coremlc.ops.conv_general import Axis, Dims, Pair, inverse
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import check_dtype
from coremlc.ops.leaves import constant, splat
from coremlc.ops.pad import Pad
from coremlc.ops.reduce import highest, lowest
from coremlc.ops.shape import Slice, Transpose


@dataclass(frozen=True)
class Reduction:
    """What a window is reduced by."""

    neutral: Callable[[DType], Any]
    """The element that changes nothing."""
    combine: Callable[..., Array]
    op: Op


REDUCTIONS = {
    "Sum": Reduction(lambda d: 0, np.add, Add()),
    "Product": Reduction(lambda d: 1, np.multiply, Mul()),
    "Max": Reduction(lowest, np.maximum, Max()),
    "Min": Reduction(highest, np.minimum, Min()),
}


@register
@dataclass(frozen=True)
class ReduceWindow(Op):
    """`(input: N[..]) -> N[..]`; reduction_type Sum, Product, Max or Min.

    C1 one entry per axis; sizes and steps >= 1, paddings >= 0. C2 numbers; for Max and Min real, or
    bool. Padding and holes count as the neutral element. Source: GoMLX `ReduceWindow`; StableHLO
    `reduce_window`. Decomposes to slices combined elementwise, or to MIL `max_pool`.
    """

    exactness = Exactness.SUMMED
    reduction_type: str
    window_dimensions: Dims
    strides: Dims
    input_dilations: Dims
    window_dilations: Dims
    paddings: tuple[Pair, ...]

    def infer(self, input: TensorType) -> TensorType:
        if self.reduction_type not in REDUCTIONS:
            raise ShapeError(f"reduction {self.reduction_type!r}", fix=f"use {list(REDUCTIONS)}")
        extreme = self.reduction_type in ("Max", "Min")
        check_dtype(self.kind, input, REAL | {BOOL} if extreme else NUMBER)  # C2
        steps = (self.window_dimensions, self.strides, self.input_dilations, self.window_dilations)
        bad = any(len(s) != input.rank or min(s, default=1) < 1 for s in steps)
        if bad or any(p.low < 0 or p.high < 0 for p in self.paddings):  # C1
            raise ShapeError(f"windows {steps} of {input}", fix="give one entry >= 1 per axis")
        rows = zip(input.shape, self.window_dimensions, self.rows, strict=True)
        return input.with_shape(tuple(row.positions(d, w) for d, w, row in rows))

    @property
    def rows(self) -> list[Axis]:
        """How the window moves along each axis."""
        columns = (self.strides, self.paddings, self.input_dilations, self.window_dilations)
        return [Axis(*row) for row in zip(*columns, strict=True)]

    def evaluate(self, input: Array) -> Array:
        r = REDUCTIONS[self.reduction_type]
        dtype = BY_NUMPY[input.dtype]
        out = self.infer(TensorType(dtype, input.shape)).shape
        fill = np.asarray(r.neutral(dtype), input.dtype)
        x = Pad(tuple(row.as_pad for row in self.rows)).evaluate(input, fill)
        total = np.full(out, fill, input.dtype)
        for place in itertools.product(*map(range, self.window_dimensions)):
            at = tuple(
                slice(p * row.kernel_dilation, p * row.kernel_dilation + n * row.stride, row.stride)
                for p, n, row in zip(place, out, self.rows, strict=True)
            )
            part = x[at][tuple(map(slice, out))]
            total = r.combine(total, part)
        return total

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        (x,) = ranges
        if self.reduction_type in ("Max", "Min"):
            low, high = types[0].dtype.limits
            padded = any(p.low or p.high for p in self.paddings) or max(self.input_dilations) > 1
            return (low, high) if padded else x
        count = math.prod(self.window_dimensions)
        if self.reduction_type == "Sum":
            return min(0, x[0] * count), max(0, x[1] * count)
        bound = max(abs(x[0]), abs(x[1]), 1) ** min(count, 128)
        return -bound, bound

    def decompose(self, g: Graph, input: Node) -> Node:
        out = self.infer(input.type)
        neutral = REDUCTIONS[self.reduction_type].neutral(input.type.dtype)
        if out.size == 0:
            return g.add(splat(out.dtype, 0, out.shape))
        if self._is_pool(input.type):
            return self._pool(g, input)
        if input.type.dtype in HALF and self.reduction_type in ("Sum", "Product"):  # rounded once
            wide = self.decompose(g, g.add(ConvertDType(F32), input))
            return g.add(ConvertDType(out.dtype), wide)
        fill = g.add(constant(input.type.dtype, neutral))
        x = g.add(Pad(tuple(row.as_pad for row in self.rows)), input, fill)
        combine = REDUCTIONS[self.reduction_type].op
        for axis, (window, row) in enumerate(zip(self.window_dimensions, self.rows, strict=True)):
            x = slide(g, x, axis, window, row.kernel_dilation, combine)
            x = _strided(g, x, axis, row.stride, out.shape[axis])
        return x

    def _pooled_axes(self) -> Dims:
        rows = zip(self.window_dimensions, self.strides, self.paddings, strict=True)
        return tuple(i for i, (w, s, p) in enumerate(rows) if (w, s, p) != (1, 1, Pair(0, 0)))

    def _is_pool(self, t: TensorType) -> bool:
        """Whether MIL's max_pool says the same: no dilation, no window of padding alone."""
        axes = self._pooled_axes()
        plain = set(self.input_dilations + self.window_dilations) == {1}
        inside = all(
            max(self.paddings[a].low, self.paddings[a].high) < self.window_dimensions[a]
            for a in axes
        )
        is_max = self.reduction_type == "Max" and t.dtype.is_float
        return plain and is_max and inside and 0 < len(axes) <= min(3, t.rank - 2) and t.rank <= 5

    def _pool(self, g: Graph, x: Node) -> Node:
        axes = self._pooled_axes()
        spare = tuple(a for a in range(x.type.rank) if a not in axes)
        spatial = (*spare[2:], *axes)
        order = spare[:2] + spatial
        y = g.add(Transpose(order), x)
        pads = tuple(v for a in spatial for v in (self.paddings[a].low, self.paddings[a].high))
        sizes = tuple(self.window_dimensions[a] for a in spatial)
        pooled = g.add(max_pool(sizes, tuple(self.strides[a] for a in spatial), pads), y)
        return g.add(Transpose(inverse(order)), pooled)


def slide(g: Graph, x: Node, axis: int, window: int, dilation: int, combine: Op) -> Node:
    """Windows at every place of one axis: parts of 1, 2, 4 .. elements, combined."""
    count = x.type.shape[axis] - (window - 1) * dilation
    result: Node | None = None
    part, size, taken = x, 1, 0
    while True:
        if window & size:
            piece = _cut(g, part, axis, taken * dilation, count)
            result = piece if result is None else g.add(combine, result, piece)
            taken += size
        if taken == window:
            assert result is not None
            return result
        length = part.type.shape[axis] - size * dilation
        low = _cut(g, part, axis, 0, length)
        part = g.add(combine, low, _cut(g, part, axis, size * dilation, length))
        size *= 2


def _cut(g: Graph, x: Node, axis: int, start: int, count: int) -> Node:
    dims = x.type.shape
    if start == 0 and count == dims[axis]:
        return x
    starts = tuple(start if i == axis else 0 for i in range(len(dims)))
    limits = tuple(start + count if i == axis else d for i, d in enumerate(dims))
    return g.add(Slice(starts, limits, (1,) * len(dims)), x)


def _strided(g: Graph, x: Node, axis: int, stride: int, count: int) -> Node:
    dims = x.type.shape
    if stride == 1 and count == dims[axis]:
        return x
    limits = tuple((count - 1) * stride + 1 if i == axis else d for i, d in enumerate(dims))
    strides = tuple(stride if i == axis else 1 for i in range(len(dims)))
    return g.add(Slice((0,) * len(dims), limits, strides), x)


@register
@dataclass(frozen=True)
class max_pool(Op):  # noqa: N801  (MIL's name)
    """`(x: F[n, c, ..]) -> F[n, c, ..]`: MIL `max_pool` over 1 to 3 axes; padding never wins."""

    gomlx = False
    kernel_sizes: Dims
    strides: Dims
    pads: Dims

    @property
    def window(self) -> ReduceWindow:
        """The same, in GoMLX's words."""
        ones = (1,) * (len(self.kernel_sizes) + 2)
        pairs = zip(self.pads[::2], self.pads[1::2], strict=True)
        paddings = (Pair(0, 0), Pair(0, 0), *(Pair(*p) for p in pairs))
        sizes, strides = (1, 1, *self.kernel_sizes), (1, 1, *self.strides)
        return ReduceWindow("Max", sizes, strides, ones, ones, paddings)

    def infer(self, x: TensorType) -> TensorType:
        return self.window.infer(x)

    def evaluate(self, x: Array) -> Array:
        return self.window.evaluate(x)

    def lower(self, m: Builder, x: Value) -> Value:
        return m.max_pool(
            x=x,
            kernel_sizes=np.array(self.kernel_sizes, np.int32),
            strides=np.array(self.strides, np.int32),
            pad_type="custom" if any(self.pads) else "valid",
            pad=np.array(self.pads, np.int32),
            ceil_mode=False,
        )
