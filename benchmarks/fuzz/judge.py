"""Whether results are those of the oracle.

Shapes, dtypes, integers and bools are equal. What is moved, chosen or rounded once is equal too,
the sign of a zero included. Other floats lie within their bound (bounds), NaN where NaN is due, an
infinity where that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.fuzz.bound import is_complex
from benchmarks.fuzz.bounds import bound
from benchmarks.fuzz.case import Case
from benchmarks.fuzz.values import Array
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir.op import Exactness
from coremlc.ops.elementwise import Elementwise


@dataclass(frozen=True)
class Verdict:
    """What is found of one round's results."""

    difference: str = ""
    """From what is due; empty if there is none."""
    open: int = 0
    """Elements that pass only since their bound is no number."""


def differs(
    case: Case, got: Sequence[Array], expected: Sequence[Array], given: Sequence[Array]
) -> Verdict:
    """How results differ from those expected of the given operands."""
    passed = 0
    for i, (x, y) in enumerate(zip(got, expected, strict=True)):
        if x.dtype != y.dtype or x.shape != y.shape:
            return Verdict(f"result {i} is {x.dtype}{x.shape}, expected {y.dtype}{y.shape}")
        if x.tobytes() == y.tobytes():
            continue
        far, open_ = _far(case, i, x, y, given)
        if far.any():
            at = tuple(int(k) for k in np.argwhere(far)[0])
            found = f"{far.sum()} of {far.size}, first {x[at]} for {y[at]} at {at}"
            return Verdict(f"result {i}: {found}")
        passed += open_
    return Verdict(open=passed)


def is_exact(case: Case, d: DType) -> bool:
    """Whether a result of a dtype is the oracle's to the bit, one NaN like another."""
    if not (d.is_float or d.is_complex):
        return True
    if case.op.exactness is Exactness.BODIES:
        found = {node.op.exactness for body in case.op.bodies for node in body.nodes}
        once = d is not dtypes.F64 and not d.is_complex
        return found <= {Exactness.EXACT, Exactness.ROUNDED} if once else found <= {Exactness.EXACT}
    if getattr(case.op, "reduction_type", "") in ("Max", "Min"):
        return True
    rounded = case.op.exactness is Exactness.ROUNDED and not is_complex(case)
    return rounded or case.op.exactness is Exactness.EXACT


def _has_extremes(case: Case) -> bool:
    """Whether a greatest or least number is taken, of which 0 and -0 may be either."""
    bodies = [node.op.kind for body in case.op.bodies for node in body.nodes]
    kinds = (case.op.kind, getattr(case.op, "reduction_type", ""), *bodies)
    return any("Max" in kind or "Min" in kind or kind == "Clamp" for kind in kinds)


def _has_both_zeros(given: Sequence[Array]) -> bool:
    zeros = [np.signbit(x[x == 0]) for x in given if x.dtype.kind != "c"]
    return any(z.any() for z in zeros) and not all(z.all() for z in zeros)


def _far(case: Case, i: int, x: Array, y: Array, given: Sequence[Array]) -> tuple[Array, int]:
    """Where a result is further off than allowed, and how many elements no number bounds."""
    d = case.results[i].dtype
    if not (d.is_float or d.is_complex):
        return np.asarray(x != y), 0
    if is_exact(case, d):
        far = _other(_parts(x, d), _parts(y, d), d)
        if _has_extremes(case) and (case.op.bodies or _has_both_zeros(given)):
            far &= ((x != 0) | (y != 0))[..., None]
        return far.any(-1), 0
    limits = bound(case, i, given)
    a, b = _parts(x, d), _parts(limits.exact, d)
    known = _is_near(a, b, _spread(limits.allowed), d) | _is_same(a, _parts(y, d))
    if isinstance(case.op, Elementwise) and not is_complex(case):
        known &= (a != 0) | (b != 0) | (np.signbit(a) == np.signbit(b))
    over, singular = (
        np.broadcast_to(_spread(m), a.shape) for m in (limits.overflows, limits.singular)
    )
    free = ~known & (singular | over & ~np.isfinite(a).all(-1, keepdims=True))
    return np.asarray(~(known | free).all(-1)), int(free.any(-1).sum())


def _parts(x: Array, d: DType) -> Array:
    """Real and imaginary part, or the number alone, along an axis of their own."""
    y = x.astype(dtypes.working(d))
    return np.stack([y.real, y.imag], -1) if d.is_complex else y[..., None]


def _spread(x: Array | bool) -> Array:
    return np.asarray(x)[..., None]


def _is_same(a: Array, b: Array) -> Array:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def _other(a: Array, b: Array, d: DType) -> Array:
    """Where numbers differ, or the signs of zeros."""
    same = _is_same(a, b)
    if d in (dtypes.F64, dtypes.C128):  # computed in float32
        with np.errstate(over="ignore"):
            same |= a == b.astype(np.float32)
    return ~same | (np.signbit(a) != np.signbit(b)) & ~np.isnan(a)


def _is_near(a: Array, exact: Array, allowed: Array, d: DType) -> Array:
    """Finite numbers within a bound, where infinity counts as what follows the largest number."""
    after = 2.0**16 if d is dtypes.F16 else 2.0**128
    with np.errstate(all="ignore"):
        beyond = np.where(a > 0, np.maximum(exact, after), np.minimum(exact, -after))
        gap = np.abs(np.where(np.isinf(a), beyond, a) - exact)
        return np.asarray(np.isfinite(exact) & (gap <= allowed))
