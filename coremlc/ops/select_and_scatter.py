"""SelectAndScatterMax and SelectAndScatterMin: the gradients of max and min pooling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coremlc.dtypes import BOOL, I32, REAL
from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, LogicalOr
from coremlc.ops.compare import GreaterOrEqual, LessOrEqual
from coremlc.ops.conv_general import Dims, Pair
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.leaves import constant, splat
from coremlc.ops.pad import Pad, PadAxis
from coremlc.ops.reduce import highest, lowest
from coremlc.ops.scatter import scatter
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Reshape, Slice

MOST = 1024
"""Elements of a window, of which each costs three MIL ops."""


@dataclass(frozen=True)
class SelectAndScatter(Op):
    """`(operand: N[..], source: N[..]) -> N[..]`: N any real dtype.

    Each source element is added at the place of its window's extreme; 0 elsewhere. Elements are
    compared in row-major order: one is left for the next unless it is >= it (Max) or <= it (Min).
    So ties go to the first, and a NaN is left for what follows it (XLA; the Go backend keeps the
    last NaN). Padding is never chosen; a window of padding alone adds nowhere.
    C1 one entry per axis; sizes and steps >= 1, paddings >= 0. C2 equal real dtypes. C3 source has
    an element per window.
    Source: GoMLX `SelectAndScatter*`; StableHLO `select_and_scatter`.
    Decomposes to slices, compares and MIL `scatter`.
    """

    exactness = Exactness.SUMMED
    better: ClassVar[Op]
    window_dimensions: Dims
    window_strides: Dims
    paddings: tuple[Pair, ...]

    def infer(self, operand: TensorType, source: TensorType) -> TensorType:
        check_dtype(self.kind, operand, REAL)  # C2
        check_equal_dtypes(self.kind, operand, source)
        steps = (self.window_dimensions, self.window_strides)
        bad = any(len(s) != operand.rank or min(s, default=1) < 1 for s in steps)
        pads = [v for p in self.paddings for v in (p.low, p.high)]
        if bad or len(self.paddings) != operand.rank or min(pads, default=0) < 0:  # C1
            raise ShapeError(f"windows {steps} of {operand}", fix="give one entry >= 1 per axis")
        if source.shape != self._positions(operand.shape):  # C3
            raise ShapeError(
                f"source {source} for windows of {operand}",
                fix=f"give it dims {list(self._positions(operand.shape))}",
            )
        return operand

    def _positions(self, dims: Dims) -> Dims:
        rows = zip(dims, self.window_dimensions, self.window_strides, self.paddings, strict=True)
        return tuple(max((d + p.low + p.high - w) // s + 1, 0) for d, w, s, p in rows)

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        (low, high), count = ranges[1], types[1].size
        return min(0, low * count), max(0, high * count)

    def _places(self, dims: Dims) -> list[Array]:
        """Per axis, which operand index [window position, place in the window] is."""
        rows = zip(dims, self.window_dimensions, self.window_strides, self.paddings, strict=True)
        return [
            np.arange(max((d + p.low + p.high - w) // s + 1, 0))[:, None] * s
            - p.low
            + np.arange(w)[None, :]
            for d, w, s, p in rows
        ]

    def evaluate(self, operand: Array, source: Array) -> Array:
        dims, n = operand.shape, math.prod(source.shape)
        if not operand.size or not n:
            return np.zeros(dims, operand.dtype)
        linear: Array = np.zeros((), np.int64)
        inside: Array = np.ones((), bool)
        for axis, places in enumerate(self._places(dims)):
            shape = [1] * (2 * len(dims))
            shape[axis], shape[len(dims) + axis] = places.shape
            at, dim = places.reshape(shape), dims[axis]
            linear = linear + np.clip(at, 0, dim - 1) * math.prod(dims[axis + 1 :])
            inside = inside & (at >= 0) & (at < dim)
        linear, inside = linear.reshape(n, -1), inside.reshape(n, -1)
        x = operand.reshape(-1)[linear]
        order = np.arange(x.shape[1])
        last_nan = np.max(np.where(inside & (x != x), order, -1), axis=1, keepdims=True)
        after = inside & (order > last_nan)
        neutral = lowest(x.dtype) if isinstance(self.better, GreaterOrEqual) else highest(x.dtype)
        pick = np.max if isinstance(self.better, GreaterOrEqual) else np.min
        key = np.where(after, x, np.asarray(neutral, x.dtype))
        first = np.argmax(after & (key == pick(key, axis=1, keepdims=True)), axis=1)
        chosen = np.where(after.any(1), first, np.maximum(last_nan[:, 0], 0))
        real = inside.any(1)
        result = np.zeros(operand.size, operand.dtype)
        np.add.at(result, linear[np.arange(n), chosen][real], source.reshape(-1)[real])
        return result.reshape(dims)

    def decompose(self, g: Graph, operand: Node, source: Node) -> Node:
        out, dims = source.type, operand.type.shape
        if not out.size or not operand.type.size:
            return g.add(splat(out.dtype, 0, dims))
        if math.prod(self.window_dimensions) > MOST:
            raise RefusedError(
                f"{self.kind} of windows of {list(self.window_dimensions)}",
                fix=f"use windows of at most {MOST} elements",
            )
        zero = g.add(constant(out.dtype, 0))
        pads = tuple(PadAxis(p.low, p.high) for p in self.paddings)
        padded = g.add(Pad(pads), operand, zero)
        strides = [math.prod(dims[i + 1 :]) for i in range(len(dims))]
        best, index, seen = padded, padded, np.zeros((), bool)
        for i, (place, inside) in enumerate(self._steps(dims)):
            candidate = self._slice(g, padded, place, out.shape)
            offset = g.add(constant(I32, sum(a * b for a, b in zip(place, strides, strict=True))))
            if i == 0:
                best, index, seen = (
                    candidate,
                    g.add(BroadcastInDim(out.with_dtype(I32), ()), offset),
                    inside,
                )
                continue
            keep = self._keep(g, best, candidate, seen, inside)
            best = g.add(Where(), keep, best, candidate)
            index = g.add(Where(), keep, index, offset)
            seen = seen | inside
        return self._scattered(g, operand.type, source, index, seen)

    def _steps(self, dims: Dims) -> Iterator[tuple[Dims, Array]]:
        """(place in the window, where it is inside the operand) in row-major order."""
        axes = self._places(dims)
        for place in itertools.product(*map(range, self.window_dimensions)):
            inside = np.ones((1,) * len(dims), bool)
            for axis, (places, p) in enumerate(zip(axes, place, strict=True)):
                along = (places[:, p] >= 0) & (places[:, p] < dims[axis])
                if not along.all():
                    inside = inside & along.reshape(
                        [-1 if i == axis else 1 for i in range(len(dims))]
                    )
            yield place, inside

    def _slice(self, g: Graph, x: Node, place: Dims, out: Dims) -> Node:
        """The elements at one place of every window."""
        steps = list(zip(place, out, self.window_strides, strict=True))
        limits = tuple(p + (n - 1) * s + 1 for p, n, s in steps)
        return g.add(Slice(place, limits, self.window_strides), x)

    def _keep(self, g: Graph, best: Node, candidate: Node, seen: Array, inside: Array) -> Node:
        """Where the candidate does not take over: it is padding, or no better than one before."""
        keep = g.add(self.better, best, candidate)
        if not seen.all():
            never = g.add(constant(BOOL, np.zeros((), bool)))
            keep = g.add(Where(), g.add(constant(BOOL, seen)), keep, never)
        return keep if inside.all() else g.add(LogicalOr(), keep, g.add(constant(BOOL, ~inside)))

    def _scattered(self, g: Graph, t: TensorType, source: Node, index: Node, seen: Array) -> Node:
        """Source added at the flat places: that of each window's first element, and `index`."""
        for axis, places in enumerate(self._places(t.shape)):
            along = places[:, 0] * math.prod(t.shape[axis + 1 :])
            shape = [-1 if i == axis else 1 for i in range(t.rank)]
            index = g.add(Add(), index, g.add(constant(I32, along.reshape(shape))))
        spare = not seen.all()
        if spare:
            index = g.add(Where(), g.add(constant(BOOL, seen)), index, g.add(constant(I32, t.size)))
        rows = g.add(splat(t.dtype, 0, (t.size + spare, 1)))
        n = source.type.size
        flat, updates = g.add(Reshape((n,)), index), g.add(Reshape((n, 1)), source)
        written = g.add(scatter("add"), rows, flat, updates)
        if spare:
            written = g.add(Slice((0, 0), (t.size, 1), (1, 1)), written)
        return g.add(Reshape(t.shape), written)


@register
@dataclass(frozen=True)
class SelectAndScatterMax(SelectAndScatter):
    """`(operand: N[..], source: N[..]) -> N[..]`: to the first greatest. See `SelectAndScatter`."""

    better = GreaterOrEqual()


@register
@dataclass(frozen=True)
class SelectAndScatterMin(SelectAndScatter):
    """`(operand: N[..], source: N[..]) -> N[..]`: to the first least. See `SelectAndScatter`."""

    better = LessOrEqual()
