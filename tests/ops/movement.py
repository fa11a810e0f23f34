"""Samples of data movement: shapes, slices, padding, leaves."""

from __future__ import annotations

import numpy as np

from coremlc import dtypes
from coremlc.ir.graph import Builder, Function
from coremlc.ir.literal import TensorData
from coremlc.ops import binary, call, dynamic_slice, iota, leaves, pad, shape
from coremlc.ops.pad import PadAxis
from tests.ops.samples import Reject, Sample, array, edges, randoms, t

KINDS = ("f32", "f16", "i32", "bool")
ALL = ("iOS15", "iOS18")


def _shapes() -> list[Sample]:
    found = []
    for d in KINDS:
        x = randoms(d, 2, 3, 4)
        found += [
            Sample(shape.Reshape((4, 6)), (x,), targets=ALL),
            Sample(shape.Transpose((2, 0, 1)), (x,)),
            Sample(shape.BroadcastInDim(t(d, 5, 2, 3, 4), (1, 2, 3)), (x,)),
            Sample(shape.Reverse((0, 2)), (x,)),
            Sample(shape.Concatenate(1), (x, randoms(d, 2, 1, 4), x)),
            Sample(shape.Slice((0, 1, 0), (2, 3, 4), (1, 1, 3)), (x,)),
            Sample(shape.Slice((1, 0, 1), (2, 2, 3), (1, 1, 1)), (x,)),
        ]
    x, e = randoms("f32", 3, 2), edges("f32")
    return [
        *found,
        Sample(shape.Reshape(()), (randoms("f32", 1, 1),)),
        Sample(shape.Reshape((1, 1)), (randoms("f32"),)),
        Sample(shape.Reshape((0, 5)), (randoms("f32", 3, 0),)),
        Sample(shape.Reshape((1, 1, 3, 2, 1)), (x,)),
        Sample(shape.Reshape(e.shape), (e,), note="nan"),
        Sample(shape.Transpose(()), (randoms("i32"),)),
        Sample(shape.Transpose((1, 0)), (randoms("f32", 1, 4),)),
        Sample(shape.Transpose((4, 2, 0, 1, 3)), (randoms("f32", 2, 3, 1, 2, 2),)),
        Sample(shape.BroadcastInDim(t("f32", 2, 3), ()), (randoms("f32"),), note="scalar"),
        Sample(shape.BroadcastInDim(t("f32", 2, 4, 3), (2, 0)), (x,), note="unsorted"),
        Sample(shape.BroadcastInDim(t("i32", 2, 3), (0, 1)), (randoms("i32", 2, 1),)),
        Sample(shape.BroadcastInDim(t("f32", 0, 3), (1,)), (randoms("f32", 3),)),
        Sample(shape.BroadcastInDim(t("f32"), ()), (randoms("f32"),)),
        Sample(shape.Reverse(()), (x,)),
        Sample(shape.Reverse((1,)), (randoms("f32", 3, 1),)),
        Sample(shape.Concatenate(0), (x,), note="one"),
        Sample(shape.Concatenate(0), (randoms("f32", 0, 2), x), note="empty"),
        Sample(shape.Slice((2, 0), (2, 2), (1, 1)), (x,), note="empty"),
        Sample(shape.Slice((0, 0), (3, 2), (1, 1)), (x,), note="all"),
        Sample(shape.Slice((), (), ()), (randoms("f32"),)),
    ]


def _dynamic() -> list[Sample]:
    found = []
    for d in KINDS:
        x, update = randoms(d, 4, 5), randoms(d, 2, 5, seed=1)
        for start in ((0, 0), (1, 0), (9, -3), (-7, 99)):
            scalars = tuple(array("i32", s) for s in start)
            found.append(Sample(dynamic_slice.DynamicSlice((2, 3)), (x, *scalars), note=str(start)))
            found.append(
                Sample(
                    dynamic_slice.DynamicUpdateSlice(),
                    (x, update, *scalars),
                    note=str(start),
                    targets=ALL,
                )
            )
    x = randoms("f32", 2, 3, 4)
    vector = array("i32", [1, 5, -1])
    window = randoms("f32", 1, 2, 2, seed=1)
    return [
        *found,
        Sample(dynamic_slice.DynamicSlice((1, 1, 2)), (x, vector), note="vector"),
        Sample(dynamic_slice.DynamicSlice((2, 3, 4)), (x, vector), note="all"),
        Sample(dynamic_slice.DynamicSlice(()), (randoms("f32"),), note="rank0"),
        Sample(dynamic_slice.DynamicUpdateSlice(), (x, window, vector), targets=ALL),
        Sample(dynamic_slice.DynamicUpdateSlice(), (x, randoms("f32", 2, 3, 4, seed=3), vector)),
        Sample(dynamic_slice.DynamicSlice((3, 1, 2)), (randoms("f32", 5, 2, 4), vector)),
    ]


def _pads() -> list[Sample]:
    configs = {
        "edges": ((1, 2, 0), (0, 3, 0)),
        "negative": ((-1, 2, 0), (1, -2, 0)),
        "interior": ((0, 0, 2), (1, 1, 1)),
        "mixed": ((-1, 0, 1), (2, -1, 3)),
        "nothing": ((0, 0, 0), (0, 0, 0)),
        "crossing": ((-2, 3, 1), (4, -3, 0)),
    }
    found = []
    for d in KINDS:
        x = randoms(d, 3, 4)
        for note, rows in configs.items():
            op = pad.Pad(tuple(PadAxis(*row) for row in rows))
            fill = array(d, 1) if d == "bool" else array(d, 7)
            found.append(Sample(op, (x, fill), frozenset({1}), note=f"constant-{note}"))
            found.append(Sample(op, (x, fill), note=note))
    infinite = array("f32", -np.inf)
    axis = PadAxis(1, 1)
    return [
        *found,
        Sample(pad.Pad((axis,)), (edges("f32"), infinite), frozenset({1}), note="inf"),
        Sample(pad.Pad((axis,)), (randoms("f32", 0), array("f32", 2)), note="empty"),
        Sample(
            pad.Pad((PadAxis(-2, 3), axis)), (randoms("f32", 1, 3), array("f32", 2)), note="cut"
        ),
        Sample(pad.Pad((PadAxis(2, -1),)), (randoms("f32", 0), array("f32", 2)), note="cutempty"),
        Sample(pad.Pad((PadAxis(2, 0, 3),)), (randoms("i32", 1), array("i32", 2)), note="one"),
        Sample(pad.Pad(()), (randoms("f32"), array("f32", 2)), note="rank0"),
        Sample(
            pad.Pad((PadAxis(0, 0, 1),) * 5),
            (randoms("f32", 2, 1, 2, 2, 2), array("f32", 0)),
            note="rank5",
        ),
    ]


def _leaves() -> list[Sample]:
    found = [
        Sample(iota.Iota(t(d, 2, 3, 4), axis), ()) for d in ("f32", "f16", "i32") for axis in (0, 2)
    ]
    for d in KINDS:
        x = edges(d)
        found.append(Sample(leaves.Constant(TensorData(dtypes.BY_SHORT[d], x)), ()))
        found.append(Sample(leaves.Identity(), (x,)))
    x = randoms("f32", 2, 3)
    return [
        *found,
        Sample(leaves.OptimizationBarrier(), (x, randoms("i32", 4))),
        Sample(leaves.SchedulingBarrier(), (x, randoms("i32", 4))),
        Sample(leaves.DynamicDimensionSize(1), (x,)),
        Sample(leaves.DynamicShape(), (x,)),
        Sample(call.Call(_function()), (x, randoms("f32", 2, 3, seed=1))),
    ]


def _function() -> Function:
    g = Builder()
    x, y = g.parameter(t("f32", 2, 3)), g.parameter(t("f32", 2, 3))
    return g.finish(g.add(binary.Sub(), y, x), x, name="swap")


SAMPLES = _shapes() + _dynamic() + _pads() + _leaves()

_F = t("f32", 2, 3)
_I = t("i32")
REJECTS = [
    Reject("C1", shape.Reshape((5,)), (_F,), "use dims with product 6"),
    Reject("C1", shape.Transpose((0, 0)), (_F,), "use each of 0..1 once"),
    Reject("C1", shape.BroadcastInDim(_F, (0,)), (_F,), "give one per axis"),
    Reject("C1", shape.BroadcastInDim(_F, (1, 1)), (_F,), "at most once"),
    Reject("C2", shape.BroadcastInDim(t("f32", 4, 3), (0, 1)), (_F,), "make dims 1 or equal"),
    Reject("C3", shape.BroadcastInDim(t("i32", 2, 3), (0, 1)), (_F,), "use one dtype"),
    Reject("C1", shape.Reverse((2,)), (_F,), "at most once"),
    Reject("C1", shape.Concatenate(0), (_F, t("i32", 2, 3)), "operand 1 is i32[2,3]"),
    Reject("C2", shape.Concatenate(0), (_F, t("f32", 2, 4)), "every dim except axis 0 equal"),
    Reject("C2", shape.Concatenate(0), (_F, t("f32", 2)), "every dim except axis 0 equal"),
    Reject("C3", shape.Concatenate(2), (_F, _F), "use 0..1"),
    Reject("C1", shape.Slice((0,), (1,), (1,)), (_F,), "give 2 starts"),
    Reject("C2", shape.Slice((0, 2), (2, 1), (1, 1)), (_F,), "axis 1 of f32[2,3]"),
    Reject("C2", shape.Slice((0, 0), (3, 1), (1, 1)), (_F,), "axis 0 of f32[2,3]"),
    Reject("C3", shape.Slice((0, 0), (2, 3), (1, 0)), (_F,), "stride >= 1"),
    Reject("C1", dynamic_slice.DynamicSlice((3, 1)), (_F, _I, _I), "make it fit"),
    Reject("C2", dynamic_slice.DynamicSlice((1, 1)), (_F, _I), "one integer scalar per axis"),
    Reject("C2", dynamic_slice.DynamicSlice((1, 1)), (_F, t("f32"), _I), "one integer scalar"),
    Reject("C1", dynamic_slice.DynamicUpdateSlice(), (_F, t("i32", 1, 1), _I, _I), "one dtype"),
    Reject("C1", dynamic_slice.DynamicUpdateSlice(), (_F, t("f32", 3, 1), _I, _I), "make it fit"),
    Reject("C2", dynamic_slice.DynamicUpdateSlice(), (_F, _F, _I), "one integer scalar"),
    Reject("C1", pad.Pad((PadAxis(),)), (_F, t("f32")), "give one per axis"),
    Reject("C1", pad.Pad((PadAxis(0, 0, -1), PadAxis())), (_F, t("f32")), "interior >= 0"),
    Reject("C2", pad.Pad((PadAxis(), PadAxis())), (_F, _I), "use a f32 scalar"),
    Reject("C3", pad.Pad((PadAxis(-3), PadAxis())), (_F, t("f32")), "crop less"),
    Reject("C1", iota.Iota(_F, 2), (), "use 0..1"),
    Reject("C2", iota.Iota(t("bool", 2), 0), (), "use a number dtype"),
    Reject("C1", leaves.DynamicDimensionSize(2), (_F,), "use 0..1"),
    Reject("C1", call.Call(_function()), (_F,), "give f32[2,3], f32[2,3]"),
]
