"""Samples of complex operands: each op that takes them, edges and branch cuts, and FFT."""

from __future__ import annotations

import itertools

import numpy as np

from coremlc import dtypes
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ops import (
    binary,
    compare,
    complex,
    conv_general,
    convert_dtype,
    dot_general,
    dynamic_slice,
    fft,
    gather,
    leaves,
    pad,
    reduce,
    reduce_window,
    scatter,
    selection,
    shape,
    unary,
)
from tests.ops.samples import Reject, Sample, array, pairs, randoms, t

_PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.25, 1e-3, -1e-6, 1e-20, 40.0, -300.0, 1e10, -1e15]
_SPECIAL = [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan]


def plane(values: list[float], dtype: str = "c64") -> np.ndarray:
    """Every complex number with parts among `values`."""
    return _joined(np.array(list(itertools.product(values, values))).T, dtype)


def _joined(parts: np.ndarray, dtype: str) -> np.ndarray:
    """Not `re + 1j * im`, which turns infinities into NaN and loses -0."""
    out = np.empty(parts.shape[1:], np.complex128)
    out.real, out.imag = parts
    return array(dtype, out)


def numbers(*dims: int, dtype: str = "c64", seed: int = 0) -> np.ndarray:
    """Normal real and imaginary parts."""
    return _joined(randoms("f64", 2, *dims, seed=seed), dtype)


EDGES = plane(_PARTS)
SPECIAL = plane(_SPECIAL)
_FINITE = plane([v for v in _SPECIAL if np.isfinite(v)])
# an infinite part beside a finite one: numpy and XLA agree on what follows
_INFINITE = array("c64", [np.inf, -np.inf, np.inf + 0j])


def _near_one() -> np.ndarray:
    """Where log loses its digits if it is done by the modulus."""
    angle = np.array([0.0, 1e-4, 1e-2, 0.5, 2.0, 3.0, -1.0])
    radius = np.array([1.0, 1 + 1e-4, 1 - 1e-3, 0.75, 1.5])
    return array("c64", radius[:, None] * np.exp(1j * angle[None]))


def _unary() -> list[Sample]:
    small = plane([0.0, -0.0, 1e-3, -1e-6, 0.3, -0.45, 1.0, -1.0, 2.5, -7.0])
    wide = (unary.Abs, unary.Neg, unary.Sign, unary.Log, unary.Log1p, unary.Sqrt, unary.Rsqrt)
    found = [Sample(op(), (EDGES,), note="edges") for op in wide]
    far = plane([3e38, -2e38, 1e-45, -1e-40, 0.0])  # whose modulus overflows, or has few bits
    found.append(Sample(unary.Sign(), (far,), note="far"))
    found.append(Sample(binary.Div(), pairs(far, plane([3e38, -2e38, 1.5])), note="far"))
    for op in (unary.Exp, unary.Expm1):
        found.append(Sample(op(), (small,), note="edges"))
        found.append(Sample(op(), (plane([0.0, 1.5, -80.0, 85.0]),), note="large"))
    kinds = ("Abs", "Neg", "Sign", "Log", "Log1p", "Sqrt", "Rsqrt", "Exp", "Expm1")
    for name in (*kinds, "IsNaN", "IsFinite"):
        op = getattr(unary, name)
        found.append(Sample(op(), (numbers(2, 3),), note="random"))
        found.append(Sample(op(), (numbers(2, 3, dtype="c128"),), note="random"))
        found.append(Sample(op(), (numbers(),), note="rank0"))
        found.append(Sample(op(), (numbers(0, 2),)))
    found.append(Sample(unary.Log(), (_near_one(),), note="near1"))
    found.append(Sample(unary.Log1p(), (_near_one() - 1,), note="near0"))
    special = (unary.Abs, unary.Neg, unary.IsNaN, unary.IsFinite, unary.Sqrt, unary.Log, unary.Exp)
    found += [Sample(op(), (SPECIAL,), note="special") for op in special]
    for op in (complex.Real, complex.Imag, complex.Conj):
        found += [Sample(op(), (EDGES.astype(d),), note="edges") for d in ("c8", "c16")]
        found.append(Sample(op(), (numbers(),), note="rank0"))
        found.append(Sample(op(), (numbers(0, 2),)))
        found.append(Sample(op(), (SPECIAL,), note="infinite"))
    return found


def _binary() -> list[Sample]:
    found = []
    modest = plane([0.0, -0.0, 1.0, -2.5, 1e-3, 1e10])
    for op in (binary.Add, binary.Sub, binary.Mul, binary.Div, compare.Equal, compare.NotEqual):
        found.append(Sample(op(), pairs(modest, modest), note="edges"))
        found.append(Sample(op(), (numbers(2, 1, 4), numbers(1, 3, 4)), note="broadcast"))
        found.append(Sample(op(), (numbers(), numbers(3, seed=1)), note="scalar"))
        found.append(Sample(op(), (numbers(), numbers(seed=1)), note="rank0"))
        found.append(Sample(op(), (numbers(3, dtype="c128"), numbers(3, dtype="c128")), note="128"))
        found.append(Sample(op(), (numbers(3), numbers(seed=2)), frozenset({1}), note="constant"))
    special = (binary.Add, binary.Sub, compare.Equal, compare.NotEqual)
    found += [Sample(op(), pairs(SPECIAL, SPECIAL), note="special") for op in special]
    huge = plane([1e30, -3e37, 1.0, 1e-30])
    found.append(Sample(binary.Div(), (huge, huge[::-1].copy()), note="huge"))
    found.append(Sample(binary.Div(), (huge, huge), note="one"))
    ones = np.ones(len(_INFINITE), np.complex64)
    found.append(Sample(binary.Div(), (ones, _INFINITE), note="by-infinity"))
    for a, b in (((2, 1), (1, 3)), ((), (3,)), ((3,), ()), ((), ())):
        for d in ("f32", "f64"):
            operands = (randoms(d, *a), randoms(d, *b, seed=1))
            found.append(Sample(complex.Complex(), operands))
    parts = pairs(array("f32", _SPECIAL), array("f32", _SPECIAL))
    return [*found, Sample(complex.Complex(), parts, note="special"), *_powers()]


def _powers() -> list[Sample]:
    base = plane([0.0, 1.0, -1.0, 0.5, -3.0])
    exponent = plane([0.0, 1.0, -1.0, 0.5, 2.0])
    found = [
        Sample(binary.Pow(), pairs(base, exponent), note="edges"),
        Sample(binary.Pow(), (numbers(3), numbers(3, seed=1)), note="random"),
        Sample(binary.Pow(), (numbers(3), numbers(2, 3, seed=1)[0]), note="broadcast"),
        Sample(binary.Pow(), (numbers(), numbers(3, dtype="c64")), frozenset({1}), note="spread"),
    ]
    for n in (0, 1, 2, 3, -1, -2, 7):
        operands = (base, array("c64", n))
        found.append(Sample(binary.Pow(), operands, frozenset({1}), note=f"constant{n}"))
    return found


def _conversions() -> list[Sample]:
    found = []
    for to in ("c64", "c128"):
        op = convert_dtype.ConvertDType(dtypes.BY_SHORT[to])
        reals = ("f32", "f16", "i32", "bool", "f64", "i8")
        found += [Sample(op, (randoms(d, 2, 3),), note=to) for d in reals]
        found += [Sample(op, (numbers(3, dtype=d),), note=to) for d in ("c64", "c128")]
    for to in ("bool", "f32", "f16", "bf16", "f64", "i32", "u8"):
        real = convert_dtype.ConvertDType(dtypes.BY_SHORT[to])
        found += [Sample(real, (x,), note=to) for x in (SPECIAL, SPECIAL.astype(np.complex128))]
    return [*found, Sample(op, (randoms("f32"),))]


def _movement() -> list[Sample]:
    x, y = numbers(2, 3), numbers(2, 3, seed=1)
    index = array("i32", 1)
    to = shape.BroadcastInDim
    rows = gather.Gather(1, (1,), (0,), (0,), (1, 3), False)
    add = scatter.ScatterSum(1, (1,), (0,), (0,), False, False)
    constant = leaves.Constant(TensorData(dtypes.C64, x))
    splat = leaves.splat(dtypes.C64, 1 - 2j, (2, 3))
    grow = pad.Pad((pad.PadAxis(1, 2, 1), pad.PadAxis(-1, 0, 0)))
    ops: list[tuple[Op, tuple[np.ndarray, ...]]] = [
        (shape.Reshape((3, 2)), (x,)),
        (shape.Transpose((1, 0)), (x,)),
        (shape.Reverse((1,)), (x,)),
        (shape.Slice((0, 1), (2, 3), (1, 2)), (x,)),
        (shape.Concatenate(0), (x, y)),
        (to(t("c64", 4, 2, 3), (1, 2)), (x,)),
        (to(t("c64", 2, 3), ()), (numbers(),)),
        (selection.Where(), (randoms("bool", 2, 3), x, y)),
        (selection.Where(), (randoms("bool", 2, 3), x, numbers())),
        (selection.Where(), (randoms("bool"), x, y)),
        (grow, (x, numbers())),
        (dynamic_slice.DynamicSlice((1, 2)), (x, index, index)),
        (dynamic_slice.DynamicUpdateSlice(), (x, numbers(1, 2), index, index)),
        (rows, (x, array("i32", [[1], [0], [5]]))),
        (add, (x, array("i32", [[1], [1], [9]]), numbers(3, 3, seed=2))),
        (constant, ()),
        (splat, ()),
        (leaves.Identity(), (x,)),
        (leaves.OptimizationBarrier(), (x, index)),
    ]
    return [Sample(op, operands, note="complex") for op, operands in ops]


def _sums() -> list[Sample]:
    found = []
    for op in (reduce.ReduceSum, reduce.ReduceProduct):
        found += [Sample(op(axes), (numbers(2, 3, 5),)) for axes in ((), (1,), (0, 2), (0, 1, 2))]
        found.append(Sample(op((0,)), (numbers(0, 3),)))
        found.append(Sample(op((0,)), (numbers(8, dtype="c128"),)))
    c64 = dtypes.C64
    for dtype in ("c64", "c128"):
        whole = dtypes.BY_SHORT[dtype]
        config = dot_general.DotGeneralConfig(whole, whole)
        dot = dot_general.DotGeneral((2,), (0,), (1,), (0,), config)
        operands = numbers(2, 3, 4, dtype=dtype), numbers(2, 4, 5, dtype=dtype)
        found.append(Sample(dot, operands, note="batch"))
    wide = dot_general.DotGeneralConfig(dtypes.C128, c64)
    inner = dot_general.DotGeneral((0,), (), (0,), (), wide)
    found.append(Sample(inner, (numbers(7), numbers(7, seed=1)), note="inner"))
    ones = (1, 1)
    none = (conv_general.Pair(0, 0), conv_general.Pair(1, 0))
    for kind in ("Sum", "Product"):
        window = reduce_window.ReduceWindow(kind, (2, 3), ones, ones, ones, none)
        found.append(Sample(window, (numbers(4, 5),), note=kind))
    axes = conv_general.ConvolveAxesConfig(0, 1, (2,), 1, 0, (2,), 0, 1, (2,))
    conv = conv_general.ConvGeneral(axes, (2,), (conv_general.Pair(1, 1),), (1,), (1,), 1, 1)
    found.append(Sample(conv, (numbers(2, 3, 7), numbers(4, 3, 3)), note="complex"))
    return found


_WHY = "sums of n terms in float32: an error of about sqrt(log n) units of the largest output"


def _spectrum(kind: str, *lengths: int, rows: tuple[int, ...] = (), dtype: str = "c64") -> Sample:
    """One FFT of ordinary numbers; the outputs are about sqrt(n), or 1 / sqrt(n), in size."""
    *outer, n = lengths
    count = int(np.prod(lengths))
    if kind == "ForwardReal":
        x = randoms("f32" if dtype == "c64" else "f64", *rows, *lengths)
    else:
        last = n // 2 + 1 if kind == "InverseReal" else n
        x = numbers(*rows, *outer, last, dtype=dtype)
    size = count**0.5 if kind.startswith("Forward") else count**-0.5
    note = f"{kind}-{'x'.join(map(str, lengths))}"
    return Sample(fft.FFT(kind, lengths), (x,), tolerance=(1e-5, 3e-6 * size), why=_WHY, note=note)


def _transforms() -> list[Sample]:
    found = [_spectrum("Forward", n) for n in (*range(1, 65), 100, 127, 128, 1000, 1024, 4099)]
    for kind in fft.TYPES[1:]:
        lengths = (1, 2, 3, 4, 7, 16, 100, 127, 129, 131, 360, 1000, 4099)
        found += [_spectrum(kind, n) for n in lengths]
    for kind in fft.TYPES:
        found.append(_spectrum(kind, 6, 5))
        found.append(_spectrum(kind, 4, 3, 6, rows=(2,)))
        found.append(_spectrum(kind, 3, 150, rows=(2,)))
        found.append(_spectrum(kind, 8, rows=(2, 3)))
        found.append(_spectrum(kind, 8, rows=(2, 2), dtype="c128"))
        found.append(_spectrum(kind, 8, rows=(0,)))
    return found


SAMPLES = _unary() + _binary() + _conversions() + _movement() + _sums() + _transforms()


def _rejects() -> list[Reject]:
    f, c = t("f32", 8), t("c64", 8)
    one = fft.FFT("Forward", (8,))
    found = [
        Reject("C1", fft.FFT("Half", (8,)), (c,), "use Forward, Inverse"),
        Reject("C2", one, (f,), "Complex64"),
        Reject("C2", fft.FFT("ForwardReal", (8,)), (c,), "Float32"),
        Reject("C2", fft.FFT("ForwardReal", (8,)), (t("f16", 8),), "Float32"),
        Reject("C3", fft.FFT("Forward", ()), (c,), "transform 1 to 3"),
        Reject("C3", fft.FFT("Forward", (8, 8)), (c,), "transform 1 to 3"),
        Reject("C3", fft.FFT("Forward", (1,) * 4), (t("c64", 1, 1, 1, 1),), "transform 1 to 3"),
        Reject("C4", fft.FFT("Forward", (7,)), (c,), "pad or slice its last dims to [7]"),
        Reject("C4", fft.FFT("InverseReal", (8,)), (c,), "pad or slice its last dims to [5]"),
        Reject("C1", complex.Complex(), (c, c), "convert it to one of"),
        Reject("C2", complex.Complex(), (f, t("f64", 8)), "one dtype"),
        Reject("C3", complex.Complex(), (f, t("f32", 3)), "equal or 1"),
    ]
    of_complex = (complex.Real, complex.Imag, complex.Conj)
    found += [Reject("C1", op(), (f,), "convert it to one of Complex") for op in of_complex]
    no_order = (compare.LessThan, compare.EqualTotalOrder, binary.Max, binary.Rem, binary.Atan2)
    found += [Reject("C1", op(), (c, c), "convert it to one of") for op in no_order]
    no_sense = (unary.Floor, unary.Round, unary.Cos, unary.Tanh, unary.Logistic, unary.Erf)
    found += [Reject("C1", op(), (c,), "convert it to one of") for op in no_sense]
    index, updates = t("i32", 1, 1), t("c64", 1, 1)
    greatest = scatter.ScatterMax(1, (1,), (), (0,), False, False)
    found.append(Reject("C5", greatest, (c, index, updates), "ScatterMax of c64"))
    ones = (1,)
    window = reduce_window.ReduceWindow("Max", ones, ones, ones, ones, (conv_general.Pair(0, 0),))
    found.append(Reject("C2", window, (c,), "ReduceWindow of c64"))
    found.append(Reject("C1", reduce.ReduceMax((0,)), (c,), "ReduceMax of c64"))
    return found


REJECTS = _rejects()
