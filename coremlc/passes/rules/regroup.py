"""Reshapes move below other ops, where they meet and cancel. Exact: no pair is parted.

Products compute in rank 2, and their results are reshaped. What follows them (a bias, an
activation, a norm) computes in that rank too, and the reshape comes last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import TensorType
from coremlc.ops.conv_general import inverse
from coremlc.ops.leaves import Constant
from coremlc.ops.norm import FusedSoftmax, layer_norm
from coremlc.ops.reduce import Reduce
from coremlc.ops.shape import Reshape, Slice, Transpose
from coremlc.passes.rules.broadcast import ELEMENTWISE
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]
Dims = tuple[int, ...]
REDUCTIONS = tuple([cls for cls in REGISTRY.values() if issubclass(cls, Reduce)])


@dataclass(frozen=True)
class Regrouping:
    """Which axes of `low` are which of `high`, two shapes of as many elements."""

    low: Dims
    high: Dims
    groups: tuple[tuple[Dims, Dims], ...]
    """Axes of each, as few together as may be; axes of dim 1 are in none."""

    @staticmethod
    def of(low: Dims, high: Dims) -> Regrouping:
        """Of shapes without a dim of 0."""
        rest = [[a for a, d in enumerate(dims) if d != 1] for dims in (low, high)]
        groups = []
        while rest[0]:
            taken: tuple[list[int], list[int]] = ([], [])
            sizes = [1, 1]
            while not taken[0] or sizes[0] != sizes[1]:
                side = int(sizes[1] < sizes[0])
                taken[side].append(rest[side].pop(0))
                sizes[side] *= (low, high)[side][taken[side][-1]]
            groups.append((tuple(taken[0]), tuple(taken[1])))
        return Regrouping(low, high, tuple(groups))

    def narrow(self, dims: Dims) -> Dims | None:
        """Dims that broadcast over `low` as `dims` do over `high`."""
        found = [1] * len(self.low)
        for low, high in self.groups:
            repeats = {dims[a] == 1 for a in high}
            if len(repeats) > 1:
                return None
            if repeats == {False}:
                for a in low:
                    found[a] = self.low[a]
        return tuple(found)

    def axes(self, axes: Dims) -> Dims | None:
        """Those axes of `high`, as axes of `low`."""
        rest = {a for a in axes if self.high[a] != 1}
        found = [(low, high) for low, high in self.groups if not rest.isdisjoint(high)]
        if not rest.issuperset(a for _, high in found for a in high):
            return None
        return tuple([a for low, _ in found for a in low])

    def order(self, permutation: Dims) -> Dims | None:
        """The permutation of `low` that does what this one does to `high`."""
        rest = [a for a in permutation if self.high[a] != 1]
        found = [a for a, d in enumerate(self.low) if d == 1]
        by_first = {high[0]: (low, high) for low, high in self.groups}
        while rest:
            low, high = by_first.get(rest[0], ((), ()))
            if not high or tuple(rest[: len(high)]) != high:
                return None
            found += low
            del rest[: len(high)]
        return tuple(found)

    def cut(self, op: Slice, dims: Dims) -> Slice | None:
        """The slice of `low` that does what this one, to `dims`, does to `high`."""
        starts, limits, strides = [0] * len(self.low), list(self.low), [1] * len(self.low)
        for low, (first, *others) in self.groups:
            if all(dims[a] == self.high[a] for a in (first, *others)):
                continue
            whole = all(dims[a] == self.high[a] for a in others)
            if len(low) > 1 or not whole or (others and op.strides[first] != 1):
                return None
            size = math.prod([self.high[a] for a in others])
            starts[low[0]], limits[low[0]] = op.starts[first] * size, op.limits[first] * size
            strides[low[0]] = op.strides[first]
        return Slice(tuple(starts), tuple(limits), tuple(strides))


def _raised(low: Dims, high: Dims) -> Regrouping | None:
    """How `low` becomes `high`, if that has more axes, and not only for others to broadcast to."""
    if not 0 < len(low) < len(high) or math.prod(low) < 2:
        return None
    tail = high[next(i for i, d in enumerate(high) if d != 1) :]
    only_ones = [d for d in low if d != 1] == [d for d in high if d != 1]
    return None if only_ones and low[-len(tail) :] != tail else Regrouping.of(low, high)


def _of(x: Value) -> Regrouping | None:
    """How `x` comes of a value of lower rank."""
    return _raised(x.operands[0].type.shape, x.type.shape) if isinstance(x.op, Reshape) else None


def reshape_below(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`f(Reshape(x), y) -> Reshape(f(x, Reshape(y)))`, if x is of lower rank.

    y must be reshaped for nothing: a scalar, a constant, reshaped already, or elsewhere too; or be
    small, so that it broadcasts.
    """
    sources = [
        x.operands[0].type.shape
        for x in operands
        if isinstance(x.op, Reshape) and x.type.shape == out.shape
    ]
    regrouping = _raised(min(sources, key=len, default=out.shape), out.shape)
    if regrouping is None:
        return None
    moved = [found for x in operands if (found := _moved(g, x, regrouping)) is not None]
    return g.add(Reshape(out.shape), g.add(op, *moved)) if len(moved) == len(operands) else None


def _moved(g: Builder, x: Value, regrouping: Regrouping) -> Value | None:
    """`x` as it broadcasts over values of lower rank."""
    if not x.type.shape:
        return x
    dims = regrouping.narrow(x.type.shape)
    if dims is None:
        return None
    if isinstance(x.op, Reshape | Constant) or x.type.shape != regrouping.high:
        return g.add(Reshape(dims), x)
    found = g.existing(Reshape(dims), x)
    return None if found is None else found[0]


def reshape_below_reduction(
    g: Builder, op: Reduce, operands: Operands, out: TensorType
) -> Value | None:
    """`Reduce(Reshape(x)) -> Reshape(Reduce(x))`, if x is of lower rank.

    Exact but for the order in which an engine may sum floats.
    """
    regrouping = _of(operands[0])
    axes = None if regrouping is None else regrouping.axes(op.axes)
    if axes is None:
        return None
    return g.add(Reshape(out.shape), g.add(type(op)(axes), *operands[0].operands))


def reshape_below_softmax(
    g: Builder, op: FusedSoftmax, operands: Operands, out: TensorType
) -> Value | None:
    """`FusedSoftmax(Reshape(x)) -> Reshape(FusedSoftmax(x))`, if x is of lower rank."""
    regrouping = _of(operands[0])
    axes = None if regrouping is None else regrouping.axes((op.axis,))
    if axes is None or len(axes) != 1:
        return None
    return g.add(Reshape(out.shape), g.add(FusedSoftmax(*axes), *operands[0].operands))


def reshape_below_norm(
    g: Builder, op: layer_norm, operands: Operands, out: TensorType
) -> Value | None:
    """`layer_norm(Reshape(x)) -> Reshape(layer_norm(x))`, if x is of lower rank.

    The axes that are normed stay as they are.
    """
    x, *affine = operands
    if _of(x) is None or x.operands[0].type.shape[-op.count :] != out.shape[-op.count :]:
        return None
    return g.add(Reshape(out.shape), g.add(op, *x.operands, *affine))


def reshape_below_transpose(
    g: Builder, op: Transpose, operands: Operands, out: TensorType
) -> Value | None:
    """`Transpose(Reshape(x)) -> Reshape(Transpose(x))`, if x is of lower rank.

    The axes that one of x has become must stay side by side.
    """
    regrouping = _of(operands[0])
    order = None if regrouping is None else regrouping.order(op.permutation)
    if order is None:
        return None
    return g.add(Reshape(out.shape), g.add(Transpose(order), *operands[0].operands))


def reshape_below_slice(g: Builder, op: Slice, operands: Operands, out: TensorType) -> Value | None:
    """`Slice(Reshape(x)) -> Reshape(Slice(x))`, if x is of lower rank.

    Of the axes that one of x has become only the first may be cut.
    """
    regrouping = _of(operands[0])
    cut = None if regrouping is None else regrouping.cut(op, out.shape)
    return None if cut is None else g.add(Reshape(out.shape), g.add(cut, *operands[0].operands))


def reshapes_meet(g: Builder, op: Reshape, operands: Operands, out: TensorType) -> Value | None:
    """`Reshape(Transpose(Reshape(x))) -> Transpose(Reshape(x))`, if the result is of lower rank.

    The axes that become one must lie side by side before the transpose.
    """
    (x,) = operands
    if not isinstance(x.op, Transpose) or not isinstance(x.operands[0].op, Reshape):
        return None
    if not 0 < out.rank < x.type.rank or not out.size:
        return None
    order = Regrouping.of(out.shape, x.type.shape).order(inverse(x.op.permutation))
    if order is None:
        return None
    merged = g.add(Reshape(tuple([out.shape[a] for a in order])), *x.operands)
    return g.add(Transpose(inverse(order)), merged)


RULES: Rules = (
    (ELEMENTWISE, reshape_below),
    (REDUCTIONS, reshape_below_reduction),
    ((FusedSoftmax,), reshape_below_softmax),
    ((layer_norm,), reshape_below_norm),
    ((Transpose,), reshape_below_transpose),
    ((Slice,), reshape_below_slice),
    ((Reshape,), reshapes_meet),
)
