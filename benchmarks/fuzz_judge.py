"""How far a result may be from the oracle's, and whether it is.

Integers, bools and what EXACT ops give: not at all, the sign of a zero included. Other floats: the
tolerance of their dtype, which is relative down to the denormals; where that is not enough,
- sums: 16 units of the sum of the terms' magnitudes, anything where that sum overflows;
- composites and complex arithmetic: 8 x the tolerance in half types (each op that it becomes rounds
  once), and what operands change that are off by 4 units, 16 in half types (a backward error).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.fuzz_case import Case
from benchmarks.fuzz_values import Array
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir import evaluate

_EXACT = """
    Abs Add AllReduce Bitcast BroadcastInDim Ceil Clamp Complex Concatenate Conj Constant
    ConvertDType Div DynamicReshape DynamicSlice DynamicUpdateSlice Floor Gather Identity Imag Iota
    Max Min Mul Neg OptimizationBarrier Pad Real ReduceMax ReduceMin Rem Reshape Reverse Round
    ScatterMax ScatterMin SchedulingBarrier Select Sign Slice Sort Sqrt Sub Transpose Where
"""
EXACT = frozenset(_EXACT.split())
"""Moved, chosen or rounded correctly, in real dtypes."""
MOVED = EXACT - {"Abs", "Add", "Div", "Mul", "Rem", "Sign", "Sqrt", "Sub"}
"""The same, in complex dtypes too."""
_SUMS = """
    BatchNormGradient ConvGeneral DotGeneral FFT FusedAttentionQKVProjection FusedDense
    FusedQuantizedDense ReduceSum ReduceWindow ScatterSum SelectAndScatterMax SelectAndScatterMin
"""
SUMS = frozenset(_SUMS.split())


def differs(
    case: Case, got: Sequence[Array], expected: Sequence[Array], given: Sequence[Array]
) -> str:
    """How results differ from those expected of the given operands; empty if they agree."""
    for i, (x, y) in enumerate(zip(got, expected, strict=True)):
        if x.dtype != y.dtype or x.shape != y.shape:
            return f"result {i} is {x.dtype}{list(x.shape)}, expected {y.dtype}{list(y.shape)}"
        if x.tobytes() == y.tobytes():
            continue
        far = _far(case, i, x, y, given)
        if far.any():
            at = tuple(int(k) for k in np.argwhere(far)[0])
            return f"result {i}: {far.sum()} of {far.size}, first {x[at]} for {y[at]} at {at}"
    return ""


def _far(case: Case, i: int, x: Array, y: Array, given: Sequence[Array]) -> Array:
    """Where a result is further off than allowed."""
    d, kind = case.results[i].dtype, case.op.kind
    if not (d.is_float or d.is_complex):
        return np.asarray(x != y)
    a, b = x.astype(dtypes.working(d)), y.astype(dtypes.working(d))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if kind in (MOVED if d.is_complex else EXACT):
        if d is dtypes.F64:  # computed in float32
            same |= a == b.astype(np.float32)
        return ~same | (_sign(a) != _sign(b)) & ~np.isnan(a)
    with np.errstate(all="ignore"):
        relative = d.tolerance[0]
        far = ~same & ~(np.abs(a - b) <= relative * np.abs(b) + 4 * _least(d))
        if not far.any():
            return far
        return far & ~_excused(case, i, a, b, given)


def _sign(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.asarray(np.signbit(x.real) + 2 * np.signbit(x.imag))
    return np.signbit(x)


def _excused(case: Case, i: int, a: Array, b: Array, given: Sequence[Array]) -> Array:
    d, kind = case.results[i].dtype, case.op.kind
    relative, absolute = d.tolerance
    if d.bits == 16:
        relative, absolute = 8 * relative, 8 * absolute
    allowed = spread(case, i, given) + absolute + relative * np.abs(b)
    ok = np.asarray((np.abs(a - b) <= allowed) | np.isposinf(allowed))
    if kind == "FusedScaledDotProductAttention" and not _finite(given):
        ok |= ~np.isfinite(a) & ~np.isfinite(b)
    elif (d.is_complex or kind in ("FFT", "ConvGeneral")) and not _finite(given):
        ok |= ~(np.isfinite(a) & np.isfinite(b))
    return ok


def spread(case: Case, i: int, given: Sequence[Array]) -> Array:
    """Absolute difference allowed for each element of a result, besides the tolerance."""
    r = case.results[i]
    exact = _wide(case, given)[i]
    allowed = np.zeros(exact.shape)
    bulk = np.random.default_rng(0)
    for at in range(8):
        y = _wide(case, [_moved(x, at, bulk) for x in given])[i]
        gap = np.abs(y - exact)
        same = (y == exact) | (np.isnan(y) & np.isnan(exact))
        gap = np.where(same, 0, np.where(np.isfinite(gap), gap, np.inf))
        allowed = np.maximum(allowed, 2 * gap)
    if case.op.kind in SUMS:
        sizes = [_size(x) for x in given]
        if case.op.kind.startswith("Select"):
            sizes[0] = given[0]
        scale = np.abs(_wide(case, sizes)[i])
        if case.op.kind == "FFT":
            scale = np.full(scale.shape, scale.max(initial=0))
        over = scale > _greatest(r.dtype) / 4
        allowed = np.maximum(allowed, np.where(over, np.inf, 16 * unit(r.dtype) * scale))
    near = np.abs(exact) * (1 - 16 * unit(r.dtype)) > _greatest(r.dtype)
    return np.where(near & np.isfinite(exact), np.inf, allowed)


def unit(d: DType) -> float:
    """The last place of 1."""
    return {"f16": 2.0**-10, "bf16": 2.0**-7}.get(d.short, 2.0**-23)


def _least(d: DType) -> float:
    """The smallest denormal."""
    return {"f16": 2.0**-24, "bf16": 2.0**-133}.get(d.short, 2.0**-149)


def _greatest(d: DType) -> float:
    return {"f16": 65504.0, "bf16": 3.38e38}.get(d.short, 3.4e38)


def _is_inexact(x: Array) -> bool:
    d = dtypes.BY_NUMPY[x.dtype]
    return d.is_float or d.is_complex


def _size(x: Array) -> Array:
    """Magnitudes, 0 for what is not finite, for the sum of the terms'."""
    if not _is_inexact(x):
        return x
    if x.dtype.kind == "c":
        y = np.abs(x.real.astype(float)) + np.abs(x.imag.astype(float))
        return np.where(np.isfinite(y), y, 0).astype(np.complex128)
    y = np.abs(x.astype(np.float64))
    return np.where(np.isfinite(y), y, 0)


def _moved(x: Array, at: int, bulk: np.random.Generator) -> Array:
    """Operands off by 4 units: all up, all down, each by chance."""
    if not _is_inexact(x):
        return x
    d = dtypes.BY_NUMPY[x.dtype]
    by = (16 if d.bits == 16 else 4) * unit(d)
    signs: Any = 1 - 2 * (at & 1) if at < 2 else bulk.choice([-1, 1], x.shape)
    return np.asarray(x.astype(dtypes.working(d)) * (1 + by * signs))


def _wide(case: Case, operands: Sequence[Array]) -> list[Array]:
    """Results in the dtype in which the oracle computes, not rounded."""
    op = case.op
    wide: list[Any] = [evaluate.widened(x) for x in operands]
    if op.bodies:
        wide.insert(0, lambda body, *xs: evaluate.run(body, xs))
    with np.errstate(all="ignore"):
        out = op.evaluate(*wide)
    out = out if isinstance(out, tuple) else (out,)
    return [np.asarray(y, dtypes.working(r.dtype)) for y, r in zip(out, case.results, strict=True)]


def _finite(given: Sequence[Array]) -> bool:
    """Whether every operand is."""
    return all(
        bool(np.isfinite(x.astype(dtypes.working(dtypes.BY_NUMPY[x.dtype]))).all())
        for x in given
        if _is_inexact(x)
    )
