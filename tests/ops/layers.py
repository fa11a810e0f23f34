"""Samples of gather, scatter, normalizations and dense layers."""

from __future__ import annotations

import numpy as np

from coremlc.ops import dense, norm
from coremlc.ops.batch_norm import BatchNormForInference
from coremlc.ops.dense import DenseConfig, FusedDense, FusedGelu
from coremlc.ops.gather import Gather
from coremlc.ops.scatter import Scatter, ScatterMax, ScatterMin, ScatterSum
from tests.ops.samples import FLOATS, INF, NAN, Reject, Sample, array, edges, randoms, t

_HALF = ((4e-3, 2e-3), "several roundings to float16 on the way")
OUT = [0, -1, 3, 2, 99, -99, 3, 1]
"""Row numbers of four rows: duplicates, and some out of range."""


def _gather(
    x: np.ndarray,
    indices: np.ndarray,
    vector_axis: int,
    offset: tuple[int, ...],
    collapsed: tuple[int, ...],
    mapped: tuple[int, ...],
    sizes: tuple[int, ...],
    note: str = "",
    constant: bool = False,
) -> Sample:
    op = Gather(vector_axis, offset, collapsed, mapped, sizes, False)
    return Sample(op, (x, indices), frozenset({1} if constant else ()), note=note)


def _gathers() -> list[Sample]:
    found = []
    rows = array("i32", OUT)
    for d in ("f32", "f16", "i32", "bool"):
        x = randoms(d, 4, 5)
        found += [
            _gather(x, rows, 1, (1,), (0,), (0,), (1, 5), "rows"),
            _gather(x, rows.reshape(2, 4), 2, (2,), (0,), (0,), (1, 5), "rows2d"),
            _gather(x, rows.reshape(8, 1), 1, (0,), (1,), (1,), (4, 1), "columns"),
        ]
    y = randoms("f32", 4, 5, 3)
    points = array("i32", [[0, 4], [3, -1], [9, 2], [1, 1]])
    return [
        *found,
        _gather(y, points, 1, (1,), (0, 1), (0, 1), (1, 1, 3), "points"),
        _gather(y, points, 1, (1,), (0, 1), (1, 0), (1, 1, 3), "swapped"),
        _gather(y, points, 1, (1, 2, 3), (), (0, 1), (2, 3, 3), "windows"),
        _gather(y, points, 1, (0, 1, 3), (), (0, 1), (2, 3, 2), "batchbetween"),
        _gather(y, points, 1, (0, 2), (0,), (2, 0), (1, 5, 2), "mixed"),
        _gather(y, points.T.copy(), 0, (1, 2), (1,), (0, 1), (2, 1, 2), "vectorsfirst"),
        _gather(y, array("i32", 2), 0, (0, 1), (0,), (0,), (1, 5, 3), "scalar"),
        _gather(y, rows, 1, (1,), (0, 1), (0,), (1, 1, 2), "slicedfirst"),
        _gather(y, rows, 1, (1, 2), (0,), (0,), (1, 5, 3), "constant", constant=True),
        _gather(y, np.zeros((3, 0), np.int32), 1, (1, 2, 3), (), (), (2, 5, 3), "unindexed"),
        _gather(edges("f32").reshape(-1, 1), rows, 1, (1,), (0,), (0,), (1, 1), "nan"),
        _gather(y, np.zeros((0, 1), np.int32), 1, (1, 2), (0,), (0,), (1, 5, 3), "empty"),
    ]


def _scatter(
    op: type[Scatter],
    x: np.ndarray,
    indices: np.ndarray,
    updates: np.ndarray,
    vector_axis: int,
    window: tuple[int, ...],
    inserted: tuple[int, ...],
    mapped: tuple[int, ...],
    note: str = "",
    constant: bool = False,
) -> Sample:
    fields = (vector_axis, window, inserted, mapped, False, False)
    held = frozenset({1} if constant else ())
    wider = _HALF if x.dtype == np.float16 else (None, "")
    return Sample(
        op(*fields), (x, indices, updates), held, *wider, note=note, targets=("iOS15", "iOS18")
    )


def _scatters() -> list[Sample]:
    found = []
    rows = array("i32", OUT)
    inside = array("i32", [0, 3, 3, 1, 0, 2, 2, 3])
    few = array("i32", [0, 1, 2])
    for op in (ScatterSum, ScatterMax, ScatterMin):
        for d in ("f32", "f16", "i32"):
            x, u = randoms(d, 4, 5), randoms(d, 8, 5, seed=1)
            found += [
                _scatter(op, x, rows, u, 1, (1,), (0,), (0,), "rows"),
                _scatter(op, x, inside, u, 1, (1,), (0,), (0,), "inside", constant=True),
                _scatter(op, x, rows, randoms(d, 4, 8), 1, (0,), (1,), (1,), "columns"),
            ]
        y = randoms("f32", 4, 5, 3)
        points = array("i32", [[0, 4], [3, -1], [1, 2], [1, 1], [1, 2]])
        found += [
            _scatter(op, y, points, randoms("f32", 5, 3), 1, (1,), (0, 1), (0, 1), "points"),
            _scatter(op, y, points, randoms("f32", 5, 3), 1, (1,), (0, 1), (1, 0), "swapped"),
            _scatter(
                op, y, points, randoms("f32", 5, 2, 3, 3), 1, (1, 2, 3), (), (0, 1), "windows"
            ),
            _scatter(op, y, points, randoms("f32", 2, 5, 2), 1, (0, 2), (0,), (0, 1), "partial"),
            _scatter(
                op, y, points.T.copy(), randoms("f32", 5, 3), 0, (1,), (0, 1), (0, 1), "first"
            ),
            _scatter(op, y, array("i32", 2), randoms("f32", 5, 3), 0, (0, 1), (0,), (0,), "scalar"),
            _scatter(op, y, points[:0], randoms("f32", 0, 3), 1, (1,), (0, 1), (0, 1), "none"),
            _scatter(
                op, randoms("f32", 4, 0), few, randoms("f32", 3, 0), 1, (1,), (0,), (0,), "empty"
            ),
            _scatter(
                op, randoms("f32", 6), inside, randoms("f32", 8), 1, (), (0,), (0,), "elements"
            ),
        ]
    special = array("f32", [[NAN, 1.0], [2.0, -INF], [INF, 0.0], [0.0, 0.0]])
    nans = array("f32", [[5.0, NAN], [NAN, 1.0], [-INF, 7.0]])
    for op in (ScatterSum, ScatterMax, ScatterMin):
        found.append(_scatter(op, special, few, nans, 1, (1,), (0,), (0,), "nan"))
    big = array("i32", [2**31 - 1, -(2**31), 5])
    twice = array("i32", [0, 0, 1, 1])
    ones = array("i32", [1, 1, -1, -5])
    found.append(_scatter(ScatterSum, big, twice, ones, 1, (), (0,), (0,), "wrap"))
    return found


def _norms() -> list[Sample]:
    found = []
    for d in ("f32", "f16"):
        wider = _HALF if d == "f16" else ((2e-5, 2e-6), "a quotient of rounded sums")
        x = randoms(d, 2, 3, 4)
        for axis in range(3):
            c = x.shape[axis]
            vectors = [randoms(d, c, seed=i) for i in range(3)] + [np.abs(randoms(d, c, seed=3))]
            op = BatchNormForInference(1e-3, axis)
            found.append(Sample(op, (x, *vectors), frozenset(), *wider, note=f"axis{axis}"))
            found.append(
                Sample(op, (x, *vectors), frozenset({1, 2, 3, 4}), *wider, note=f"c{axis}")
            )
        for axes in ((2,), (1, 2), (0,), (0, 2), (0, 1, 2)):
            dims = tuple(x.shape[a] for a in axes)
            for gamma, beta in ((True, True), (False, True), (True, False), (False, False)):
                affine = [randoms(d, *dims, seed=4)] * (gamma + beta)
                op = norm.FusedLayerNorm(axes, 1e-5, gamma, beta)
                note = f"{axes}{gamma:d}{beta:d}"
                constants = (frozenset(), frozenset({1}), frozenset({2}), frozenset({1, 2}))
                for known in constants if len(affine) == 2 else (frozenset(), frozenset({1})):
                    known_note = note + "c" * bool(known) + "".join(map(str, known))
                    found.append(Sample(op, (x, *affine), known, *wider, note=known_note))
            full = [n if i in axes else 1 for i, n in enumerate(x.shape)]
            op = norm.FusedLayerNorm(axes, 1e-5, True, True)
            affine = [randoms(d, *full, seed=4), randoms(d, *dims, seed=5)]
            found.append(Sample(op, (x, *affine), frozenset(), *wider, note=f"{axes}wide"))
        softmaxes = [norm.FusedSoftmax(axis) for axis in range(3)]
        found += [Sample(op, (x,), frozenset(), *wider, note=str(op.axis)) for op in softmaxes]
    rows = array("f32", [[1, 2, 3], [-INF, -INF, -INF], [NAN, 1, 2], [-INF, 0, 1], [1e4, -1e4, 0]])
    found.append(Sample(norm.FusedSoftmax(1), (rows,), note="special"))
    found.append(Sample(norm.FusedSoftmax(1), (randoms("f32", 3, 0),), note="empty"))
    found.append(Sample(norm.FusedSoftmax(1), (array("f32", [[1, INF, 3]]),), note="inf"))
    return found


def _layers() -> list[Sample]:
    found = []
    plain = np.nan_to_num(FLOATS, posinf=30, neginf=-30).clip(-30, 30)
    for exact in (True, False):
        found.append(Sample(FusedGelu(exact), (array("f32", plain),)))
        found.append(
            Sample(FusedGelu(exact), (array("f16", plain),), frozenset(), *_HALF),
        )
    for activation in dense.ACTIVATIONS:
        for d in ("f32", "f16"):
            wider = _HALF if d == "f16" else ((1e-5, 2e-6), "sums in another order")
            op = FusedDense(DenseConfig(activation, "InputOutputs"))
            operands = (randoms(d, 2, 3, 4), randoms(d, 4, 5), randoms(d, 5, seed=1))
            found.append(Sample(op, operands, frozenset(), *wider, note=activation))
    wide = ((1e-5, 2e-6), "sums in another order")
    two = FusedDense(DenseConfig("none", "OutputsInput"))
    one = FusedDense(DenseConfig("relu", "InputOutputs"))
    return [
        *found,
        Sample(
            FusedDense(DenseConfig("none", "InputOutputs")),
            (array("f32", [[INF], [2]]), array("f32", [[-0.0]]), array("f32", [1])),
            note="infinitetimeszero",
        ),
        Sample(
            FusedDense(DenseConfig("hard_swish", "InputOutputs")),
            (array("f16", [[150.0], [-200.0], [3e-4]]), array("f16", [[110.0]])),
            frozenset(),
            *_HALF,
            note="sixfoldoverflows",
        ),
        Sample(two, (randoms("f32", 3, 4), randoms("f32", 2, 5, 4)), frozenset(), *wide),
        Sample(
            one, (randoms("f32", 4), randoms("f32", 4, 5)), frozenset({1}), *wide, note="vector"
        ),
        Sample(one, (randoms("f32", 2, 4), randoms("f32", 4)), frozenset(), *wide, note="scalar"),
    ]


SAMPLES = _gathers() + _scatters() + _norms() + _layers()

_X, _I = t("f32", 4, 5), t("i32", 3, 1)


def _gather_op(**change: object) -> Gather:
    fields = {
        "index_vector_axis": 1,
        "offset_output_axes": (1,),
        "collapsed_slice_axes": (0,),
        "start_index_map": (0,),
        "slice_sizes": (1, 5),
        "indices_are_sorted": False,
    }
    return Gather(**(fields | change))  # type: ignore[arg-type]


def _scatter_op(op: type[Scatter], **change: object) -> Scatter:
    fields = {
        "index_vector_axis": 1,
        "update_window_axes": (1,),
        "inserted_window_axes": (0,),
        "scatter_axes_to_operand_axes": (0,),
        "indices_are_sorted": False,
        "unique_indices": False,
    }
    return op(**(fields | change))  # type: ignore[arg-type]


def _rejects() -> list[Reject]:
    found = []
    for op in (ScatterSum, ScatterMax, ScatterMin):
        u = t("f32", 3, 5)
        found += [
            Reject("C1", _scatter_op(op, index_vector_axis=3), (_X, _I, u), "use 0..2"),
            Reject(
                "C2",
                _scatter_op(op, scatter_axes_to_operand_axes=(0, 1)),
                (_X, _I, u),
                "one operand axis",
            ),
            Reject(
                "C3",
                _scatter_op(op, inserted_window_axes=()),
                (_X, _I, u),
                "cover each operand axis",
            ),
            Reject("C4", _scatter_op(op), (_X, _I, t("f32", 3, 6)), "make them fit"),
            Reject("C4", _scatter_op(op), (_X, _I, t("f32", 2, 5)), "one window per index vector"),
            Reject("C5", _scatter_op(op), (_X, _I, t("i32", 3, 5)), "one dtype"),
            Reject("C5", _scatter_op(op), (_X, t("f32", 3, 1), u), "use an integer dtype"),
        ]
    vectors = (t("f32", 5),) * 4
    layer = norm.FusedLayerNorm((1,), 1e-5, True, True)
    plain = FusedDense(DenseConfig("none", "InputOutputs"))
    return [
        *found,
        Reject("C1", _gather_op(index_vector_axis=3), (_X, _I), "use 0..2"),
        Reject("C2", _gather_op(start_index_map=(0, 1)), (_X, _I), "one operand axis"),
        Reject("C2", _gather_op(start_index_map=(2,)), (_X, _I), "at most once"),
        Reject("C3", _gather_op(slice_sizes=(1, 6)), (_X, _I), "use 0..dim per axis"),
        Reject("C3", _gather_op(slice_sizes=(2, 5)), (_X, _I), "1 on collapsed axes"),
        Reject("C4", _gather_op(offset_output_axes=(0, 1)), (_X, _I), "give 1"),
        Reject("C4", _gather_op(offset_output_axes=(2,)), (_X, _I), "at most once"),
        Reject("C5", _gather_op(), (_X, t("f32", 3, 1)), "use an integer dtype"),
        Reject("C1", BatchNormForInference(0.1, 2), (_X, *vectors), "at most once"),
        Reject("C2", BatchNormForInference(0.1, 0), (_X, *vectors), "give vectors of 4"),
        Reject("C3", BatchNormForInference(0.1, 1), (t("i32", 4, 5), *vectors), "convert it"),
        Reject("C1", norm.FusedLayerNorm((2,), 1e-5, False, False), (_X,), "at most once"),
        Reject("C1", norm.FusedLayerNorm((1, 0), 1e-5, False, False), (_X,), "increasing order"),
        Reject("C1", norm.FusedLayerNorm((), 1e-5, False, False), (_X,), "increasing order"),
        Reject("C2", layer, (_X, t("f32", 5), t("f32", 4)), "give them dims [5]"),
        Reject("C3", layer, (_X, t("f16", 5), t("f32", 5)), "one dtype"),
        Reject("C1", norm.FusedSoftmax(2), (_X,), "at most once"),
        Reject("C1", plain, (_X, t("f32", 4, 5)), "make the inner dims equal"),
        Reject("C2", plain, (_X, t("f32", 5, 2), t("f32", 3)), "give it dims [2]"),
        Reject("C3", plain, (_X, t("f16", 5, 2)), "one dtype"),
        Reject(
            "C4", FusedDense(DenseConfig("swish", "InputOutputs")), (_X, t("f32", 5, 2)), "use none"
        ),
        Reject(
            "C4", FusedDense(DenseConfig("none", "IO")), (_X, t("f32", 5, 2)), "use InputOutputs"
        ),
    ]


REJECTS = _rejects()
