"""Rows of fused ops that would not decompose to GoMLX's ops alone, in GoMLX's own words.

XLA has no fused ops: GoMLX gives its back end these primitives instead. The other fused ops
decompose (`Op.decompose`) to what has a row.
"""

from __future__ import annotations

import math

import numpy as np
from jax import lax

from coremlc.baseline.elementwise import spread
from coremlc.baseline.emitted import power
from coremlc.baseline.row import Row, Tensor
from coremlc.ops.dense import FusedGelu
from coremlc.ops.norm import FusedLayerNorm, FusedSoftmax


def _number(value: float, like: Tensor) -> Tensor:
    return lax.broadcast(np.asarray(value, like.dtype), like.shape)


def _kept(x: Tensor, axes: tuple[int, ...], reduce: Row) -> Tensor:
    """A reduction whose result is spread over the operand's shape again."""
    return spread(lax.expand_dims(reduce(x, axes), axes), x.shape)


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    sums = lax.reduce_sum(x, axes)
    return lax.div(sums, _number(math.prod(x.shape[a] for a in axes), sums))


def _softmax(op: FusedSoftmax, x: Tensor) -> Tensor:
    p = lax.exp(x - _kept(x, (op.axis,), lax.reduce_max))
    return p / _kept(p, (op.axis,), lax.reduce_sum)


def _gelu(op: FusedGelu, x: Tensor) -> Tensor:
    one, half = _number(1, x), _number(0.5, x)
    if op.exact:
        return x * ((lax.erf(x / _number(math.sqrt(2), x)) + one) * half)
    cubic = x + power(x, _number(3, x)) * _number(0.044715, x)
    return x * ((lax.tanh(cubic * _number(math.sqrt(2 / math.pi), x)) + one) * half)


def _layer_norm(op: FusedLayerNorm, x: Tensor, *affine: Tensor) -> Tensor:
    centered = x - _kept(x, op.axes, _mean)
    variance = _kept(lax.square(centered), op.axes, _mean)
    y = centered / lax.sqrt(variance + _number(op.epsilon, x))
    wide = tuple(d if i in op.axes else 1 for i, d in enumerate(x.shape))
    vectors = iter([spread(lax.reshape(v, wide), x.shape) for v in affine])
    if op.gamma:
        y = y * next(vectors)
    return y + next(vectors) if op.beta else y


ROWS: dict[str, Row] = {
    "FusedSoftmax": _softmax,
    "FusedGelu": _gelu,
    "FusedLayerNorm": _layer_norm,
}
