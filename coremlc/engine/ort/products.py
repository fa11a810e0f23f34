"""Recipes for products and normalisations: matmul, linear, einsum, attention, softmax, norms."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

import numpy as np

from coremlc.engine.ort.emitter import LARGE, Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import ONNX_DTYPES, T, axes_of, axis_of, bool_of, float_of, int_of
from coremlc.mil.types import TensorType


def _turned(g: Emitter, x: T, flag: bool) -> Name:
    if not flag or x.rank < 2:
        return x
    perm = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    return g.node("Transpose", x, perm=perm)


@recipe("matmul", wide=True)
def matmul(
    g: Emitter,
    x: T,
    y: T,
    out: tuple[TensorType, ...],
    transpose_x: T | None = None,
    transpose_y: T | None = None,
) -> str:
    left, right = bool_of(transpose_x, default=False), bool_of(transpose_y, default=False)
    if not x.is_float:
        return _int_matmul(g, x, y, _turned(g, x, left), _turned(g, y, right), out[0])
    if y.rank == 2 and x.rank >= 2 and x.is_static and y.is_static and y.is_const and not left:
        return _dense(g, x, y, None, transposed=right)
    if x.rank >= 2 and y.rank >= 2:
        return _product(g, x, y, left=left, right=right)
    return g.node("MatMul", x, y)


def _product(g: Emitter, x: T, y: T, *, left: bool, right: bool) -> str:
    """MatMul of operands that may be turned."""
    if not left and not right:
        return g.node("MatMul", x, y)
    turned = {"transA": int(left), "transB": int(right)}
    return g.node("FusedMatMul", x, y, domain="com.microsoft", **turned)


def _int_matmul(g: Emitter, x: T, y: T, left: Name, right: Name, out: TensorType) -> str:
    """MatMul on ints wraps, slowly; in float64 it is exact while no sum can pass 2^51."""
    if not (x.is_static and y.is_static) or x.size * y.size < LARGE * LARGE:
        return g.node("MatMul", left, right)
    largest = g.node("Mul", _largest(g, x), _largest(g, y))
    bound = g.node("Mul", largest, g.const(np.float64(max(x.dims))))
    return g.branch(
        g.node("LessOrEqual", bound, g.const(np.float64(2**51))),
        lambda: _wrapped(g, g.node("MatMul", g.cast(left, "fp64"), g.cast(right, "fp64"))),
        lambda: g.node("MatMul", left, right),
        out,
    )


def _largest(g: Emitter, x: T) -> str:
    """The largest size, in float64, which holds that of INT_MIN too."""
    ends = [g.cast(g.node(kind, x, keepdims=0), "fp64") for kind in ("ReduceMax", "ReduceMin")]
    return g.node("Max", *(g.node("Abs", end) for end in ends))


def _wrapped(g: Emitter, x: Name) -> str:
    """Whole float64 up to 2^51 modulo 2^32.

    Beside 1.5 * 2^52 the last bits of the fraction are those of the int. A cast to int64 and on
    to int32 would not do: ORT makes one cast of them, which saturates.
    """
    beside = g.node("Add", x, g.const(np.float64(1.5 * 2**52)))
    return g.cast(g.node("BitCast", beside, to=ONNX_DTYPES["int64"]), "int32")


def _dense(g: Emitter, x: T, weight: T, bias: T | None, *, transposed: bool) -> str:
    """One Gemm on rows, which adds the bias too; both ops read W as it lies."""
    if bias is None and x.rank > 2:
        return _product(g, x, weight, left=False, right=transposed)
    depth = x.dims[-1]
    width = weight.dims[0 if transposed else 1]
    rows = int(np.prod(x.dims[:-1], dtype=np.int64))
    flat: Name = x if x.rank == 2 else g.reshape(x, [rows, depth])
    operands: list[Name] = [flat, weight] if bias is None else [flat, weight, bias]
    product = g.node("Gemm", *operands, transB=int(transposed))
    return product if x.rank == 2 else g.reshape(product, [*x.dims[:-1], width])


@recipe("linear", wide=True)
def linear(g: Emitter, x: T, weight: T, bias: T | None = None) -> str:
    if bias is not None and _is_zero(bias):
        bias = None
    if x.is_float and x.is_static and x.rank >= 2 and x.size:
        return _dense(g, x, weight, bias, transposed=True)
    product = g.node("MatMul", x, _turned(g, weight, True))
    return product if bias is None else g.node("Add", product, bias)


def _is_zero(bias: T) -> bool:
    return bias.is_const and bias.value is not None and not np.asarray(bias.value).any()


@recipe("einsum", wide=True)
def einsum(g: Emitter, values: list[T], equation: str) -> str:
    return g.node("Einsum", *values, equation=equation)


@recipe("softmax", wide=True)
def softmax(g: Emitter, x: T, axis: T | None = None) -> str:
    return g.node("Softmax", x, axis=axis_of(axis, x.rank, -1))


@recipe("scaled_dot_product_attention", wide=True)
def scaled_dot_product_attention(
    g: Emitter, query: T, key: T, value: T, attn_mask: T | None = None
) -> str:
    scale = float(np.float32(1 / np.sqrt(query.dims[-1])))
    scores = g.node("FusedMatMul", query, key, domain="com.microsoft", transB=1, alpha=scale)
    if attn_mask is not None and attn_mask.dtype == "bool":
        scores = g.choose(attn_mask, scores, np.float32(-np.inf))
    elif attn_mask is not None:
        scores = g.node("Add", scores, attn_mask)
    return g.node("MatMul", g.node("Softmax", scores, axis=-1), value)


def _reshaped(g: Emitter, value: T, shape: list[int]) -> str:
    if value.is_const and value.value is not None and value.size < 1024:
        return g.const(value.value.reshape(shape))
    return g.reshape(value, shape)


@recipe("layer_norm", wide=True)
def layer_norm(
    g: Emitter,
    x: T,
    axes: T | None = None,
    gamma: T | None = None,
    beta: T | None = None,
    epsilon: T | None = None,
) -> str:
    over = axes_of(axes, x.rank)
    eps = float_of(epsilon, 1e-5)
    shape = [d if i in over else 1 for i, d in enumerate(x.dims)]
    if over == list(range(x.rank - len(over), x.rank)) and over:
        tail = [x.dims[i] for i in over]
        scale: Name = g.const(np.ones(tail, np.float32)) if gamma is None else gamma
        operands = [x, scale] if beta is None else [x, scale, beta]
        return g.node("LayerNormalization", *operands, axis=over[0], epsilon=eps)
    out = _normalized(g, x, over, eps)
    out = out if gamma is None else g.node("Mul", out, _reshaped(g, gamma, shape))
    return out if beta is None else g.node("Add", out, _reshaped(g, beta, shape))


def _normalized(g: Emitter, x: Name, axes: list[int], epsilon: float) -> str:
    over = g.i64(*axes)
    centred = g.node("Sub", x, g.node("ReduceMean", x, over, keepdims=1))
    variance = g.node("ReduceMean", g.node("Mul", centred, centred), over, keepdims=1)
    deviation = g.node("Sqrt", g.node("Add", variance, g.const(np.float32(epsilon))))
    return g.node("Div", centred, deviation)


def _channel(g: Emitter, value: T | None, x: T, default: float) -> Name:
    return g.const(np.full(x.dims[1], default, np.float32)) if value is None else value


@recipe("instance_norm", wide=True)
def instance_norm(
    g: Emitter, x: T, gamma: T | None = None, beta: T | None = None, epsilon: T | None = None
) -> str:
    return g.node(
        "InstanceNormalization",
        x,
        _channel(g, gamma, x, 1),
        _channel(g, beta, x, 0),
        epsilon=float_of(epsilon, 1e-5),
    )


@recipe("batch_norm", wide=True)
def batch_norm(
    g: Emitter,
    x: T,
    mean: T,
    variance: T,
    gamma: T | None = None,
    beta: T | None = None,
    epsilon: T | None = None,
) -> str:
    return g.node(
        "BatchNormalization",
        x,
        _channel(g, gamma, x, 1),
        _channel(g, beta, x, 0),
        mean,
        variance,
        epsilon=float_of(epsilon, 1e-5),
    )


@recipe("l2_norm", wide=True)
def l2_norm(g: Emitter, x: T, epsilon: T | None = None) -> str:
    total = g.node("ReduceSumSquare", x, g.i64(-3, -2, -1), keepdims=1)
    eps = g.const(np.float32(float_of(epsilon, 1e-6)))
    return g.node("Div", x, g.node("Sqrt", g.node("Add", total, eps)))


@recipe("local_response_norm", wide=True)
def local_response_norm(
    g: Emitter,
    x: T,
    size: T,
    alpha: T | None = None,
    beta: T | None = None,
    k: T | None = None,
) -> str:
    """Not LRN, which takes odd sizes only."""
    width, channels = int_of(size, 1, "size"), x.dims[1]
    before = (width - 1) // 2
    lead = [0, before] + [0] * (x.rank - 2)
    end = [0, width - 1 - before] + [0] * (x.rank - 2)
    padded = g.node("Pad", g.node("Mul", x, x), g.i64(*lead, *end))
    parts = [g.node("Slice", padded, g.i64(i), g.i64(i + channels), g.i64(1)) for i in range(width)]
    total = parts[0] if width == 1 else g.node("Sum", *parts)
    slope = g.const(np.float32(float_of(alpha, 1e-4)) / np.float32(width))
    line = g.node("Add", g.node("Mul", total, slope), g.const(np.float32(float_of(k, 1.0))))
    return g.node("Div", x, g.node("Pow", line, g.const(np.float32(float_of(beta, 0.75)))))
