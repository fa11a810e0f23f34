"""How far a float result may be from the oracle's: a bound for each element, by the kind of op.

None follows from what the compiler makes of an op, only from the op and its operands. Units are
those of the dtype in which the last step is computed: float32's, or a half type's where each step
is rounded to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.fuzz.case import Case
from benchmarks.fuzz.values import Array
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir import evaluate
from coremlc.ir.op import Exactness
from coremlc.ops.attention import LAYOUTS
from coremlc.ops.elementwise import Elementwise

UNITS = {"f16": 3, "bf16": 1}
"""Last places for one smooth function: each of its steps rounds to float16, the last to bfloat16.

In the other dtypes 6: measured at most 4.5 on either engine (Expm1), and 0.5 in bfloat16.
"""
STEPS = 16
"""Last places for a composite of float32 steps."""
SUM = 16
"""Units of the sum of the terms' magnitudes."""
MEAN = 4
"""Units of the mean of the magnitudes."""
BACKWARD = 2
"""Units by which operands are moved to see how a composite answers; twice that is allowed."""
DENORMALS = {"Logistic": 2.0**-126, "Tanh": 2.0**-142, "Expm1": 2.0**-141}
"""What may be lost where a result is denormal: 1 / (1 + exp(-x)) has none; ONNX Runtime's tanh."""
ACTIVATION_SLOPE = 1.5
"""Of the steepest activation, hard swish."""
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


def bound(case: Case, i: int, given: Sequence[Array]) -> Bound:
    """For result i of the operands given, which is no integer, and not exact."""
    with np.errstate(all="ignore"):
        exact = wide(case, given)[i]
        found = _model(case)(case, i, given, exact)
        if is_complex(case) or case.op.kind == "FusedScaledDotProductAttention":
            lost = found.overflows | ~np.isfinite(exact)  # inf * 0: where a weight or a part is 0
            found = dataclasses.replace(found, overflows=lost)
        return found


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


def last_place(x: Array, d: DType) -> Array:
    """The distance of numbers of a dtype at |x|, down to the denormals."""
    least = 2.0**-14 if d is dtypes.F16 else LEAST_NORMAL
    size = np.clip(np.abs(x), least, greatest(d))
    size = np.where(np.isnan(size), 1.0, size)
    return np.asarray(2.0 ** np.floor(np.log2(size)) * unit(d))


# --- by kind

Model = Callable[[Case, int, Sequence[Array], Array], Bound]


def _model(case: Case) -> Model:
    op = case.op
    special = _MODELS.get(op.kind)
    if special is not None:
        return special
    if op.exactness is Exactness.SUMMED or op.kind == "Mul":
        return _product if getattr(op, "reduction_type", "") == "Product" else _summed
    is_smooth = isinstance(op, Elementwise) or op.exactness is Exactness.BODIES
    return _smooth if is_smooth and not is_complex(case) else _composed


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
    relative = (8 + away + mean) * 2.0**-23 * np.abs(exact)
    return Bound(exact, relative + UNITS.get(d.short, 6) * last_place(exact, d) + LEAST_NORMAL)


def _summed(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """SUM units of the terms' magnitudes, in float32, whose result is rounded once."""
    scale = _terms(case, i, given)
    allowed = SUM * 2.0**-23 * scale + last_place(exact, case.results[i].dtype)
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
    size = list(kernel.shape)
    for axis, dilation in zip(op.axes.kernel_spatial, op.kernel_dilations, strict=True):
        size[axis] = (size[axis] - 1) * dilation + 1
    full = dataclasses.replace(op, kernel_dilations=(1,) * len(op.kernel_dilations))
    under = full.evaluate((~np.isfinite(x)).astype(float), np.ones(size)) > 0
    return dataclasses.replace(found, overflows=found.overflows | under)


def _terms(case: Case, i: int, given: Sequence[Array]) -> Array:
    """The sum of the magnitudes of the terms of each element."""
    sizes = [_size(x) for x in given]
    if case.op.kind == "FusedQuantizedDense":
        return _quantized_terms(case.op, sizes)
    if case.op.kind.startswith("SelectAndScatter"):
        sizes[0] = given[0]  # which selects
    return np.abs(wide(case, sizes)[i])


def _quantized_terms(op: Any, sizes: Sequence[Array]) -> Array:
    """The same, where a weight is a sum of its own: a level times its scale, and the zero point."""
    x, levels, *extra = sizes
    how, counts = op.weights_quantization, np.abs(levels.astype(np.int64))
    weights = np.abs(how.values(counts if how.scheme == "Linear" else levels, *extra[op.bias :]))
    if how.scheme == "GGML":
        return np.asarray(x @ weights.T + sum(extra[: op.bias]))
    most = greatest(dtypes.F32) / 2
    over = (weights > most).any(0) | (x @ counts > most)  # ONNX Runtime scales a product at last
    return np.where(over, np.inf, x @ weights + sum(extra[: op.bias]))


def _size(x: Array) -> Array:
    """Magnitudes, 0 for what is not finite; of complex numbers those of both parts."""
    if not _is_inexact(x):
        return x
    y = evaluate.widened(x)
    whole = np.abs(y.real) + np.abs(y.imag)
    return np.where(np.isfinite(whole), whole, 0).astype(y.dtype)


def _fft(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Each result has all of its transform as terms; in which infinity and NaN spread."""
    lengths = case.op.fft_length
    axes = tuple(range(-len(lengths), 0))
    scale = np.sum(_size(given[0]).real, axes, keepdims=True)
    if case.op.fft_type.startswith("Inverse"):
        scale = 2 * scale / np.prod(lengths)
    lost = ~np.isfinite(given[0]).all(axes, keepdims=True) | (scale > greatest(dtypes.F32) / 2)
    return Bound(exact, SUM * 2.0**-23 * scale + last_place(exact, dtypes.F32), lost)


def _product(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Some last places, if no order of the factors leaves the range of float32."""
    size = np.abs(evaluate.widened(given[0]))
    size = np.where(np.isfinite(size) & (size > 0), size, 1).astype(size.dtype)
    high, low = (wide(case, [f(size, 1)])[i] for f in (np.maximum, np.minimum))
    over, under = np.abs(high) > greatest(dtypes.F32) / 2, np.abs(low) < LEAST_NORMAL
    d = case.results[i].dtype
    near = SUM * 2.0**-23 * np.abs(wide(case, [size])[i])
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
    step = _step(case)
    off = (SUM * 2.0**-23 + 2 * (step if step > 2.0**-23 else 0)) * scale
    over = scale > greatest(d) / 2
    if activation == "none":
        return Bound(exact, off + last_place(exact, d), over)
    own = 2 * step * np.minimum(x, 16) + 2.0**-119  # hard swish, gelu: small differences of x
    own = own + max(UNITS.get(d.short, 6), 4) * last_place(exact, d)
    return Bound(exact, ACTIVATION_SLOPE * off + own, over, over)


def _composed(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """A backward error: what operands change that are off by BACKWARD units, twice."""
    d, step, bulk = case.results[i].dtype, _step(case), np.random.default_rng(0)
    gap, singular = np.zeros(exact.shape), np.zeros(exact.shape, bool)
    if case.op.kind == "FusedScaledDotProductAttention":
        given = _scored(case, given)
    for at in range(8):
        y = wide(case, [_moved(x, BACKWARD * step, at, bulk) for x in given])[i]
        alike = (y == exact) | (np.isnan(y) & np.isnan(exact))
        finite = np.isfinite(y) & np.isfinite(exact)
        singular |= ~alike & ~finite
        gap = np.maximum(gap, np.where(finite, np.abs(y - exact), 0))
    places = 4 if step > 2.0**-23 else 1 if d.bits == 16 else STEPS
    over = is_complex(case) & (np.abs(exact) > greatest(d) / 4)
    lost = LEAST_NORMAL  # a step may be denormal
    if case.op.kind == "FusedScaledDotProductAttention":  # a weight, then
        lost *= 1 + np.sum(_size(given[2]))
    return Bound(exact, 2 * gap + places * last_place(exact, d) + lost, over, singular)


def _power(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Of complex numbers: exp(y log x), where y log x may overflow."""
    if not is_complex(case):
        return _smooth(case, i, given, exact)
    found = _composed(case, i, given, exact)
    x, y = map(evaluate.widened, given)
    size = np.abs(y) * (np.abs(np.log(np.abs(x))) + np.pi)
    return dataclasses.replace(found, overflows=found.overflows | (size > greatest(dtypes.F32) / 4))


def _scored(case: Case, given: Sequence[Array]) -> list[Array]:
    """Operands of attention: a bias and an additive mask for each score, moved one by one."""
    query, key = (t.shape for t in case.types[:2])
    order = LAYOUTS[case.op.axes_layout]
    scores = [query[order[0]], query[order[1]], query[order[2]], key[order[2]]]
    out = list(given)
    at = len(given) - case.op.bias - case.op.mask
    if case.op.bias:
        out[at] = np.broadcast_to(given[at], scores)
    if case.op.mask:
        mask = given[-1].transpose(order) if given[-1].ndim == 4 else given[-1]
        mask = mask[:, None] if mask.ndim == 3 else mask
        out[-1] = np.broadcast_to(mask, scores).transpose(order)
    return out


def _layer_norm(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Composed, and units of the mean, which moves all elements alike."""
    op, x = case.op, evaluate.widened(given[0])
    wide = [n if a in op.axes else 1 for a, n in enumerate(x.shape)]
    gamma = np.abs(evaluate.widened(given[1])).reshape(wide) if op.gamma else 1.0
    return _add(_composed(case, i, given, exact), MEAN, gamma * _away(x, op.axes, op.epsilon))


def _training(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """The same; the mean is a result too."""
    op, x = case.op, evaluate.widened(given[0])
    axes = op.axes(x.ndim)
    scale = np.abs(op.column(x, evaluate.widened(given[1])))
    found = _composed(case, i, given, exact)
    if i == 0:
        return _add(found, MEAN, scale * _away(x, axes, op.epsilon))
    return _add(found, SUM, np.abs(x).mean(axes) if i == 1 else exact)


def _away(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """The mean magnitude, in deviations."""
    deviation = np.sqrt(x.var(axes, keepdims=True) + epsilon)
    return np.asarray(np.abs(x).mean(axes, keepdims=True) / deviation)


def _add(found: Bound, units: int, size: Array | float) -> Bound:
    """A bound that is so many units of a size wider."""
    return dataclasses.replace(found, allowed=found.allowed + units * 2.0**-23 * size)


def _gradient(case: Case, i: int, given: Sequence[Array], exact: Array) -> Bound:
    """Composed, and units of what a gradient less its means is the small difference of."""
    found, op = _composed(case, i, given, exact), case.op
    x, s, m, v, g = (evaluate.widened(y) for y in given)
    axes, n = op.axes(x.ndim), max(x.size // max(len(s), 1), 1)
    s, m, v = (op.column(x, y) for y in (s, m, v))
    size = np.maximum(np.abs(g), DENORMAL_UNIT)
    normal = np.maximum(np.abs(x - m) / np.sqrt(v + op.epsilon), DENORMAL_UNIT)
    by_scale, by_offset = (size * normal).sum(axes, keepdims=True), size.sum(axes, keepdims=True)
    terms = np.abs(s) / np.sqrt(v + op.epsilon) * (size + (by_offset + normal * by_scale) / n)
    scale = (terms, by_scale.sum(axes), by_offset.sum(axes))[i]
    return _add(found, SUM, scale)


def _step(case: Case) -> float:
    """The unit to which the steps of a composite round."""
    found = [
        t.dtype for t in (*case.types, *case.results) if t.dtype.is_float or t.dtype.is_complex
    ]
    d = found[0]
    return 2.0**-23 if d in case.op.rounds_once else unit(d)


def _moved(x: Array, by: float, at: int, bulk: np.random.Generator) -> Array:
    """Operands off by so much: all up, all down, then each part by chance.

    Real ones by no less than denormals are; a branch of a complex function is cut at 0.
    """
    if not _is_inexact(x):
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


def _is_inexact(x: Array) -> bool:
    if x.dtype.kind in "fc":  # what is widened has no GoMLX dtype
        return True
    d = dtypes.BY_NUMPY[x.dtype]
    return d.is_float or d.is_complex


_MODELS: dict[str, Model] = {
    "BatchNormForTraining": _training,
    "BatchNormGradient": _gradient,
    "ConvGeneral": _convolved,
    "FFT": _fft,
    "FusedDense": _dense,
    "FusedGelu": _gelu,
    "FusedLayerNorm": _layer_norm,
    "FusedQuantizedDense": _dense,
    "FusedSoftmax": _softmax,
    "Pow": _power,
    "ReduceProduct": _product,
}
