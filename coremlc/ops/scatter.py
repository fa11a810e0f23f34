"""ScatterSum, ScatterMax, ScatterMin: windows combined into an operand; MIL's `scatter` of rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coremlc.dtypes import BOOL, I32, NUMBER, REAL
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import LogicalAnd
from coremlc.ops.compare import GreaterOrEqual, LessOrEqual
from coremlc.ops.dot_general import rest
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.gather import (
    Axes,
    batch_dims,
    check_indices,
    clamp_components,
    flat_rows,
    index_vectors,
    linear_index,
    vectors_last,
)
from coremlc.ops.leaves import constant, known, splat
from coremlc.ops.reduce import ReduceLogicalAnd
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Slice, Transpose, check_axes


@dataclass(frozen=True)
class Scatter(Op):
    """`(operand: N[..], scatter_indices: I[..], updates: N[..]) -> N[..]`.

    C1 index_vector_axis is an axis of scatter_indices, or its rank. C2 one operand axis per index
    component. C3 update_window_axes and inserted_window_axes cover the operand's axes.
    C4 windows fit in the operand. C5 equal dtypes, real (ScatterSum: or complex); integer indices.
    A window that is not wholly inside is dropped (XLA; the Go backend panics). Duplicates combine.
    The two flags are hints. Source: GoMLX `Scatter*`; StableHLO `scatter`.
    Decomposes to index arithmetic and MIL `scatter` of rows, with a spare row for what is dropped.
    """

    mode: ClassVar[str]
    native = True
    index_vector_axis: int
    update_window_axes: Axes
    inserted_window_axes: Axes
    scatter_axes_to_operand_axes: Axes
    indices_are_sorted: bool
    unique_indices: bool

    def infer(
        self, operand: TensorType, scatter_indices: TensorType, updates: TensorType
    ) -> TensorType:
        check_dtype(self.kind, operand, NUMBER if self.mode == "add" else REAL)  # C5
        check_equal_dtypes(self.kind, operand, updates)
        check_indices(
            scatter_indices, self.index_vector_axis, self.scatter_axes_to_operand_axes, operand
        )
        check_axes("inserted_window_axes", self.inserted_window_axes, operand)
        check_axes("update_window_axes", self.update_window_axes, updates)
        if len(self.update_window_axes) + len(self.inserted_window_axes) != operand.rank:  # C3
            raise ShapeError(
                f"windows of {len(self.update_window_axes)} + {len(self.inserted_window_axes)} axes"
                f" for {operand}",
                fix="cover each operand axis by a window axis or an inserted axis",
            )
        window = self._window(operand.rank, updates.shape)
        if any(w > d for w, d in zip(window, operand.shape, strict=True)):  # C4
            raise ShapeError(f"windows {list(window)} of {operand}", fix="make them fit")
        batch = batch_dims(scatter_indices.shape, self.index_vector_axis)
        given = tuple(d for i, d in enumerate(updates.shape) if i not in self.update_window_axes)
        if given != batch:
            raise ShapeError(
                f"updates {updates} have batch dims {list(given)}, the indices {list(batch)}",
                fix="give one window per index vector",
            )
        return operand

    def _window(self, rank: int, updates: tuple[int, ...]) -> tuple[int, ...]:
        """Window size on each operand axis."""
        sizes = iter(self.update_window_axes)
        return tuple(
            1 if axis in self.inserted_window_axes else updates[next(sizes)] for axis in range(rank)
        )

    def _batch_first(self, rank: int) -> Axes:
        return rest(rank, self.update_window_axes) + self.update_window_axes

    def evaluate(self, operand: Array, scatter_indices: Array, updates: Array) -> Array:
        window = self._window(operand.ndim, updates.shape)
        starts = index_vectors(scatter_indices, self.index_vector_axis)
        starts = starts.reshape(-1, starts.shape[-1])
        blocks = updates.transpose(self._batch_first(updates.ndim)).reshape(len(starts), *window)
        combine = {"add": np.add, "max": np.maximum, "min": np.minimum}[self.mode]
        result = operand.copy()
        for start, block in zip(starts, blocks, strict=True):
            at = [0] * operand.ndim
            for value, axis in zip(start, self.scatter_axes_to_operand_axes, strict=True):
                at[axis] = int(value)
            rows = list(zip(at, window, operand.shape, strict=True))
            if all(a >= 0 and a + w <= d for a, w, d in rows):
                place = tuple(slice(a, a + w) for a, w, _ in rows)
                result[place] = combine(result[place], block)
        return result

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        operand, _, updates = ranges
        if self.mode == "add":
            count = types[2].size
            return operand[0] + min(0, updates[0] * count), operand[1] + max(0, updates[1] * count)
        return min(operand[0], updates[0]), max(operand[1], updates[1])

    def decompose(self, g: Graph, operand: Node, scatter_indices: Node, updates: Node) -> Node:
        rank = operand.type.rank
        mapped = self.scatter_axes_to_operand_axes
        window = self._window(rank, updates.type.shape)
        dims = operand.type.shape
        whole = tuple(a for a in range(rank) if window[a] == dims[a] and a not in mapped)
        lead = rest(rank, whole)
        starts = vectors_last(g, scatter_indices, self.index_vector_axis)
        top = [dims[a] - window[a] for a in mapped]
        vectors = clamp_components(g, starts, top)
        linear = self._linear(g, vectors, dims, window, lead)
        rows = flat_rows(g, operand, lead, whole)
        count = rows.type.shape[0]
        inside = None if _all_inside(starts, top) else self._inside(g, starts, top, linear, count)
        if inside is not None:
            spare = g.add(splat(operand.type.dtype, 0, (1, rows.type.shape[1])))
            rows, linear = g.add(Concatenate(0), rows, spare), inside
        source = self._update_rows(g, updates, window, lead, whole)
        flat = g.add(Reshape((linear.type.size,)), linear)
        written = g.add(scatter(self.mode), rows, flat, source)
        if inside is not None:
            written = g.add(Slice((0, 0), (count, rows.type.shape[1]), (1, 1)), written)
        order = lead + whole
        shaped = g.add(Reshape(tuple(dims[a] for a in order)), written)
        return g.add(Transpose(tuple(order.index(a) for a in range(rank))), shaped)

    def _linear(
        self, g: Graph, vectors: Node, dims: tuple[int, ...], window: tuple[int, ...], lead: Axes
    ) -> Node:
        """Row numbers [batch.., lead window..]; lead axes without an index start at 0."""
        mapped = self.scatter_axes_to_operand_axes
        if set(lead) - set(mapped):
            spare = vectors.type.shape[-1]
            zeros = g.add(splat(I32, 0, (*vectors.type.shape[:-1], 1)))
            vectors = g.add(Concatenate(vectors.type.rank - 1), vectors, zeros)
        else:
            spare = -1
        order = tuple(mapped.index(a) if a in mapped else spare for a in lead)
        if not lead:
            batch = vectors.type.shape[:-1]
            return g.add(splat(I32, 0, batch))
        lead_dims = tuple(dims[a] for a in lead)
        return linear_index(g, vectors, order, lead_dims, tuple(window[a] for a in lead))

    def _inside(self, g: Graph, starts: Node, top: list[int], linear: Node, spare: int) -> Node:
        """Row numbers, with those of windows that stick out sent to row `spare`."""
        dtype, rank = starts.type.dtype, starts.type.rank
        limits = np.array(top).reshape((1,) * (rank - 1) + (-1,))
        high = g.add(LessOrEqual(), starts, g.add(constant(dtype, limits)))
        low = g.add(GreaterOrEqual(), starts, g.add(constant(dtype, 0)))
        ok = g.add(ReduceLogicalAnd((rank - 1,)), g.add(LogicalAnd(), low, high))
        shape = linear.type.with_dtype(BOOL)
        full = g.add(BroadcastInDim(shape, tuple(range(ok.type.rank))), ok)
        return g.add(Where(), full, linear, g.add(constant(I32, spare)))

    def _update_rows(
        self, g: Graph, updates: Node, window: tuple[int, ...], lead: Axes, whole: Axes
    ) -> Node:
        """Updates as [batch * lead window, whole], row for row with the row numbers."""
        batch = updates.type.rank - len(self.update_window_axes)
        x = g.add(Transpose(self._batch_first(updates.type.rank)), updates)
        dims = x.type.shape[:batch]
        x = g.add(Reshape(dims + window), x)
        order = (*range(batch), *(batch + a for a in lead + whole))
        x = g.add(Transpose(order), x)
        row = math.prod(window[a] for a in whole)
        return g.add(Reshape((x.type.size // row if row else 0, row)), x)


def _all_inside(starts: Node, top: list[int]) -> bool:
    """Whether every window is known to be inside."""
    values = known(starts)
    return values is not None and bool(np.all((values >= 0) & (values <= np.array(top))))


@register
@dataclass(frozen=True)
class ScatterSum(Scatter):
    """Adds windows into the operand. See `Scatter`."""

    exactness = Exactness.SUMMED
    mode = "add"


@register
@dataclass(frozen=True)
class ScatterMax(Scatter):
    """The greater of window and operand. See `Scatter`."""

    exactness = Exactness.EXACT
    mode = "max"


@register
@dataclass(frozen=True)
class ScatterMin(Scatter):
    """The lesser of window and operand. See `Scatter`."""

    exactness = Exactness.EXACT
    mode = "min"


@register
@dataclass(frozen=True)
class scatter(Op):  # noqa: N801  (MIL's name)
    """`(data: N[n, d], indices: i32[k], updates: N[k, d]) -> N[n, d]`: MIL `scatter` of rows.

    mode: add, max or min; duplicates combine in order. 0 <= indices < n.
    """

    gomlx = False
    native = True
    mode: str

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        if updates != data.with_dim(0, indices.shape[0]) or indices.dtype is not I32:
            raise ShapeError(
                f"scatter of {updates} into {data} by {indices}", fix="give a row per index"
            )
        return data

    def evaluate(self, data: Array, indices: Array, updates: Array) -> Array:
        result = data.copy()
        combine = {"add": np.add, "max": np.maximum, "min": np.minimum}[self.mode]
        combine.at(result, indices, updates)
        return result

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        data, _, updates = ranges
        if self.mode == "add":
            count = types[2].shape[0]
            return data[0] + min(0, updates[0] * count), data[1] + max(0, updates[1] * count)
        return min(data[0], updates[0]), max(data[1], updates[1])

    def lower(self, m: Builder, data: Value, indices: Value, updates: Value) -> Value:
        return m.scatter(data=data, indices=indices, updates=updates, axis=0, mode=self.mode)
