"""Cases of the rules that move reshapes below other ops."""

from __future__ import annotations

import numpy as np

from coremlc.ops import reduce
from coremlc.ops.norm import FusedSoftmax, layer_norm
from tests.ir.graphs import const
from tests.passes.rewriting import ADD, NEG, SUB, Case, cut, dims, perm


def summed(g, x, *axes):
    return g.add(reduce.ReduceSum(axes), x)


def softmax(g, x, axis):
    return g.add(FusedSoftmax(axis), x)


def norm(g, x, count):
    return g.add(layer_norm(count, 1e-5, False, False), x)


def shifted(g, x, *shape):
    """With a constant of that shape."""
    return g.add(SUB, x, const(g, np.arange(np.prod(shape)).reshape(shape)))


def met(g, x, y):
    """What x reshaped meets is reshaped elsewhere too."""
    return g.add(
        ADD, shifted(g, dims(g, y, 6, 4), 6, 4), dims(g, g.add(SUB, dims(g, x, 2, 3, 4), y), 6, 4)
    )


FIRED = [
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 2, 3, 4)),
        ("f32[6,4]",),
        "Neg(a):f32[6,4] Reshape(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 1, 6, 4)),
        ("f32[6,4]",),
        "Neg(a):f32[6,4] Reshape(%):f32[1,6,4] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a: dims(g, shifted(g, dims(g, a, 2, 3, 4), 1, 1, 4), 6, 4),
        ("f32[6,4]",),
        "Sub(a, const:f32[1,4]):f32[6,4] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a, b: g.add(SUB, b, dims(g, a, 1, 6, 4)),
        ("f32[6,4]", "f32[1,6,1]"),
        "Reshape(b):f32[6,1] Sub(%, a):f32[6,4] Reshape(%):f32[1,6,4] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a, b: g.add(SUB, dims(g, a, 2, 3, 4), dims(g, b, 2, 3, 4)),
        ("f32[6,4]", "f32[3,8]"),
        "Reshape(b):f32[6,4] Sub(a, %):f32[6,4] Reshape(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below",
        met,
        ("f32[6,4]", "f32[2,3,4]"),
        "Reshape(b):f32[6,4] Sub(%, const:f32[6,4]):f32[6,4] Sub(a, %):f32[6,4] "
        "Add(%, %):f32[6,4] -> %",
    ),
    Case(
        "reshape_below_reduction",
        lambda g, a: summed(g, dims(g, a, 2, 3, 4), 1, 0),
        ("f32[6,4]",),
        "ReduceSum(a):f32[4] -> %",
    ),
    Case(
        "reshape_below_reduction",
        lambda g, a: summed(g, dims(g, a, 1, 2, 3, 4), 0, 3),
        ("f32[6,4]",),
        "ReduceSum(a):f32[6] Reshape(%):f32[2,3] -> %",
    ),
    Case(
        "reshape_below_softmax",
        lambda g, a: softmax(g, dims(g, a, 2, 3, 4), 2),
        ("f32[6,4]",),
        "FusedSoftmax(a):f32[6,4] Reshape(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below_norm",
        lambda g, a: norm(g, dims(g, a, 2, 3, 4), 1),
        ("f32[6,4]",),
        "layer_norm(a):f32[6,4] Reshape(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below_transpose",
        lambda g, a: perm(g, dims(g, a, 2, 3, 4), 2, 0, 1),
        ("f32[6,4]",),
        "Transpose(a):f32[4,6] Reshape(%):f32[4,2,3] -> %",
    ),
    Case(
        "reshape_below_slice",
        lambda g, a: cut(g, dims(g, a, 4, 2, 3), (1, 1, 0), (4, 2, 3), (2, 1, 1)),
        ("f32[4,6]",),
        "Slice(a):f32[2,3] Reshape(%):f32[2,1,3] -> %",
    ),
    Case(
        "reshapes_meet",
        lambda g, a: dims(g, perm(g, dims(g, a, 1, 2, 3, 4), 0, 2, 1, 3), 3, 2, 4),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] Transpose(%):f32[3,2,4] -> %",
    ),
]

NEAR = [
    # Dims of 1 that others broadcast to.
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 6, 4, 1)),
        ("f32[6,4]",),
        "Reshape(a):f32[6,4,1] Neg(%):f32[6,4,1] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 6, 1, 4)),
        ("f32[6,4]",),
        "Reshape(a):f32[6,1,4] Neg(%):f32[6,1,4] -> %",
    ),
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 1, 1)),
        ("f32[1]",),
        "Reshape(a):f32[1,1] Neg(%):f32[1,1] -> %",
    ),
    # To a lower rank.
    Case(
        "reshape_below",
        lambda g, a: g.add(NEG, dims(g, a, 6, 4)),
        ("f32[2,3,4]",),
        "Reshape(a):f32[6,4] Neg(%):f32[6,4] -> %",
    ),
    # Along one of the axes that one has become.
    Case(
        "reshape_below",
        lambda g, a: shifted(g, dims(g, a, 2, 3, 4), 1, 3, 1),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] Sub(%, const:f32[1,3,1]):f32[2,3,4] -> %",
    ),
    # What it meets would have to be reshaped for it.
    Case(
        "reshape_below",
        lambda g, a, b: g.add(SUB, dims(g, a, 2, 3, 4), b),
        ("f32[6,4]", "f32[2,3,4]"),
        "Reshape(a):f32[2,3,4] Sub(%, b):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below_reduction",
        lambda g, a: summed(g, dims(g, a, 2, 3, 4), 1),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] ReduceSum(%):f32[2,4] -> %",
    ),
    Case(
        "reshape_below_softmax",
        lambda g, a: softmax(g, dims(g, a, 2, 3, 4), 1),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] FusedSoftmax(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below_norm",
        lambda g, a: norm(g, dims(g, a, 2, 3, 4), 2),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] layer_norm(%):f32[2,3,4] -> %",
    ),
    Case(
        "reshape_below_transpose",
        lambda g, a: perm(g, dims(g, a, 2, 3, 4), 1, 0, 2),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] Transpose(%):f32[3,2,4] -> %",
    ),
    Case(
        "reshape_below_slice",
        lambda g, a: cut(g, dims(g, a, 4, 2, 3), (0, 0, 1), (4, 2, 3)),
        ("f32[4,6]",),
        "Reshape(a):f32[4,2,3] Slice(%):f32[4,2,2] -> %",
    ),
    Case(
        "reshape_below_slice",
        lambda g, a: cut(g, dims(g, a, 4, 3, 2), (0, 0, 0), (4, 3, 2), (1, 2, 1)),
        ("f32[4,6]",),
        "Reshape(a):f32[4,3,2] Slice(%):f32[4,2,2] -> %",
    ),
    Case(
        "reshapes_meet",
        lambda g, a: dims(g, perm(g, a, 0, 2, 1, 3), 3, 2, 4),
        ("f32[1,2,3,4]",),
        "Transpose(a):f32[1,3,2,4] Reshape(%):f32[3,2,4] -> %",
    ),
    Case(
        "reshapes_meet",
        lambda g, a: dims(g, perm(g, dims(g, a, 2, 3, 4), 1, 0, 2), 3, 8),
        ("f32[6,4]",),
        "Reshape(a):f32[2,3,4] Transpose(%):f32[3,2,4] Reshape(%):f32[3,8] -> %",
    ),
]
