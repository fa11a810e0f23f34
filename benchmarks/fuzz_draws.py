"""A random op of each kind, and operands for it. What breaks the op's contract is drawn again."""

from __future__ import annotations

import collections
import math
import random
from collections.abc import Callable
from typing import Any

from benchmarks.fuzz_values import (
    MOST,
    PACKED,
    Fixed,
    Operand,
    chance,
    dim,
    dims,
    dtype,
    indices,
    integers,
    some,
    values,
)
from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir.graph import Builder
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import TensorType
from coremlc.ops.conv_general import ConvolveAxesConfig, Pair
from coremlc.ops.dense import DenseConfig
from coremlc.ops.dot_general import DotGeneralConfig
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.pad import PadAxis
from coremlc.ops.reduce import Reduce
from tests.ops import catalogue

Drawn = tuple[Op, list[Operand | Fixed]]
Rng = random.Random
ORDERED = dtypes.REAL | {dtypes.BOOL}
TABLES = ("While", "FusedQuantizedDense")
"""Their samples' floats are counts and tables."""
WHOLE = dtypes.INTEGER - PACKED
FLOAT = dtypes.FLOAT - PACKED


def elementwise(kind: Any, rng: Rng) -> Drawn:
    """Operands of one shape; some broadcast."""
    d, shape = dtype(rng, kind.accepts), dims(rng)
    out = []
    for _ in range(kind.arity):
        own = shape
        if chance(rng, 0.35):
            own = tuple(1 if chance(rng, 0.15) else n for n in shape)
        out.append(values(rng, d, () if chance(rng, 0.12) else own))
    return kind(), out


def where(kind: Any, rng: Rng) -> Drawn:
    """Scalars among the operands."""
    shape, d = dims(rng), dtype(rng)
    shapes = [() if chance(rng, 0.2) else shape for _ in range(3)]
    return kind(), [values(rng, t, s) for t, s in zip((dtypes.BOOL, d, d), shapes, strict=True)]


def reduce(kind: Any, rng: Rng) -> Drawn:
    """Over any axes."""
    shape = dims(rng)
    return kind(some(rng, range(len(shape)))), [values(rng, dtype(rng, kind.accepts), shape)]


def reshape(kind: Any, rng: Rng) -> Drawn:
    """Dims merged, shuffled, ones put in."""
    shape = dims(rng)
    parts = rng.sample(shape, len(shape))
    while len(parts) > 1 and chance(rng, 0.5):
        parts = [parts[0] * parts[1], *parts[2:]]
    parts += [1] * rng.randint(0, max(0, 5 - len(parts)))
    return kind(tuple(rng.sample(parts, len(parts)))), [values(rng, dtype(rng), shape)]


def transpose(kind: Any, rng: Rng) -> Drawn:
    """Any permutation."""
    shape = dims(rng)
    axes = range(len(shape))
    return kind(tuple(rng.sample(axes, len(shape)))), [values(rng, dtype(rng), shape)]


def broadcast(kind: Any, rng: Rng) -> Drawn:
    """Axes in any order; some repeat a dim of 1."""
    shape, d = dims(rng), dtype(rng)
    axes = some(rng, range(len(shape)))
    own = [1 if chance(rng, 0.3) else shape[a] for a in axes]
    return kind(TensorType(d, shape), axes), [values(rng, d, own)]


def reverse(kind: Any, rng: Rng) -> Drawn:
    """Any axes."""
    shape = dims(rng)
    return kind(some(rng, range(len(shape)))), [values(rng, dtype(rng), shape)]


def concatenate(kind: Any, rng: Rng) -> Drawn:
    """One to four operands."""
    shape, d = list(dims(rng, 1)), dtype(rng)
    axis = rng.randrange(len(shape))
    out = []
    for _ in range(rng.randint(1, 4)):
        shape[axis] = dim(rng)
        out.append(values(rng, d, shape))
    return kind(axis), out


def slice_(kind: Any, rng: Rng) -> Drawn:
    """Any starts, limits and strides."""
    shape = dims(rng)
    spans = [sorted(integers(rng, 0, n, 2)) for n in shape]
    strides = integers(rng, 1, 3, len(shape))
    op = kind(tuple(a for a, _ in spans), tuple(b for _, b in spans), strides)
    return op, [values(rng, dtype(rng), shape)]


def arg_min_max(kind: Any, rng: Rng) -> Drawn:
    """Any axis and integer result."""
    shape = dims(rng, 1)
    op = kind(rng.randrange(len(shape)), dtype(rng, WHOLE), bool(rng.getrandbits(1)))
    return op, [values(rng, dtype(rng, ORDERED), shape)]


def convert(kind: Any, rng: Rng) -> Drawn:
    """From any dtype to any."""
    return kind(dtype(rng)), [values(rng, dtype(rng), dims(rng))]


def bitcast(kind: Any, rng: Rng) -> Drawn:
    """To narrower and wider elements."""
    real = dtypes.REAL - {dtypes.F64}
    old, new = dtype(rng, real), dtype(rng, real)
    shape = dims(rng, 0, 4)
    if new.bits > old.bits:
        shape = (*shape, new.bits // old.bits)
    return kind(new), [values(rng, old, shape)]


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


def pad(kind: Any, rng: Rng) -> Drawn:
    """Edges grown and cropped, and gaps."""
    shape, d = dims(rng), dtype(rng)
    low = -1 if chance(rng, 0.3) else 0
    config = tuple(PadAxis(*integers(rng, low, 3, 2), rng.randint(0, 2)) for _ in shape)
    return kind(config), [values(rng, d, shape), values(rng, d, ())]


def dynamic_slice(kind: Any, rng: Rng) -> Drawn:
    """Starts mostly in range."""
    shape = dims(rng)
    sizes = tuple(rng.randint(min(1, n), n) for n in shape)
    d, of = dtype(rng), dtype(rng, WHOLE)
    starts = [indices(rng, (), n, of) for n in shape]
    if kind.kind == "DynamicSlice":
        return kind(sizes), [values(rng, d, shape), *starts]
    return kind(), [values(rng, d, shape), values(rng, d, sizes), *starts]


def gather(kind: Any, rng: Rng) -> Drawn:
    """Any axes indexed, collapsed, and any place of the windows."""
    shape = dims(rng, 1, 4)
    mapped = some(rng, range(len(shape)), 1)
    collapsed = tuple(a for a in range(len(shape)) if a in mapped and chance(rng, 0.6))
    sizes = [1 if a in collapsed else rng.randint(min(1, n), n) for a, n in enumerate(shape)]
    batch = list(dims(rng, 0, 2))
    at = rng.randint(0, len(batch))
    starts = [*batch[:at], len(mapped), *batch[at:]]
    if len(mapped) == 1 and chance(rng, 0.3):
        starts, at = batch, len(batch)
    window = len(shape) - len(collapsed)
    offset = tuple(sorted(rng.sample(range(window + len(batch)), window)))
    op = kind(at, offset, collapsed, mapped, tuple(sizes), False)
    return op, [values(rng, dtype(rng), shape), indices(rng, starts, max(shape))]


def scatter(kind: Any, rng: Rng) -> Drawn:
    """Any axes indexed, inserted, and any place of the windows; equal indices."""
    shape = dims(rng, 1, 4)
    d = dtype(rng, dtypes.NUMBER if kind.mode == "add" else dtypes.REAL)
    mapped = some(rng, range(len(shape)), 1)
    inserted = tuple(a for a in range(len(shape)) if a in mapped and chance(rng, 0.6))
    window = [rng.randint(min(1, n), n) for a, n in enumerate(shape) if a not in inserted]
    batch = list(dims(rng, 0, 2))
    at = rng.randint(0, len(batch))
    starts = [*batch[:at], len(mapped), *batch[at:]]
    total = len(window) + len(batch)
    places = tuple(sorted(rng.sample(range(total), len(window))))
    w, b = iter(window), iter(batch)
    updates = [next(w) if i in places else next(b) for i in range(total)]
    op = kind(at, places, inserted, mapped, False, False)
    return op, [values(rng, d, shape), indices(rng, starts, max(shape)), values(rng, d, updates)]


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
    op = kind(DenseConfig(rng.choice(("none", "relu", "gelu", "tanh", "silu")), layout))
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


def iota(kind: Any, rng: Rng) -> Drawn:
    """Any axis."""
    shape = dims(rng, 1)
    return kind(TensorType(dtype(rng, dtypes.NUMBER), shape), rng.randrange(len(shape))), []


def rng_bits(kind: Any, rng: Rng) -> Drawn:
    """Any state."""
    return kind(TensorType(dtype(rng, WHOLE), dims(rng, 0, 3))), [
        values(rng, dtypes.BY_SHORT["u64"], (3,))
    ]


def sort(kind: Any, rng: Rng) -> Drawn:
    """Keys of any dtype, and what goes with them."""
    shape = dims(rng, 1)
    kinds = [dtype(rng, ORDERED - PACKED), *(dtype(rng) for _ in range(rng.randint(0, 2)))]
    g = Builder()
    sides = [g.parameter(TensorType(d)) for d in kinds for _ in range(2)]
    total = "TotalOrder" if kinds[0] is not dtypes.BOOL and chance(rng, 0.5) else ""
    compare = REGISTRY[rng.choice(("LessThan", "GreaterThan")) + total]
    comparator = g.finish(g.add(compare(), sides[0], sides[1]))
    op = kind(rng.randrange(len(shape)), bool(rng.getrandbits(1)), comparator)
    return op, [values(rng, d, shape) for d in kinds]


def sampled(kind: Any, rng: Rng) -> Drawn:
    """A sample of the test suite, with other floats in it."""
    sample = rng.choice(SAMPLES[kind.kind])
    out: list[Operand | Fixed] = []
    for x in sample.operands:
        d = dtypes.BY_NUMPY[x.dtype]
        redrawn = (d.is_float or d.is_complex) and kind.kind not in TABLES
        out.append(values(rng, d, x.shape) if redrawn else Fixed(x))
    return sample.op, out


def _pairs(rng: Rng, low: int, high: int, n: int) -> tuple[Pair, ...]:
    return tuple(Pair(*integers(rng, low, high, 2)) for _ in range(n))


SAMPLES: dict[str, list[Any]] = collections.defaultdict(list)
for _sample in catalogue.SAMPLES:
    if sum(math.prod(x.shape) for x in _sample.operands) <= MOST:
        SAMPLES[_sample.op.kind].append(_sample)
_DRAWS: dict[str, Callable[[Any, Rng], Drawn]] = {
    "ArgMinMax": arg_min_max,
    "BatchNormForInference": batch_norm,
    "BatchNormForTraining": batch_norm,
    "BatchNormGradient": batch_norm,
    "Bitcast": bitcast,
    "BroadcastInDim": broadcast,
    "Concatenate": concatenate,
    "ConvGeneral": conv,
    "ConvertDType": convert,
    "DotGeneral": dot,
    "DynamicSlice": dynamic_slice,
    "DynamicUpdateSlice": dynamic_slice,
    "FFT": fft,
    "FusedDense": dense,
    "FusedGelu": gelu,
    "FusedLayerNorm": layer_norm,
    "FusedSoftmax": softmax,
    "Gather": gather,
    "Iota": iota,
    "Pad": pad,
    "RNGBitGenerator": rng_bits,
    "ReduceWindow": reduce_window,
    "Reshape": reshape,
    "Reverse": reverse,
    "ScatterMax": scatter,
    "ScatterMin": scatter,
    "ScatterSum": scatter,
    "SelectAndScatterMax": select_and_scatter,
    "SelectAndScatterMin": select_and_scatter,
    "Slice": slice_,
    "Sort": sort,
    "Transpose": transpose,
    "Where": where,
}


def drawer(kind: type[Op]) -> Callable[[Any, Rng], Drawn]:
    """What draws cases of a kind."""
    if kind.kind in _DRAWS:
        return _DRAWS[kind.kind]
    if issubclass(kind, Elementwise):
        return elementwise
    return reduce if issubclass(kind, Reduce) else sampled
