"""Random layers: products, convolutions, windows, norms, attention, transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.fuzz.values import (
    FLOAT,
    ORDERED,
    Drawn,
    Operand,
    Rng,
    chance,
    dim,
    dims,
    dtype,
    integers,
    some,
    values,
)
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir.types import TensorType
from coremlc.ops.attention import LAYOUTS, ScaledDotProductAttentionConfig
from coremlc.ops.conv_general import ConvolveAxesConfig, Pair
from coremlc.ops.dense import ACTIVATIONS, DenseConfig
from coremlc.ops.dot_general import DotGeneralConfig
from coremlc.ops.quantized import STORED, Quantization


def dot(kind: Any, rng: Rng) -> Drawn:
    """Batch, contracting and free axes in any order."""
    d = dtype(rng, dtypes.NUMBER)
    batch = [dim(rng) for _ in range(rng.choice((0, 0, 0, 1, 1, 2)))]
    contract = [dim(rng) for _ in range(rng.choice((1, 1, 1, 1, 0, 2)))]
    sides, axes = [], []
    for _ in range(2):
        sizes = batch + contract + [dim(rng) for _ in range(rng.randint(0, 2))]
        order = rng.sample(range(len(sizes)), len(sizes))
        sides.append([sizes[i] for i in order])
        axes.append(tuple(order.index(i) for i in range(len(batch) + len(contract))))
    (lhs, rhs), (a, b), nb = sides, axes, len(batch)
    op = kind(a[nb:], a[:nb], b[nb:], b[:nb], DotGeneralConfig(d, d))
    return op, [values(rng, d, lhs), values(rng, d, rhs)]


def reduce_window(kind: Any, rng: Rng) -> Drawn:
    """Windows with strides, dilations and padding."""
    how = rng.choice(("Sum", "Product", "Max", "Min"))
    shape = dims(rng, 1, 4)
    n = len(shape)
    spread, dilated = (integers(rng, 1, 3, n) if chance(rng, 0.3) else (1,) * n for _ in range(2))
    padding = _pairs(rng, 0, 2 * chance(rng, 0.5), n)
    op = kind(how, integers(rng, 1, 3, n), integers(rng, 1, 3, n), spread, dilated, padding)
    accepts = dtypes.NUMBER if how in ("Sum", "Product") else ORDERED
    return op, [values(rng, dtype(rng, accepts), shape)]


def select_and_scatter(kind: Any, rng: Rng) -> Drawn:
    """Windows that overlap, strides, padding."""
    shape, d = dims(rng, 1, 4), dtype(rng, dtypes.REAL)
    n = len(shape)
    padding = _pairs(rng, 0, chance(rng, 0.4), n)
    op = kind(integers(rng, 1, 3, n), integers(rng, 1, 3, n), padding)
    return op, [values(rng, d, shape), values(rng, d, op._positions(shape))]


def conv(kind: Any, rng: Rng) -> Drawn:
    """One to three spatial axes, groups, dilations, and axes in any order."""
    d, n = dtype(rng, dtypes.NUMBER), rng.randint(1, 3)
    groups, batches = rng.choice(((1, 1), (1, 1), (2, 1), (3, 1), (1, 2)))
    channels = rng.randint(1, 3)
    sizes = (
        [batches * rng.randint(1, 2), channels * groups, *integers(rng, 1, 7, n)],
        [channels, groups * batches * rng.randint(1, 2), *integers(rng, 1, 3, n)],
    )
    orders = [rng.sample(range(n + 2), n + 2) for _ in range(3)]
    places = [[order.index(i) for i in range(n + 2)] for order in orders]
    axes = ConvolveAxesConfig(*[v for p in places for v in (p[0], p[1], tuple(p[2:]))])
    op = kind(
        axes,
        integers(rng, 1, 3, n),
        _pairs(rng, -int(chance(rng, 0.2)), 2, n),
        integers(rng, 1, 3, n) if chance(rng, 0.3) else (1,) * n,
        integers(rng, 1, 2, n) if chance(rng, 0.3) else (1,) * n,
        groups,
        batches,
    )
    pair = zip(sizes, orders[:2], strict=True)
    return op, [values(rng, d, [size[i] for i in order]) for size, order in pair]


def softmax(kind: Any, rng: Rng) -> Drawn:
    """Any axis."""
    shape = dims(rng, 1)
    return kind(rng.randrange(len(shape))), [values(rng, dtype(rng, FLOAT), shape)]


def gelu(kind: Any, rng: Rng) -> Drawn:
    """Exact or not."""
    return kind(bool(rng.getrandbits(1))), [values(rng, dtype(rng, FLOAT), dims(rng))]


def layer_norm(kind: Any, rng: Rng) -> Drawn:
    """Any axes, with and without scale and offset."""
    shape, d = dims(rng, 1), dtype(rng, FLOAT)
    axes = tuple(sorted(some(rng, range(len(shape)), 1)))
    gamma, beta = bool(rng.getrandbits(1)), bool(rng.getrandbits(1))
    own = tuple(shape[a] for a in axes)
    op = kind(axes, rng.choice((1e-5, 1e-3)), gamma, beta)
    return op, [values(rng, d, s) for s in (shape, *[own] * (gamma + beta))]


def batch_norm(kind: Any, rng: Rng) -> Drawn:
    """Any axis; variances of any sign."""
    shape, d = dims(rng, 1), dtype(rng, FLOAT)
    axis = rng.randrange(len(shape))
    count = {"BatchNormForInference": 4, "BatchNormForTraining": 2}.get(kind.kind, 3)
    out = [values(rng, d, shape), *(values(rng, d, (shape[axis],)) for _ in range(count))]
    if kind.kind == "BatchNormGradient":
        out.append(values(rng, d, shape))
    return kind(rng.choice((1e-5, 1e-3)), axis), out


def dense(kind: Any, rng: Rng) -> Drawn:
    """Any activation and layout, with and without bias."""
    d, inner = dtype(rng, FLOAT), dim(rng)
    lead, out = dims(rng, 0, 3), dims(rng, 1, 2)
    layout = rng.choice(("InputOutputs", "OutputsInput"))
    op = kind(DenseConfig(rng.choice(tuple(ACTIVATIONS)), layout))
    shapes = [(*lead, inner), (inner, *out) if layout == "InputOutputs" else (*out, inner)]
    return op, [values(rng, d, s) for s in (*shapes, *([out] if chance(rng, 0.5) else []))]


def fft(kind: Any, rng: Rng) -> Drawn:
    """One to three axes of any length."""
    how = rng.choice(("Forward", "Inverse", "ForwardReal", "InverseReal"))
    d: DType = rng.choice((dtypes.C64, dtypes.C128))
    if how == "ForwardReal":
        d = dtypes.PART[d]
    n = rng.randint(1, 3)
    lengths = integers(rng, 1, 9 if n > 1 else 40, n)
    shape = [*dims(rng, 0, 2), *lengths]
    if how == "InverseReal":
        shape[-1] = lengths[-1] // 2 + 1
    return kind(how, lengths), [values(rng, d, shape)]


def attention(kind: Any, rng: Rng) -> Drawn:
    """Groups of heads, lengths, biases and masks of any rank that spans."""
    d, layout = dtype(rng, FLOAT), rng.choice(tuple(LAYOUTS))
    b, shared, s, n, inner, outer = integers(rng, 1, 4, 6)
    heads = shared * rng.randint(1, 3)
    place = LAYOUTS[layout]
    sizes = [(b, heads, s, inner), (b, shared, n, inner), (b, shared, n, outer)]
    out = [values(rng, d, [size[a] for a in place]) for size in sizes]
    lengths = [chance(rng, 0.3), chance(rng, 0.3)]
    for there, most in zip(lengths, (s, n), strict=True):
        if there:
            t = TensorType(dtypes.I32, (b,))
            out.append(Operand(t, 0, rng.getrandbits(32), (0, most + 2)))
    bias, mask = chance(rng, 0.3), chance(rng, 0.4)
    if bias:
        out.append(values(rng, d, _spanning(rng, (b, heads, s, n))))
    if mask:
        size = _spanning(rng, (b, heads, s, n))
        size = [size[a] for a in place] if len(size) == 4 else size
        size = [size[0] if size[0] == 1 else b, *size[1:]] if len(size) == 3 else size
        out.append(values(rng, dtypes.BOOL if chance(rng, 0.5) else d, size))
    config = ScaledDotProductAttentionConfig(False, rng.choice((1.0, 0.5, 0.125)), chance(rng, 0.3))
    return kind(layout, config, *lengths, bias, mask), out


def _spanning(rng: Rng, scores: tuple[int, ...]) -> list[int]:
    """The last 2 to 4 dims, some of them 1."""
    return [1 if chance(rng, 0.3) else n for n in scores[-rng.randint(2, 4) :]]


def projection(kind: Any, rng: Rng) -> Drawn:
    """Any columns and biases."""
    d, (rows, inner, query, other) = dtype(rng, FLOAT), integers(rng, 1, 6, 4)
    there = [chance(rng, 0.5) for _ in range(3)]
    columns = (query, other, other)
    shapes = [(rows, inner), (inner, sum(columns))]
    shapes += [(n,) for n, given in zip(columns, there, strict=True) if given]
    return kind(query, other, *there), [values(rng, d, s) for s in shapes]


def quantized_dense(kind: Any, rng: Rng) -> Drawn:
    """Weights of 4 and 8 bits in blocks of any size; with and without bias and zero points."""
    scheme, stored = rng.choice(("Linear", "NF4")), dtype(rng, STORED)
    inner, out, block = integers(rng, 1, 7, 3)
    bias, zero_point = chance(rng, 0.5), scheme == "Linear" and chance(rng, 0.5)
    shapes = [(out,)] * bias + [(inner, -(-out // block))] * (1 + zero_point)
    x = values(rng, dtypes.F32, (*dims(rng, 0, 2), inner))
    op = kind(
        Quantization(scheme, 1, block, ""), rng.choice(tuple(ACTIVATIONS)), bias, True, zero_point
    )
    return op, [x, values(rng, stored, (inner, out)), *(values(rng, dtypes.F32, s) for s in shapes)]


def _pairs(rng: Rng, low: int, high: int, n: int) -> tuple[Pair, ...]:
    return tuple(Pair(*integers(rng, low, high, 2)) for _ in range(n))


DRAWS: dict[str, Callable[[Any, Rng], Drawn]] = {
    "BatchNormForInference": batch_norm,
    "BatchNormForTraining": batch_norm,
    "BatchNormGradient": batch_norm,
    "ConvGeneral": conv,
    "DotGeneral": dot,
    "FFT": fft,
    "FusedAttentionQKVProjection": projection,
    "FusedDense": dense,
    "FusedGelu": gelu,
    "FusedLayerNorm": layer_norm,
    "FusedQuantizedDense": quantized_dense,
    "FusedScaledDotProductAttention": attention,
    "FusedSoftmax": softmax,
    "ReduceWindow": reduce_window,
    "SelectAndScatterMax": select_and_scatter,
    "SelectAndScatterMin": select_and_scatter,
}
