"""Samples of bitwise ops and of integers that Core ML lacks."""

from __future__ import annotations

import numpy as np

from coremlc import dtypes
from coremlc.ops import bitwise
from tests.ops.samples import Reject, Sample, array, pairs, randoms, t

SMALL = ("i8", "u8", "i16", "u16")
WIDE = ("u32", "i64", "u64")
BITWISE = (bitwise.BitwiseAnd, bitwise.BitwiseOr, bitwise.BitwiseXor)
SHIFTS = (bitwise.ShiftLeft, bitwise.ShiftRightArithmetic, bitwise.ShiftRightLogical)
COUNTED = (bitwise.BitwiseNot, bitwise.BitCount, bitwise.Clz)
REDUCED = (bitwise.ReduceBitwiseAnd, bitwise.ReduceBitwiseOr, bitwise.ReduceBitwiseXor)
DTYPES = ("i32",)
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
    for d in DTYPES:
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


SAMPLES = _bitwise()


def _rejects() -> list[Reject]:
    found = []
    for op in (*BITWISE, *SHIFTS, *COUNTED):
        n = op.arity
        found.append(Reject("C1", op(), (t("f32", 2),) * n, "convert it to one of"))
        if n > 1:
            found.append(Reject("C2", op(), (t("i32", 2), t("i8", 2)), "one dtype"))
            found.append(Reject("C3", op(), (t("i32", 2), t("i32", 3)), "each dim equal or 1"))
    for op in REDUCED:
        found.append(Reject("C1", op((0,)), (t("f32", 2),), "convert it to one of"))
        found.append(Reject("C2", op((1,)), (t("i32", 2),), "at most once"))
    return found


REJECTS = _rejects()
