"""Samples of bitwise ops and of integers that Core ML lacks."""

from __future__ import annotations

import numpy as np

from coremlc import dtypes
from coremlc.ops import (
    arg_min_max,
    binary,
    bit_counts,
    bitcast,
    bitwise,
    compare,
    convert_dtype,
    dot_general,
    dynamic_slice,
    gather,
    iota,
    pad,
    reduce,
    rng_bit_generator,
    scatter,
    selection,
    shape,
    shifts,
    unary,
)
from coremlc.ops.reduce_bitwise import ReduceBitwiseAnd, ReduceBitwiseOr, ReduceBitwiseXor
from tests.ops.samples import Reject, Sample, array, pairs, randoms, t

PACKED = ("i2", "u2", "i4", "u4")
SMALL = ("i8", "u8", "i16", "u16")
WIDE = ("u32", "i64", "u64")
BITWISE = (bitwise.BitwiseAnd, bitwise.BitwiseOr, bitwise.BitwiseXor)
SHIFTS = (shifts.ShiftLeft, shifts.ShiftRightArithmetic, shifts.ShiftRightLogical)
COUNTED = (bitwise.BitwiseNot, bit_counts.BitCount, bit_counts.Clz)
REDUCED = (ReduceBitwiseAnd, ReduceBitwiseOr, ReduceBitwiseXor)
DTYPES = ("i32", *SMALL, *WIDE)
MASKS = (0, -1, 1, 2**30 - 1, 2**31 - 1, -(2**31), 0xFF00, 0x55555555, -256, 0x10101, 1 << 30)
COUNTS = (0, 1, 7, 15, 16, 30, 31, 32, 33, -1, -(2**31), 2**31 - 1)
_SPECIAL = (0, 1, 2, 3, 5, 7, 10, 97, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63)


def edges(dtype: str) -> np.ndarray:
    """Numbers near 0, near the powers of two and the limits of a dtype."""
    low, high = dtypes.BY_SHORT[dtype].limits
    bits = dtypes.BY_SHORT[dtype].bits
    found = {low, low + 1, high, high - 1, high // 3, *_SPECIAL, *(-n for n in _SPECIAL)}
    for k in (7, 8, 15, 16, 24, 31, 32, 47, 48, 63):
        found |= {(1 << k) - 1, 1 << k, (1 << k) + 1, -(1 << k)}
    kept = sorted(n for n in found if low <= n <= high and n.bit_length() <= bits)
    return np.array(kept, dtypes.BY_SHORT[dtype].numpy)


def counts(dtype: str) -> np.ndarray:
    """Shift counts inside and outside of the width."""
    bits = dtypes.BY_SHORT[dtype].bits
    low, high = dtypes.BY_SHORT[dtype].limits
    found = {0, 1, 2, bits // 2 - 1, bits // 2, bits // 2 + 1, bits - 1, bits, bits + 1, low, high}
    return np.array(
        sorted({n for n in (*found, -1, 64) if low <= n <= high}), dtypes.BY_SHORT[dtype].numpy
    )


def few(dtype: str) -> np.ndarray:
    """A dozen of the edges."""
    x = edges(dtype)
    return x[:: max(len(x) // 12, 1)]


def _bitwise() -> list[Sample]:
    found = []
    for d in (*DTYPES, *PACKED):
        for op in BITWISE:
            found.append(Sample(op(), pairs(edges(d), few(d)), note="edges"))
            found.append(Sample(op(), (randoms(d, 2, 1, 4), randoms(d, 1, 3, 4)), note="broadcast"))
        found += [Sample(op(), pairs(edges(d), counts(d)), note="edges") for op in SHIFTS]
        for op in COUNTED:
            found.append(Sample(op(), (edges(d),), note="edges"))
            found.append(Sample(op(), (randoms(d),), note="rank0"))
        found += _reductions(d)
    for op in BITWISE:
        for mask in MASKS:
            operands = (edges("i32"), array("i32", mask))
            found.append(Sample(op(), operands, frozenset({1}), note=f"mask{mask}"))
        found.append(Sample(op(), (array("i32", 12), array("i32", 10)), note="rank0"))
        deep = (randoms("i32", 1, 2, 1, 2, 3), randoms("i32", 2, 1, 2, 1, 3))
        found.append(Sample(op(), deep, note="rank5"))
    for op in SHIFTS:
        for count in COUNTS:
            operands = (edges("i32"), array("i32", count))
            found.append(Sample(op(), operands, frozenset({1}), note=f"by{count}"))
        found.append(Sample(op(), (randoms("i32", 2, 3), array("i32", 3)), note="scalar"))
        each = (randoms("i32", 1, 3), array("i32", [1, 31, 40]).reshape(1, 3))
        found.append(Sample(op(), each, frozenset({1}), note="counts"))
    for op in COUNTED:
        found.append(Sample(op(), (randoms("i32", 1, 2, 1, 2, 3),), note="rank5"))
    return found


def _reductions(d: str) -> list[Sample]:
    found = []
    for op in REDUCED:
        found.append(Sample(op((0,)), (edges(d),), note="edges"))
        found.append(Sample(op((0, 2)), (array(d, np.arange(24) * 5, (2, 3, 4)),)))
        found.append(Sample(op(()), (edges(d),), note="none"))
        if d == "i32":
            found.append(Sample(op((0,)), (randoms("bool", 4, 3),)))
            found.append(Sample(op((1, 3)), (edges(d)[:24].reshape(1, 2, 3, 2, 2),), note="rank5"))
            found.append(Sample(op((0,)), (array("i32", [], (0, 2)),), note="empty"))
    return found


COMPARED = tuple(
    getattr(compare, name)
    for name in ("Equal", "NotEqual", "LessThan", "LessOrEqual", "GreaterThan", "GreaterOrEqual")
)
BINARY = (binary.Add, binary.Sub, binary.Mul, binary.Div, binary.Rem, binary.Max, binary.Min)
DIVISORS = (1, -1, 2, 3, -3, 7, 10, 1000, 32767, 32768, 65537, 2**31 - 1, 2**32, 2**40 + 1, 0)
FLOATS = (
    *(0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 127.5, 255.9, -128.9, 65535.5, 2147483520.0, 2147483648.0),
    *(4294967040.0, 4294967296.0, -2147483904.0, 1e12, -1e12, 9223371487098961920.0, 2.0**63),
    *(-(2.0**63), -9223373136366403584.0, 18446742974197923840.0, 2.0**64, 1e30, -1e30),
    *(np.nan, np.inf, -np.inf, 1e-40),
)
HALVES = (0.0, 1.5, -1.5, 65504.0, -65504.0, np.nan, np.inf, -np.inf, 300.0, -300.0)
LESSER = ("i8", "u16", *WIDE)


def _within(dtype: str, numbers: tuple[int, ...]) -> list[int]:
    low, high = dtypes.BY_SHORT[dtype].limits
    return [n for n in numbers if low <= n <= high]


def ties(dtype: str) -> np.ndarray:
    """Numbers halfway between two float32, and their neighbours."""
    low, high = dtypes.BY_SHORT[dtype].limits
    found = set()
    for k in range(24, dtypes.BY_SHORT[dtype].bits):
        for base in (
            1 << k,
            (1 << k) + (1 << max(k - 23, 0)),
            (1 << (k + 1)) - (1 << max(k - 24, 0)),
        ):
            half = base + (1 << max(k - 24, 0))
            found |= {half - 1, half, half + 1, -half, 1 - half, base + 1}
    return np.array(sorted(n for n in found if low <= n <= high), dtypes.BY_SHORT[dtype].numpy)


def _arithmetic() -> list[Sample]:
    found = []
    for d in ("u4", "i2"):  # constants alone
        few_bits = array(d, [[0, 1], [2, 3]])
        for op in (binary.Div, binary.Rem):
            operands = (few_bits, few_bits[::-1].copy())
            found.append(Sample(op(), operands, frozenset({0, 1}), note="packed"))
    for d in LESSER:
        ops = (*BINARY, *COMPARED, compare.LessThanTotalOrder)
        found += [Sample(op(), pairs(edges(d), few(d)), note="edges") for op in ops]
        for op in (binary.Add, binary.Mul, binary.Div, compare.LessThan):
            found.append(
                Sample(op(), (few(d).reshape(1, -1), few(d)[:3].reshape(3, 1)), note="broadcast")
            )
            found.append(Sample(op(), (edges(d), array(d, 3)), note="scalar"))
        signed = () if d[0] == "u" else (unary.Neg,)
        found += [
            Sample(op(), (edges(d),), note="edges") for op in (unary.Abs, unary.Sign, *signed)
        ]
        for n in _within(d, DIVISORS):
            operands = (edges(d), array(d, n))
            found.append(Sample(binary.Div(), operands, frozenset({1}), note=f"by{n}"))
            found.append(Sample(binary.Rem(), operands, frozenset({1}), note=f"by{n}"))
        for n in _within(d, (0, 1, 2, 3, 7)):
            operands = (edges(d), array(d, n))
            found.append(Sample(binary.Pow(), operands, frozenset({1}), note=f"to{n}"))
        found += _choices(d) + _conversions(d) + _sums(d) + _indexed(d)
    for d in (*SMALL, "u32", "i64"):
        exponents = array(d, _within(d, (0, 1, 2, 5, 31, 33, 63, 64, 100, -1, -2)))
        found.append(Sample(binary.Pow(), pairs(few(d), exponents), note="edges"))
    return found


def _choices(d: str) -> list[Sample]:
    x = edges(d)
    low, high = array(d, few(d)[2]), array(d, few(d)[-3])
    coins = (np.arange(x.size) % 2).astype(bool)
    return [
        Sample(selection.Clamp(), (low, x, high), note="scalars"),
        Sample(selection.Clamp(), (array(d, 3), x, array(d, 90)), frozenset({0, 2}), note="known"),
        Sample(selection.Clamp(), (x, np.zeros_like(x), x[::-1].copy()), note="full"),
        Sample(selection.Where(), (coins, x, x[::-1].copy())),
        Sample(selection.Where(), (coins, x, array(d, 5)), note="scalar"),
    ]


def _conversions(d: str) -> list[Sample]:
    convert = convert_dtype.ConvertDType
    found = [
        Sample(convert(dtypes.BY_SHORT[to]), (edges(d),), note=to)
        for to in ("bool", "i32", "f32", *LESSER)
    ]
    inside = np.array([n for n in edges(d).tolist() if abs(n) < 2**17], edges(d).dtype)
    found.append(Sample(convert(dtypes.F16), (inside,), note="f16"))
    if ties(d).size:
        found.append(Sample(convert(dtypes.F32), (ties(d),), note="ties"))
    sources = (array("f32", FLOATS), array("f16", HALVES), edges("i32"), array("bool", [0, 1]))
    return found + [Sample(convert(dtypes.BY_SHORT[d]), (x,), note=d) for x in sources]


def _sums(d: str) -> list[Sample]:
    x = edges(d)
    even = np.resize(x, (3, 8, 2))
    found = []
    for op in (reduce.ReduceSum, reduce.ReduceProduct, reduce.ReduceMax, reduce.ReduceMin):
        found.append(Sample(op((0,)), (x,), note="edges"))
        found.append(Sample(op((0, 2)), (even,)))
        found.append(Sample(op(()), (x,), note="none"))
    found.append(Sample(reduce.ReduceSum((0,)), (np.full(3000, x[-1]),), note="long"))
    odd = x[(x != 0) & (x % 2 == 1)]
    found.append(Sample(reduce.ReduceProduct((0,)), (odd,), note="odd"))
    for least in (False, True):
        for out in ("i32", "i64", "u8"):
            arg = arg_min_max.ArgMinMax(1, dtypes.BY_SHORT[out], is_min=least)
            found.append(Sample(arg, (even,), note=f"{out}{least}"))
    return found


def _indexed(d: str) -> list[Sample]:
    """Matmul, scatters, gathers, slices."""
    t_ = dtypes.BY_SHORT[d]
    config = dot_general.DotGeneralConfig(t_, t_)
    dot = dot_general.DotGeneral((1,), (), (0,), (), config)
    x = np.resize(edges(d), (3, 5))
    y = np.resize(few(d), (5, 4))
    updates = np.resize(few(d), (6, 2))
    places = array("i32", [[0], [2], [0], [3], [9], [2]])
    found = [Sample(dot, (x, y))]
    table = np.resize(edges(d), (4, 2))
    found += [
        Sample(kind(1, (1,), (0,), (0,), False, False), (table, places, updates))
        for kind in (scatter.ScatterSum, scatter.ScatterMax, scatter.ScatterMin)
    ]
    found.append(Sample(gather.Gather(1, (1,), (0,), (0,), (1, 2), False), (table, places)))
    index = edges(d).reshape(-1, 1)
    rows = array("f32", np.arange(8), (4, 2))
    found.append(
        Sample(gather.Gather(1, (1,), (0,), (0,), (1, 2), False), (rows, index), note="far")
    )
    start = (array(d, edges(d)[-1]), array(d, 0))
    found.append(Sample(dynamic_slice.DynamicSlice((2, 2)), (rows, *start), note="far"))
    found.append(Sample(dynamic_slice.DynamicSlice((2, 2)), (table, *start)))
    found.append(Sample(dynamic_slice.DynamicUpdateSlice(), (table, table[:2, :1].copy(), *start)))
    found.append(Sample(shape.Concatenate(0), (x, x[:1])))
    found.append(Sample(shape.Reverse((1,)), (x,)))
    found.append(Sample(shape.BroadcastInDim(t(d, 2, 3, 5), (1, 2)), (x,)))
    found.append(Sample(pad.Pad((pad.PadAxis(1, 2, 1), pad.PadAxis(-1, 1, 0))), (x, array(d, 7))))
    found.append(Sample(iota.Iota(t(d, 3, 4), 1), ()))
    return found


def _bitcasts() -> list[Sample]:
    found = []
    floats = np.array([2.0**k for k in range(-149, 128)], np.float32)
    floats = np.concatenate([floats, -floats, floats * np.float32(1.7), array("f32", FLOATS)])
    sources = {d: edges(d) for d in ("i32", *LESSER)} | {"f32": floats, "f16": array("f16", HALVES)}
    sources["i32"] = np.concatenate([edges("i32"), floats.view(np.int32)])
    halves = np.arange(-(2**15), 2**15, 331).astype(np.int16)
    sources["i16"] = np.concatenate([halves, array("i16", [0x7C00, 0x7C01, -1024, 1, -32768])])
    sources["f16"] = sources["i16"].view(np.float16)
    for d, x in sources.items():
        bits = dtypes.BY_SHORT[d].bits
        for to in sources if d in ("f32", "f16", "i8", "u64") else ("i8", "i64", "f32", "f16"):
            width = dtypes.BY_SHORT[to].bits
            given = x
            if width > bits:
                ratio = width // bits
                given = np.resize(x, (x.size // ratio, ratio))
            found.append(Sample(bitcast.Bitcast(dtypes.BY_SHORT[to]), (given,), note=to))
    found.append(Sample(bitcast.Bitcast(dtypes.BY_SHORT["u8"]), (array("i32", 77),), note="rank0"))
    for to, dims in (("u8", (2, 0)), ("u32", (0, 2)), ("u16", (0,))):
        op = bitcast.Bitcast(dtypes.BY_SHORT[to])
        found.append(Sample(op, (array("u16", np.zeros(dims)),), note=f"empty{to}"))
    return found


def _random() -> list[Sample]:
    found = []
    states = ((2**64 - 1,) * 3, (0x123456789ABCDEF, 2**64 - 2, 5))
    for d, dims in (("u32", (3, 5)), ("u64", (7,)), ("i8", (6,)), ("i32", ())):
        op = rng_bit_generator.RNGBitGenerator(t(d, *dims))
        found += [
            Sample(op, (array("u64", state),), note=f"{d}{i}") for i, state in enumerate(states)
        ]
    return found


SAMPLES = _bitwise() + _arithmetic() + _bitcasts() + _random()


def _rejects() -> list[Reject]:
    found = []
    for op in (*BITWISE, *SHIFTS, *COUNTED):
        n = op.arity
        found.append(Reject("C1", op(), (t("f32", 2),) * n, "convert it to one of"))
        if n > 1:
            found.append(Reject("C2", op(), (t("i32", 2), t("i8", 2)), "one dtype"))
            found.append(Reject("C3", op(), (t("i32", 2), t("i32", 3)), "each dim equal or 1"))
    cast = bitcast.Bitcast(dtypes.BY_SHORT["i32"])
    rng = rng_bit_generator.RNGBitGenerator
    found += [
        Reject("C1", cast, (t("i8", 3),), "make its last axis 4"),
        Reject("C1", cast, (t("i8"),), "make its last axis 4"),
        Reject("C2", cast, (t("bool", 4),), "use numbers, not bool or complex"),
        Reject("C1", rng(t("u32", 2)), (t("u64", 2),), "use u64[3]"),
        Reject("C2", rng(t("f32", 2)), (t("u64", 3),), "convert it to one of"),
    ]
    for op in REDUCED:
        found.append(Reject("C1", op((0,)), (t("f32", 2),), "convert it to one of"))
        found.append(Reject("C2", op((1,)), (t("i32", 2),), "at most once"))
    return found


REJECTS = _rejects()
