"""DotGeneral: sums of products over any axes; and MIL's `matmul`, to which it comes down."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import NUMBER, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.binary import Mul
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.shape import Reshape, Transpose, check_axes

Axes = tuple[int, ...]


@dataclass(frozen=True)
class DotGeneralConfig:
    """Dtype of products and sums, and of the result."""

    accumulator_dtype: DType
    output_dtype: DType


def rest(rank: int, *taken: Axes) -> Axes:
    """Axes that are in none of `taken`."""
    used = {axis for axes in taken for axis in axes}
    return tuple(axis for axis in range(rank) if axis not in used)


@register
@dataclass(frozen=True)
class DotGeneral(Op):
    """`(lhs: N[..], rhs: N[..]) -> N[batch.., lhs rest.., rhs rest..]`.

    C1 axes are unique axes of their side. C2 paired dims are equal. C3 equal dtypes, numbers.
    Sums run in config.accumulator_dtype; integers wrap. Source: GoMLX `DotGeneral`; StableHLO
    `dot_general`. Decomposes to Reshape and MIL `matmul`, which transposes an operand that lies
    the other way (so a weight stays as it is stored), and to Transpose for any other order.
    """

    exactness = Exactness.SUMMED
    lhs_contracting_axes: Axes
    lhs_batch_axes: Axes
    rhs_contracting_axes: Axes
    rhs_batch_axes: Axes
    config: DotGeneralConfig

    def infer(self, lhs: TensorType, rhs: TensorType) -> TensorType:
        check_dtype(self.kind, lhs, NUMBER)  # C3
        check_equal_dtypes(self.kind, lhs, rhs)
        check_axes("axes", self.lhs_batch_axes + self.lhs_contracting_axes, lhs)  # C1
        check_axes("axes", self.rhs_batch_axes + self.rhs_contracting_axes, rhs)
        for name in ("batch", "contracting"):
            left, right = getattr(self, f"lhs_{name}_axes"), getattr(self, f"rhs_{name}_axes")
            if [lhs.shape[a] for a in left] != [rhs.shape[a] for a in right]:  # C2
                raise ShapeError(
                    f"{name} axes {left} of {lhs} and {right} of {rhs}",
                    fix="pair axes of equal dim",
                )
        batch = tuple(lhs.shape[a] for a in self.lhs_batch_axes)
        free = tuple(lhs.shape[a] for a in self._lhs_rest(lhs.rank))
        free += tuple(rhs.shape[a] for a in self._rhs_rest(rhs.rank))
        return TensorType(self.config.output_dtype, batch + free)

    def _lhs_rest(self, rank: int) -> Axes:
        return rest(rank, self.lhs_batch_axes, self.lhs_contracting_axes)

    def _rhs_rest(self, rank: int) -> Axes:
        return rest(rank, self.rhs_batch_axes, self.rhs_contracting_axes)

    def evaluate(self, lhs: Array, rhs: Array) -> Array:
        labels = iter(range(lhs.ndim + rhs.ndim))
        left = [next(labels) for _ in range(lhs.ndim)]
        right = [next(labels) for _ in range(rhs.ndim)]
        for a, b in zip(
            self.lhs_batch_axes + self.lhs_contracting_axes,
            self.rhs_batch_axes + self.rhs_contracting_axes,
            strict=True,
        ):
            right[b] = left[a]
        out = [left[a] for a in self.lhs_batch_axes + self._lhs_rest(lhs.ndim)]
        out += [right[a] for a in self._rhs_rest(rhs.ndim)]
        wide = self.config.accumulator_dtype.numpy if lhs.dtype.kind in "iu" else lhs.dtype
        if lhs.dtype.kind == "V":  # int4 and friends, which einsum does not take
            exact: Array = np.einsum(lhs.astype(np.int64), left, rhs.astype(np.int64), right, out)
            wrapped = exact.astype(self.config.accumulator_dtype.numpy)
            return wrapped.astype(self.config.output_dtype.numpy)
        return np.asarray(np.einsum(lhs.astype(wide), left, rhs.astype(wide), right, out))

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        lhs, rhs = ranges
        products = [a * b for a in lhs for b in rhs]
        count = math.prod(types[0].shape[a] for a in self.lhs_contracting_axes)
        return (min(products) * count, max(products) * count) if count else (0, 0)

    def decompose(self, g: Graph, lhs: Node, rhs: Node) -> Node:
        out = self.infer(lhs.type, rhs.type)
        if lhs.type.dtype is not self.config.accumulator_dtype:
            convert = ConvertDType(self.config.accumulator_dtype)
            lhs, rhs = g.add(convert, lhs), g.add(convert, rhs)
        lhs_rest, rhs_rest = self._lhs_rest(lhs.type.rank), self._rhs_rest(rhs.type.rank)
        batch = tuple(d for a in self.lhs_batch_axes if (d := lhs.type.shape[a]) != 1)
        rows = math.prod(lhs.type.shape[a] for a in lhs_rest)
        inner = math.prod(lhs.type.shape[a] for a in self.lhs_contracting_axes)
        columns = math.prod(rhs.type.shape[a] for a in rhs_rest)
        if len(batch) > 3:
            batch = (math.prod(batch),)
        left, turned = _matrices(
            g, lhs, self.lhs_batch_axes, lhs_rest, self.lhs_contracting_axes, (*batch, rows, inner)
        )
        right, flipped = _matrices(
            g,
            rhs,
            self.rhs_batch_axes,
            self.rhs_contracting_axes,
            rhs_rest,
            (*batch, inner, columns),
        )
        product: Op = matmul(turned, flipped)
        if batch and inner == 1:  # sums of one
            product = Mul()
            left, right = (
                g.add(Reshape((*batch, rows, 1)), left),
                g.add(Reshape((*batch, 1, columns)), right),
            )
        result = g.add(Reshape(out.shape), g.add(product, left, right))
        if result.type.dtype is out.dtype:
            return result
        return g.add(ConvertDType(out.dtype), result)


def _matrices(
    g: Graph, x: Node, batch: Axes, rows: Axes, columns: Axes, shape: tuple[int, ...]
) -> tuple[Node, bool]:
    """`x` as matrices of that shape; or transposed, and True, if it lies so: nothing is moved."""
    order, turned = batch + rows + columns, batch + columns + rows
    if turned == tuple(range(x.type.rank)) != order:
        *outer, height, width = shape
        return g.add(Reshape((*outer, width, height)), x), True
    return g.add(Reshape(shape), g.add(Transpose(order), x)), False


@register
@dataclass(frozen=True)
class matmul(Op):  # noqa: N801  (MIL's name)
    """`(x: N[batch.., m, k], y: N[batch.., k, n]) -> N[batch.., m, n]`: MIL `matmul`."""

    gomlx = False
    transpose_x: bool = False
    transpose_y: bool = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        m, k = x.shape[-2:][:: -1 if self.transpose_x else 1]
        k2, n = y.shape[-2:][:: -1 if self.transpose_y else 1]
        if k != k2 or x.shape[:-2] != y.shape[:-2] or x.dtype is not y.dtype:
            raise ShapeError(f"matmul of {x} and {y}", fix="make batch and inner dims equal")
        return x.with_shape((*x.shape[:-2], m, n))

    def evaluate(self, x: Array, y: Array) -> Array:
        x = x.swapaxes(-1, -2) if self.transpose_x else x
        y = y.swapaxes(-1, -2) if self.transpose_y else y
        return np.asarray(np.matmul(x, y))

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        x, y = ranges
        products = [a * b for a in x for b in y]
        count = types[0].shape[-2 if self.transpose_x else -1]
        return (min(products) * count, max(products) * count) if count else (0, 0)

    def lower(self, m: Builder, x: Value, y: Value) -> Value:
        return m.matmul(x=x, y=y, transpose_x=self.transpose_x, transpose_y=self.transpose_y)
