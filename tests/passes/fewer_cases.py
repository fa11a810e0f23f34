"""Cases of the rules that make one op of several: windows, clamps, blocks of pixels."""

from __future__ import annotations

import numpy as np

from coremlc.ops import binary
from coremlc.ops.conv_general import Pair
from coremlc.ops.gather import Gather
from coremlc.ops.reduce_window import ReduceWindow
from tests.ir.graphs import const
from tests.passes.rewriting import ADD, NEG, SUB, Case, dims, perm

MAX, MIN = binary.Max(), binary.Min()


def window(g, x, kind, sizes, strides=(1, 1), pads=((0, 0), (0, 0)), dilation=1):
    ones, pairs = (1, 1), tuple(Pair(*p) for p in pads)
    return g.add(ReduceWindow(kind, sizes, strides, ones, (dilation, 1), pairs), x)


def shuffle(g, x, split, out, order=(0, 1, 4, 2, 5, 3)):
    return dims(g, perm(g, dims(g, x, *split), *order), *out)


def doubled(g, x):
    """Pixels of blocks of 2, of f32[1,4,3,5] or f32[1,8,3,5]."""
    n, c, h, w = x.type.shape
    return shuffle(g, x, (n, c // 4, 2, 2, h, w), (n, c // 4, 2 * h, 2 * w))


def repeated(g, x, height=2, width=3, bend=0, collapsed=()):
    """Pixels of f32[1,2,3,4] by their indices."""
    places = np.indices((3 * height, 4 * width)) // np.array([height, width]).reshape(2, 1, 1)
    places[0, 0, 0] += bend
    axes = tuple(range(2, 6 - len(collapsed)))
    op = Gather(2, axes, collapsed, (2, 3), (1, 2, 1, 1), False)
    return g.add(op, x, const(g, np.moveaxis(places, 0, 2), "i32"))


FIRED = [
    Case("whole_window", lambda g, a: window(g, a, "Max", (3, 1)), ("f32[3,4]",),
         "ReduceMax(a):f32[4] Reshape(%):f32[1,4] -> %"),
    Case("whole_window", lambda g, a: window(g, a, "Sum", (3, 4), (3, 4)), ("i32[3,4]",),
         "ReduceSum(a):i32[] Reshape(%):i32[1,1] -> %"),
    Case("clamped", lambda g, a: g.add(MIN, g.add(MAX, a, const(g, -1.0)), const(g, 2.0)),
         ("f32[6]",), "Clamp(-1.0, a, 2.0):f32[6] -> %"),
    Case("clamped", lambda g, a: g.add(MAX, const(g, 0.0), g.add(MIN, const(g, 6.0), a)),
         ("f32[6]",), "Clamp(0.0, a, 6.0):f32[6] -> %"),
    Case("shuffled", doubled, ("f32[2,8,3,5]",), "pixel_shuffle(a):f32[2,2,6,10] -> %"),
    Case("shuffled", lambda g, a: shuffle(g, a, (4, 2, 2, 3, 5), (2, 2, 6, 10), (0, 3, 1, 4, 2)),
         ("f32[2,8,3,5]",), "pixel_shuffle(a):f32[2,2,6,10] -> %"),
    Case("shuffle_below", lambda g, a: g.add(NEG, doubled(g, a)), ("f32[1,4,3,5]",),
         "Neg(a):f32[1,4,3,5] pixel_shuffle(%):f32[1,1,6,10] -> %"),
    Case("shuffle_below",
         lambda g, a: g.add(SUB, const(g, np.arange(2).reshape(1, 2, 1, 1)), doubled(g, a)),
         ("f32[1,8,3,5]",),
         "Sub(const:f32[1,8,1,1], a):f32[1,8,3,5] pixel_shuffle(%):f32[1,2,6,10] -> %"),
]  # fmt: skip
FIRED += [
    Case(
        "upsampled",
        lambda g, a: perm(g, repeated(g, a, collapsed=(2, 3)), 2, 3, 0, 1),
        ("f32[1,2,3,4]",),
        "upsample(a):f32[1,2,6,12] -> %",
    ),
    Case(
        "upsampled",
        lambda g, a: perm(g, dims(g, repeated(g, a), 6, 12, 1, 2), 2, 3, 0, 1),
        ("f32[1,2,3,4]",),
        "upsample(a):f32[1,2,6,12] -> %",
    ),
]

NEAR = [
    Case(
        "upsampled",
        lambda g, a: repeated(g, a, bend=1, collapsed=(2, 3)),
        ("f32[1,2,3,4]",),
        "Gather(a, const:i32[6,12,2]):f32[6,12,1,2] -> %",
    ),
    Case(
        "upsampled",
        lambda g, a: repeated(g, a, collapsed=(2, 3)),
        ("i32[1,2,3,4]",),
        "Gather(a, const:i32[6,12,2]):i32[6,12,1,2] -> %",
    ),
    Case("whole_window", lambda g, a: window(g, a, "Max", (2, 1)), ("f32[3,4]",),
         "ReduceWindow(a):f32[2,4] -> %"),
    Case("whole_window", lambda g, a: window(g, a, "Sum", (3, 1), pads=((1, 0), (0, 0))),
         ("f32[3,4]",), "ReduceWindow(a):f32[2,4] -> %"),
    Case("whole_window", lambda g, a: window(g, a, "Sum", (3, 1), (1, 2)), ("f32[3,4]",),
         "ReduceWindow(a):f32[1,2] -> %"),
    Case("clamped", lambda g, a: g.add(MIN, g.add(MAX, a, const(g, 2.0)), const(g, -1.0)),
         ("f32[6]",), "Max(a, 2.0):f32[6] Min(%, -1.0):f32[6] -> %"),
    Case("clamped", lambda g, a: g.add(MIN, g.add(MAX, a, const(g, np.nan)), const(g, 1.0)),
         ("f32[6]",), "Max(a, nan):f32[6] Min(%, 1.0):f32[6] -> %"),
    Case("clamped", lambda g, a, b: g.add(MIN, g.add(MAX, a, b), const(g, 1.0)),
         ("f32[6]", "f32[6]"), "Max(a, b):f32[6] Min(%, 1.0):f32[6] -> %"),
    # Rows and columns of a block in the other order.
    Case("shuffled",
         lambda g, a: shuffle(g, a, (2, 2, 2, 2, 3, 5), (2, 2, 6, 10), (0, 1, 4, 3, 5, 2)),
         ("f32[2,8,3,5]",),
         "Reshape(a):f32[2,2,2,2,3,5] Transpose(%):f32[2,2,3,2,5,2] Reshape(%):f32[2,2,6,10] -> %"),
    Case("shuffle_below", lambda g, a, b: g.add(ADD, doubled(g, a), b),
         ("f32[1,4,3,5]", "f32[1,1,6,10]"),
         "pixel_shuffle(a):f32[1,1,6,10] Add(%, b):f32[1,1,6,10] -> %"),
    Case("shuffle_below",
         lambda g, a: g.add(ADD, doubled(g, a), const(g, np.arange(6).reshape(1, 1, 6, 1))),
         ("f32[1,4,3,5]",),
         "pixel_shuffle(a):f32[1,1,6,10] Add(%, const:f32[1,1,6,1]):f32[1,1,6,10] -> %"),
]  # fmt: skip
