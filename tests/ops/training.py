"""Samples of ops that training graphs hold, and of those that one device makes trivial."""

from __future__ import annotations

import numpy as np

from coremlc.ops.batch_norm import BatchNormForTraining, BatchNormGradient
from coremlc.ops.conv_general import Pair
from coremlc.ops.select_and_scatter import (
    SelectAndScatter,
    SelectAndScatterMax,
    SelectAndScatterMin,
)
from coremlc.ops.static import AllReduce, DynamicDimensionSpec, DynamicReshape, Ints
from tests.ops.samples import INF, NAN, Reject, Sample, array, edges, randoms, t

_HALF = ((2e-2, 1e-2), "many roundings to float16 on the way")
_FULL = ((5e-5, 1e-5), "quotients of rounded sums")
Dims = tuple[int, ...]


def _batch_norms() -> list[Sample]:
    found = []
    for d in ("f32", "f16"):
        wider = _HALF if d == "f16" else _FULL
        x, dy = randoms(d, 4, 3, 5), randoms(d, 4, 3, 5, seed=1)
        for axis in range(3):
            c = x.shape[axis]
            scale, offset, mean = (randoms(d, c, seed=i) for i in range(3))
            variance = np.abs(randoms(d, c, seed=3)) + np.array(0.5, x.dtype)
            note = f"axis{axis}"
            train, gradient = BatchNormForTraining(1e-3, axis), BatchNormGradient(1e-3, axis)
            found += [
                Sample(train, (x, scale, offset), frozenset(), *wider, note=note),
                Sample(gradient, (x, scale, mean, variance, dy), frozenset(), *wider, note=note),
            ]
    one = randoms("f32", 1, 3)
    vectors = [randoms("f32", 3, seed=i) for i in range(2)]
    wide = array("f16", np.linspace(-32, 32, 600).reshape(200, 3))  # whose squares add to 70,000
    halves = [randoms("f16", 3, seed=i) for i in range(2)]
    found.append(Sample(BatchNormForTraining(1e-3, 1), (wide, *halves), note="squares"))
    return [*found, Sample(BatchNormForTraining(1e-3, 1), (one, *vectors), note="one")]


def _select(
    op: type[SelectAndScatter],
    x: np.ndarray,
    window: Dims,
    strides: Dims = (),
    pads: tuple[tuple[int, int], ...] = (),
    note: str = "",
) -> Sample:
    rank = len(window)
    strides = strides or window
    paddings = tuple(Pair(*p) for p in pads or ((0, 0),) * rank)
    rows = zip(x.shape, window, strides, paddings, strict=True)
    dims = tuple((d + p.low + p.high - w) // s + 1 for d, w, s, p in rows)
    kind = {"f": "f32", "i": "i32"}[x.dtype.kind] if x.dtype.itemsize == 4 else "f16"
    source = randoms(kind, *dims, seed=5)
    wider = ((4e-3, 2e-3), "sums of float16") if kind == "f16" else (None, "")
    return Sample(op(window, strides, paddings), (x, source), frozenset(), *wider, note=note)


def _selects() -> list[Sample]:
    found = []
    special = array("f32", [NAN, 1, 2, INF, -INF, -INF, 3, NAN, NAN, NAN, 0.0, -0.0, 5, NAN, 1, 1])
    ties = array("f32", np.random.default_rng(1).integers(0, 3, (2, 6, 6, 2)))
    for op in (SelectAndScatterMax, SelectAndScatterMin):
        for d in ("f32", "f16", "i32"):
            found += [
                _select(op, randoms(d, 2, 6, 6, 2), (1, 2, 2, 1), note="pool"),
                _select(op, randoms(d, 7, 5), (3, 2), (2, 1), note="overlap"),
                _select(op, randoms(d, 5, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), note="padded"),
            ]
        found += [
            _select(op, ties, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 0), (0, 1), (0, 0)), "ties"),
            _select(op, special, (2,), note="nan2"),
            _select(op, special, (3,), (1,), ((1, 1),), note="nan3"),
            _select(op, special.reshape(4, 4), (3, 3), (1, 1), ((2, 2), (2, 2)), note="nan33"),
            _select(op, edges("f32").reshape(2, -1), (2, 4), (2, 3), note="edges"),
            _select(op, randoms("f32", 4), (2,), (2,), ((4, 3),), note="paddingalone"),
            _select(op, array("i32", [2**31 - 1, -(2**31), 5, -(2**31)]), (2,), (1,), note="big"),
            _select(op, randoms("f32", 6), (1,), (1,), note="one"),
            _select(op, randoms("f32", 1), (2,), note="nowindow"),
            _select(op, randoms("f32", 0, 3), (1, 2), note="empty"),
        ]
    return found


def _static() -> list[Sample]:
    groups = (Ints((0,)),)
    x, n = randoms("f32", 3, 4), array("i32", 6)
    dims = (DynamicDimensionSpec(6, "n"), DynamicDimensionSpec(2, ""))
    return [
        Sample(AllReduce("Sum", groups), (x, randoms("i32", 2))),
        Sample(AllReduce("Max", ()), (randoms("f16", 2),)),
        Sample(DynamicReshape(dims), (x,)),
        Sample(DynamicReshape(dims), (x, n), frozenset({1}), note="known"),
        Sample(DynamicReshape(()), (randoms("i32", 1),), note="scalar"),
    ]


SAMPLES = _batch_norms() + _selects() + _static()

_X, _V = t("f32", 4, 5), t("f32", 5)
_NONE = (Pair(0, 0),) * 2


def _rejects() -> list[Reject]:
    train, gradient = BatchNormForTraining, BatchNormGradient
    found = [
        Reject("C1", train(0.1, 2), (_X, _V, _V), "at most once"),
        Reject("C2", train(0.1, 0), (_X, _V, _V), "give vectors of 4"),
        Reject("C3", train(0.1, 1), (_X, _V, t("f16", 5)), "one dtype"),
        Reject("C1", gradient(0.1, 2), (_X, _V, _V, _V, _X), "at most once"),
        Reject("C2", gradient(0.1, 0), (_X, _V, _V, _V, _X), "give vectors of 4"),
        Reject("C3", gradient(0.1, 1), (t("i32", 4, 5), _V, _V, _V, _X), "convert it"),
        Reject("C4", gradient(0.1, 1), (_X, _V, _V, _V, t("f32", 5, 4)), "give f32[4,5]"),
        Reject("C1", AllReduce("Mean", ()), (_X,), "use ['Sum'"),
        Reject("C1", DynamicReshape((DynamicDimensionSpec(3, ""),)), (_X,), "with product 20"),
        Reject("C2", DynamicReshape((DynamicDimensionSpec(20, ""),)), (_X, _V), "integer scalars"),
    ]
    for op in (SelectAndScatterMax, SelectAndScatterMin):
        found += [
            Reject("C1", op((2,), (2, 2), _NONE), (_X, _X), "one entry >= 1 per axis"),
            Reject("C1", op((2, 0), (2, 2), _NONE), (_X, _X), "one entry >= 1 per axis"),
            Reject("C1", op((2, 2), (2, 2), (Pair(-1, 0),) * 2), (_X, _X), "one entry >= 1"),
            Reject("C2", op((2, 2), (2, 2), _NONE), (t("bool", 4, 5), _X), "convert it"),
            Reject("C2", op((2, 2), (2, 2), _NONE), (_X, t("f16", 2, 2)), "one dtype"),
            Reject("C3", op((2, 2), (2, 2), _NONE), (_X, t("f32", 2, 3)), "give it dims [2, 2]"),
        ]
    return found


REJECTS = _rejects()
