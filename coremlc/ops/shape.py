"""Reshape, Transpose, BroadcastInDim, Reverse, Concatenate, Slice: movement to fixed places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value


def check_axes(what: str, axes: tuple[int, ...], t: TensorType) -> None:
    """Contract: axes are axes of `t`, each once."""
    if len(set(axes)) != len(axes) or any(not 0 <= a < t.rank for a in axes):
        raise ShapeError(f"{what} {axes} of {t}", fix=f"use each of 0..{t.rank - 1} at most once")


def reshape(m: Builder, x: Value, shape: tuple[int, ...]) -> Value:
    """MIL of a reshape; rank 0 is spelled with `squeeze` and `expand_dims`."""
    if x.tensor.shape == shape:
        return x
    if not shape:
        return m.squeeze(x=x, axes=list(range(len(x.tensor.shape))))
    if not x.tensor.shape:
        return m.expand_dims(x=x, axes=list(range(len(shape))))
    return m.reshape(x=x, shape=np.array(shape, dtype=np.int32))


@register
@dataclass(frozen=True)
class Reshape(Op):
    """`(x: T[..]) -> T[dimensions]`: the same elements in row-major order.

    C1 equal number of elements. Source: GoMLX `Reshape`. MIL `reshape`.
    """

    native = True
    exactness = Exactness.EXACT
    dimensions: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        result = x.with_shape(self.dimensions)
        if result.size != x.size or any(d < 0 for d in self.dimensions):  # C1
            raise ShapeError(
                f"reshape of {x} to {list(self.dimensions)}", fix=f"use dims with product {x.size}"
            )
        return result

    def evaluate(self, x: Array) -> Array:
        return x.reshape(self.dimensions)

    def range(self, x: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value) -> Value:
        return reshape(m, x, self.dimensions)


@register
@dataclass(frozen=True)
class Transpose(Op):
    """`(x: T[..]) -> T[..]`: result axis i is operand axis permutation[i].

    C1 permutation holds each axis once. Source: GoMLX `Transpose`. MIL `transpose`.
    """

    native = True
    exactness = Exactness.EXACT
    permutation: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.permutation) != list(range(x.rank)):  # C1
            raise ShapeError(
                f"permutation {self.permutation} of {x}", fix=f"use each of 0..{x.rank - 1} once"
            )
        return x.with_shape(tuple([x.shape[p] for p in self.permutation]))

    def evaluate(self, x: Array) -> Array:
        return np.transpose(x, self.permutation)

    def range(self, x: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value) -> Value:
        if self.permutation == tuple(range(len(self.permutation))):
            return x
        return m.transpose(x=x, perm=np.array(self.permutation, dtype=np.int32))


@register
@dataclass(frozen=True)
class BroadcastInDim(Op):
    """`(x: T[..]) -> T[output_shape]`: axis i becomes axis broadcast_axes[i]; a dim of 1 repeats.

    C1 one unique result axis per operand axis. C2 each dim 1 or equal. C3 equal dtypes.
    Unsorted axes transpose (XLA; the Go backend ignores their order). Source: GoMLX
    `BroadcastInDim`. MIL `reshape` and `tile`; elementwise consumers broadcast by themselves.
    """

    native = True
    exactness = Exactness.EXACT
    output_shape: TensorType
    broadcast_axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        out = self.output_shape
        if len(self.broadcast_axes) != x.rank:  # C1
            raise ShapeError(
                f"{len(self.broadcast_axes)} broadcast_axes for {x}", fix="give one per axis"
            )
        check_axes("broadcast_axes", self.broadcast_axes, out)
        for dim, axis in zip(x.shape, self.broadcast_axes, strict=True):
            if dim not in (1, out.shape[axis]):  # C2
                raise ShapeError(
                    f"{x} to axes {self.broadcast_axes} of {out}", fix="make dims 1 or equal"
                )
        if out.dtype is not x.dtype:  # C3
            raise ShapeError(f"{x} to {out}", fix="use one dtype")
        return out

    def spread(self, x: TensorType) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(permutation, dims): the operand transposed, then with dims of 1 where it is new."""
        order = tuple(sorted(range(x.rank), key=lambda i: self.broadcast_axes[i]))
        dims = [1] * self.output_shape.rank
        for dim, axis in zip(x.shape, self.broadcast_axes, strict=True):
            dims[axis] = dim
        return order, tuple(dims)

    def evaluate(self, x: Array) -> Array:
        order, dims = self.spread(TensorType(self.output_shape.dtype, x.shape))
        return np.broadcast_to(x.transpose(order).reshape(dims), self.output_shape.shape)

    def range(self, x: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value) -> Value:
        operand = TensorType(self.output_shape.dtype, x.tensor.shape)  # type: ignore[arg-type]
        order, dims = self.spread(operand)
        x = Transpose(order).lower(m, x)
        x = reshape(m, x, dims)
        reps = [
            out // dim if dim else 1 for out, dim in zip(self.output_shape.shape, dims, strict=True)
        ]
        return x if set(reps) <= {1} else m.tile(x=x, reps=np.array(reps, dtype=np.int32))


@register
@dataclass(frozen=True)
class Reverse(Op):
    """`(x: T[..]) -> T[..]`: turns the order along each of the axes.

    C1 unique axes of x. Source: GoMLX `Reverse`. MIL `reverse`.
    """

    native = True
    exactness = Exactness.EXACT
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        check_axes("axes", self.axes, x)  # C1
        return x

    def evaluate(self, x: Array) -> Array:
        return np.flip(x, self.axes)

    def range(self, x: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value) -> Value:
        axes = [a for a in self.axes if x.tensor.shape[a] != 1]
        return m.reverse(x=x, axes=np.array(axes, dtype=np.int32)) if axes else x


@register
@dataclass(frozen=True)
class Concatenate(Op):
    """`(T[.., d0, ..], T[.., d1, ..], ..) -> T[.., d0+d1+.., ..]`, any dtype T.

    C1 equal dtypes. C2 equal rank, and equal dims except on `axis`. C3 0 <= axis < rank.
    Source: GoMLX `Concatenate`; StableHLO `concatenate`. MIL `concat`.
    """

    native = True
    exactness = Exactness.EXACT
    axis: int

    def infer(self, first: TensorType, *rest: TensorType) -> TensorType:
        if not 0 <= self.axis < first.rank:  # C3
            raise ShapeError(f"axis {self.axis} on {first}", fix=f"use 0..{first.rank - 1}")
        for i, x in enumerate(rest, 1):
            if x.rank != first.rank or x.with_dim(self.axis, 0) != first.with_dim(self.axis, 0):
                raise ShapeError(  # C1, C2
                    f"operand {i} is {x}, operand 0 is {first}",
                    fix=f"make dtype and every dim except axis {self.axis} equal",
                )
        return first.with_dim(self.axis, sum(x.shape[self.axis] for x in (first, *rest)))

    def evaluate(self, *xs: Array) -> Array:
        return np.concatenate(xs, self.axis)

    def range(self, *xs: Range) -> Range:
        return min(x[0] for x in xs), max(x[1] for x in xs)

    def lower(self, m: Builder, *xs: Value) -> Value:
        full = [x for x in xs if x.tensor.shape[self.axis] != 0]
        if len(full) == 1:
            return full[0]
        return m.concat(values=full, axis=self.axis, interleave=False)


@register
@dataclass(frozen=True)
class Slice(Op):
    """`(x: T[..]) -> T[..]`: elements starts, starts + strides, .. below limits, on each axis.

    C1 one of each per axis. C2 0 <= start <= limit <= dim. C3 stride >= 1.
    Source: GoMLX `Slice`. MIL `slice_by_index`.
    """

    native = True
    exactness = Exactness.EXACT
    starts: tuple[int, ...]
    limits: tuple[int, ...]
    strides: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if {len(self.starts), len(self.limits), len(self.strides)} != {x.rank}:  # C1
            raise ShapeError(f"slice of {x}", fix=f"give {x.rank} starts, limits and strides")
        rows = tuple(zip(x.shape, self.starts, self.limits, self.strides, strict=True))
        for axis, (dim, start, limit, stride) in enumerate(rows):
            if not 0 <= start <= limit <= dim or stride < 1:  # C2, C3
                raise ShapeError(
                    f"axis {axis} of {x}: start {start}, limit {limit}, stride {stride}",
                    fix=f"use 0 <= start <= limit <= {dim} and stride >= 1",
                )
        return x.with_shape(
            tuple([-((start - limit) // stride) for _, start, limit, stride in rows])
        )

    def evaluate(self, x: Array) -> Array:
        rows = zip(self.starts, self.limits, self.strides, strict=True)
        return x[tuple(slice(*row) for row in rows)]

    def range(self, x: Range) -> Range:
        return x

    def lower(self, m: Builder, x: Value) -> Value:
        contiguous = set(self.strides) <= {1}
        if contiguous and not any(self.starts) and self.limits == x.tensor.shape:
            return x
        begin, end = np.array(self.starts, np.int32), np.array(self.limits, np.int32)
        if contiguous:
            return m.slice_by_index(x=x, begin=begin, end=end)
        return m.slice_by_index(x=x, begin=begin, end=end, stride=np.array(self.strides, np.int32))
