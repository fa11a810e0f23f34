"""Gather: windows of an operand, one per index vector; and MIL's `gather` of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import I32
from coremlc.errors import RefusedError, ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Add, Mul
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import rest
from coremlc.ops.elementwise import is_bool
from coremlc.ops.leaves import constant
from coremlc.ops.selection import Clamp
from coremlc.ops.shape import BroadcastInDim, Reshape, Slice, Transpose, check_axes

Axes = tuple[int, ...]


@register
@dataclass(frozen=True)
class Gather(Op):
    """`(operand: T[..], start_indices: I[..]) -> T[batch.. and offset..]`, any dtype T.

    C1 index_vector_axis is an axis of start_indices, or its rank. C2 start_index_map names an
    operand axis per index component. C3 1 <= slice_sizes <= dims; collapsed axes have 1.
    C4 offset_output_axes place the window's other axes. C5 integer indices.
    Starts are clamped to [0, dim - slice_size]. Source: GoMLX `Gather`; StableHLO `gather`.
    Decomposes to index arithmetic and MIL `gather` of rows.
    """

    native = True
    exactness = Exactness.EXACT
    index_vector_axis: int
    offset_output_axes: Axes
    collapsed_slice_axes: Axes
    start_index_map: Axes
    slice_sizes: tuple[int, ...]
    indices_are_sorted: bool

    def infer(self, operand: TensorType, start_indices: TensorType) -> TensorType:
        check_indices(start_indices, self.index_vector_axis, self.start_index_map, operand)
        check_axes("collapsed_slice_axes", self.collapsed_slice_axes, operand)
        sizes = self.slice_sizes
        fits = len(sizes) == operand.rank and all(
            0 <= s <= d for s, d in zip(sizes, operand.shape, strict=True)
        )
        if not fits or any(sizes[a] != 1 for a in self.collapsed_slice_axes):  # C3
            raise ShapeError(
                f"slice_sizes {list(sizes)} of {operand}",
                fix="use 0..dim per axis, and 1 on collapsed axes",
            )
        window = [sizes[a] for a in rest(operand.rank, self.collapsed_slice_axes)]
        batch = list(batch_dims(start_indices.shape, self.index_vector_axis))
        out = TensorType(operand.dtype, (0,) * (len(window) + len(batch)))
        if len(self.offset_output_axes) != len(window):  # C4
            raise ShapeError(
                f"{len(self.offset_output_axes)} offset_output_axes", fix=f"give {len(window)}"
            )
        check_axes("offset_output_axes", self.offset_output_axes, out)
        dims = [
            window[self.offset_output_axes.index(i)]
            if i in self.offset_output_axes
            else batch.pop(0)
            for i in range(out.rank)
        ]
        return out.with_shape(tuple(dims))

    def evaluate(self, operand: Array, start_indices: Array) -> Array:
        starts = index_vectors(start_indices, self.index_vector_axis)
        batch = starts.shape[:-1]
        places = []
        for axis, (dim, size) in enumerate(zip(operand.shape, self.slice_sizes, strict=True)):
            start = np.zeros(batch, np.int64)
            if axis in self.start_index_map:
                component = starts[..., self.start_index_map.index(axis)]
                start = np.clip(component, 0, dim - size).astype(np.int64)
            along = np.arange(size).reshape([-1 if i == axis else 1 for i in range(operand.ndim)])
            places.append(start.reshape(batch + (1,) * operand.ndim) + along)
        window = operand[tuple(places)].reshape(
            batch + tuple(self.slice_sizes[a] for a in self._kept(operand.ndim))
        )
        return np.moveaxis(window, range(len(batch), window.ndim), self.offset_output_axes)

    def _kept(self, rank: int) -> Axes:
        return rest(rank, self.collapsed_slice_axes)

    def range(self, operand: Range, start_indices: Range) -> Range:
        return operand

    def decompose(self, g: Graph, operand: Node, start_indices: Node) -> Node:
        out = self.infer(operand.type, start_indices.type)
        mapped = self.start_index_map
        operand = _shrink(g, operand, self.slice_sizes, mapped)
        lead, trail = tuple(sorted(mapped)), rest(operand.type.rank, mapped)
        dims = tuple(operand.type.shape[a] for a in lead)
        window = tuple(self.slice_sizes[a] for a in lead)
        rows = flat_rows(g, operand, lead, trail)
        starts = vectors_last(g, start_indices, self.index_vector_axis)
        if not mapped:
            return self._unindexed(g, operand, starts.type.shape[:-1], out)
        order = tuple(mapped.index(a) for a in lead)
        top = [d - w for d, w in zip(dims, window, strict=True)]
        bounded = clamp_components(g, starts, [top[lead.index(a)] for a in mapped])
        linear = linear_index(g, bounded, order, dims, window)
        taken = g.add(gather(), rows, g.add(Reshape((linear.type.size,)), linear))
        batch = starts.type.shape[:-1]
        shape = batch + window + tuple(operand.type.shape[a] for a in trail)
        return self._arrange(g, g.add(Reshape(shape), taken), len(batch), lead + trail, out)

    def _unindexed(self, g: Graph, x: Node, batch: tuple[int, ...], out: TensorType) -> Node:
        """The same window for every index vector: vectors without components."""
        shaped = g.add(Reshape((1,) * len(batch) + x.type.shape), x)
        full = x.type.with_shape(batch + x.type.shape)
        repeated = g.add(BroadcastInDim(full, tuple(range(full.rank))), shaped)
        return self._arrange(g, repeated, len(batch), tuple(range(x.type.rank)), out)

    def _arrange(self, g: Graph, x: Node, batch: int, axes: Axes, out: TensorType) -> Node:
        """[batch.., window axes in the order of `axes`] to the result's axes."""
        kept = self._kept(len(axes))
        places = [batch + axes.index(a) for a in kept]
        dims = x.type.shape
        squeezed = [i for i in range(x.type.rank) if i < batch or axes[i - batch] in kept]
        x = g.add(Reshape(tuple(dims[i] for i in squeezed)), x)
        source: list[int] = [0] * out.rank
        batches = iter(range(batch))
        for i in range(out.rank):
            if i in self.offset_output_axes:
                source[i] = squeezed.index(places[self.offset_output_axes.index(i)])
            else:
                source[i] = next(batches)
        return g.add(Transpose(tuple(source)), x)


def check_indices(
    indices: TensorType, vector_axis: int, operand_axes: Axes, operand: TensorType
) -> None:
    """Contract of index vectors: integers, one component per named operand axis."""
    if not indices.dtype.is_integer:
        raise ShapeError(f"indices are {indices}", fix="use an integer dtype")
    if not 0 <= vector_axis <= indices.rank:
        raise ShapeError(
            f"index_vector_axis {vector_axis} of {indices}", fix=f"use 0..{indices.rank}"
        )
    size = 1 if vector_axis == indices.rank else indices.shape[vector_axis]
    check_axes("indexed axes", operand_axes, operand)
    if len(operand_axes) != size:
        raise ShapeError(
            f"index vectors of {size} for operand axes {operand_axes}",
            fix="name one operand axis per component",
        )


def batch_dims(shape: tuple[int, ...], vector_axis: int) -> tuple[int, ...]:
    """Dims of the indices without the axis of the vectors."""
    return tuple(d for i, d in enumerate(shape) if i != vector_axis)


def index_vectors(indices: Array, vector_axis: int) -> Array:
    """Indices with their vectors along the last axis (numpy)."""
    if vector_axis == indices.ndim:
        return indices[..., None]
    return np.moveaxis(indices, vector_axis, -1)


def vectors_last(g: Graph, indices: Node, vector_axis: int) -> Node:
    """Indices as [batch.., components]."""
    rank = indices.type.rank
    if vector_axis == rank:
        return g.add(Reshape((*indices.type.shape, 1)), indices)
    if vector_axis == rank - 1:
        return indices
    return g.add(Transpose((*rest(rank, (vector_axis,)), vector_axis)), indices)


def clamp_components(g: Graph, starts: Node, top: list[int]) -> Node:
    """Index vectors with each component in [0, top], as int32 (what a clamp leaves fits)."""
    limits = np.array(top).reshape((1,) * (starts.type.rank - 1) + (-1,))
    dtype = starts.type.dtype
    low, high = g.add(constant(dtype, np.zeros_like(limits))), g.add(constant(dtype, limits))
    clamped = g.add(Clamp(), low, starts, high)
    return clamped if dtype is I32 else g.add(ConvertDType(I32), clamped)


def linear_index(
    g: Graph, starts: Node, order: Axes, dims: tuple[int, ...], window: tuple[int, ...]
) -> Node:
    """[batch.., window..] row numbers in row-major `dims`, of windows at [batch.., components].

    order: which component of the vectors belongs to each of dims.
    """
    if math.prod(dims) >= 2**31:
        raise RefusedError(f"{math.prod(dims)} rows to index", fix="index fewer than 2^31 rows")
    strides = [math.prod(dims[i + 1 :]) for i in range(len(dims))]
    batch = starts.type.shape[:-1]
    base: Node | None = None
    for i, component in enumerate(order):
        rank = starts.type.rank
        at = tuple([0] * (rank - 1) + [component])
        to = (*batch, component + 1)
        one = starts
        if starts.type.shape[-1] != 1:
            one = g.add(Slice(at, to, (1,) * rank), starts)
        if strides[i] != 1:
            one = g.add(Mul(), one, g.add(constant(I32, strides[i])))
        base = one if base is None else g.add(Add(), base, one)
    assert base is not None
    grid = np.zeros((1,) * len(window), np.int64)
    for i, size in enumerate(window):
        along = np.arange(size) * strides[i]
        grid = grid + along.reshape([-1 if j == i else 1 for j in range(len(window))])
    if grid.size == 1:
        return g.add(Reshape(batch), base)
    flat = g.add(Reshape((math.prod(batch), 1)), base)
    offsets = g.add(constant(I32, grid.reshape(1, -1)))
    return g.add(Reshape(batch + window), g.add(Add(), flat, offsets))


def flat_rows(g: Graph, x: Node, lead: Axes, trail: Axes) -> Node:
    """`x` as [product of lead dims, product of trail dims]."""
    order = lead + trail
    if order != tuple(range(x.type.rank)):
        x = g.add(Transpose(order), x)
    count = math.prod(x.type.shape[: len(lead)])
    return g.add(Reshape((count, math.prod(x.type.shape[len(lead) :]))), x)


def _shrink(g: Graph, x: Node, sizes: tuple[int, ...], mapped: Axes) -> Node:
    """Slice off what axes without an index never reach: their windows start at 0."""
    dims = x.type.shape
    limits = tuple(d if i in mapped else sizes[i] for i, d in enumerate(dims))
    if limits == dims:
        return x
    return g.add(Slice((0,) * len(dims), limits, (1,) * len(dims)), x)


@register
@dataclass(frozen=True)
class gather(Op):  # noqa: N801  (MIL's name)
    """`(x: T[n, d], indices: i32[k]) -> T[k, d]`: MIL `gather` of rows; 0 <= indices < n."""

    native = True
    gomlx = False

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        if x.rank != 2 or indices.rank != 1 or indices.dtype is not I32:
            raise ShapeError(f"gather of {x} by {indices}", fix="use T[n, d] and i32[k]")
        return x.with_dim(0, indices.shape[0])

    def evaluate(self, x: Array, indices: Array) -> Array:
        return x[indices]

    def range(self, x: Range, indices: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value, indices: Value) -> Value:
        if is_bool(x):
            taken = self.lower(m, m.cast(x=x, dtype="int32"), indices)
            return m.cast(x=taken, dtype="bool")
        return m.gather(x=x, indices=indices, axis=0)
