"""Random op cases: the oracle and both engines must agree.

Run by `make fuzz-ops N=1000000`, which goes on where the recorded run ended. A case is an op kind,
attributes, operand types and values, all from its seed; BATCH cases of neighbouring seeds share a
graph, a target and a session. What is refused is counted by reason. A difference, or an error that
is no refusal, is a finding: it is printed with the seed that makes it again (`--seed SEED -N 1`)
and its graph, and the exit code is 1.

How far a float may be off: `compare.difference` with the tolerance of its dtype, else the wider of
- 8 x that of a 16-bit float where the op is a composite (each op that it becomes rounds once);
- sums: 16 units of the sum of the terms' magnitudes, anything where that sum overflows;
- other inexact ops: what operands change that are off by 4 units, 16 if they are 16-bit floats (a
  backward error: it tells what `sin` of a huge angle, or `pow`, may be off);
- where an operand is not finite, an element counts as equal that is finite on neither side in
  LOOSE composites (a weight of e^-200 is 0 in float32, and 0 * inf is NaN), or not on both in
  complex arithmetic (C leaves it open) and convolutions (0 of the padding * NaN).
Float16 operands of LOOSE composites are at most 32: their steps overflow where the whole does not.
"""

from __future__ import annotations

import argparse
import collections
import functools
import itertools
import json
import math
import multiprocessing
import re
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from coremlc import dtypes, targets
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import DType
from coremlc.engine.base import Options, load_program
from coremlc.errors import CoremlcError, RefusalsError, RefusedError, ShapeError
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.text import print_graph
from coremlc.ir.types import TensorType
from coremlc.ops.conv_general import ConvGeneral, ConvolveAxesConfig, Pair
from coremlc.ops.dense import DenseConfig
from coremlc.ops.dot_general import DotGeneralConfig
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.leaves import Constant
from coremlc.ops.pad import PadAxis
from coremlc.ops.reduce import Reduce
from coremlc.signature import KEY, Signature
from tests.ops import catalogue
from tests.ops.samples import edges

BATCH = 12
CHUNK = 20
"""Batches that a worker does at once; the record is written after each."""
LIMIT_S = 120
MOST = 4000
"""Elements of an operand or a result."""
ENGINES = ("reference", "onnxruntime")
PACKED = frozenset(d for d in dtypes.ALL if d.bits < 8 or d.short.startswith("f8"))
TARGETS = ("iOS18", "iOS18", "iOS15", "iOS16", "iOS17", "iOS26")
KINDS = sorted(k for k, op in REGISTRY.items() if op.gomlx and not op.refused)
EXACT = frozenset(
    {
        "Reshape",
        "Transpose",
        "BroadcastInDim",
        "Reverse",
        "Concatenate",
        "Slice",
        "Where",
        "Clamp",
        "Max",
        "Min",
        "Abs",
        "Neg",
        "Sign",
        "Ceil",
        "Floor",
        "Round",
        "Gather",
        "DynamicSlice",
        "DynamicUpdateSlice",
        "Pad",
        "Iota",
        "Identity",
        "Sort",
        "ReduceMax",
        "ReduceMin",
        "ScatterMax",
        "ScatterMin",
        "Bitcast",
        "ConvertDType",
        "Constant",
        "Real",
        "Imag",
        "Conj",
        "Complex",
    }
)
SUMS = frozenset(
    {
        "ReduceSum",
        "DotGeneral",
        "ConvGeneral",
        "ReduceWindow",
        "ScatterSum",
        "SelectAndScatterMax",
        "SelectAndScatterMin",
        "FFT",
        "FusedDense",
        "FusedAttentionQKVProjection",
        "BatchNormGradient",
        "FusedQuantizedDense",
    }
)
LOOSE = frozenset(
    {
        "FusedScaledDotProductAttention",
        "BatchNormForTraining",
        "BatchNormGradient",
        "FusedLayerNorm",
        "BatchNormForInference",
    }
)
Array = np.ndarray[Any, Any]
Rng = np.random.Generator
Draw = Callable[[Rng], tuple[Op, list[Array]]]


@dataclass(frozen=True)
class Case:
    """One op on operands."""

    seed: int
    op: Op
    operands: tuple[Array, ...]
    constants: frozenset[int]
    ranges: tuple[tuple[int, int] | None, ...]
    expected: tuple[Array, ...]
    tolerance: tuple[float, float] | None = None

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(TensorType(dtypes.BY_NUMPY[x.dtype], x.shape) for x in self.operands)


# --- values


def cast(values: Any, d: DType) -> Array:
    """`values` in a dtype, those computed in float32 rounded to it."""
    with np.errstate(all="ignore"):
        if d is dtypes.F64:  # computed in float32
            values = np.asarray(values).astype(np.float32)
        if d is dtypes.C128:
            values = np.asarray(values).astype(np.complex64)
        return np.asarray(values).astype(d.numpy)


def values(rng: Rng, d: DType, shape: Sequence[int]) -> Array:
    """Ordinary values, edges, ties, all bits; or some of each."""
    shape = tuple(shape)
    if d.is_complex:
        x, y = (values(rng, dtypes.F32, shape) for _ in range(2))
        out = np.empty(shape, np.complex64)
        out.real, out.imag = x, y
        return cast(out, d)
    if d is dtypes.BOOL:
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    mode = rng.integers(0, 10)
    ordinary = _ordinary(rng, d, shape, int(mode))
    if mode < 5:
        return ordinary
    edge = np.asarray(rng.choice(edges(d.short).astype(np.float64), shape))
    edge = cast(edge, d) if d.is_float else np.asarray(rng.choice(edges(d.short), shape))
    picked = np.where(rng.random(shape) < (0.2 if mode < 8 else 1), edge, ordinary)
    return np.asarray(picked).astype(d.numpy, copy=False)


def _ordinary(rng: Rng, d: DType, shape: tuple[int, ...], mode: int) -> Array:
    if d.is_float:
        if mode % 3 == 0:
            return cast(rng.integers(-4, 5, shape) / 2, d)
        scale = 10.0 ** rng.integers(-2, 4) if mode == 1 else 1.0
        return cast(rng.normal(size=shape) * scale, d)
    low, high = d.limits
    if mode % 4 == 1:
        bits = rng.integers(0, 2**64, shape, np.uint64, endpoint=False)
        return np.asarray(bits).astype(np.int64).astype(d.numpy)
    low, high = max(low, -9), min(high, 9)
    return np.asarray(rng.integers(low, high, shape, endpoint=True)).astype(d.numpy)


def dim(rng: Rng) -> int:
    """A size: 1 to 7, now and then 0, 1 or more."""
    r = rng.random()
    if r < 0.015:
        return 0
    if r < 0.2:
        return 1
    return int(rng.integers(8, 40)) if r > 0.97 else int(rng.integers(1, 8))


def dims(rng: Rng, low: int = 0, high: int = 5) -> tuple[int, ...]:
    """A shape of `low` to `high` axes."""
    while True:
        shape = tuple(dim(rng) for _ in range(rng.integers(low, high + 1)))
        if math.prod(shape) <= MOST:
            return shape


def dtype(rng: Rng, accepts: frozenset[DType] = dtypes.ANY) -> DType:
    """Any of them, the packed ones seldom."""
    usual = [d for d in dtypes.ALL if d in accepts and d not in PACKED]
    packed = [d for d in dtypes.ALL if d in accepts and d in PACKED]
    if packed and (not usual or rng.random() < 0.02):
        return packed[rng.integers(len(packed))]
    if dtypes.F32 in usual and rng.random() < 0.2:
        return dtypes.F32
    return usual[rng.integers(len(usual))]


def axes_of(rng: Rng, rank: int, low: int = 0) -> tuple[int, ...]:
    """Some axes, in any order."""
    count = int(rng.integers(min(low, rank), rank + 1))
    return tuple(int(a) for a in rng.permutation(rank)[:count])


def integers(rng: Rng, low: int, high: int, n: int) -> tuple[int, ...]:
    """`n` integers, both ends included."""
    return tuple(int(i) for i in rng.integers(low, high + 1, n))


def pairs(rng: Rng, low: int, high: int, n: int) -> tuple[Pair, ...]:
    """`n` paddings."""
    return tuple(Pair(*integers(rng, low, high, 2)) for _ in range(n))


def indices(rng: Rng, shape: Sequence[int], high: int) -> Array:
    """Mostly in range."""
    d = dtype(rng, dtypes.INTEGER - PACKED)
    low = max(-2, d.limits[0])
    wide = rng.random() < 0.3
    x = np.asarray(rng.integers(low if wide else 0, max(1, high) + (3 if wide else 0), shape))
    if rng.random() < 0.05:
        return values(rng, d, shape)
    return x.astype(d.numpy)


# --- ops


def elementwise(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Operands of one shape; some broadcast."""
    d, shape = dtype(rng, kind.accepts), dims(rng)
    out = []
    for _ in range(kind.arity):
        own = tuple(1 if rng.random() < 0.15 else n for n in shape)
        own = () if rng.random() < 0.12 else own if rng.random() < 0.4 else shape
        out.append(values(rng, d, own))
    return kind(), out


def where(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng), dtype(rng)
    scalar = [() if rng.random() < 0.2 else shape for _ in range(3)]
    return kind(), [values(rng, t, s) for t, s in zip((dtypes.BOOL, d, d), scalar, strict=True)]


def reduce(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    return kind(axes_of(rng, len(shape))), [values(rng, dtype(rng, kind.accepts), shape)]


def reshape(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    parts = list(shape)
    rng.shuffle(parts)
    while len(parts) > 1 and rng.random() < 0.5:
        parts = [parts[0] * parts[1], *parts[2:]]
    parts += [1] * int(rng.integers(0, max(1, 6 - len(parts))))
    return kind(tuple(parts)), [values(rng, dtype(rng), shape)]


def transpose(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    return kind(tuple(map(int, rng.permutation(len(shape))))), [values(rng, dtype(rng), shape)]


def broadcast(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng), dtype(rng)
    axes = axes_of(rng, len(shape))
    own = [1 if rng.random() < 0.3 else shape[a] for a in axes]
    return kind(TensorType(d, shape), axes), [values(rng, d, own)]


def reverse(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    return kind(axes_of(rng, len(shape))), [values(rng, dtype(rng), shape)]


def concatenate(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = list(dims(rng, 1)), dtype(rng)
    axis = int(rng.integers(len(shape)))
    out = []
    for _ in range(rng.integers(1, 5)):
        shape[axis] = dim(rng)
        out.append(values(rng, d, shape))
    return kind(axis), out


def slice_(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    spans = [sorted(integers(rng, 0, n, 2)) for n in shape]
    strides = integers(rng, 1, 3, len(shape))
    op = kind(tuple(a for a, _ in spans), tuple(b for _, b in spans), strides)
    return op, [values(rng, dtype(rng), shape)]


def arg_min_max(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1)
    to = dtype(rng, dtypes.INTEGER - PACKED)
    op = kind(int(rng.integers(len(shape))), to, bool(rng.integers(2)))
    return op, [values(rng, dtype(rng, dtypes.REAL | {dtypes.BOOL}), shape)]


def convert(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    return kind(dtype(rng)), [values(rng, dtype(rng), dims(rng))]


def bitcast(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    real = dtypes.REAL - {dtypes.F64}
    old, new = dtype(rng, real), dtype(rng, real)
    shape = dims(rng, 0, 4)
    if new.bits > old.bits:
        shape = (*shape, new.bits // old.bits)
    return kind(new), [values(rng, old, shape)]


def dot(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    d = dtype(rng, dtypes.NUMBER)
    counts = [int(rng.choice(3, p=p)) for p in ((0.6, 0.3, 0.1), (0.2, 0.7, 0.1))]
    batch, contract = ([dim(rng) for _ in range(n)] for n in counts)
    nb, sides, axes = len(batch), [], []
    for _ in range(2):
        free = [dim(rng) for _ in range(int(rng.integers(0, 3)))]
        sizes = batch + contract + free
        order = [int(i) for i in rng.permutation(len(sizes))]
        sides.append([sizes[i] for i in order])
        axes.append([order.index(i) for i in range(nb + len(contract))])
    (lhs, rhs), (a, b) = sides, axes
    config = DotGeneralConfig(d, d)
    op = kind(tuple(a[nb:]), tuple(a[:nb]), tuple(b[nb:]), tuple(b[:nb]), config)
    return op, [values(rng, d, lhs), values(rng, d, rhs)]


def pad(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng), dtype(rng)
    config = tuple(
        PadAxis(*integers(rng, -1 if rng.random() < 0.3 else 0, 3, 2), int(rng.integers(0, 3)))
        for _ in shape
    )
    return kind(config), [values(rng, d, shape), values(rng, d, ())]


def dynamic_slice(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng)
    sizes = tuple(int(rng.integers(0 if rng.random() < 0.02 else min(1, n), n + 1)) for n in shape)
    x, d = values(rng, dtype(rng), shape), dtype(rng, dtypes.INTEGER - PACKED)
    starts = [indices(rng, (), n).astype(d.numpy) for n in shape]
    if kind is REGISTRY["DynamicSlice"]:
        return kind(sizes), [x, *starts]
    return kind(), [x, values(rng, dtypes.BY_NUMPY[x.dtype], sizes), *starts]


def gather(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1, 4)
    rank = len(shape)
    mapped = axes_of(rng, rank, 1)
    sizes = [int(rng.integers(1, n + 1)) if n else 0 for n in shape]
    collapsed = tuple(a for a in range(rank) if a in mapped and rng.random() < 0.6)
    for a in collapsed:
        sizes[a] = 1
    batch = list(dims(rng, 0, 2))
    at = int(rng.integers(len(batch) + 1))
    starts = [*batch[:at], len(mapped), *batch[at:]]
    if len(mapped) == 1 and rng.random() < 0.3:
        starts, at = batch, len(batch)
    window = rank - len(collapsed)
    offset = tuple(sorted(map(int, rng.permutation(window + len(batch))[:window])))
    op = kind(at, offset, collapsed, mapped, tuple(sizes), False)
    return op, [values(rng, dtype(rng), shape), indices(rng, starts, max(shape))]


def scatter(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1, 4)
    rank = len(shape)
    d = dtype(rng, dtypes.NUMBER if kind.mode == "add" else dtypes.REAL)
    mapped = axes_of(rng, rank, 1)
    inserted = tuple(a for a in range(rank) if a in mapped and rng.random() < 0.6)
    window = [int(rng.integers(min(1, n), n + 1)) for a, n in enumerate(shape) if a not in inserted]
    batch = list(dims(rng, 0, 2))
    at = int(rng.integers(len(batch) + 1))
    starts = [*batch[:at], len(mapped), *batch[at:]]
    total = len(window) + len(batch)
    places = tuple(sorted(map(int, rng.permutation(total)[: len(window)])))
    w, b = iter(window), iter(batch)
    updates = [next(w) if i in places else next(b) for i in range(total)]
    op = kind(at, places, inserted, mapped, False, False)
    return op, [
        values(rng, d, shape),
        indices(rng, starts, max(shape)),
        values(rng, d, updates),
    ]


def reduce_window(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    how = ("Sum", "Product", "Max", "Min")[rng.integers(4)]
    shape = dims(rng, 1, 4)
    n = len(shape)
    one = (1,) * n
    spread = integers(rng, 1, 3, n) if rng.random() < 0.3 else one
    dilated = integers(rng, 1, 3, n) if rng.random() < 0.3 else one
    padding = pairs(rng, 0, 2, n) if rng.random() < 0.5 else (Pair(0, 0),) * n
    op = kind(how, integers(rng, 1, 3, n), integers(rng, 1, 3, n), spread, dilated, padding)
    accepts = dtypes.NUMBER if how in ("Sum", "Product") else dtypes.REAL | {dtypes.BOOL}
    return op, [values(rng, dtype(rng, accepts), shape)]


def select_and_scatter(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng, 1, 4), dtype(rng, dtypes.REAL)
    n = len(shape)
    padding = pairs(rng, 0, 1, n) if rng.random() < 0.4 else (Pair(0, 0),) * n
    op = kind(integers(rng, 1, 3, n), integers(rng, 1, 3, n), padding)
    return op, [values(rng, d, shape), values(rng, d, op._positions(shape))]


def conv(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    d, n = dtype(rng, dtypes.NUMBER), int(rng.integers(1, 4))
    groups, batches = ((1, 1), (1, 1), (2, 1), (3, 1), (1, 2))[rng.integers(5)]
    space, kernel = integers(rng, 1, 7, n), integers(rng, 1, 3, n)
    channels = int(rng.integers(1, 4))
    sizes = ([batches * int(rng.integers(1, 3)), channels * groups, *space],)
    sizes += ([channels, groups * batches * int(rng.integers(1, 3)), *kernel],)
    orders = [[int(i) for i in rng.permutation(n + 2)] for _ in range(3)]
    places = [[order.index(i) for i in range(n + 2)] for order in orders]
    axes = ConvolveAxesConfig(*[v for p in places for v in (p[0], p[1], tuple(p[2:]))])
    one = (1,) * n
    op: Op = ConvGeneral(
        axes,
        integers(rng, 1, 3, n),
        pairs(rng, -1 if rng.random() < 0.2 else 0, 2, n),
        integers(rng, 1, 3, n) if rng.random() < 0.3 else one,
        integers(rng, 1, 2, n) if rng.random() < 0.3 else one,
        groups,
        batches,
    )
    pair = zip(sizes, orders[:2], strict=True)
    return op, [values(rng, d, [size[i] for i in order]) for size, order in pair]


def softmax(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1)
    x = values(rng, dtype(rng, dtypes.FLOAT), shape)
    return kind(int(rng.integers(len(shape)))), [x]


def gelu(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    return kind(bool(rng.integers(2))), [values(rng, dtype(rng, dtypes.FLOAT), dims(rng))]


def layer_norm(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng, 1), dtype(rng, dtypes.FLOAT - PACKED)
    axes = tuple(sorted(axes_of(rng, len(shape), 1)))
    gamma, beta = bool(rng.integers(2)), bool(rng.integers(2))
    own = [shape[a] for a in axes]
    op = kind(axes, (1e-5, 1e-3)[rng.integers(2)], gamma, beta)
    return op, [values(rng, d, s) for s in (shape, *[own] * (gamma + beta))]


def batch_norm(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape, d = dims(rng, 1), dtype(rng, dtypes.FLOAT - PACKED)
    axis = int(rng.integers(len(shape)))
    count = {"BatchNormForInference": 4, "BatchNormForTraining": 2}.get(kind.kind, 3)
    out = [values(rng, d, shape), *(values(rng, d, (shape[axis],)) for _ in range(count))]
    if kind.kind == "BatchNormGradient":
        out.append(values(rng, d, shape))
    return kind((1e-5, 1e-3)[rng.integers(2)], axis), out


def dense(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    d, inner = dtype(rng, dtypes.FLOAT - PACKED), dim(rng)
    lead, out = dims(rng, 0, 3), dims(rng, 1, 2)
    first = bool(rng.integers(2))
    activation = ("none", "relu", "gelu", "tanh", "silu")[rng.integers(5)]
    op = kind(DenseConfig(activation, "InputOutputs" if first else "OutputsInput"))
    shapes = [(*lead, inner), (inner, *out) if first else (*out, inner)]
    return op, [values(rng, d, s) for s in (*shapes, *([out] if rng.random() < 0.5 else []))]


def fft(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    how = ("Forward", "Inverse", "ForwardReal", "InverseReal")[rng.integers(4)]
    d = (dtypes.C64, dtypes.C128)[rng.integers(2)]
    if how == "ForwardReal":
        d = dtypes.PART[d]
    n = int(rng.integers(1, 4))
    lengths = integers(rng, 1, 9 if n > 1 else 40, n)
    shape = [*dims(rng, 0, 2), *lengths]
    if how == "InverseReal":
        shape[-1] = lengths[-1] // 2 + 1
    return kind(how, lengths), [values(rng, d, shape)]


def iota(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1)
    number = dtype(rng, dtypes.NUMBER)
    return kind(TensorType(number, shape), int(rng.integers(len(shape)))), []


def rng_bits(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    d = dtype(rng, dtypes.INTEGER - PACKED)
    return kind(TensorType(d, dims(rng, 0, 3))), [values(rng, dtypes.BY_SHORT["u64"], (3,))]


def sort(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """Draw one."""
    shape = dims(rng, 1)
    count = int(rng.integers(1, 4))
    kinds = [dtype(rng, (dtypes.REAL | {dtypes.BOOL}) - PACKED), *(dtype(rng) for _ in range(2))]
    kinds = kinds[:count]
    g = Builder()
    sides = [g.parameter(TensorType(d)) for d in kinds for _ in range(2)]
    names = ("LessThan", "GreaterThan", "LessThanTotalOrder", "GreaterThanTotalOrder")
    compare = REGISTRY[names[rng.integers(4)]]
    if compare.kind.endswith("TotalOrder") and kinds[0] is dtypes.BOOL:
        compare = REGISTRY["LessThan"]
    comparator = g.finish(g.add(compare(), sides[0], sides[1]))
    op = kind(int(rng.integers(len(shape))), bool(rng.integers(2)), comparator)
    return op, [values(rng, d, shape) for d in kinds]


def sampled(kind: Any, rng: Rng) -> tuple[Op, list[Array]]:
    """A sample of the test suite, with other floats in it."""
    found = SAMPLES[kind.kind]
    sample = found[rng.integers(len(found))]
    out = list(sample.operands)
    if kind.kind not in ("While", "FusedQuantizedDense"):
        floats = (dtypes.BY_NUMPY[x.dtype] for x in out)
        flags = [d.is_float or d.is_complex for d in floats]
        out = [
            values(rng, dtypes.BY_NUMPY[x.dtype], x.shape) if redraw else x
            for x, redraw in zip(out, flags, strict=True)
        ]
    return sample.op, out


SAMPLES: dict[str, list[Any]] = collections.defaultdict(list)
for _sample in catalogue.SAMPLES:
    if sum(x.size for x in _sample.operands) <= MOST:
        SAMPLES[_sample.op.kind].append(_sample)
DRAWS: dict[str, Callable[[Any, Rng], tuple[Op, list[Array]]]] = {
    "Reshape": reshape,
    "Transpose": transpose,
    "BroadcastInDim": broadcast,
    "Reverse": reverse,
    "Concatenate": concatenate,
    "Slice": slice_,
    "ArgMinMax": arg_min_max,
    "ConvertDType": convert,
    "Bitcast": bitcast,
    "DotGeneral": dot,
    "Pad": pad,
    "DynamicSlice": dynamic_slice,
    "DynamicUpdateSlice": dynamic_slice,
    "Gather": gather,
    "ScatterSum": scatter,
    "ScatterMax": scatter,
    "ScatterMin": scatter,
    "ReduceWindow": reduce_window,
    "SelectAndScatterMax": select_and_scatter,
    "SelectAndScatterMin": select_and_scatter,
    "ConvGeneral": conv,
    "FusedSoftmax": softmax,
    "FusedGelu": gelu,
    "FusedLayerNorm": layer_norm,
    "BatchNormForInference": batch_norm,
    "BatchNormForTraining": batch_norm,
    "BatchNormGradient": batch_norm,
    "FusedDense": dense,
    "FFT": fft,
    "Iota": iota,
    "RNGBitGenerator": rng_bits,
    "Sort": sort,
    "Where": where,
}


def drawer(kind: type[Op]) -> Callable[[Any, Rng], tuple[Op, list[Array]]]:
    """What draws cases of a kind."""
    if kind.kind in DRAWS:
        return DRAWS[kind.kind]
    if issubclass(kind, Elementwise):
        return elementwise
    return reduce if issubclass(kind, Reduce) else sampled


def draw(seed: int, only: str = "") -> Case:
    """The case of a seed."""
    rng = np.random.default_rng(seed)
    kind = REGISTRY[only or KINDS[rng.integers(len(KINDS))]]
    make = drawer(kind)
    for attempt in itertools.count():
        if attempt == 50:
            make = sampled
        op, operands = make(kind, rng)
        if kind.kind in LOOSE:
            operands = [_small(x) if x.dtype == np.float16 else x for x in operands]
        operands = [np.ascontiguousarray(x).reshape(x.shape) for x in operands]
        types = [TensorType(dtypes.BY_NUMPY[x.dtype], x.shape) for x in operands]
        try:
            results = op.infer(*types)
        except ShapeError:
            continue
        results = results if isinstance(results, tuple) else (results,)
        if all(r.rank <= 5 and r.size <= MOST for r in (*results, *types)):
            break
    constants = frozenset(
        i for i, t in enumerate(types) if rng.random() < 0.25 or t.dtype in PACKED
    )
    if make is sampled:
        alike = [s for s in SAMPLES[kind.kind] if s.op is op]
        constants |= alike[0].constants
    try:
        expected = evaluate.apply(op, operands, results)
    except CoremlcError:
        raise
    except Exception as error:
        raise OracleError(f"{kind.kind}({types[0] if types else ''}): {place(error)}") from error
    ranges = tuple(_range(rng, x, t.dtype) for x, t in zip(operands, types, strict=True))
    return Case(seed, op, tuple(operands), constants, ranges, expected)


def _small(x: Array) -> Array:
    """Float16 elements of at most 32, or not finite."""
    return np.where(np.isfinite(x), np.clip(x, -32, 32), x).astype(np.float16)


def _range(rng: Rng, x: Array, d: DType) -> tuple[int, int] | None:
    """What is stated of an integer input: nothing, its dtype's range, or what it is."""
    if not d.is_integer or not x.size:
        return None
    tight = rng.random() < 0.2
    low, high = int(x.min()), int(x.max())
    if tight:
        return low, high
    return d.limits if d is dtypes.I64 and (low < -(2**31) or high >= 2**31) else None


# --- judging


def graph_of(cases: Sequence[Case]) -> tuple[Graph, dict[str, Array]]:
    """All the cases side by side, and the inputs."""
    g = Builder()
    results, inputs, outputs, given = [], [], [], {}
    parameters = {
        (n, i): g.parameter(t)
        for n, case in enumerate(cases)
        for i, t in enumerate(case.types)
        if i not in case.constants
    }
    for n, case in enumerate(cases):
        operands = []
        for i, (x, t) in enumerate(zip(case.operands, case.types, strict=True)):
            if i in case.constants:
                operands.append(g.add(Constant(TensorData(t.dtype, x))))
                continue
            operands.append(parameters[n, i])
            inputs.append(Input(f"x{n}_{i}", range=case.ranges[i]))
            given[f"x{n}_{i}"] = x
        found = g.add_multi(case.op, *operands)
        results += found
        outputs += [Output(f"y{n}_{i}") for i in range(len(found))]
    return Graph(g.finish(*results), tuple(inputs), tuple(outputs)), given


def unit(d: DType) -> float:
    """The last place of 1."""
    return {"f16": 2.0**-10, "bf16": 2.0**-7}.get(d.short, 2.0**-23)


def spread(case: Case) -> list[Array]:
    """Absolute difference allowed for each element of each result, besides the tolerance."""
    op, kind = case.op, case.op.kind
    results = op.infer(*case.types)
    results = results if isinstance(results, tuple) else (results,)
    wide = [_working(r) for r in results]
    exact = [np.asarray(y, w) for y, w in zip(_wide(case, case.operands), wide, strict=True)]
    allowed = [np.zeros(y.shape) for y in exact]
    floats = [x.dtype.kind in "fcV" and x.dtype != bool for x in case.operands]
    with np.errstate(all="ignore"):
        rng = np.random.default_rng(case.seed)
        for at in range(8):
            moved = [
                _moved(x, at, rng) if f else x for x, f in zip(case.operands, floats, strict=True)
            ]
            for i, y in enumerate(_wide(case, moved)):
                gap = np.abs(y - exact[i])
                same = (y == exact[i]) | (np.isnan(y) & np.isnan(exact[i]))
                gap = np.where(same, 0, np.where(np.isfinite(gap), gap, np.inf))
                allowed[i] = np.maximum(allowed[i], 2 * gap)
        if kind in SUMS:
            sizes = [_size(x) if f else x for x, f in zip(case.operands, floats, strict=True)]
            if kind.startswith("Select"):
                sizes[0] = case.operands[0]
            for i, (y, r) in enumerate(zip(_wide(case, sizes), results, strict=True)):
                scale = np.full(y.shape, np.abs(y).max(initial=0)) if kind == "FFT" else np.abs(y)
                over = scale > _greatest(r.dtype) / 4
                allowed[i] = np.maximum(
                    allowed[i], np.where(over, np.inf, 16 * unit(r.dtype) * scale)
                )
        for i, r in enumerate(results):
            near = np.abs(exact[i]) * (1 - 16 * unit(r.dtype)) > _greatest(r.dtype)
            allowed[i] = np.where(near & np.isfinite(exact[i]), np.inf, allowed[i])
    return allowed


def _working(t: TensorType) -> Any:
    return dtypes.working(t.dtype)


def _greatest(d: DType) -> float:
    return {"f16": 65504.0, "bf16": 3.38e38}.get(d.short, 3.4e38)


def _size(x: Array) -> Array:
    """Magnitudes, 0 for what is not finite, for the sum of the terms'."""
    y = np.abs(x.astype(np.complex128)) if x.dtype.kind == "c" else np.abs(x.astype(np.float64))
    if x.dtype.kind == "c":
        y = np.abs(x.real.astype(float)) + np.abs(x.imag.astype(float))
    return np.where(np.isfinite(y), y, 0).astype(np.complex128 if x.dtype.kind == "c" else float)


def _moved(x: Array, at: int, rng: Rng) -> Array:
    """Operands off by 4 units: all up, all down, each by chance."""
    d = dtypes.BY_NUMPY[x.dtype]
    y = x.astype(dtypes.working(d))
    by = (16 if d.bits == 16 else 4) * unit(d)
    signs = 1 - 2 * (at & 1) if at < 2 else rng.choice([-1, 1], x.shape)
    return np.asarray(y * (1 + by * signs))


def _wide(case: Case, operands: Sequence[Array]) -> tuple[Array, ...]:
    """Results in the dtype in which the oracle computes, not rounded."""
    op = case.op
    given: list[Any] = [evaluate.widened(x) for x in operands]
    if op.bodies:
        given = [lambda body, *xs: evaluate.run(body, xs), *operands]
    with np.errstate(all="ignore"):
        out = op.evaluate(*given)
    return tuple(np.asarray(y) for y in (out if isinstance(out, tuple) else (out,)))


def differs(case: Case, got: Sequence[Array]) -> str:
    """How the results differ from the oracle's; empty if they agree."""
    allowed: list[Array] | None = None
    for i, (x, y) in enumerate(zip(got, case.expected, strict=True)):
        found = difference(f"result {i}", x, y)
        if not found.mismatched:
            continue
        d = dtypes.BY_NUMPY[y.dtype]
        if found.note.startswith(("dtype", "shape")) or not (d.is_float or d.is_complex):
            return f"{found}"
        if d.bits == 16 and case.op.kind not in EXACT:
            relative, absolute = d.tolerance
            if not difference("", x, y, (8 * relative, 8 * absolute)).mismatched:
                continue
        if case.op.kind in EXACT or case.op.bodies:
            return f"{found}"
        allowed = allowed or spread(case)
        work = dtypes.working(d)
        a, b = x.astype(work), y.astype(work)
        with np.errstate(all="ignore"):
            far = ~(np.abs(a - b) <= allowed[i] + 1e-6 + 8 * d.tolerance[0] * np.abs(b))
            far &= ~((a == b) | (np.isnan(a) & np.isnan(b))) & ~np.isposinf(allowed[i])
            if case.op.kind in LOOSE:
                far &= _finite(case) | np.isfinite(a) | np.isfinite(b)
            elif d.is_complex or case.op.kind in ("FFT", "ConvGeneral"):
                far &= _finite(case) | (np.isfinite(a) & np.isfinite(b))
        if far.any():
            at = tuple(int(k[0]) for k in np.nonzero(far))
            return f"{found}; at {at}: {x[at]} for {y[at]}, allowed {allowed[i][at]:.3g}"
    return ""


def _finite(case: Case) -> bool:
    """Whether every operand is."""
    return all(
        bool(np.isfinite(x.astype(dtypes.working(d))).all())
        for x in case.operands
        if (d := dtypes.BY_NUMPY[x.dtype]).is_float or d.is_complex
    )


class OracleError(Exception):
    """The oracle failed on operands that the op's contract allows."""


class HangError(Exception):
    """One graph took too long."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {LIMIT_S} s")


@dataclass
class Tally:
    """The figures of a run."""

    ops: dict[str, collections.Counter[str]]
    refused: collections.Counter[str]
    findings: collections.Counter[str]
    first: dict[str, int]


def target_of(seed: int) -> str:
    """The target of a seed's batch."""
    return TARGETS[np.random.default_rng([seed // BATCH, 1]).integers(len(TARGETS))]


def outputs_of(
    cases: Sequence[Case], target: str, engines: Sequence[str] = ENGINES
) -> dict[str, list[list[Array]]]:
    """Per engine and case, the results."""
    graph, given = graph_of(cases)
    model = build_model(graph, Recipe(targets.get(target))).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    out = {}
    for engine in engines:
        options = Options(threads=1)
        with load_program(model.program, engine=engine, options=options) as executable:  # type: ignore[arg-type]
            flat = iter(signature.decode(executable.run(signature.encode(given))).values())
        out[engine] = [[next(flat) for _ in case.expected] for case in cases]
    return out


def reason(error: BaseException) -> str:
    """A refusal without the names and numbers in it."""
    if isinstance(error, RefusalsError):
        error = error.refusals[0]
    text = getattr(error, "what", str(error))
    return " ".join("N" if any(c.isdigit() for c in w) else w for w in text.split())[:100]


def place(error: BaseException) -> str:
    """Where an error was raised, and what it says."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:80]}"


def note(tally: Tally, case: Case, target: str, key: str, what: str) -> None:
    """Count a finding, and print the first few of a kind."""
    tally.ops[case.op.kind]["findings"] += 1
    tally.findings[key] += 1
    tally.first.setdefault(key, case.seed)
    if tally.findings[key] > 2:
        return
    text = [f"--- seed={case.seed} target={target} {key}", what, print_graph(graph_of([case])[0])]
    for i, x in enumerate(case.operands):
        if x.size <= 40:
            text.append(f"operand {i}: {x.tolist()}")
    print("\n".join(text), file=sys.stderr, flush=True)


def judge(cases: Sequence[Case], target: str, tally: Tally) -> None:
    """Run the cases in one graph; if that fails, each half of them."""
    try:
        got = outputs_of(cases, target)
    except RefusedError as error:
        if len(cases) > 1:
            return _halves(cases, target, tally)
        tally.ops[cases[0].op.kind]["refused"] += 1
        tally.refused[reason(error)] += 1
        return None
    except Exception as error:
        if len(cases) > 1:
            return _halves(cases, target, tally)
        trace = "".join(traceback.format_exception(error, limit=-3))
        note(tally, cases[0], target, f"{cases[0].op.kind}: {place(error)}", trace)
        return None
    for engine, results in got.items():
        for case, result in zip(cases, results, strict=True):
            what = differs(case, result)
            if what:
                kinds = ",".join(t.dtype.short for t in case.types[:2])
                note(tally, case, target, f"{case.op.kind}({kinds}): {engine} differs", what)
    return None


def _halves(cases: Sequence[Case], target: str, tally: Tally) -> None:
    """Few of them are refused."""
    half = len(cases) // 2
    judge(cases[:half], target, tally)
    judge(cases[half:], target, tally)


def fuzz(seed: int, count: int, only: str = "") -> Tally:
    """The cases of `count` seeds."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _stop)
    tally = Tally(collections.defaultdict(collections.Counter), *_counters(), {})
    for start in range(seed, seed + count, BATCH):
        signal.alarm(LIMIT_S)
        cases = []
        for at in range(start, min(start + BATCH, seed + count)):
            try:
                cases.append(draw(at, only))
            except CoremlcError as error:  # the oracle refuses too
                tally.refused[reason(error)] += 1
                continue
            except OracleError as error:
                key = re.sub(r"\[.*?\]", "", str(error))
                tally.findings[key] += 1
                tally.first.setdefault(key, at)
                continue
            tally.ops[cases[-1].op.kind]["cases"] += 1
        try:
            if cases:
                judge(cases, target_of(start), tally)
        finally:
            signal.alarm(0)
    return tally


def _counters() -> tuple[collections.Counter[str], collections.Counter[str]]:
    return collections.Counter(), collections.Counter()


# --- the record


def spans(seed: int, count: int) -> Iterator[tuple[int, int]]:
    """Chunks, each of whole batches."""
    step = BATCH * CHUNK
    for start in range(seed, seed + count, step):
        yield start, min(step, seed + count - start)


def add(record: dict[str, Any], tally: Tally, count: int) -> None:
    """Count a chunk."""
    record["cases"] += count
    record["next_seed"] += count
    for kind, counts in tally.ops.items():
        row = record["ops"].setdefault(kind, {})
        for name, n in counts.items():
            row[name] = row.get(name, 0) + n
    for name in ("refused", "findings"):
        for key, n in getattr(tally, name).items():
            record[name][key] = record[name].get(key, 0) + n
    for key, at in tally.first.items():
        record["first_seeds"].setdefault(key, at)


def save(record: dict[str, Any], path: Path | None) -> None:
    """Write the record."""
    if path is None:
        return
    for name in ("ops", "refused", "findings", "first_seeds"):
        record[name] = dict(sorted(record[name].items()))
    path.write_text(json.dumps(record, indent=1) + "\n")


def empty(seed: int) -> dict[str, Any]:
    """The record of no case."""
    zero = {"seed": seed, "next_seed": seed, "cases": 0, "wall_s": 0.0}
    return {**zero, "ops": {}, "refused": {}, "findings": {}, "first_seeds": {}}


def _one(span: tuple[int, int], only: str) -> tuple[Tally, int]:
    return fuzz(*span, only), span[1]


def main() -> int:
    """Run the jobs, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-N", type=int, default=10_000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", choices=["", *KINDS], metavar="OP")
    parser.add_argument("--json", type=Path, help="the record: goes on from it, and writes it")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long")
    given = parser.parse_args()
    record = empty(given.seed)
    if given.json is not None and given.json.exists():
        record = json.loads(given.json.read_text())
    begin, before = time.time(), record["wall_s"]
    print(f"seed={record['next_seed']}, {given.N - record['cases']} cases to go", flush=True)
    todo = list(spans(record["next_seed"], given.N - record["cases"]))
    one = functools.partial(_one, only=given.only)
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for tally, count in pool.imap(one, todo):
            add(record, tally, count)
            record["wall_s"] = round(before + time.time() - begin, 1)
            save(record, given.json)
            if time.time() - begin > 60 * given.minutes:
                pool.terminate()
                break
    rate = record["cases"] / max(record["wall_s"], 0.1)
    print(f"{record['cases']} cases, {rate:.0f} a second, next seed={record['next_seed']}")
    for name in ("refused", "findings"):
        for key, n in sorted(record[name].items(), key=lambda row: -row[1]):
            print(f"{name} {n:6} {key}  {record['first_seeds'].get(key, '')}")
    return 1 if record["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
