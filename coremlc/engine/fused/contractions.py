"""Ops with an inner loop: sums of products, largest and smallest elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from coremlc.engine.fused.loops import dims_of
from coremlc.engine.fused.places import Key, Place, Steps, key_of
from coremlc.mil.program import Arg, Op
from coremlc.mil.types import TensorType


@dataclass(frozen=True, slots=True)
class Factor:
    """What is read in the inner loop: in steps of the outer loops, and of the inner ones."""

    key: Key
    inner: Steps


@dataclass(frozen=True, slots=True)
class Contraction:
    """An element is made of products of factors over the inner dims."""

    kind: str
    """sum, max or min."""
    dims: tuple[int, ...]
    factors: tuple[Factor, ...]
    plus: Key | None = None
    divisor: int = 1

    @property
    def keys(self) -> list[Key]:
        """All that is read."""
        return [f.key for f in self.factors] + ([] if self.plus is None else [self.plus])


Placer = Callable[[Arg], Place]
Known = Callable[[Arg], Any]


def _linear(op: Op, place: Placer, known: Known) -> Contraction:
    (x,), (weight,) = op.inputs["x"], op.inputs["weight"]
    shape = dims_of(op.outputs[0].tensor.shape)
    left, right = place(x), place(weight)
    lead = Place(left.buffer, left.offset, (*left.steps[:-1], 0))
    rows = Place(right.buffer, right.offset, right.steps[:1])
    factors = (
        Factor(key_of(lead, (*_dims(x)[:-1], 1), shape), left.steps[-1:]),
        Factor(key_of(rows, _dims(weight)[:1], shape), right.steps[-1:]),
    )
    bias = op.inputs.get("bias")
    plus = None if bias is None else key_of(place(bias[0]), _dims(bias[0]), shape)
    return Contraction("sum", _dims(x)[-1:], factors, plus)


def _matmul(op: Op, place: Placer, known: Known) -> Contraction:
    shape = dims_of(op.outputs[0].tensor.shape)
    turns = [name in op.inputs and bool(known(op.inputs[name][0])) for name in _TURNS]
    (x,), (y,) = op.inputs["x"], op.inputs["y"]
    left, x_dims = _turned(place(x), _dims(x), turned=turns[0])
    right, y_dims = _turned(place(y), _dims(y), turned=turns[1])
    rows = Place(left.buffer, left.offset, (*left.steps[:-1], 0))
    columns = Place(right.buffer, right.offset, (*right.steps[:-2], 0, right.steps[-1]))
    factors = (
        Factor(key_of(rows, (*x_dims[:-1], 1), shape), left.steps[-1:]),
        Factor(key_of(columns, (*y_dims[:-2], 1, y_dims[-1]), shape), right.steps[-2:-1]),
    )
    return Contraction("sum", x_dims[-1:], factors)


_TURNS = ("transpose_x", "transpose_y")


def _turned(place: Place, dims: tuple[int, ...], *, turned: bool) -> tuple[Place, tuple[int, ...]]:
    """With the last two axes swapped, or not."""
    if not turned:
        return place, dims
    steps = (*place.steps[:-2], place.steps[-1], place.steps[-2])
    return Place(place.buffer, place.offset, steps), (*dims[:-2], dims[-1], dims[-2])


def _reduction(kind: str, *, mean: bool = False) -> Callable[[Op, Placer, Known], Contraction]:
    def contraction(op: Op, place: Placer, known: Known) -> Contraction:
        (x,) = op.inputs["x"]
        dims, source = _dims(x), place(x)
        axes = _axes(known(op.inputs["axes"][0]) if "axes" in op.inputs else None, len(dims))
        kept = [axis for axis in range(len(dims)) if axis not in axes]
        outer = Place(source.buffer, source.offset, tuple(source.steps[a] for a in kept))
        shape = tuple(dims[a] for a in kept)
        inner = tuple(dims[a] for a in axes)
        factor = Factor(key_of(outer, shape, shape), tuple(source.steps[a] for a in axes))
        return Contraction(kind, inner, (factor,), divisor=prod(inner) if mean else 1)

    return contraction


def _axes(axes: Any, rank: int) -> Sequence[int]:
    return range(rank) if axes is None else sorted(int(a) % rank for a in axes)


def _dims(arg: Arg) -> tuple[int, ...]:
    assert isinstance(arg.type, TensorType)
    return dims_of(arg.type.shape)


CONTRACTIONS: dict[str, Callable[[Op, Placer, Known], Contraction]] = {
    "linear": _linear,
    "matmul": _matmul,
    "reduce_sum": _reduction("sum"),
    "reduce_mean": _reduction("sum", mean=True),
    "reduce_max": _reduction("max"),
    "reduce_min": _reduction("min"),
}
