"""How far a float result may be from the oracle's: a bound for each element, by the kind of op.

None follows from what the compiler makes of an op, only from the op and its operands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.fuzz import composites
from benchmarks.fuzz.bound import (
    DENORMAL_UNIT,
    LEAST_NORMAL,
    SUM,
    UNIT,
    Bound,
    Model,
    greatest,
    is_complex,
    is_inexact,
    last_place,
    size,
    sum_units,
    wide,
)
from benchmarks.fuzz.case import Case
from benchmarks.fuzz.values import Array
from coremlc import dtypes
from coremlc.ir import evaluate
from coremlc.ir.op import Exactness
from coremlc.ops.elementwise import Elementwise

UNITS = {"f16": 3, "bf16": 1}
"""Last places for one smooth function: each of its steps rounds to float16, the last to bfloat16.

In the other dtypes 6: measured at most 4.5 on either engine (Expm1), and 0.5 in bfloat16.
"""
DENORMALS = {"Logistic": 2.0**-126, "Tanh": 2.0**-142, "Expm1": 2.0**-141}
"""What may be lost where a result is denormal: 1 / (1 + exp(-x)) has none; ONNX Runtime's tanh."""
ACTIVATION_SLOPE = 1.5
"""Of the steepest activation, hard swish."""


def bound(case: Case, i: int, given: Sequence[Array]) -> Bound:
    """For result i of the operands given, which is no integer, and not exact."""
    with np.errstate(all="ignore"):
        exact = wide(case, given)[i]
        found = _model(case)(case, i, given, exact)
        if is_complex(case) or case.op.kind == "FusedScaledDotProductAttention":
            found = found.or_overflows(~np.isfinite(exact))  # inf * 0: a weight or a part may be 0
        return found


def _model(case: Case) -> Model:
    op = case.op
    special = _MODELS.get(op.kind)
    if special is not None:
        return special
    if op.exactness is Exactness.SUMMED or op.kind == "Mul":
        return _product if getattr(op, "reduction_type", "") == "Product" else _summed
    is_smooth = isinstance(op, Elementwise) or op.exactness is Exactness.BODIES
    return _smooth if is_smooth and not is_complex(case) else composites.composed


def _smooth(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """A function of each element: some last places, however far off an operand would be."""
    d = case.results[i].dtype
    lost = DENORMALS.get(case.op.kind, 0.0)
    return Bound(exact, UNITS.get(d.short, 6) * last_place(exact, d) + lost)


def _gelu(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """The same, and what 1 + erf(x) loses below 0, where it is a small difference."""
    plain = _smooth(case, i, given, exact)
    x = np.abs(given[0].astype(float))
    return Bound(exact, plain.allowed + np.where(x < 16, x * 2.0**-22, 0))


def _softmax(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Exp of a difference rounded in float32 is off by half a unit of it, relatively."""
    d, x = case.results[i].dtype, given[0].astype(float)
    away = np.nan_to_num(np.max(x, case.op.axis, keepdims=True) - x, posinf=0.0)
    mean = np.sum(np.nan_to_num(exact) * away, case.op.axis, keepdims=True)
    relative = (8 + away + mean) * UNIT * np.abs(exact)
    return Bound(exact, relative + UNITS.get(d.short, 6) * last_place(exact, d) + LEAST_NORMAL)


def _summed(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Units of the terms' magnitudes, in float32, whose result is rounded once."""
    scale = _terms(case, i, given)
    units = sum_units(_count(case, i, given))
    allowed = units * UNIT * scale + last_place(exact, case.results[i].dtype)
    if case.op.kind == "FusedAttentionQKVProjection":  # a product, then a bias
        allowed += last_place(scale, case.results[i].dtype)
        return Bound(exact, allowed, scale > greatest(case.results[i].dtype) / 2)
    return Bound(exact, allowed, scale > greatest(dtypes.F32) / 2)


def _convolved(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """A sum; where a dilated kernel is no constant, its holes are zeros: of infinity, NaN."""
    found, op = _summed(case, i, given, exact), case.op
    if 1 in case.constants or max(op.kernel_dilations, default=1) == 1:
        return found
    x, kernel = (evaluate.widened(y) for y in given)
    dims = list(kernel.shape)
    for axis, dilation in zip(op.axes.kernel_spatial, op.kernel_dilations, strict=True):
        dims[axis] = (dims[axis] - 1) * dilation + 1
    full = dataclasses.replace(op, kernel_dilations=(1,) * len(op.kernel_dilations))
    under = full.evaluate((~np.isfinite(x)).astype(float), np.ones(dims)) > 0
    return found.or_overflows(under)


def _count(case: Case, i: int, given: Sequence[Array]) -> Array:
    """How many terms each element has."""
    ones = [np.ones_like(evaluate.widened(x)) if is_inexact(x) else x for x in given]
    if case.op.kind.startswith("SelectAndScatter"):
        ones[0] = given[0]
    return np.abs(wide(case, ones)[i])


def _terms(case: Case, i: int, given: Sequence[Array]) -> Array:
    """The sum of the magnitudes of the terms of each element."""
    sizes = [size(x) for x in given]
    if case.op.kind == "FusedQuantizedDense":
        return _quantized_terms(case.op, given[0], sizes)
    if case.op.kind.startswith("SelectAndScatter"):
        sizes[0] = given[0]  # which selects
    return np.abs(wide(case, sizes)[i])


def _quantized_terms(op: Any, given: Array, sizes: Sequence[Array]) -> Array:
    """The same, where a weight is a sum of its own: a level times its scale, and the zero point.

    Infinity where a weight may overflow, or vanish under an infinity.
    """
    x, levels, *extra = sizes
    how, counts = op.weights_quantization, np.abs(levels.astype(np.int64))
    weights = np.abs(how.values(counts if how.scheme == "Linear" else levels, *extra[op.bias :]))
    if how.scheme == "GGML":
        return np.asarray(x @ weights.T + sum(extra[: op.bias]))
    most = greatest(dtypes.F32) / 2
    over = (weights > most).any(0) | (x @ counts > most)  # ONNX Runtime scales a product at last
    over |= ~np.isfinite(given) @ ((weights > 0) & (weights < LEAST_NORMAL))
    kept = np.maximum(weights, DENORMAL_UNIT)
    return np.where(over, np.inf, x @ kept + sum(extra[: op.bias]))


def _fft(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Each result has all of its transform as terms; in which infinity and NaN spread."""
    lengths = case.op.fft_length
    axes = tuple(range(-len(lengths), 0))
    scale = np.sum(size(given[0]).real, axes, keepdims=True)
    if case.op.fft_type.startswith("Inverse"):
        scale = 2 * scale / np.prod(lengths)
    lost = ~np.isfinite(given[0]).all(axes, keepdims=True) | (scale > greatest(dtypes.F32) / 2)
    units = sum_units(np.prod(lengths))
    return Bound(exact, units * UNIT * scale + last_place(exact, dtypes.F32), lost)


def _product(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Some last places, if no order of the factors leaves the range of float32."""
    x = np.abs(evaluate.widened(given[0]))
    x = np.where(np.isfinite(x) & (x > 0), x, 1).astype(x.dtype)
    high, low = (wide(case, [f(x, 1)])[i] for f in (np.maximum, np.minimum))
    over, under = np.abs(high) > greatest(dtypes.F32) / 2, np.abs(low) < LEAST_NORMAL
    d = case.results[i].dtype
    near = SUM * UNIT * np.abs(wide(case, [x])[i])
    return Bound(exact, near + last_place(exact, d), over, under)


def _dense(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """A sum, and what an activation makes of its error."""
    op, d = case.op, case.results[i].dtype
    if hasattr(op, "options"):
        plain = dataclasses.replace(op, options=dataclasses.replace(op.options, activation="none"))
        activation = op.options.activation
    else:
        plain, activation = dataclasses.replace(op, activation="none"), op.activation
    linear = dataclasses.replace(case, op=plain)
    scale, x = _terms(linear, i, given), np.abs(wide(linear, given)[i])
    step = composites.step_of(case)
    off = (SUM * UNIT + 2 * (step if step > UNIT else 0)) * scale
    over = scale > greatest(d) / 2
    if activation == "none":
        return Bound(exact, off + last_place(exact, d), over)
    own = 2 * step * np.minimum(x, 16) + 2.0**-119  # hard swish, gelu: small differences of x
    own = own + max(UNITS.get(d.short, 6), 4) * last_place(exact, d)
    return Bound(exact, ACTIVATION_SLOPE * off + own, over, over)


def _power(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Of complex numbers: exp(y log x), where y log x may overflow."""
    if not is_complex(case):
        return _smooth(case, i, given, exact)
    found = composites.composed(case, i, given, exact)
    x, y = map(evaluate.widened, given)
    terms = np.abs(y) * (np.abs(np.log(np.abs(x))) + np.pi)
    off = 4 * UNIT * terms  # of the logarithm: where it is a turn, no phase is known
    allowed = found.allowed + np.abs(exact) * np.expm1(np.minimum(off, 1))
    found = dataclasses.replace(found, allowed=allowed, singular=found.singular | (off > 1))
    return found.or_overflows(terms > greatest(dtypes.F32) / 4)


_MODELS: dict[str, Model] = {
    "BatchNormForTraining": composites.training,
    "BatchNormGradient": composites.gradient,
    "ConvGeneral": _convolved,
    "FFT": _fft,
    "FusedDense": _dense,
    "FusedGelu": _gelu,
    "FusedLayerNorm": composites.layer_norm,
    "FusedQuantizedDense": _dense,
    "FusedScaledDotProductAttention": composites.attention,
    "FusedSoftmax": _softmax,
    "Pow": _power,
    "ReduceProduct": _product,
}
