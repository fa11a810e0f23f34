"""Convolutions of few output channels: neighbouring places are computed as further channels.

ONNX Runtime computes channels in blocks, up to four blocks at a time; one channel costs as much as
a block, and one block nearly as much as two. A kernel beside itself, one stride further on, gives
the next place of the result. Between are zeros, so it is for finite numbers; for those it is the
same to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]
    __cpu_features__ as cpu_features,  # what numpy.show_runtime prints
)

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.geometry import Geometry
from coremlc.engine.ort.tensor import Array, T, const_of

LANES = 16 if cpu_features.get("AVX512F") else 8
"""Channels of a block: as many as a register holds."""
BLOCKS = (0.0, 1.0, 1.1, 1.3, 1.7)
"""What so many blocks at a time cost, measured."""
ALIGNMENT = 4
"""Of the input's channels, where they are not fewer than lanes: else ORT has another kernel."""
LEAST_WORK = 1 << 18
"""Products for one output channel, which take 0.1 ms on one core."""
GAIN = 0.65
"""Largest share of the time that is worth it: there are places to order and numbers to look at."""
COLUMNS = 1.15
"""What it costs more to put places of the last axis in order."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How many places along which spatial axis are channels of one convolution."""

    geometry: Geometry
    axis: int
    count: int

    @staticmethod
    def of(geometry: Geometry) -> Neighbours | None:
        """Those that gain most; None if none gain much."""
        depth = geometry.weight[1]
        if not geometry.is_plain or len(geometry.strides) != 2:
            return None
        work = math.prod(geometry.out) // geometry.weight[0] * math.prod(geometry.weight[1:])
        if work < LEAST_WORK or (depth >= LANES and depth % ALIGNMENT):
            return None
        best = min(_choices(geometry), key=lambda choice: choice.share, default=None)
        return best if best is not None and best.share <= GAIN else None

    @property
    def size(self) -> int:
        """Of the kernel along the axis."""
        return self.geometry.weight[2 + self.axis] + self._stride * (self.count - 1)

    @property
    def _stride(self) -> int:
        return self.geometry.strides[self.axis]

    @property
    def share(self) -> float:
        """Of the time that the plain convolution takes."""
        channels, kernel = self.geometry.weight[0], self.geometry.weight[2 + self.axis]
        share = _cost(channels * self.count) / _cost(channels) * self.size / kernel / self.count
        return share * COLUMNS if self.axis == 1 else share

    def node(self, g: Emitter, x: T, weight: T, bias: T | None) -> str:
        """The convolution of the same numbers."""
        geometry, axis = self.geometry, self.axis
        out = geometry.out
        groups = -(-out[2 + axis] // self.count)
        strides, pads = list(geometry.strides), list(geometry.pads)
        strides[axis] *= self.count
        low = pads[axis][0]
        reach = (groups - 1) * strides[axis] + self.size
        pads[axis] = (low, max(reach - geometry.x[2 + axis] - low, 0))
        kernel = self._kernel(const_of(weight, "weight"))
        operands: list[Name] = [x, g.const(kernel)]
        if bias is not None:
            operands.append(g.const(np.repeat(const_of(bias, "bias"), self.count)))
        moved = replace(geometry, weight=kernel.shape, strides=tuple(strides), pads=tuple(pads))
        found = moved.node(g, *operands)
        return self._in_order(g, found, groups)

    def _kernel(self, weight: Array) -> Array:
        """[out channels * count, channels, height, width]."""
        shape = list(weight.shape)
        shape[2 + self.axis] = self.size
        found = np.zeros((weight.shape[0], self.count, *shape[1:]), np.float32)
        for i in range(self.count):
            start = i * self._stride
            at = slice(start, start + weight.shape[2 + self.axis])
            found[:, i][(..., at, slice(None)) if self.axis == 0 else (..., at)] = weight
        return found.reshape(-1, *shape[1:])

    def _in_order(self, g: Emitter, found: str, groups: int) -> str:
        """From [n, out channels * count, ..groups..] to [n, out channels, ..groups * count..]."""
        n, channels, height, width = self.geometry.out
        if self.axis == 0:
            places = g.reshape(found, [n, channels, self.count, groups, width])
            order, dims = [0, 1, 3, 2, 4], [n, channels, groups * self.count, width]
        else:
            places = g.reshape(found, [n, channels, self.count, height, groups])
            order, dims = [0, 1, 3, 4, 2], [n, channels, height, groups * self.count]
        whole = g.reshape(g.node("Transpose", places, perm=order), dims)
        size, axis = self.geometry.out[2 + self.axis], 2 + self.axis
        if dims[axis] == size:
            return whole
        return g.node("Slice", whole, g.i64(0), g.i64(size), g.i64(axis))


def _choices(geometry: Geometry) -> Iterator[Neighbours]:
    most = LANES * (len(BLOCKS) - 1) // geometry.weight[0]
    for count in range(2, most + 1):
        for axis in (0, 1):
            if geometry.out[2 + axis] >= count:
                yield Neighbours(geometry, axis, count)


def _cost(channels: int) -> float:
    """Of so many output channels."""
    full, rest = divmod(-(-channels // LANES), len(BLOCKS) - 1)
    return full * BLOCKS[-1] + BLOCKS[rest]
