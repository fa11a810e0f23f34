"""Channels, or pixels, that become blocks of pixels. Exact: data movement."""

from __future__ import annotations

import math

import numpy as np

from coremlc.dtypes import F16, F32
from coremlc.ir.graph import Builder, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.gather import Gather
from coremlc.ops.leaves import Constant, known
from coremlc.ops.pixel_shuffle import ORDER, pixel_shuffle
from coremlc.ops.shape import Reshape, Transpose
from coremlc.ops.upsample import upsample
from coremlc.passes.rules.broadcast import ELEMENTWISE
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]
Dims = tuple[int, ...]


def shuffled(g: Builder, op: Reshape, operands: Operands, out: TensorType) -> Value | None:
    """`Reshape(Transpose(Reshape(x))) -> pixel_shuffle(x)`, of rank 4, for any dims of 1 inside."""
    (turned,) = operands
    if not isinstance(turned.op, Transpose) or not isinstance(turned.operands[0].op, Reshape):
        return None
    (split,) = turned.operands
    (x,) = split.operands
    if x.type.rank != 4 or out.rank != 4 or out.dtype not in (F16, F32) or not out.size:
        return None
    shuffle = pixel_shuffle(max(out.shape[2] // x.type.shape[2], 1))
    if shuffle.factor == 1 or x.type.shape[1] % shuffle.factor**2:
        return None
    wanted = _moves(shuffle.blocks(x.type.shape), ORDER)
    if shuffle.infer(x.type) != out or _moves(split.type.shape, turned.op.permutation) != wanted:
        return None
    return g.add(shuffle, x)


def _moves(dims: Dims, permutation: Dims) -> tuple[Dims, Dims]:
    """What a transpose moves: dims, and their order, of axes that stay side by side as one."""
    order = [a for a in permutation if dims[a] != 1]
    rank = {a: i for i, a in enumerate(sorted(order))}
    runs: list[list[int]] = []
    for a in order:
        if runs and rank[a] == rank[runs[-1][-1]] + 1:
            runs[-1].append(a)
        else:
            runs.append([a])
    merged = {run[0]: math.prod([dims[a] for a in run]) for run in runs}
    places = sorted(merged)
    return tuple([merged[a] for a in places]), tuple([places.index(a) for a in merged])


def shuffle_below(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`f(pixel_shuffle(x), c) -> pixel_shuffle(f(x, c))`, c numbers and constants by channel."""
    shuffles = [
        x for x in operands if isinstance(x.op, pixel_shuffle) and x.type.shape == out.shape
    ]
    if len(shuffles) != 1 or out.dtype not in (F16, F32):
        return None
    (shuffle,) = shuffles
    assert isinstance(shuffle.op, pixel_shuffle)
    block = shuffle.op.factor**2
    moved = [x.operands[0] if x is shuffle else _by_block(g, x, block) for x in operands]
    if any(x is None for x in moved):
        return None
    return g.add(shuffle.op, g.add(op, *[x for x in moved if x is not None]))


def _by_block(g: Builder, x: Value, block: int) -> Value | None:
    """A constant of each channel, for the channels that become its block."""
    array = known(x)
    if not x.type.shape:
        return x
    if array is None or x.type.size != x.type.shape[1]:
        return None
    return g.add(Constant(TensorData(x.type.dtype, np.repeat(array, block, axis=1))))


def upsampled(g: Builder, op: Gather, operands: Operands, out: TensorType) -> Value | None:
    """`Gather(x, [[0, 0], [0, 0], [0, 1] ..] ..) -> Reshape(Transpose(upsample(x)))`.

    Each pixel of the last two of four axes as often as each other, in rows and in columns.
    """
    x, indices = operands
    places = known(indices)
    if places is None or x.type.rank != 4 or x.type.dtype not in (F16, F32) or not out.size:
        return None
    n, c, h, w = x.type.shape
    whole = (op.start_index_map, op.slice_sizes) == ((2, 3), (n, c, 1, 1))
    if not whole or places.ndim != 3 or op.index_vector_axis != 2:
        return None
    rows, columns, _ = places.shape
    factors = upsample(rows // h, columns // w)
    order = (2, 3, 0, 1)
    if op.offset_output_axes != tuple(range(2, out.rank)) or min(factors.height, factors.width) < 1:
        return None
    if factors.infer(x.type).shape != (n, c, rows, columns):
        return None
    due = np.indices((rows, columns)) // np.array([factors.height, factors.width]).reshape(2, 1, 1)
    if not np.array_equal(np.moveaxis(due, 0, 2), places):
        return None
    return g.add(Reshape(out.shape), g.add(Transpose(order), g.add(factors, x)))


RULES: Rules = (
    ((Reshape,), shuffled),
    (ELEMENTWISE, shuffle_below),
    ((Gather,), upsampled),
)
