"""DynamicSlice and DynamicUpdateSlice: a window whose place is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.dialect.opsets import ORDER
from coremlc.mil.program import Value
from coremlc.ops.elementwise import constant, is_bool
from coremlc.ops.shape import reshape


def check_starts(x: TensorType, window: tuple[int, ...], starts: tuple[TensorType, ...]) -> None:
    """Contract: a window inside `x`; integer scalars, one an axis, or one vector of them."""
    if len(window) != x.rank or any(w > d for w, d in zip(window, x.shape, strict=False)):
        raise ShapeError(f"window {list(window)} of {x}", fix="make it fit, one dim per axis")
    vector = len(starts) == 1 and starts[0].shape == (x.rank,)
    scalars = len(starts) == x.rank and all(not s.shape for s in starts)
    if not (vector or scalars) or any(not s.dtype.is_integer for s in starts):
        raise ShapeError(
            f"start indices {', '.join(map(str, starts))} for {x}",
            fix="give one integer scalar per axis",
        )


def clamped(starts: tuple[Array, ...], dims: tuple[int, ...], window: tuple[int, ...]) -> list[int]:
    """Starts moved so that the window lies inside (numpy)."""
    values = [int(v) for s in starts for v in np.ravel(s)]
    return [min(max(v, 0), d - w) for v, d, w in zip(values, dims, window, strict=True)]


def clamped_vector(
    m: Builder, starts: tuple[Value, ...], dims: tuple[int, ...], window: tuple[int, ...]
) -> Value:
    """Starts moved so that the window lies inside, as one MIL int32 vector."""
    parts = [_as_vector(m, s) for s in starts]
    vector = parts[0] if len(parts) == 1 else m.concat(values=parts, axis=0, interleave=False)
    top = np.array([d - w for d, w in zip(dims, window, strict=True)], np.int32)
    return m.minimum(x=m.maximum(x=vector, y=0), y=top)


def _as_vector(m: Builder, start: Value) -> Value:
    known = constant(start)
    if known is not None:
        return m.const(known.reshape(-1))
    return start if start.tensor.shape else m.expand_dims(x=start, axes=[0])


@register
@dataclass(frozen=True)
class DynamicSlice(Op):
    """`(operand: T[..], start_indices: I[]..) -> T[slice_dims]`.

    C1 slice_dims fit. C2 start_indices are integer scalars, one per axis (or one vector).
    Each start is clamped to [0, dim - slice_dim].
    Source: GoMLX `DynamicSlice`. MIL `slice_by_size`.
    """

    native = True
    exactness = Exactness.EXACT
    slice_dims: tuple[int, ...]

    def infer(self, operand: TensorType, *start_indices: TensorType) -> TensorType:
        check_starts(operand, self.slice_dims, start_indices)  # C1, C2
        return operand.with_shape(self.slice_dims)

    def evaluate(self, operand: Array, *start_indices: Array) -> Array:
        starts = clamped(start_indices, operand.shape, self.slice_dims)
        places = zip(starts, self.slice_dims, strict=True)
        return operand[tuple(slice(s, s + w) for s, w in places)]

    def range(self, operand: Range, *start_indices: Range) -> Range:
        return operand

    def lower(self, m: Builder, operand: Value, *start_indices: Value) -> Value:
        shape: tuple[int, ...] = operand.tensor.shape  # type: ignore[assignment]
        if not shape or shape == self.slice_dims:
            return operand
        begin = clamped_vector(m, start_indices, shape, self.slice_dims)
        return m.slice_by_size(x=operand, begin=begin, size=np.array(self.slice_dims, np.int32))


@register
@dataclass(frozen=True)
class DynamicUpdateSlice(Op):
    """`(operand: T[..], update: T[..], start_indices: I[]..) -> T[..]`: operand with a window set.

    C1 update fits and has the operand's dtype. C2 start_indices are integer scalars, one per axis
    (or one vector). Each start is clamped to [0, dim - update dim].
    Source: GoMLX `DynamicUpdateSlice`. MIL `slice_update` from iOS18, else `scatter` of rows.
    """

    native = True
    exactness = Exactness.EXACT

    def infer(
        self, operand: TensorType, update: TensorType, *start_indices: TensorType
    ) -> TensorType:
        if update.dtype is not operand.dtype:  # C1
            raise ShapeError(f"update {update} of {operand}", fix="use one dtype")
        check_starts(operand, update.shape, start_indices)
        return operand

    def evaluate(self, operand: Array, update: Array, *start_indices: Array) -> Array:
        starts = clamped(start_indices, operand.shape, update.shape)
        result = operand.copy()
        places = zip(starts, update.shape, strict=True)
        result[tuple(slice(s, s + w) for s, w in places)] = update
        return result

    def range(self, operand: Range, update: Range, *start_indices: Range) -> Range:
        return min(operand[0], update[0]), max(operand[1], update[1])

    def lower(self, m: Builder, operand: Value, update: Value, *start_indices: Value) -> Value:
        shape: tuple[int, ...] = operand.tensor.shape  # type: ignore[assignment]
        window: tuple[int, ...] = update.tensor.shape  # type: ignore[assignment]
        if shape == window:
            return update
        begin = clamped_vector(m, start_indices, shape, window)
        if ORDER[m.opset] >= ORDER["ios18"]:
            end = m.add(x=begin, y=np.array(window, np.int32))
            return m.slice_update(x=operand, update=update, begin=begin, end=end)
        if is_bool(operand):
            parts = (m.cast(x=operand, dtype="int32"), m.cast(x=update, dtype="int32"))
            return m.cast(x=_scatter_rows(m, *parts, begin, shape, window), dtype="bool")
        return _scatter_rows(m, operand, update, begin, shape, window)


def _scatter_rows(
    m: Builder,
    operand: Value,
    update: Value,
    begin: Value,
    shape: tuple[int, ...],
    window: tuple[int, ...],
) -> Value:
    """The window's rows written over the operand's: trailing axes that it spans form a row."""
    split = max(i for i, (d, w) in enumerate(zip(shape, window, strict=True)) if d != w) + 1
    row = math.prod(shape[split:])
    strides = [math.prod(shape[i + 1 : split]) for i in range(split)]
    grid = sum(
        (np.arange(window[i]) * strides[i]).reshape([-1 if j == i else 1 for j in range(split)])
        for i in range(split)
    )
    head = m.slice_by_size(x=begin, begin=[0], size=[split])
    base = m.reduce_sum(x=m.mul(x=head, y=np.array(strides, np.int32)), axes=[0], keep_dims=True)
    indices = m.add(x=base, y=np.ravel(np.asarray(grid)).astype(np.int32))
    count = math.prod(shape[:split])
    data, rows = (
        reshape(m, operand, (count, row)),
        reshape(m, update, (math.prod(window[:split]), row)),
    )
    written = m.scatter(data=data, indices=indices, updates=rows, axis=0, mode="update")
    return reshape(m, written, shape)
