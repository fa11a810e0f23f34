"""Products and normalisations: matmul, linear, einsum, attention, softmax, norms."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, axes_of, kernel


def product(x: Array, y: Array) -> Array:
    """Matrix product; ints wrap (through float64 where it is exact, which is faster)."""
    if x.dtype.kind == "f":
        return np.matmul(x, y)
    return np.matmul(x.astype(np.int64), y.astype(np.int64)).astype(x.dtype)


@kernel("matmul", wide=True)
def matmul(x: Array, y: Array, transpose_x: Any = False, transpose_y: Any = False) -> Array:
    left = np.swapaxes(x, -1, -2) if transpose_x and x.ndim > 1 else x
    right = np.swapaxes(y, -1, -2) if transpose_y and y.ndim > 1 else y
    return np.asarray(product(left, right))


@kernel("linear", wide=True)
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    out = product(x, weight.T)
    return out if bias is None else out + bias


@kernel("einsum", wide=True)
def einsum(values: list[Array], equation: str) -> Array:
    kind = values[0].dtype
    if kind.kind == "f":
        return np.asarray(np.einsum(equation, *values, optimize=True))
    wide = [v.astype(np.int64) for v in values]
    return np.asarray(np.einsum(equation, *wide)).astype(kind)


def softmax_of(x: Array, axis: int) -> Array:
    """A row of -inf only, or with +inf, gives NaN."""
    if x.size == 0:
        return x
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


@kernel("softmax", wide=True)
def softmax(x: Array, axis: Any = -1) -> Array:
    return softmax_of(x, int(axis))


@kernel("scaled_dot_product_attention", wide=True)
def scaled_dot_product_attention(
    query: Array, key: Array, value: Array, attn_mask: Array | None = None
) -> Array:
    scale = np.float32(1 / np.sqrt(query.shape[-1]))
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * scale
    if attn_mask is not None:
        if attn_mask.dtype == np.bool_:
            scores = np.where(attn_mask, scores, -np.inf).astype(scores.dtype)
        else:
            scores = scores + attn_mask
    return np.matmul(softmax_of(scores, -1), value)


def _scale(x: Array, value: Array | None, shape: list[int]) -> Array | None:
    return None if value is None else value.astype(x.dtype).reshape(shape)


def _normalize(
    x: Array,
    axes: tuple[int, ...],
    gamma: Array | None,
    beta: Array | None,
    epsilon: Any,
) -> Array:
    """(x - mean) / sqrt(variance + epsilon), then gamma and beta (already shaped)."""
    centred = x - x.mean(axes, keepdims=True)
    variance = np.square(centred).mean(axes, keepdims=True)
    out = centred / np.sqrt(variance + np.asarray(epsilon, x.dtype))
    out = out if gamma is None else out * gamma
    return out if beta is None else out + beta


@kernel("layer_norm", wide=True)
def layer_norm(
    x: Array,
    axes: Array | None = None,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Any = 1e-5,
) -> Array:
    over = axes_of(axes, x.ndim)
    shape = [d if i in over else 1 for i, d in enumerate(x.shape)]
    return _normalize(x, over, _scale(x, gamma, shape), _scale(x, beta, shape), epsilon)


@kernel("instance_norm", wide=True)
def instance_norm(
    x: Array, gamma: Array | None = None, beta: Array | None = None, epsilon: Any = 1e-5
) -> Array:
    shape = [-1] + [1] * (x.ndim - 2)
    over = tuple(range(2, x.ndim))
    return _normalize(x, over, _scale(x, gamma, shape), _scale(x, beta, shape), epsilon)


@kernel("batch_norm", wide=True)
def batch_norm(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    epsilon: Any = 1e-5,
) -> Array:
    shape = [-1] + [1] * (x.ndim - 2)
    deviation = np.sqrt(variance + np.asarray(epsilon, x.dtype)).reshape(shape)
    out = (x - mean.reshape(shape)) / deviation
    scale, shift = _scale(x, gamma, shape), _scale(x, beta, shape)
    out = out if scale is None else out * scale
    return out if shift is None else out + shift


@kernel("l2_norm", wide=True)
def l2_norm(x: Array, epsilon: Any = 1e-6) -> Array:
    """Over the last three axes."""
    total = np.square(x).sum((-3, -2, -1), keepdims=True)
    return x / np.sqrt(total + np.asarray(epsilon, x.dtype))


@kernel("local_response_norm", wide=True)
def local_response_norm(
    x: Array, size: Any, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0
) -> Array:
    width = int(size)
    before = (width - 1) // 2
    square = np.square(x)
    padded = np.pad(square, [(0, 0), (before, width - 1 - before), *[(0, 0)] * (x.ndim - 2)])
    total = sum(padded[:, i : i + x.shape[1]] for i in range(width))
    scale = np.float32(k) + np.float32(alpha) / np.float32(width) * total
    return np.asarray(x / scale ** np.float32(beta))
