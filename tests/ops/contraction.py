"""Samples of reductions, products, convolutions and windows."""

from __future__ import annotations

import numpy as np

from coremlc import dtypes
from coremlc.ops import arg_min_max, reduce
from coremlc.ops.conv_general import ConvGeneral, ConvolveAxesConfig, Pair
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.reduce_window import ReduceWindow
from tests.ops.samples import INF, NAN, Reject, Sample, array, edges, randoms, t

HALF = ((4e-3, 2e-3), "sums of float16 rounded once here, at each step there")
_NUMBERS = (reduce.ReduceSum, reduce.ReduceProduct, reduce.ReduceMax, reduce.ReduceMin)
_LOGIC = (reduce.ReduceLogicalAnd, reduce.ReduceLogicalOr, reduce.ReduceLogicalXor)


def _reductions() -> list[Sample]:
    found = []
    for op in _NUMBERS:
        extreme = op in _NUMBERS[2:]
        for d in ("f32", "f16", "i32", *(("bool",) if extreme else ())):
            wider = HALF if d == "f16" and not extreme else (None, "")
            for axes in ((0,), (1,), (0, 2), (0, 1, 2), ()):
                x = randoms(d, 3, 4, 5)
                note = f"axes{axes}"
                found.append(Sample(op(axes), (x,), tolerance=wider[0], why=wider[1], note=note))
        big = array("i32", [[2**31 - 1, 5, 7], [-(2**31), -(2**31), 2**31 - 1]])
        found += [Sample(op((axis,)), (big,), note=f"wrap{axis}") for axis in (0, 1)]
        special = array("f32", [[1, NAN, 2], [-INF, -INF, -INF], [INF, -INF, 0], [NAN, NAN, NAN]])
        found += [Sample(op((axis,)), (special,), note=f"nan{axis}") for axis in (0, 1)]
        found.append(Sample(op((0,)), (randoms("f32", 0, 3),), note="empty"))
        found.append(Sample(op(()), (randoms("f32"),), note="rank0"))
        if op in _NUMBERS[2:]:
            packed = array("i4", [[3, -8], [2, 7]])
            found.append(Sample(op((0,)), (packed,), frozenset({0}), note="packed"))
        found.append(Sample(op((0,)), (randoms("f32", 1, 3),), note="one"))
    for op in _LOGIC:
        found += [Sample(op(axes), (randoms("bool", 3, 4, 2),)) for axes in ((0,), (1, 2), ())]
        found.append(Sample(op((0,)), (randoms("bool", 0, 2),), note="empty"))
    long = array("f32", np.full(100_000, 0.1))
    found.append(Sample(reduce.ReduceSum((0,)), (long,), note="long"))
    return found + _extremes()


def _extremes() -> list[Sample]:
    ties = array(
        "f32", [[3, 1, 3, 1], [NAN, 1, NAN, 9], [-INF, -INF, -INF, -INF], [0.0, -0.0, 0, 0]]
    )
    found = []
    for is_min in (False, True):
        for to in ("i32",):
            index = dtypes.BY_SHORT[to]
            for axis in (0, 1):
                op = arg_min_max.ArgMinMax(axis, index, is_min)
                found += [
                    Sample(op, (ties,), note="ties"),
                    Sample(op, (array("f16", ties),), note="ties"),
                    Sample(op, (randoms("i32", 4, 3),)),
                    Sample(op, (randoms("bool", 4, 3),)),
                    Sample(op, (array("i32", [[2**31 - 1, -(2**31)], [5, -(2**31)]]),), note="big"),
                ]
        found.append(Sample(arg_min_max.ArgMinMax(0, dtypes.I32, is_min), (edges("f32"),)))
    return found


def _dot(
    lhs: tuple[int, ...],
    rhs: tuple[int, ...],
    contract: tuple[tuple[int, ...], tuple[int, ...]],
    batch: tuple[tuple[int, ...], tuple[int, ...]] = ((), ()),
    d: str = "f32",
    out: str = "",
    note: str = "",
    constant: bool = False,
) -> Sample:
    config = DotGeneralConfig(*(dtypes.BY_SHORT[out or d],) * 2)
    op = DotGeneral(contract[0], batch[0], contract[1], batch[1], config)
    operands = (randoms(d, *lhs), randoms(d, *rhs, seed=1))
    wider = HALF if "f16" in (d, out) else (None, "")
    held = frozenset({1}) if constant else frozenset[int]()
    return Sample(op, operands, held, wider[0], wider[1], note=note)


def _dots() -> list[Sample]:
    found = []
    for d in ("f32", "f16", "i32"):
        found += [
            _dot((3, 4), (4, 5), ((1,), (0,)), d=d),
            _dot((2, 3, 4), (2, 4, 5), ((2,), (1,)), ((0,), (0,)), d=d),
            _dot((2, 4, 3), (2, 5, 4), ((1,), (2,)), ((0,), (0,)), d=d, note="bothturned"),
            _dot((3, 4), (2, 5, 4), ((1,), (2,)), d=d, constant=True, note="weightsturned"),
            _dot((5, 2, 3), (3, 5, 6), ((0, 2), (1, 0)), d=d, note="two"),
            _dot((2, 3, 1), (2, 1, 5), ((2,), (1,)), ((0,), (0,)), d=d, note="sumsofone"),
            _dot((1, 3, 4), (1, 4, 5), ((2,), (1,)), ((0,), (0,)), d=d, note="batchofone"),
            _dot((3, 2, 5, 4, 2), (2, 4, 3, 2, 6), ((1, 3), (3, 1)), ((4, 0), (0, 2)), d=d),
        ]
    wide = array("i32", [[2**31 - 1, 3], [-(2**31), 70000]])
    config = DotGeneralConfig(dtypes.I32, dtypes.I32)
    return [
        *found,
        _dot((4,), (4,), ((0,), (0,)), note="vectors"),
        _dot((3,), (4,), ((), ()), note="outer"),
        Sample(
            DotGeneral((0,), (), (0,), (), DotGeneralConfig(*(dtypes.BY_SHORT["u4"],) * 2)),
            (array("u4", [15, 3]), array("u4", [15, 9])),
            frozenset({0, 1}),
            note="packed",
        ),
        _dot((), (4,), ((), ()), note="scalar"),
        _dot((3, 0), (0, 4), ((1,), (0,)), note="empty"),
        _dot((2, 2, 2, 2, 3), (2, 2, 2, 2, 3), ((4,), (4,)), ((0, 1, 2, 3),) * 2, note="batch4"),
        _dot((3, 4), (4, 5), ((1,), (0,)), d="f16", out="f32", note="wide"),
        _dot((3, 4), (4, 5), ((1,), (0,)), constant=True, note="weights"),
        Sample(DotGeneral((1,), (), (0,), (), config), (wide, wide[::-1].copy()), note="wrap"),
    ]


def _axes(layout: str) -> ConvolveAxesConfig:
    """Axes of an image layout: NCHW or NHWC, with kernels OI.. or ..IO."""
    spatial = tuple(range(2, len(layout))) if layout[1] == "C" else tuple(range(1, len(layout) - 1))
    n = len(layout)
    if layout[1] == "C":
        return ConvolveAxesConfig(0, 1, spatial, 1, 0, spatial, 0, 1, spatial)
    kernel = tuple(range(n - 2))
    return ConvolveAxesConfig(0, n - 1, spatial, n - 2, n - 1, kernel, 0, n - 1, spatial)


def _conv(
    x: tuple[int, ...],
    k: tuple[int, ...],
    layout: str = "NCHW",
    strides: tuple[int, ...] = (),
    pads: tuple[tuple[int, int], ...] = (),
    spread: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    groups: int = 1,
    batches: int = 1,
    d: str = "f32",
    constant: bool = False,
    note: str = "",
) -> Sample:
    n = len(x) - 2
    ones = (1,) * n
    op = ConvGeneral(
        _axes(layout),
        strides or ones,
        tuple(Pair(*p) for p in pads) or (Pair(0, 0),) * n,
        spread or ones,
        dilations or ones,
        groups,
        batches,
    )
    held = frozenset({1}) if constant else frozenset[int]()
    wider = HALF if d == "f16" else ((1e-5, 4e-6), "sums of many products in another order")
    return Sample(op, (randoms(d, *x), randoms(d, *k, seed=1)), held, *wider, note=note)


def _convs() -> list[Sample]:
    found = []
    for d in ("f32", "f16", "i32"):
        found += [
            _conv((2, 3, 7, 6), (4, 3, 3, 2), d=d),
            _conv((2, 7, 6, 3), (3, 2, 3, 4), "NHWC", d=d, pads=((1, 1), (0, 1)), note="nhwc"),
            _conv((1, 4, 6, 6), (6, 2, 3, 3), d=d, groups=2, strides=(2, 1), note="groups"),
            _conv((4, 3, 5, 5), (4, 3, 2, 2), d=d, batches=2, note="batchgroups"),
            _conv(
                (1, 2, 5, 5), (3, 2, 3, 3), d=d, spread=(2, 3), pads=((2, 2), (1, 3)), note="spread"
            ),
            _conv((1, 2, 9, 9), (3, 2, 3, 3), d=d, dilations=(2, 3), note="dilated"),
        ]
    packed = (array("i4", [[[3, -8, 7, 1]]]), array("i4", [[[2, -3]]]))
    return [
        *found,
        _conv((2, 3, 9), (4, 3, 4), "NCW", strides=(3,), pads=((2, 1),), note="1d"),
        _conv((1, 2, 4, 5, 6), (3, 2, 2, 2, 3), "NCDHW", strides=(1, 2, 2), note="3d"),
        _conv((1, 4, 4, 4), (4, 1, 3, 3), groups=4, pads=((1, 1), (1, 1)), note="depthwise"),
        _conv((1, 2, 9, 9), (3, 2, 3, 3), dilations=(2, 3), constant=True, note="dilatedweights"),
        _conv((1, 2, 9, 9), (3, 2, 3, 3), pads=((-1, -2), (2, -3)), note="negative"),
        _conv((1, 2, 2, 9), (3, 2, 3, 3), note="nothing"),
        _conv((1, 2, 1, 9), (3, 2, 3, 3), pads=((-1, -1), (0, 0)), note="cuttonothing"),
        _conv((1, 2, 5, 5), (3, 2, 3, 3), d="c64", pads=((-3, -3), (0, 0)), note="cuttonothing"),
        Sample(_conv((1, 1, 4), (1, 1, 2), "NCW").op, packed, frozenset({0, 1}), note="packed"),
        _conv((1, 1, 6, 6), (1, 1, 6, 6), note="whole"),
        _conv((1, 2, 5, 5), (2, 2, 1, 1), note="pointwise"),
    ]


def _window(
    kind: str,
    x: np.ndarray,
    window: tuple[int, ...],
    strides: tuple[int, ...] = (),
    spread: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    pads: tuple[tuple[int, int], ...] = (),
    note: str = "",
) -> Sample:
    ones = (1,) * x.ndim
    op = ReduceWindow(
        kind,
        window,
        strides or ones,
        spread or ones,
        dilations or ones,
        tuple(Pair(*p) for p in pads) or (Pair(0, 0),) * x.ndim,
    )
    exact = kind in ("Max", "Min") or x.dtype.kind in "ib"
    wider = (None, "") if exact else ((2e-5, 4e-6), "sums in another order")
    wider = HALF if x.dtype == np.float16 and not exact else wider
    return Sample(op, (x,), frozenset(), *wider, note=f"{kind}{note}")


def _windows() -> list[Sample]:
    found = []
    for kind in ("Sum", "Product", "Max", "Min"):
        for d in ("f32", "f16", "i32", *(("bool",) if kind in ("Max", "Min") else ())):
            x = randoms(d, 1, 6, 7, 2)
            found += [
                _window(kind, x, (1, 2, 3, 1), (1, 2, 3, 1)),
                _window(kind, x, (1, 3, 3, 1), (1, 1, 2, 1), pads=((0, 0), (1, 1), (2, 0), (0, 0)))
                if d != "bool"
                else _window(kind, x, (1, 3, 3, 1), note="nopads"),
                _window(
                    kind, x, (1, 2, 2, 2), (1, 2, 1, 1), (1, 2, 1, 1), (1, 1, 3, 1), note="dilated"
                ),
            ]
        special = array("f32", [NAN, 1, 2, -INF, -INF, INF, 0, -0.0, 3]).reshape(1, 1, 9)
        found.append(_window(kind, special, (1, 1, 2), note="nan"))
        found.append(
            _window(kind, randoms("f32", 2, 3), (5, 5), pads=((3, 3), (2, 2)), note="wide")
        )
        found.append(
            _window(kind, randoms("f32", 2, 3), (1, 1), pads=((2, 2), (0, 1)), note="padding")
        )
        found.append(_window(kind, randoms("f32"), (), note="rank0"))
        huge = array("f16", [6e4, 6e4, -6e4, 300, 300, 0.01])  # in halves, a step would overflow
        found.append(_window(kind, huge, (3,), note="huge"))
    pads = ((49, 0),)
    found.append(_window("Sum", randoms("f32", 50), (50,), pads=pads, note="cumulative"))
    found.append(
        _window("Max", randoms("f32", 1, 1, 4, 5, 6), (1, 1, 2, 2, 2), (1, 1, 2, 2, 2), note="3d")
    )
    found.append(_window("Max", randoms("f32", 0, 3), (1, 2), note="empty"))
    return found


SAMPLES = _reductions() + _dots() + _convs() + _windows()


def _rejects() -> list[Reject]:
    f = t("f32", 2, 3)
    found = []
    for op in (*_NUMBERS, *_LOGIC):
        good = "bool" if op in _LOGIC else "f32"
        bad = "f32" if op in _LOGIC else "c64"
        bad = "bool" if op in (reduce.ReduceSum, reduce.ReduceProduct) else bad
        found.append(Reject("C1", op((0,)), (t(bad, 2),), "convert it to one of"))
        found.append(Reject("C2", op((1,)), (t(good, 2),), "at most once"))
        found.append(Reject("C2", op((0, 0)), (t(good, 2),), "at most once"))
    arg = arg_min_max.ArgMinMax
    config = DotGeneralConfig(dtypes.F32, dtypes.F32)
    image, kernel = t("f32", 2, 3, 5, 5), t("f32", 4, 3, 2, 2)
    conv = _convs()[0].op
    assert isinstance(conv, ConvGeneral)
    axes = _axes("NCHW")
    ones, none = (1, 1), (Pair(0, 0),) * 2

    def convolve(**change: object) -> ConvGeneral:
        fields = {
            "axes": axes,
            "strides": ones,
            "paddings": none,
            "input_dilations": ones,
            "kernel_dilations": ones,
            "channel_group_count": 1,
            "batch_group_count": 1,
        }
        return ConvGeneral(**(fields | change))  # type: ignore[arg-type]

    twice = ConvolveAxesConfig(0, 0, (2, 3), 1, 0, (2, 3), 0, 1, (2, 3))
    pad2 = (Pair(0, 0), Pair(-1, 0))
    return [
        *found,
        Reject("C1", arg(2, dtypes.I32, False), (f,), "at most once"),
        Reject("C1", arg(0, dtypes.I32, False), (t("f32", 0, 2),), "is empty"),
        Reject("C2", arg(0, dtypes.F32, False), (f,), "convert it to one of"),
        Reject("C3", arg(0, dtypes.I32, False), (t("c64", 2),), "convert it to one of"),
        Reject("C1", DotGeneral((2,), (), (0,), (), config), (f, f), "at most once"),
        Reject("C1", DotGeneral((0,), (0,), (0,), (1,), config), (f, f), "at most once"),
        Reject("C2", DotGeneral((1,), (), (0,), (), config), (f, f), "pair axes of equal dim"),
        Reject("C2", DotGeneral((), (1,), (), (0,), config), (f, f), "pair axes of equal dim"),
        Reject("C3", DotGeneral((), (), (), (), config), (f, t("i32", 2)), "one dtype"),
        Reject(
            "C3", DotGeneral((), (), (), (), config), (t("bool", 2),) * 2, "convert it to one of"
        ),
        Reject("C1", convolve(axes=twice), (image, kernel), "at most once"),
        Reject("C2", convolve(strides=(1,)), (image, kernel), "give one >= 1 each"),
        Reject("C2", convolve(kernel_dilations=(1, 0)), (image, kernel), "give one >= 1 each"),
        Reject("C3", convolve(channel_group_count=2), (image, kernel), "and groups divide"),
        Reject("C3", convolve(batch_group_count=3), (image, kernel), "and groups divide"),
        Reject("C4", convolve(), (image, t("i32", 4, 3, 2, 2)), "one dtype"),
        Reject("C4", convolve(), (t("bool", 2, 3, 5, 5),) * 2, "convert it to one of"),
        Reject("C1", ReduceWindow("Sum", (1,), ones, ones, ones, none), (f,), "one entry >= 1"),
        Reject("C1", ReduceWindow("Sum", ones, (1, 0), ones, ones, none), (f,), "one entry >= 1"),
        Reject("C1", ReduceWindow("Sum", ones, ones, ones, ones, pad2), (f,), "one entry >= 1"),
        Reject(
            "C2", ReduceWindow("Sum", ones, ones, ones, ones, none), (t("bool", 2, 3),), "convert"
        ),
        Reject("C2", ReduceWindow("Mean", ones, ones, ones, ones, none), (f,), "use ['Sum'"),
    ]


REJECTS = _rejects()
