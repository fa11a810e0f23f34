"""What random cases are made of: sizes, axes, dtypes, and values with those at the edges.

Choices come from a `random.Random`: seeded, or hypothesis's, whose choices shrink towards the first
of each kind. Elements come in bulk, from one seed that it gives.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import ml_dtypes
import numpy as np

from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType

Rng: TypeAlias = random.Random
Array = np.ndarray[Any, Any]
T = TypeVar("T")
WAYS = 10
PLAIN = 3
"""The mixture of normal floats and small integers."""
MOST = 4000
"""Elements of an operand or a result."""
PACKED = frozenset(d for d in dtypes.ALL if d.bits < 8 or d.short.startswith("f8"))
ORDERED = dtypes.REAL | {dtypes.BOOL}
WHOLE = dtypes.INTEGER - PACKED
FLOAT = dtypes.FLOAT - PACKED
_ORDER = {
    d: i
    for i, d in enumerate(
        [dtypes.F32, *(d for d in dtypes.ALL if d is not dtypes.F32 and d not in PACKED)]
    )
}


def chance(rng: Rng, p: float) -> bool:
    """True by `p`; what shrinks becomes False."""
    return rng.random() > 1 - p


def some(rng: Rng, things: Iterable[T], low: int = 0) -> tuple[T, ...]:
    """At least `low` of them, in any order."""
    pool = list(things)
    return tuple(rng.sample(pool, rng.randint(min(low, len(pool)), len(pool))))


def integers(rng: Rng, low: int, high: int, n: int) -> tuple[int, ...]:
    """`n` integers, both ends included."""
    return tuple(rng.randint(low, high) for _ in range(n))


def dim(rng: Rng) -> int:
    """A size: 1 to 7, now and then 0 or more."""
    if chance(rng, 0.015):
        return 0
    return rng.randint(8, 40) if chance(rng, 0.03) else rng.choice((1, 1, 2, 3, 4, 5, 6, 7))


def dims(rng: Rng, low: int = 0, high: int = 5) -> tuple[int, ...]:
    """A shape of `low` to `high` axes; where 5 are allowed, now and then of 6 or 7."""
    if high == 5 and chance(rng, 0.04):
        return tuple(rng.choice((1, 2, 3)) for _ in range(rng.randint(6, 7)))
    while True:
        shape = tuple(dim(rng) for _ in range(rng.randint(low, high)))
        if math.prod(shape) <= MOST:
            return shape


def dtype(rng: Rng, accepts: frozenset[DType] = dtypes.ANY) -> DType:
    """Any of them; float32 often, the packed ones seldom."""
    usual = [d for d in _ORDER if d in accepts]
    packed = [d for d in dtypes.ALL if d in accepts & PACKED]
    if packed and (not usual or chance(rng, 0.06)):
        return rng.choice(packed)
    return rng.choice(usual[:1] * 3 + usual)


@dataclass(frozen=True)
class Operand:
    """Random elements, made anew for each round."""

    type: TensorType
    way: int
    """Which mixture the first round has."""
    seed: int
    span: tuple[int, int] | None = None
    """Between which it mostly lies: indices."""

    def array(self, turn: int) -> Array:
        """Elements of a round."""
        bulk, d, shape = np.random.default_rng((self.seed, turn)), self.type.dtype, self.type.shape
        if self.span is not None:
            return np.asarray(bulk.integers(*self.span, shape)).astype(d.numpy)
        with np.errstate(all="ignore"):
            way = (self.way + 3 * turn) % WAYS
            if not d.is_complex:
                return _elements(bulk, d, shape, way)
            out = np.empty(shape, np.complex64)
            for part in (out.real, out.imag):
                own = way if way == PLAIN else int(bulk.integers(WAYS))
                part[...] = _elements(bulk, dtypes.F32, shape, own)
            return np.asarray(out).astype(d.numpy)


@dataclass(frozen=True)
class Fixed:
    """The same elements in each round."""

    elements: Array

    @property
    def type(self) -> TensorType:
        return TensorType(dtypes.BY_NUMPY[self.elements.dtype], self.elements.shape)

    def array(self, turn: int) -> Array:
        """The elements."""
        return self.elements


Drawn: TypeAlias = tuple[Op, Sequence["Operand | Fixed"]]


def values(rng: Rng, d: DType, shape: Sequence[int]) -> Operand:
    """Any elements."""
    return Operand(TensorType(d, tuple(shape)), rng.randrange(WAYS), rng.getrandbits(32))


def indices(rng: Rng, shape: Sequence[int], high: int, d: DType | None = None) -> Operand:
    """Integers that are mostly below `high`."""
    d = dtype(rng, dtypes.INTEGER - PACKED) if d is None else d
    if chance(rng, 0.05):
        return values(rng, d, shape)
    wide = chance(rng, 0.3)
    low = max(-2, d.limits[0]) if wide else 0
    t = TensorType(d, tuple(shape))
    return Operand(t, 0, rng.getrandbits(32), (low, max(1, high) + 3 * wide))


def _elements(bulk: np.random.Generator, d: DType, shape: tuple[int, ...], way: int) -> Array:
    """Those of one way, or a mixture with edges."""
    if d is dtypes.BOOL:
        return np.asarray(bulk.integers(0, 2, shape)).astype(bool)
    ordinary = (_floats if d.is_float else _integers)(bulk, d, shape, way)
    if way < 6:
        return ordinary
    edge = bulk.choice(EDGES[d], shape)
    return np.asarray(np.where(bulk.random(shape) < (0.2 if way < 9 else 1), edge, ordinary))


def _floats(bulk: np.random.Generator, d: DType, shape: tuple[int, ...], way: int) -> Array:
    """Halves of small integers, normal ones, scaled ones, or any bits."""
    if way in (0, 1, 6):
        return _rounded(bulk.integers(-4, 5, shape) / 2, d)
    if way == 5:
        single = dtypes.F32.numpy if d is dtypes.F64 else d.numpy
        size = single.itemsize
        bits = np.asarray(bulk.integers(0, 2 ** (8 * size), shape, np.uint64, endpoint=False))
        x = np.asarray(bits.astype(f"u{size}")).view(single).astype(d.numpy)
        return np.where(np.isnan(x), _rounded(np.nan, d), x)  # NaN is one: bits and signal vary
    scale = 10.0 ** bulk.integers(-2, 4) if way == 2 else 1.0
    return _rounded(bulk.normal(size=shape) * scale, d)


def _integers(bulk: np.random.Generator, d: DType, shape: tuple[int, ...], way: int) -> Array:
    """Small ones, any bits, or any number of bits."""
    if way in (2, 5):
        drop = np.uint64(0) if way == 5 else bulk.integers(0, 64, shape, np.uint64)
        bits = bulk.integers(0, 2**64, shape, np.uint64, endpoint=False) >> drop
        return np.asarray(bits).astype(np.int64).astype(d.numpy)
    low, high = max(d.limits[0], -9), min(d.limits[1], 9)
    return np.asarray(bulk.integers(low, high, shape, endpoint=True)).astype(d.numpy)


def _rounded(x: Any, d: DType) -> Array:
    """`x` in a dtype; float64 is computed in float32, so it holds float32 values."""
    x = np.asarray(x)
    return (x.astype(np.float32) if d is dtypes.F64 else x).astype(d.numpy)


def _edges(d: DType) -> Array:
    """Where ops of a dtype go wrong."""
    if d.is_integer:
        low, high = d.limits
        steps = [0, 1, -1, 2, -2, 3, -3, 7, -8, 10, 127, 128, 255, 256, 1 << 15, 1 << 16, 1 << 24]
        steps += [s * (1 << b) + e for b in (31, 32, 53) for s in (1, -1) for e in (-1, 0, 1)]
        ends = [low, low + 1, high, high - 1]
        return np.array([*ends, *(i for i in steps if low <= i <= high)], object).astype(d.numpy)
    info = ml_dtypes.finfo(np.float32 if d is dtypes.F64 else d.numpy)
    tiny = [float(v) for v in (info.tiny, info.smallest_subnormal, info.max, info.eps)]
    some_ = [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 7.0, 1e-3, 1e-6, 1e-40, 0.1, 9.75, 100.0, 1e4, np.inf]
    both = [s * v for v in (*some_, *tiny) for s in (1, -1)]
    return _rounded([*both, np.nan], d)


with np.errstate(all="ignore"):
    EDGES = {d: _edges(d) for d in dtypes.ALL if d.is_integer or d.is_float}
