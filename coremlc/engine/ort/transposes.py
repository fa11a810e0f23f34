"""Transposes: one axis, or blocks, move at the speed of memory; all else element by element."""

from __future__ import annotations

import math
from collections.abc import Sequence

from coremlc.engine.ort.emitter import LARGE, Emitter
from coremlc.engine.ort.tensor import ONNX_DTYPES, T

OTHER = {"fp32": "int32", "int32": "fp32"}
"""Dtypes whose bits can go by the other's name."""
BLOCK = 8
"""Elements from which on moving blocks is faster."""


def transposed(g: Emitter, x: T, perm: Sequence[int]) -> str:
    """X with its axes in another order."""
    if x.is_static and x.size >= LARGE and x.dtype in OTHER and not _is_fast(x.dims, perm):
        return _in_two_steps(g, x, perm)
    return g.node("Transpose", x, perm=perm)


def _is_fast(dims: Sequence[int], perm: Sequence[int]) -> bool:
    """Whether the last axis stays, is short, or moves alone: dims of 1 count for nothing."""
    order = [axis for axis in perm if dims[axis] != 1]
    last = max(order)
    if order[-1] == last or dims[last] < BLOCK:
        return True
    return any(
        rest == sorted(rest) for i in range(len(order)) for rest in [order[:i] + order[i + 1 :]]
    )


def _in_two_steps(g: Emitter, x: T, perm: Sequence[int]) -> str:
    """Blocks of the last axis into the order of the rest, then that axis to its place.

    BitCasts stand between the steps, for ONNX Runtime would join them again: up to ten times as
    fast as one step.
    """
    last = max(axis for axis in perm if x.dims[axis] != 1)
    others = [axis for axis in perm if axis != last]
    blocks = g.node("Transpose", x, perm=[*others, last])
    before = others[: list(perm).index(last)]
    lead = math.prod(x.dims[axis] for axis in before)
    rows = [lead, x.size // lead // x.dims[last], x.dims[last]]
    bits = g.node("BitCast", blocks, to=ONNX_DTYPES[OTHER[x.dtype]])
    moved = g.node("Transpose", g.reshape(bits, rows), perm=[0, 2, 1])
    whole = g.node("BitCast", moved, to=ONNX_DTYPES[x.dtype])
    return g.reshape(whole, [x.dims[axis] for axis in perm])
