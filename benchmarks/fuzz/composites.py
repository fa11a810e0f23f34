"""Bounds of composites: norms, attention, complex functions.

What a composite makes of rounded steps is judged by what it makes of operands that are a little
off, and where a step is a small difference of large numbers, by units of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.fuzz.bound import (
    DENORMAL_UNIT,
    LEAST_NORMAL,
    SUM,
    UNIT,
    Bound,
    greatest,
    is_complex,
    is_inexact,
    last_place,
    size,
    sum_units,
    unit,
    wide,
)
from benchmarks.fuzz.case import Case
from benchmarks.fuzz.values import Array
from coremlc.ir import evaluate
from coremlc.ops.attention import LAYOUTS

STEPS = 16
"""Last places for a composite of float32 steps."""
MEAN = 4
"""Units of the mean of the magnitudes."""
SCORE = 4
"""Units of the terms of a score of attention."""
BACKWARD = 2
"""Units by which operands are moved to see how a composite answers; twice that is allowed."""


def composed(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """A backward error: what operands change that are off by BACKWARD units, twice."""
    d, step, bulk = case.results[i].dtype, step_of(case), np.random.default_rng(0)
    gap, singular = np.zeros(exact.shape), np.zeros(exact.shape, bool)
    for at in range(8):
        y = wide(case, [_moved(x, BACKWARD * step, at, bulk) for x in given])[i]
        alike = (y == exact) | (np.isnan(y) & np.isnan(exact))
        finite = np.isfinite(y) & np.isfinite(exact)
        singular |= ~alike & ~finite
        gap = np.maximum(gap, np.where(finite, np.abs(y - exact), 0))
    places = 4 if step > UNIT else 1 if d.bits == 16 else STEPS
    over = is_complex(case) & (np.abs(exact) > greatest(d) / 4)
    allowed = 2 * gap + places * last_place(exact, d) + LEAST_NORMAL  # a step may be denormal
    return Bound(exact, allowed, over, singular)


def attention(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Scores off by SCORE units of their terms, what that makes of the weights, and a sum."""
    op, d = case.op, case.results[i].dtype
    order, (query, key, value, *extra) = LAYOUTS[op.axes_layout], map(evaluate.widened, given)
    off = SCORE * UNIT * _score_terms(op, [size(x) for x in given])
    keys = np.zeros((*off.shape[:1], value.shape[order[1]], off.shape[3], off.shape[3]))
    keys[...] = np.eye(off.shape[3])
    weights = op.evaluate(query, key, keys.transpose(order), *extra).transpose(order)
    weights = np.nan_to_num(weights)
    factor = np.minimum(off + (weights * off).sum(-1, keepdims=True), 700)
    moved = np.where(factor < 700, np.minimum(weights * np.expm1(factor), 1), 1)
    values = size(given[2]).transpose(order).repeat(off.shape[1] // keys.shape[1], axis=1)
    allowed = (moved + (SUM * UNIT) * weights + LEAST_NORMAL) @ values
    return Bound(exact, allowed.transpose(order) + last_place(exact, d))


def _score_terms(op: Any, sizes: Sequence[Array]) -> Array:
    """Magnitudes of what is added to scores: [batch, heads, query, key]."""
    order = LAYOUTS[op.axes_layout]
    query, key = (x.transpose(order) for x in sizes[:2])
    key = key.repeat(query.shape[1] // key.shape[1], axis=1)
    terms = np.einsum("bhsd,bhnd->bhsn", query, key) * abs(op.options.scale)
    extra = sizes[3 + op.query_seq_len + op.key_value_seq_len :]
    if op.bias:
        terms = terms + extra[0]
    if op.mask and extra[-1].dtype != bool:
        mask = extra[-1].transpose(order) if extra[-1].ndim == 4 else extra[-1]
        terms = terms + (mask[:, None] if mask.ndim == 3 else mask)
    return np.asarray(terms)


def layer_norm(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Composed, and units of the mean, which moves all elements alike."""
    op, x = case.op, evaluate.widened(given[0])
    dims = [n if a in op.axes else 1 for a, n in enumerate(x.shape)]
    gamma = np.abs(evaluate.widened(given[1])).reshape(dims) if op.gamma else 1.0
    return composed(case, i, given, exact).wider(MEAN, gamma * _away(x, op.axes, op.epsilon))


def training(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """The same; the mean is a result too."""
    op, x = case.op, evaluate.widened(given[0])
    axes = op.axes(x.ndim)
    scale = np.abs(op.column(x, evaluate.widened(given[1])))
    found = composed(case, i, given, exact)
    if i == 0:
        return found.wider(MEAN, scale * _away(x, axes, op.epsilon))
    units = sum_units(op.count(case.types[0]))
    return found.wider(units, np.abs(x).mean(axes) if i == 1 else exact)


def _away(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """The mean magnitude, in deviations."""
    deviation = np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return np.asarray(np.abs(x).mean(axes, keepdims=True) / deviation)


def gradient(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Composed, and units of what a gradient less its means is the small difference of."""
    found, op = composed(case, i, given, exact), case.op
    x, s, m, v, g = (evaluate.widened(y) for y in given)
    axes, n = op.axes(x.ndim), max(x.size // max(len(s), 1), 1)
    s, m, v = (op.column(x, y) for y in (s, m, v))
    grown = np.maximum(np.abs(g), DENORMAL_UNIT)
    normal = np.maximum(np.abs(x - m) / np.sqrt(v + op.epsilon), DENORMAL_UNIT)
    by_scale, by_offset = (grown * normal).sum(axes, keepdims=True), grown.sum(axes, keepdims=True)
    terms = np.abs(s) / np.sqrt(v + op.epsilon) * (grown + (by_offset + normal * by_scale) / n)
    return found.wider(sum_units(n), (terms, by_scale.sum(axes), by_offset.sum(axes))[i])


def step_of(case: Case) -> float:
    """The unit to which the steps of a composite round."""
    found = [
        t.dtype for t in (*case.types, *case.results) if t.dtype.is_float or t.dtype.is_complex
    ]
    d = found[0]
    return UNIT if d in case.op.rounds_once else unit(d)


def _moved(x: Array, by: float, at: int, bulk: np.random.Generator) -> Array:
    """Operands off by so much: all up, all down, then each part by chance.

    Real ones by no less than denormals are; a branch of a complex function is cut at 0.
    """
    if not is_inexact(x):
        return x
    y = np.array(evaluate.widened(x))
    if y.dtype.kind != "c":
        off = np.maximum(np.abs(y), DENORMAL_UNIT) * by * _signs(at, x, bulk)
        return np.where(np.isfinite(y), y + off, y)
    for part in (y.real, y.imag):
        part *= 1 + by * _signs(at, x, bulk)
    return y


def _signs(at: int, x: Array, bulk: np.random.Generator) -> Any:
    return 1 - 2 * at if at < 2 else bulk.choice([-1, 1], x.shape)
