"""Samples of the elementwise families."""

from __future__ import annotations

import numpy as np

from coremlc import dtypes
from coremlc.ops import binary, compare, convert_dtype, selection, unary
from coremlc.ops.elementwise import Elementwise
from tests.ops.samples import (
    BOOLS,
    FLOATS,
    INTS,
    REAL,
    Reject,
    Sample,
    array,
    edges,
    pairs,
    randoms,
    t,
)

_FLOAT = ("f32", "f16")
_NAMES = (
    *("Ceil", "Floor", "Round", "Exp", "Expm1", "Log", "Log1p"),
    *("Sqrt", "Rsqrt", "Cos", "Sin", "Tanh", "Erf", "Logistic", "silu"),
)
_COMPARED = ("Equal", "NotEqual", "LessThan", "LessOrEqual", "GreaterThan", "GreaterOrEqual")
_UNARY: dict[type[Elementwise], tuple[str, ...]] = {
    unary.Abs: REAL,
    unary.Neg: REAL,
    unary.Sign: REAL,
    unary.LogicalNot: ("bool",),
    **{getattr(unary, name): _FLOAT for name in _NAMES},
    unary.IsNaN: _FLOAT,
    unary.IsFinite: _FLOAT,
}
_BINARY: dict[type[Elementwise], tuple[str, ...]] = {
    **{getattr(binary, n): REAL for n in ("Add", "Sub", "Mul", "Div", "Rem")},
    binary.Max: (*REAL, "bool"),
    binary.Min: (*REAL, "bool"),
    **{getattr(binary, n): ("bool",) for n in ("LogicalAnd", "LogicalOr", "LogicalXor")},
    binary.Atan2: _FLOAT,
    **{
        getattr(compare, name + order): (*REAL, "bool")
        for name in _COMPARED
        for order in ("", "TotalOrder")
    },
}
# float16 results near a tie round either way when float32 work precedes the rounding
_HALF = {"f16": ((4e-3, 2e-4), "several roundings to float16 on the way")}
_CHAINED = {unary.Expm1, unary.Log1p, unary.Rsqrt, binary.Atan2, binary.Rem}


def _sample(op: type[Elementwise], dtype: str, *xs: np.ndarray, note: str = "") -> Sample:
    if op in _CHAINED and dtype in _HALF:
        tolerance, why = _HALF[dtype]
        return Sample(op(), xs, tolerance=tolerance, why=why, note=note)
    return Sample(op(), xs, note=note)


def _samples() -> list[Sample]:
    found = []
    for op, kinds in _UNARY.items():
        found += [_sample(op, d, edges(d)) for d in kinds]
        found += [_sample(op, d, randoms(d, 2, 3, 4), note="random") for d in kinds]
        found.append(_sample(op, kinds[0], randoms(kinds[0])))
        found.append(_sample(op, kinds[0], randoms(kinds[0], 0, 3)))
    for op, kinds in _BINARY.items():
        for d in kinds:
            found.append(_sample(op, d, *pairs(edges(d), _divisors(op, d)), note="edges"))
            found.append(_sample(op, d, randoms(d, 2, 1, 4), randoms(d, 1, 3, 4), note="broadcast"))
        d = kinds[0]
        found.append(_sample(op, d, randoms(d), randoms(d, 3, seed=1), note="scalar"))
        found.append(_sample(op, d, randoms(d), randoms(d, seed=1), note="rank0"))
    return found + _powers() + _choices() + _conversions()


def _divisors(op: type[Elementwise], dtype: str) -> np.ndarray:
    """Float remainders of huge quotients are not compared: float32 division loses them."""
    if op is binary.Rem and dtype != "i32":
        return array(dtype, [0.0, -0.0, 1.0, -2.0, 0.5, 3.0, -7.0, np.inf, np.nan])
    return edges(dtype)


def _powers() -> list[Sample]:
    base = array("f32", [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 9.75, np.inf, -np.inf, np.nan])
    exponent = array("f32", [0.0, 1.0, -1.0, 2.0, 3.0, -2.0, 0.5, np.inf, -np.inf, np.nan])
    exponents = array("i32", [0, 1, 2, 3, 5, 30, 31, 33, -1, -2, 2**31 - 1, -(2**31)])
    found = [
        Sample(binary.Pow(), pairs(base, exponent), note="edges"),
        Sample(binary.Pow(), (np.abs(randoms("f16", 7)), randoms("f16", 7)), note="random"),
        Sample(binary.Pow(), pairs(array("i32", INTS), exponents), note="edges"),
    ]
    for n in (0, 1, 2, 5, 31):
        operands = (array("i32", INTS), array("i32", n))
        found.append(Sample(binary.Pow(), operands, frozenset({1}), note=f"constant{n}"))
    for n in (1, 3, -3, 0, -1, 7):
        operands = (array("i32", INTS), array("i32", n))
        found.append(Sample(binary.Div(), operands, frozenset({1}), note=f"constant{n}"))
        found.append(Sample(binary.Rem(), operands, frozenset({1}), note=f"constant{n}"))
    return found


def _choices() -> list[Sample]:
    found = []
    for d in (*REAL, "bool"):
        x, y = randoms(d, 2, 3), randoms(d, 2, 3, seed=1)
        found.append(Sample(selection.Where(), (randoms("bool", 2, 3), x, y)))
        found.append(Sample(selection.Where(), (randoms("bool", 2, 3), x, randoms(d))))
        found.append(Sample(selection.Where(), (randoms("bool"), x, y)))
        found.append(Sample(selection.Where(), (array("bool", True), randoms(d), randoms(d))))
    nans = array("f32", [np.nan, 1.0, np.inf, -0.0])
    found.append(Sample(selection.Where(), (array("bool", [1, 0, 1, 0]), nans, nans[::-1].copy())))
    for d in REAL:
        x = edges(d)
        low, high = array(d, -2), array(d, 3)
        found.append(Sample(selection.Clamp(), (low, x, high), note="scalars"))
        found.append(Sample(selection.Clamp(), (high, x, low), note="min>max"))
        found.append(Sample(selection.Clamp(), (x, np.zeros_like(x), x[::-1].copy()), note="full"))
    return found


def _conversions() -> list[Sample]:
    extremes = [
        2147483520.0,
        2147483648.0,
        -2147483648.0,
        -2147483904.0,
        3e9,
        -3e9,
        1e30,
        0.99,
        -0.99,
    ]
    floats = array("f32", [*FLOATS, *extremes])
    sources = {"f32": floats, "f16": edges("f16"), "i32": edges("i32"), "bool": BOOLS}
    return [
        Sample(convert_dtype.ConvertDType(dtypes.BY_SHORT[to]), (x,), note=to)
        for x in sources.values()
        for to in sources
    ]


SAMPLES = _samples()


def _rejects() -> list[Reject]:
    found = []
    for op in (*_UNARY, *_BINARY, binary.Pow, selection.Clamp):
        n = op.arity
        good = next(d for d in ("f32", "bool") if dtypes.BY_SHORT[d] in op.accepts)
        bad = [d for d in ("c64", "bool", "f32") if dtypes.BY_SHORT[d] not in op.accepts][:1]
        found += [Reject("C1", op(), (t(d, 2),) * n, "convert it to one of") for d in bad]
        if n > 1:
            other = "i32" if good == "f32" else "f32"
            types = (t(good, 2),) * (n - 1) + (t(other, 2),)
            found.append(Reject("C2", op(), types, "one dtype"))
            wrong = (t(good, 2),) * (n - 1) + (t(good, 3),)
            found.append(Reject("C3", op(), wrong, "each dim equal or 1"))
            ranks = (t(good, 2),) * (n - 1) + (t(good, 1, 2),)
            found.append(Reject("C3", op(), ranks, "make the ranks equal"))
    where = selection.Where()
    f, b = t("f32", 2), t("bool", 2)
    found += [
        Reject("C1", where, (f, f, f), "make it a bool tensor"),
        Reject("C2", where, (b, f, t("i32", 2)), "one dtype"),
        Reject("C3", where, (b, f, t("f32", 3)), "equal or 1"),
    ]
    return found


REJECTS = _rejects()
