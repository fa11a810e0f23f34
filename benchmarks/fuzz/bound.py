"""A bound, and what bounds are made of: units of dtypes, magnitudes, results that are not rounded.

Units are those of the dtype in which the last step is computed: float32's, or a half type's where
each step is rounded to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from benchmarks.fuzz.case import Case
from benchmarks.fuzz.values import Array
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir import evaluate

UNIT = 2.0**-23
"""Float32's last place of 1."""
SUM = 16
"""Units of the sum of the terms' magnitudes, if they are few."""
LANES = 16
"""Sums that an engine adds up at once; terms of a few values are all rounded the same way."""
LEAST_NORMAL = 2.0**-126
DENORMAL_UNIT = 2.0**-103
"""A number of which a unit is the least normal one."""


@dataclass(frozen=True)
class Bound:
    """What a result may be, element by element; parts of complex results alike."""

    exact: Array
    """The oracle's, not rounded: float64, complex128."""
    allowed: Array
    """Distance from it."""
    overflows: Array | bool = False
    """Where a step may overflow that the oracle's has not: not finite is right too."""
    singular: Array | bool = False
    """Where operands off by BACKWARD units leave no number (a variance about 0): anything is."""

    def wider(self, units: Array | float, size: Array | float) -> Bound:
        """By so many units of a size."""
        return dataclasses.replace(self, allowed=self.allowed + units * UNIT * size)

    def or_overflows(self, where: Array) -> Bound:
        """The same, which may overflow there too."""
        return dataclasses.replace(self, overflows=self.overflows | where)


Model: TypeAlias = Callable[[Case, int, Sequence[Array], Array], Bound]
"""(case, i, operands, result i not rounded) -> its bound."""


def wide(case: Case, operands: Sequence[Array]) -> list[Array]:
    """Results in the dtype in which the oracle computes, not rounded."""
    op = case.op
    operands_: list[Any] = [evaluate.widened(x) for x in operands]
    if op.bodies:
        operands_.insert(0, lambda body, *xs: evaluate.run(body, xs))
    out = op.evaluate(*operands_)
    out = out if isinstance(out, tuple) else (out,)
    return [np.asarray(y, dtypes.working(r.dtype)) for y, r in zip(out, case.results, strict=True)]


def is_complex(case: Case) -> bool:
    """Whether any operand or result is."""
    return any(t.dtype.is_complex for t in (*case.types, *case.results))


def unit(d: DType) -> float:
    """The last place of 1, in what a dtype is computed in."""
    return {"f16": 2.0**-10, "bf16": 2.0**-7}.get(d.short, 2.0**-23)


def greatest(d: DType) -> float:
    """The largest number."""
    return {"f16": 65504.0, "bf16": (2 - 2.0**-7) * 2.0**127}.get(
        d.short, (2 - 2.0**-23) * 2.0**127
    )


def sum_units(count: Array | float) -> Array:
    """Units of the sum of so many magnitudes: half a unit for each term of a lane."""
    return np.asarray(SUM + np.asarray(count) / (2 * LANES))


def last_place(x: Array, d: DType) -> Array:
    """The distance of numbers of a dtype at |x|, down to the denormals."""
    least = 2.0**-14 if d is dtypes.F16 else LEAST_NORMAL
    size = np.clip(np.abs(x), least, greatest(d))
    size = np.where(np.isnan(size), 1.0, size)
    return np.asarray(2.0 ** np.floor(np.log2(size)) * unit(d))


def size(x: Array) -> Array:
    """Magnitudes, 0 for what is not finite; of complex numbers those of both parts."""
    if not is_inexact(x):
        return x
    y = evaluate.widened(x)
    whole = np.abs(y.real) + np.abs(y.imag)
    return np.where(np.isfinite(whole), whole, 0).astype(y.dtype)


def is_inexact(x: Array) -> bool:
    """Whether elements are floats or complex."""
    if x.dtype.kind in "fc":  # what is widened has no GoMLX dtype
        return True
    d = dtypes.BY_NUMPY[x.dtype]
    return d.is_float or d.is_complex
