"""Pad: a value put before, after and between the elements of each axis; or elements removed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.leaves import constant, known
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Slice


@dataclass(frozen=True)
class PadAxis:
    """Padding of one axis: interior first, then start and end, of which negative ones crop."""

    start: int = 0
    end: int = 0
    interior: int = 0

    def size(self, dim: int) -> int:
        """Dim of the result."""
        return dim + max(dim - 1, 0) * self.interior + self.start + self.end


@register
@dataclass(frozen=True)
class Pad(Op):
    """`(x: T[..], fill_value: T[]) -> T[..]`, any dtype T.

    C1 one PadAxis per axis, interior >= 0. C2 fill_value is a scalar of x's dtype. C3 no result dim
    below 0. Negative start or end crops (XLA; the Go backend panics). Source: GoMLX `Pad`.
    Decomposes to Slice, Concatenate, and MIL `pad` where x is a float and fill_value is constant.
    """

    native = True
    exactness = Exactness.EXACT
    axes_config: tuple[PadAxis, ...]

    def infer(self, x: TensorType, fill_value: TensorType) -> TensorType:
        if len(self.axes_config) != x.rank or any(p.interior < 0 for p in self.axes_config):  # C1
            raise ShapeError(
                f"padding {self.axes_config} of {x}", fix="give one per axis, interior >= 0"
            )
        if fill_value != TensorType(x.dtype):  # C2
            raise ShapeError(f"fill value {fill_value} for {x}", fix=f"use a {x.dtype} scalar")
        dims = tuple(p.size(d) for p, d in zip(self.axes_config, x.shape, strict=True))
        if any(d < 0 for d in dims):  # C3
            raise ShapeError(f"{x} cropped to {list(dims)}", fix="crop less")
        return x.with_shape(dims)

    def evaluate(self, x: Array, fill_value: Array) -> Array:
        for axis, p in enumerate(self.axes_config):
            x = _pad_axis(x, fill_value, axis, p)
        return x

    def range(self, x: Range, fill_value: Range) -> Range:
        return min(x[0], fill_value[0]), max(x[1], fill_value[1])

    def decompose(self, g: Graph, x: Node, fill_value: Node) -> Node:
        out = self.infer(x.type, fill_value.type)
        for axis, p in enumerate(self.axes_config):
            if p.interior and x.type.shape[axis] > 1:
                x = _spread(g, x, fill_value, axis, p.interior)
        cuts = [(min(p.start, 0), min(p.end, 0)) for p in self.axes_config]
        if any(d + sum(cut) < 0 for d, cut in zip(x.type.shape, cuts, strict=True)):
            return block(g, fill_value, out)  # what is cropped is padding too
        x = crop(g, x, cuts)
        return grow(g, x, fill_value, [(max(p.start, 0), max(p.end, 0)) for p in self.axes_config])


def _pad_axis(x: Array, fill: Array, axis: int, p: PadAxis) -> Array:
    dim = x.shape[axis]
    spread = np.full(_dims(x, axis, dim + max(dim - 1, 0) * p.interior), fill, x.dtype)
    spread[_at(x, axis, slice(None, None, p.interior + 1))] = x
    out = np.full(_dims(x, axis, p.size(dim)), fill, x.dtype)
    low = max(-p.start, 0)
    high = spread.shape[axis] - max(-p.end, 0)
    begin = max(p.start, 0)
    count = max(high - low, 0)
    source = spread[_at(x, axis, slice(low, low + count))]
    out[_at(x, axis, slice(begin, begin + count))] = source
    return out


def _dims(x: Array, axis: int, dim: int) -> tuple[int, ...]:
    return (*x.shape[:axis], dim, *x.shape[axis + 1 :])


def _at(x: Array, axis: int, place: slice) -> tuple[slice, ...]:
    return tuple(place if i == axis else slice(None) for i in range(x.ndim))


def crop(g: Graph, x: Node, edges: list[tuple[int, int]]) -> Node:
    """`x` without -edge elements at each end of each axis."""
    if not any(low or high for low, high in edges):
        return x
    starts = tuple(-low for low, _ in edges)
    limits = tuple(
        max(d + high, s) for d, (_, high), s in zip(x.type.shape, edges, starts, strict=True)
    )
    return g.add(Slice(starts, limits, (1,) * len(edges)), x)


def grow(g: Graph, x: Node, fill_value: Node, edges: list[tuple[int, int]]) -> Node:
    """`x` with `fill_value` put before and after each axis."""
    if not any(low or high for low, high in edges):
        return x
    value = known(fill_value)
    if x.type.dtype.is_float and value is not None:
        return g.add(pad(tuple(v for edge in edges for v in edge), float(value)), x)
    for axis, (low, high) in enumerate(edges):
        parts = [block(g, fill_value, x.type.with_dim(axis, low))] if low else []
        parts.append(x)
        parts += [block(g, fill_value, x.type.with_dim(axis, high))] if high else []
        x = g.add(Concatenate(axis), *parts) if len(parts) > 1 else x
    return x


def block(g: Graph, scalar: Node, t: TensorType) -> Node:
    """A tensor of type `t` that holds `scalar` everywhere."""
    return g.add(BroadcastInDim(t, ()), scalar)


def _spread(g: Graph, x: Node, fill_value: Node, axis: int, interior: int) -> Node:
    """`interior` fill values after each element but the last.

    Rows [a, dim, 1, b] joined with holes [a, dim, interior, b].
    """
    shape = x.type.shape
    dim, before, after = shape[axis], math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    rows = g.add(Reshape((before, dim, 1, after)), x)
    holes = block(g, fill_value, rows.type.with_dim(2, interior))
    joined = g.add(Concatenate(2), rows, holes)
    full = g.add(Reshape((*shape[:axis], dim * (interior + 1), *shape[axis + 1 :])), joined)
    return crop(g, full, [(0, -interior if i == axis else 0) for i in range(len(shape))])


@register
@dataclass(frozen=True)
class pad(Op):  # noqa: N801  (MIL's name)
    """`(x: F[..]) -> F[..]`: MIL `pad` with a constant; amounts: (before, after) of each axis."""

    native = True
    gomlx = False
    amounts: tuple[int, ...]
    value: float

    def infer(self, x: TensorType) -> TensorType:
        pairs = zip(x.shape, self.amounts[::2], self.amounts[1::2], strict=True)
        return x.with_shape(tuple(d + low + high for d, low, high in pairs))

    def evaluate(self, x: Array) -> Array:
        pairs = list(zip(self.amounts[::2], self.amounts[1::2], strict=True))
        return np.pad(x, pairs, constant_values=np.asarray(self.value, x.dtype))

    def lower(self, m: Builder, x: Value) -> Value:
        amounts = np.array(self.amounts, np.int32)
        return m.pad(x=x, pad=amounts, mode="constant", constant_val=self.value)


def zero(g: Graph, dtype: DType) -> Node:
    """A scalar 0."""
    return g.add(constant(dtype, 0))
