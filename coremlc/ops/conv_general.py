"""ConvGeneral: convolution with any axes, dilations and groups; and MIL's `conv`."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BY_NUMPY, NUMBER
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add
from coremlc.ops.dot_general import matmul
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes, constant
from coremlc.ops.leaves import splat
from coremlc.ops.pad import Pad, PadAxis, crop, zero
from coremlc.ops.shape import Reshape, Slice, Transpose, check_axes

Axes = tuple[int, ...]
Dims = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """Two numbers about one axis: at its start and at its end."""

    low: int
    high: int


@dataclass(frozen=True)
class ConvolveAxesConfig:
    """Which axis of input, kernel and output means what."""

    input_batch: int
    input_channels: int
    input_spatial: Axes
    kernel_input_channels: int
    kernel_output_channels: int
    kernel_spatial: Axes
    output_batch: int
    output_channels: int
    output_spatial: Axes

    @property
    def input(self) -> Axes:
        """Input axes in the order batch, channels, spatial."""
        return (self.input_batch, self.input_channels, *self.input_spatial)

    @property
    def kernel(self) -> Axes:
        """Kernel axes in the order output channels, input channels, spatial."""
        return (self.kernel_output_channels, self.kernel_input_channels, *self.kernel_spatial)

    @property
    def output(self) -> Axes:
        """Output axes in the order batch, channels, spatial."""
        return (self.output_batch, self.output_channels, *self.output_spatial)


def inverse(order: Axes) -> Axes:
    """The permutation that undoes `order`."""
    return tuple(order.index(i) for i in range(len(order)))


@register
@dataclass(frozen=True)
class ConvGeneral(Op):
    """`(input: N[..], kernel: N[..]) -> N[..]`: cross-correlation, the kernel not flipped.

    C1 axes name each axis once. C2 one entry per spatial axis, steps >= 1. C3 channels and batch
    divide by their groups, of which at most one is above 1. C4 equal dtypes, numbers.
    Negative padding crops. Source: GoMLX `ConvGeneral`; StableHLO `convolution`.
    Decomposes to Transpose, Pad and MIL `conv`; all but floats, and over 3
    spatial axes, to `matmul`.
    """

    exactness = Exactness.SUMMED
    axes: ConvolveAxesConfig
    strides: Dims
    paddings: tuple[Pair, ...]
    input_dilations: Dims
    kernel_dilations: Dims
    channel_group_count: int
    batch_group_count: int

    def infer(self, input: TensorType, kernel: TensorType) -> TensorType:
        check_dtype(self.kind, input, NUMBER)  # C4
        check_equal_dtypes(self.kind, input, kernel)
        spatial = input.rank - 2
        for order, t in ((self.axes.input, input), (self.axes.kernel, kernel)):  # C1
            check_axes("axes", order, t)
            if len(order) != t.rank or t.rank != input.rank:
                raise ShapeError(f"axes {order} of {t}", fix="name each axis once")
        check_axes("output axes", self.axes.output, input)
        steps = (self.strides, self.input_dilations, self.kernel_dilations)
        if any(len(s) != spatial or min(s, default=1) < 1 for s in steps):  # C2
            raise ShapeError(f"steps {steps} for {spatial} spatial axes", fix="give one >= 1 each")
        n, c, *size = (input.shape[a] for a in self.axes.input)
        o, i, *window = (kernel.shape[a] for a in self.axes.kernel)
        self._check_groups(n, c, o, i)
        dims = [n // self.batch_group_count, o]
        for d, w, row in zip(size, window, self._rows(), strict=True):
            dims.append(row.positions(d, w))
        return input.with_shape(tuple(dims[self.axes.output.index(a)] for a in range(input.rank)))

    def _check_groups(self, n: int, c: int, o: int, i: int) -> None:
        g, b = self.channel_group_count, self.batch_group_count
        if g < 1 or b < 1 or (g > 1 and b > 1) or c != i * g or o % (g * b) or n % b:  # C3
            raise ShapeError(
                f"batch {n}, channels {c}, kernel {o}x{i}, channel groups {g}, batch groups {b}",
                fix="make channels = kernel input channels * groups, and groups divide",
            )

    def _rows(self) -> list[Axis]:
        return [
            Axis(*row)
            for row in zip(
                self.strides,
                self.paddings,
                self.input_dilations,
                self.kernel_dilations,
                strict=True,
            )
        ]

    def evaluate(self, input: Array, kernel: Array) -> Array:
        dtype = BY_NUMPY[input.dtype]
        out = self.infer(TensorType(dtype, input.shape), TensorType(dtype, kernel.shape))
        if not out.size:  # the operand may be cropped to less than nothing
            return np.zeros(out.shape, input.dtype)
        x = input.transpose(self.axes.input)
        k = kernel.transpose(self.axes.kernel)
        if self.batch_group_count > 1:
            b = self.batch_group_count
            x = x.reshape(b, x.shape[0] // b, *x.shape[1:]).swapaxes(0, 1)
            x = x.reshape(x.shape[0], -1, *x.shape[3:])
        for i, row in enumerate(self._rows()):
            x = _pad_numpy(x, i + 2, row)
        groups = max(self.channel_group_count, self.batch_group_count)
        y = _correlate(x, k, groups, self.strides, self.kernel_dilations)
        return y.transpose(inverse(self.axes.output))

    def decompose(self, g: Graph, input: Node, kernel: Node) -> Node:
        out = self.infer(input.type, kernel.type)
        if not out.size:
            return g.add(splat(out.dtype, 0, out.shape))
        x = g.add(Transpose(self.axes.input), input)
        k = g.add(Transpose(self.axes.kernel), kernel)
        groups = max(self.channel_group_count, self.batch_group_count)
        if self.batch_group_count > 1:
            x = _batch_groups_as_channels(g, x, self.batch_group_count)
        y = self._convolve(g, x, k, groups)
        return g.add(Transpose(inverse(self.axes.output)), y)

    def _convolve(self, g: Graph, x: Node, k: Node, groups: int) -> Node:
        rows, rank = self._rows(), x.type.rank
        native = x.type.dtype.is_float and rank <= 5 and 0 not in k.type.shape + x.type.shape
        if native and set(self.input_dilations) <= {1}:
            x = crop(g, x, [(0, 0), (0, 0), *((r.cropped.low, r.cropped.high) for r in rows)])
            amounts = tuple(v for r in rows for v in (r.grown.low, r.grown.high))
            return g.add(conv(self.strides, amounts, self.kernel_dilations, groups), x, k)
        config = (PadAxis(), PadAxis(), *(r.as_pad for r in rows))
        x = g.add(Pad(config), x, zero(g, x.type.dtype))
        if native:
            amounts = (0,) * (2 * len(rows))
            return g.add(conv(self.strides, amounts, self.kernel_dilations, groups), x, k)
        return _by_matmul(g, x, k, groups, self.strides, self.kernel_dilations)


@dataclass(frozen=True)
class Axis:
    """How a window moves along one spatial axis."""

    stride: int
    padding: Pair
    input_dilation: int
    kernel_dilation: int

    def positions(self, dim: int, window: int) -> int:
        """Number of places where the window fits."""
        full = self.as_pad.size(dim) - (window - 1) * self.kernel_dilation - 1
        return max(full // self.stride + 1, 0) if window else 0

    @property
    def as_pad(self) -> PadAxis:
        return PadAxis(self.padding.low, self.padding.high, self.input_dilation - 1)

    @property
    def cropped(self) -> Pair:
        return Pair(min(self.padding.low, 0), min(self.padding.high, 0))

    @property
    def grown(self) -> Pair:
        return Pair(max(self.padding.low, 0), max(self.padding.high, 0))


def _pad_numpy(x: Array, axis: int, row: Axis) -> Array:
    config = tuple(row.as_pad if i == axis else PadAxis() for i in range(x.ndim))
    return Pad(config).evaluate(x, np.zeros((), x.dtype))


def _correlate(x: Array, k: Array, groups: int, strides: Dims, dilations: Dims) -> Array:
    """[n, c, ..] with [o, c / groups, ..] to [n, o, ..], one kernel position after the other."""
    if x.dtype.kind == "V":  # int4 and friends, which einsum does not take
        wide = _correlate(x.astype(np.int64), k.astype(np.int64), groups, strides, dilations)
        return wide.astype(x.dtype)
    sizes = zip(x.shape[2:], k.shape[2:], strides, dilations, strict=True)
    out = tuple(max((d - (w - 1) * e - 1) // s + 1, 0) for d, w, s, e in sizes)
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    k = k.reshape(groups, k.shape[0] // groups, *k.shape[1:])
    total = np.zeros((x.shape[0], groups, k.shape[1], *out), x.dtype)
    for place in itertools.product(*map(range, k.shape[3:])):
        part = x[(slice(None),) * 3 + _window(place, out, strides, dilations)]
        total = total + np.einsum("ngc...,goc->ngo...", part, k[(slice(None),) * 3 + place])
    return total.reshape(x.shape[0], k.shape[0] * k.shape[1], *out)


def _window(place: Dims, out: Dims, strides: Dims, dilations: Dims) -> tuple[slice, ...]:
    rows = zip(place, out, strides, dilations, strict=True)
    return tuple(slice(p * e, p * e + (n - 1) * s + 1, s) for p, n, s, e in rows)


def _batch_groups_as_channels(g: Graph, x: Node, groups: int) -> Node:
    """[groups * n, c, ..] to [n, groups * c, ..]: the groups become channel groups."""
    n, c, *spatial = x.type.shape
    n //= groups
    x = g.add(Reshape((groups, n, c, math.prod(spatial))), x)
    return g.add(Reshape((n, groups * c, *spatial)), g.add(Transpose((1, 0, 2, 3)), x))


def _by_matmul(g: Graph, x: Node, k: Node, groups: int, strides: Dims, dilations: Dims) -> Node:
    """Sum over kernel positions of channel products: [groups, o, c] x [groups, c, n * places]."""
    n, c, *size = x.type.shape
    o, i, *window = k.type.shape
    sizes = zip(size, window, strides, dilations, strict=True)
    out = tuple(max((d - (w - 1) * e - 1) // s + 1, 0) for d, w, s, e in sizes)
    total: Node | None = None
    if not n * o * math.prod(out):
        return g.add(splat(x.type.dtype, 0, (n, o, *out)))
    columns = n * math.prod(out)
    for place in itertools.product(*map(range, window)):
        at = _window(place, out, strides, dilations)
        starts = (0, 0, *(s.start for s in at))
        limits = (n, c, *(s.stop for s in at))
        part = g.add(Slice(starts, limits, (1, 1, *(s.step for s in at))), x)
        part = g.add(Transpose((1, 0, 2)), g.add(Reshape((n, c, math.prod(out))), part))
        part = g.add(Reshape((groups, c // groups, columns)), part)
        stop = (o, i, *(p + 1 for p in place))
        weight = g.add(Slice((0, 0, *place), stop, (1,) * len(stop)), k)
        weight = g.add(Reshape((groups, o // groups, i)), weight)
        product = g.add(matmul(), weight, part)
        total = product if total is None else g.add(Add(), total, product)
    if total is None:
        return g.add(splat(x.type.dtype, 0, (n, o, *out)))
    total = g.add(Transpose((1, 0, 2)), g.add(Reshape((o, n, math.prod(out))), total))
    return g.add(Reshape((n, o, *out)), total)


@register
@dataclass(frozen=True)
class conv(Op):  # noqa: N801  (MIL's name)
    """`(x: F[n, c, ..], weight: F[o, c / groups, ..], bias?: F[o]) -> F[n, o, ..]`: MIL `conv`.

    pads: (before, after) of each of 1 to 3 spatial axes.
    """

    gomlx = False
    strides: Dims
    pads: Dims
    dilations: Dims
    groups: int

    def infer(self, x: TensorType, weight: TensorType, *bias: TensorType) -> TensorType:
        if any(b.shape != weight.shape[:1] for b in bias):
            raise ShapeError(f"bias {bias[0]} for {weight}", fix="give one per output channel")
        pairs = zip(self.pads[::2], self.pads[1::2], strict=True)
        rows = zip(x.shape[2:], weight.shape[2:], self.strides, pairs, self.dilations, strict=True)
        dims = [Axis(s, Pair(*p), 1, e).positions(d, w) for d, w, s, p, e in rows]
        return x.with_shape((x.shape[0], weight.shape[0], *dims))

    def evaluate(self, x: Array, weight: Array, *bias: Array) -> Array:
        pairs = zip(self.pads[::2], self.pads[1::2], strict=True)
        padded = np.pad(x, [(0, 0), (0, 0), *pairs])
        y = _correlate(padded, weight, self.groups, self.strides, self.dilations)
        for b in bias:
            y = y + b.reshape(-1, *(1,) * (x.ndim - 2))
        return y

    def lower(self, m: Builder, x: Value, weight: Value, bias: Value | None = None) -> Value:
        dilations = np.array(self.dilations, np.int32)
        if constant(weight) is None and max(self.dilations) > 1:
            weight = self._dilated(m, weight)
            dilations = np.ones_like(dilations)
        return m.conv(
            x=x,
            weight=weight,
            bias=bias,
            strides=np.array(self.strides, np.int32),
            pad_type="custom" if any(self.pads) else "valid",
            pad=np.array(self.pads, np.int32),
            dilations=dilations,
            groups=self.groups,
        )

    def _dilated(self, m: Builder, weight: Value) -> Value:
        """MIL wants a constant weight for dilations: spread a computed one over zeros."""
        for i, dilation in enumerate(self.dilations):
            axis, shape = i + 2, weight.tensor.shape
            if dilation == 1 or shape[axis] == 1:
                continue
            dims = [int(d) for d in shape]  # type: ignore[arg-type]
            before, after = math.prod(dims[:axis]), math.prod(dims[axis + 1 :])
            rows = m.reshape(x=weight, shape=[before, dims[axis], 1, after])
            rows = m.pad(
                x=rows, pad=[0, 0, 0, 0, 0, dilation - 1, 0, 0], mode="constant", constant_val=0.0
            )
            full = [*dims[:axis], dims[axis] * dilation, *dims[axis + 1 :]]
            end = [d - (dilation - 1 if j == axis else 0) for j, d in enumerate(full)]
            weight = m.reshape(x=rows, shape=full)
            weight = m.slice_by_index(x=weight, begin=[0] * len(full), end=end)
        return weight
