"""Rows of the ops that make tensors or move their elements."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import lax

from coremlc.baseline.row import Row, Tensor
from coremlc.ops.bitcast import Bitcast
from coremlc.ops.dynamic_slice import DynamicSlice
from coremlc.ops.gather import Gather
from coremlc.ops.iota import Iota
from coremlc.ops.leaves import Constant, DynamicDimensionSize
from coremlc.ops.pad import Pad
from coremlc.ops.scatter import Scatter
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Reverse, Slice, Transpose
from coremlc.ops.static import DynamicReshape


def _constant(op: Constant) -> Tensor:
    return op.value.array


def _iota(op: Iota) -> Tensor:
    return lax.broadcasted_iota(op.shape.dtype.numpy, op.shape.shape, op.iota_axis)


def _operands(op: Any, *operands: Tensor) -> tuple[Tensor, ...]:
    """AllReduce: one device."""
    return operands


def _barrier(op: Any, *operands: Tensor) -> tuple[Tensor, ...]:
    """GoMLX leaves out a barrier of one operand on a CPU."""
    return operands if len(operands) == 1 else lax.optimization_barrier(operands)


def _first(op: Any, operand: Tensor, *dependencies: Tensor) -> Tensor:
    """SchedulingBarrier: GoMLX adds 0 times the dependencies, which costs a pass and moves -0."""
    return operand


def _size(op: DynamicDimensionSize, x: Tensor) -> Tensor:
    return np.asarray(x.shape[op.axis], np.int32)


def _dims(op: Any, x: Tensor) -> Tensor:
    return np.asarray(x.shape, np.int32)


def _reshape(op: Reshape, x: Tensor) -> Tensor:
    return lax.reshape(x, op.dimensions)


def _dynamic_reshape(op: DynamicReshape, x: Tensor, *sizes: Tensor) -> Tensor:
    return lax.reshape(x, op.dims)


def _transpose(op: Transpose, x: Tensor) -> Tensor:
    return lax.transpose(x, op.permutation)


def _broadcast(op: BroadcastInDim, x: Tensor) -> Tensor:
    """Jax wants the axes sorted, XLA not: they are sorted by a transpose first."""
    axes = op.broadcast_axes
    order = sorted(range(len(axes)), key=axes.__getitem__)
    if order != list(range(len(axes))):
        x = lax.transpose(x, order)
    return lax.broadcast_in_dim(x, op.output_shape.shape, sorted(axes))


def _reverse(op: Reverse, x: Tensor) -> Tensor:
    return lax.rev(x, op.axes)


def _concatenate(op: Concatenate, *xs: Tensor) -> Tensor:
    return lax.concatenate(xs, op.axis)


def _slice(op: Slice, x: Tensor) -> Tensor:
    return lax.slice(x, op.starts, op.limits, op.strides)


def _pad(op: Pad, x: Tensor, fill_value: Tensor) -> Tensor:
    return lax.pad(x, fill_value, [(a.start, a.end, a.interior) for a in op.axes_config])


def _bitcast(op: Bitcast, x: Tensor) -> Tensor:
    return lax.bitcast_convert_type(x, op.target_dtype.numpy)


def _starts(starts: tuple[Tensor, ...]) -> list[Tensor]:
    """One scalar per axis, of that many scalars or of one vector."""
    if len(starts) == 1 and starts[0].ndim == 1:
        (vector,) = starts
        return [lax.squeeze(lax.slice(vector, (i,), (i + 1,)), (0,)) for i in range(vector.size)]
    return list(starts)


def _dynamic_slice(op: DynamicSlice, x: Tensor, *starts: Tensor) -> Tensor:
    return lax.dynamic_slice(x, _starts(starts), op.slice_dims, allow_negative_indices=False)


def _dynamic_update_slice(op: Any, x: Tensor, update: Tensor, *starts: Tensor) -> Tensor:
    return lax.dynamic_update_slice(x, update, _starts(starts), allow_negative_indices=False)


def _vectors_last(indices: Tensor, axis: int) -> Tensor:
    """Index vectors along the last axis, where jax wants them."""
    if axis == indices.ndim:
        return lax.expand_dims(indices, (axis,))
    order = [i for i in range(indices.ndim) if i != axis]
    return lax.transpose(indices, [*order, axis]) if order[axis:] else indices


def _gather(op: Gather, operand: Tensor, start_indices: Tensor) -> Tensor:
    """Mode CLIP adds nothing: XLA's gather clamps by itself."""
    dims = lax.GatherDimensionNumbers(
        offset_dims=op.offset_output_axes,
        collapsed_slice_dims=op.collapsed_slice_axes,
        start_index_map=op.start_index_map,
    )
    return lax.gather(
        operand,
        _vectors_last(start_indices, op.index_vector_axis),
        dims,
        op.slice_sizes,
        indices_are_sorted=op.indices_are_sorted,
        mode=lax.GatherScatterMode.CLIP,
    )


def _scatter(function: Row) -> Row:
    def row(op: Scatter, operand: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        """Mode FILL_OR_DROP adds nothing: XLA's scatter drops by itself."""
        dims = lax.ScatterDimensionNumbers(
            update_window_dims=op.update_window_axes,
            inserted_window_dims=op.inserted_window_axes,
            scatter_dims_to_operand_dims=op.scatter_axes_to_operand_axes,
        )
        return function(
            operand,
            _vectors_last(indices, op.index_vector_axis),
            updates,
            dims,
            indices_are_sorted=op.indices_are_sorted,
            unique_indices=op.unique_indices,
            mode=lax.GatherScatterMode.FILL_OR_DROP,
        )

    return row


ROWS: dict[str, Row] = {
    "Constant": _constant,
    "Iota": _iota,
    "Identity": _first,
    "OptimizationBarrier": _barrier,
    "SchedulingBarrier": _first,
    "AllReduce": _operands,
    "DynamicDimensionSize": _size,
    "DynamicShape": _dims,
    "Reshape": _reshape,
    "DynamicReshape": _dynamic_reshape,
    "Transpose": _transpose,
    "BroadcastInDim": _broadcast,
    "Reverse": _reverse,
    "Concatenate": _concatenate,
    "Slice": _slice,
    "Pad": _pad,
    "Bitcast": _bitcast,
    "DynamicSlice": _dynamic_slice,
    "DynamicUpdateSlice": _dynamic_update_slice,
    "Gather": _gather,
    "ScatterSum": _scatter(lax.scatter_add),
    "ScatterMax": _scatter(lax.scatter_max),
    "ScatterMin": _scatter(lax.scatter_min),
}
