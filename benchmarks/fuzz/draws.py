"""A random op of each kind, and operands for it. What breaks the op's contract is drawn again."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.fuzz import layers
from benchmarks.fuzz.values import (
    MOST,
    ORDERED,
    PACKED,
    WHOLE,
    Drawn,
    Fixed,
    Operand,
    Rng,
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
from coremlc.ir.graph import Builder, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import TensorType
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.leaves import constant, splat
from coremlc.ops.pad import PadAxis
from coremlc.ops.reduce import Reduce
from coremlc.ops.static import REDUCTIONS, DynamicDimensionSpec, Ints
from tests.ops import catalogue

TABLES = ("While", "FusedQuantizedDense")
"""Their samples' floats are counts and tables."""
STEPWISE = dtypes.REAL - PACKED - {dtypes.F64}
"""Computed and rounded op by op, as the oracle does, so that a body of exact ops is exact."""
ARITHMETIC = ("Add", "Mul", "Max", "Sub", "Min")


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


def same(kind: Any, rng: Rng) -> Drawn:
    """Operands of any types, of which some come out as they are."""
    count = 1 if kind.kind == "Identity" else rng.randint(1, 3)
    return kind(), [values(rng, dtype(rng), dims(rng)) for _ in range(count)]


def all_reduce(kind: Any, rng: Rng) -> Drawn:
    """Over groups of one."""
    d, count = dtype(rng, dtypes.NUMBER), rng.randint(1, 3)
    op = kind(rng.choice(REDUCTIONS), (Ints((0,)),) * rng.randint(0, 2))
    return op, [values(rng, d, dims(rng)) for _ in range(count)]


def constant_(kind: Any, rng: Rng) -> Drawn:
    """Any elements."""
    x = values(rng, dtype(rng), dims(rng))
    return kind(TensorData(x.type.dtype, np.ascontiguousarray(x.array(0)))), []


def dynamic_reshape(kind: Any, rng: Rng) -> Drawn:
    """Dims that are stated, some of them by an operand."""
    shape = dims(rng)
    new = rng.sample(shape, len(shape))
    sizes = [Fixed(np.asarray(n, np.int32)) for n in new if chance(rng, 0.3)]
    op = kind(tuple(DynamicDimensionSpec(n, f"d{i}") for i, n in enumerate(new)))
    return op, [values(rng, dtype(rng), shape), *sizes]


def dynamic_dims(kind: Any, rng: Rng) -> Drawn:
    """Of any shape."""
    shape = dims(rng, 1)
    op = kind() if kind.kind == "DynamicShape" else kind(rng.randrange(len(shape)))
    return op, [values(rng, dtype(rng), shape)]


def while_(kind: Any, rng: Rng) -> Drawn:
    """A count up to a bound, beside a value that each turn changes by exact ops."""
    count, of = TensorType(dtype(rng, WHOLE)), TensorType(dtype(rng), dims(rng, 0, 3))
    g, h = Builder(), Builder()
    (n, _), (i, x) = ([b.parameter(t) for t in (count, of)] for b in (g, h))
    cond = g.finish(g.add(REGISTRY["LessThan"](), n, g.add(constant(count.dtype, 3))))
    step = h.add(REGISTRY["Add"](), i, h.add(constant(count.dtype, 1)))
    for _ in range(rng.randint(1, 3)):
        x = _changed(h, rng, x, h.add(splat(of.dtype, rng.randint(0, 1), of.shape)))
    start = Operand(count, 0, rng.getrandbits(32), (0, 5))
    return kind(cond, h.finish(step, x)), [start, values(rng, of.dtype, of.shape)]


def _changed(g: Builder, rng: Rng, x: Value, y: Value) -> Value:
    """An exact op of both, or a move where the dtype has none."""
    if x.type.dtype in STEPWISE:
        return g.add(REGISTRY[rng.choice(ARITHMETIC)](), *rng.sample((x, y), 2))
    return g.add(REGISTRY["Reverse"](tuple(range(x.type.rank))), x)


def if_(kind: Any, rng: Rng) -> Drawn:
    """Branches that give constants of the same types."""
    types = [TensorType(dtype(rng), dims(rng, 0, 3)) for _ in range(rng.randint(1, 2))]
    branches = []
    for _ in range(2):
        g = Builder()
        drawn = [values(rng, t.dtype, t.shape).array(0) for t in types]
        made = [
            TensorData(t.dtype, np.ascontiguousarray(x)) for t, x in zip(types, drawn, strict=True)
        ]
        branches.append(g.finish(*(g.add(REGISTRY["Constant"](x)) for x in made)))
    return kind(*branches), [values(rng, dtypes.BOOL, ())]


def call(kind: Any, rng: Rng) -> Drawn:
    """A function of two exact ops."""
    t = TensorType(dtype(rng), dims(rng))
    g = Builder()
    x, y = g.parameter(t), g.parameter(t)
    z = _changed(g, rng, x, y)
    return kind(g.finish(z, _changed(g, rng, z, x))), [values(rng, t.dtype, t.shape) for _ in "xy"]


def sampled(kind: Any, rng: Rng) -> Drawn:
    """A sample of the test suite, with other floats in it."""
    sample = rng.choice(SAMPLES[kind.kind])
    out: list[Operand | Fixed] = []
    for x in sample.operands:
        d = dtypes.BY_NUMPY[x.dtype]
        redrawn = (d.is_float or d.is_complex) and kind.kind not in TABLES
        out.append(values(rng, d, x.shape) if redrawn else Fixed(x))
    return sample.op, out


SAMPLES: dict[str, list[Any]] = collections.defaultdict(list)
for _sample in catalogue.SAMPLES:
    if sum(math.prod(x.shape) for x in _sample.operands) <= MOST:
        SAMPLES[_sample.op.kind].append(_sample)
_DRAWS: dict[str, Callable[[Any, Rng], Drawn]] = {
    "AllReduce": all_reduce,
    "Call": call,
    "Constant": constant_,
    "DynamicDimensionSize": dynamic_dims,
    "DynamicReshape": dynamic_reshape,
    "DynamicShape": dynamic_dims,
    "Identity": same,
    "If": if_,
    "OptimizationBarrier": same,
    "SchedulingBarrier": same,
    "While": while_,
    "ArgMinMax": arg_min_max,
    "Bitcast": bitcast,
    "BroadcastInDim": broadcast,
    "Concatenate": concatenate,
    "ConvertDType": convert,
    "DynamicSlice": dynamic_slice,
    "DynamicUpdateSlice": dynamic_slice,
    "Gather": gather,
    "Iota": iota,
    "Pad": pad,
    "RNGBitGenerator": rng_bits,
    "Reshape": reshape,
    "Reverse": reverse,
    "ScatterMax": scatter,
    "ScatterMin": scatter,
    "ScatterSum": scatter,
    "Slice": slice_,
    "Sort": sort,
    "Transpose": transpose,
    "Where": where,
    **layers.DRAWS,
}


def drawer(kind: type[Op]) -> Callable[[Any, Rng], Drawn]:
    """What draws cases of a kind."""
    if kind.kind in _DRAWS:
        return _DRAWS[kind.kind]
    if issubclass(kind, Elementwise):
        return elementwise
    return reduce if issubclass(kind, Reduce) else sampled
