"""The judge finds what is planted: each kind of mistake that an engine or a lowering could make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fuzz.case import KINDS, Case, of_seed
from benchmarks.fuzz.judge import differs
from benchmarks.fuzz.values import Fixed
from coremlc import dtypes
from coremlc.ir.op import REGISTRY, Op
from coremlc.ops.attention import FusedScaledDotProductAttention, ScaledDotProductAttentionConfig
from coremlc.ops.batch_norm import BatchNormForInference
from coremlc.ops.conv_general import ConvGeneral, ConvolveAxesConfig, Pair
from coremlc.ops.dense import gelu
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.norm import FusedLayerNorm, FusedSoftmax
from coremlc.ops.reduce import ReduceMax, ReduceSum
from coremlc.ops.reduce_window import ReduceWindow
from tests.ops.samples import array, randoms

Array = np.ndarray
F32 = dtypes.F32
KERNEL = ConvolveAxesConfig(0, 1, (2,), 1, 0, (2,), 0, 1, (2,))
X, Y = randoms("f32", 4, 4), randoms("f32", 4, 4, seed=1)


def case_of(op: Op, *operands: Array) -> Case:
    fixed = tuple(map(Fixed, operands))
    found = op.infer(*(x.type for x in fixed))
    results = found if isinstance(found, tuple) else (found,)
    return Case("test", op, fixed, frozenset(), results)


def verdict(op: Op, operands: Sequence[Array], wrong: Array) -> str:
    case = case_of(op, *operands)
    right = case.expected(operands)
    assert not differs(case, right, right, operands).difference
    assert wrong.dtype == right[0].dtype, "the mistake is another one"
    return differs(case, (wrong, *right[1:]), right, operands).difference


def right(op: Op, *operands: Array) -> Array:
    return case_of(op, *operands).expected(operands)[0]


def op(kind: str, *attributes: object) -> Op:
    return REGISTRY[kind](*attributes)


def ulps(x: Array, n: int) -> Array:
    """`x`, n last places off."""
    return (x.view(np.int32) + n).view(np.float32)


def flushed(x: Array) -> Array:
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x).astype(x.dtype)


@pytest.mark.parametrize("kind", ["Exp", "Sin", "Cos", "Tanh", "Erf", "Log1p", "Expm1", "Logistic"])
def test_16_last_places_of_a_function(kind: str) -> None:
    assert not verdict(op(kind), [X], ulps(right(op(kind), X), 2))
    for x in (X, array("f32", [1e-4, 0.5, 3.0, 1e-30])):
        assert verdict(op(kind), [x], ulps(right(op(kind), x), 16))


def test_log_near_1_that_takes_a_rounded_operand() -> None:
    x = array("f32", [1 + 3e-6, 1 - 1e-5])
    assert verdict(op("Log"), [x], np.log(ulps(x, 1)))


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Rem", "Sqrt"])
def test_one_last_place_of_what_is_rounded_once(kind: str) -> None:
    operands = [np.abs(X)] if kind == "Sqrt" else [X, Y]
    assert verdict(op(kind), operands, ulps(right(op(kind), *operands), 1))


@pytest.mark.parametrize("kind", ["Sub", "Div", "Pow", "Atan2", "Rem", "LessThan", "ShiftLeft"])
def test_swapped_operands(kind: str) -> None:
    x, y = (X, Y) if kind != "ShiftLeft" else (randoms("u8", 4), randoms("u8", 4, seed=1))
    x, y = (np.abs(x), np.abs(y)) if kind == "Pow" else (x, y)
    assert verdict(op(kind), [x, y], right(op(kind), y, x))


@pytest.mark.parametrize("kind", [ReduceSum, ReduceMax])
def test_another_axis(kind: type[Op]) -> None:
    assert verdict(kind((0,)), [X], right(kind((1,)), X))
    assert verdict(FusedSoftmax(0), [X], right(FusedSoftmax(1), X))


def test_a_window_off_by_one() -> None:
    window = ReduceWindow("Sum", (2,), (1,), (1,), (1,), (Pair(1, 0),))
    moved = replace(window, paddings=(Pair(0, 1),))
    x = randoms("f32", 9)
    assert verdict(window, [x], right(moved, x))
    largest, moved = (replace(w, reduction_type="Max") for w in (window, moved))
    assert verdict(largest, [x], right(moved, x))
    part = op("DynamicSlice", (2,))
    assert verdict(part, [x, array("i32", 3)], right(part, x, array("i32", 4)))


def test_a_dropped_nan() -> None:
    x = X.copy()
    x[1, 2] = np.nan
    assert verdict(ReduceMax((1,)), [x], np.nanmax(x, 1))
    assert verdict(ReduceSum((1,)), [x], np.nansum(x, 1))
    assert verdict(op("Max"), [x, Y], np.fmax(x, Y))
    assert verdict(op("Exp"), [x], np.nan_to_num(np.exp(x)))
    assert verdict(FusedSoftmax(1), [x], right(FusedSoftmax(1), np.nan_to_num(x)))


def test_infinity_where_there_is_a_number_and_back() -> None:
    big = array("f32", [80.0, 88.5, 90.0])
    top = np.finfo(np.float32).max
    assert verdict(op("Exp"), [big], array("f32", [np.exp(80), np.inf, np.inf]))
    assert verdict(op("Exp"), [big], np.minimum(right(op("Exp"), big), top))
    whole = array("f16", [12.0])
    assert verdict(op("Exp"), [whole], array("f16", [65504]))
    assert verdict(op("Add"), [array("f32", [top]), array("f32", [top])], array("f32", [top]))
    assert verdict(ReduceSum((0,)), [array("f32", [np.inf, 1])], array("f32", top))


def test_integers_that_saturate_or_wrap_otherwise() -> None:
    a, b = array("i8", [100, -100]), array("i8", [100, -100])
    assert verdict(op("Add"), [a, b], array("i8", [127, -128]))
    assert verdict(op("Div"), [array("i32", [7, -7]), array("i32", [0, 2])], array("i32", [-1, -4]))
    x = array("f32", [300.0, -1.0])
    assert verdict(op("ConvertDType", dtypes.BY_SHORT["u8"]), [x], array("u8", [44, 255]))


def test_flushed_denormals() -> None:
    x = array("f32", [1e-40, 3e-39, -1e-42])
    for kind in ("Abs", "Sin", "Tanh", "Identity", "Log1p"):
        assert verdict(op(kind), [x], flushed(right(op(kind), x))), kind
    assert verdict(op("Add"), [x, x], flushed(x + x))
    assert verdict(ReduceSum((0,)), [x], flushed(x.sum(keepdims=True))[0])
    assert verdict(op("Exp"), [array("f32", [-90.0])], array("f32", [0.0]))


def test_the_sign_of_a_zero() -> None:
    zero = array("f32", [-0.0])
    for kind in ("Identity", "Sin", "Sqrt", "Tanh", "Ceil"):
        assert verdict(op(kind), [zero], array("f32", [0.0])), kind
    assert verdict(op("Max"), [zero, zero], -zero)
    assert not verdict(op("Max"), [zero, -zero], zero)
    assert not verdict(op("Max"), [zero, -zero], -zero)


def test_rounding_to_integers() -> None:
    x = array("f32", [0.5, 1.5, -2.5])
    assert verdict(op("Round"), [x], np.floor(x + np.float32(0.5)))
    assert verdict(op("ConvertDType", dtypes.I32), [x], np.rint(x).astype(np.int32))


def test_ties_and_comparisons_at_equality() -> None:
    x = array("f32", [[1, 2, 2, 0]])
    assert verdict(op("ArgMinMax", 1, dtypes.I32, False), [x], array("i32", [2]))
    assert verdict(op("LessThan"), [x, x], right(op("LessOrEqual"), x, x))


def test_a_lost_term_of_a_sum() -> None:
    x = randoms("f32", 64)
    x[7] = 2e-4
    assert verdict(ReduceSum((0,)), [x], np.delete(x, 7).sum(keepdims=True)[0])


def test_float16_sums_in_float16() -> None:
    x, y = randoms("f16", 8, 200), randoms("f16", 200, 8, seed=1)
    product = DotGeneral((1,), (), (0,), (), DotGeneralConfig(dtypes.F16, dtypes.F16))
    total = np.zeros((8, 8), np.float16)
    for i in range(200):
        total = total + x[:, i, None] * y[None, i]
    assert verdict(product, [x, y], total)


def test_products_transposed_flipped_and_without_scale() -> None:
    product = DotGeneral((1,), (), (0,), (), DotGeneralConfig(F32, F32))
    assert verdict(product, [X, Y], right(product, X.T, Y))
    wave, kernel = randoms("f32", 1, 2, 9), randoms("f32", 3, 2, 3)
    conv = ConvGeneral(KERNEL, (1,), (Pair(1, 1),), (1,), (1,), 1, 1)
    assert verdict(conv, [wave, kernel], right(conv, wave, kernel[..., ::-1]))
    config = ScaledDotProductAttentionConfig(False, 0.5, True)
    attention = FusedScaledDotProductAttention("BHSD", config, *[False] * 4)
    q, k, v = (randoms("f32", 1, 1, 4, 3, seed=i) for i in range(3))
    for other in (replace(config, scale=1.0), replace(config, causal=False)):
        assert verdict(attention, [q, k, v], right(replace(attention, options=other), q, k, v))


def test_norms_without_epsilon_and_with_the_unbiased_variance() -> None:
    norm = FusedLayerNorm((1,), 1e-3, False, False)
    assert verdict(norm, [X], right(replace(norm, epsilon=0.0), X))
    away = X - X.mean(1, keepdims=True)
    unbiased = away / np.sqrt(X.var(1, keepdims=True, ddof=1) + 1e-3)
    assert verdict(norm, [X], unbiased.astype(np.float32))
    batch = BatchNormForInference(1e-3, 1)
    operands = [X, *(np.abs(randoms("f32", 4, seed=i)) for i in range(4))]
    assert verdict(batch, operands, right(replace(batch, epsilon=1e-5), *operands))


def test_another_form_of_gelu() -> None:
    assert verdict(op("FusedGelu", True), [X], gelu(X.astype(float), False).astype(np.float32))


def test_complex_conjugates_branches_and_scales() -> None:
    z = array("c64", X + 1j * Y)
    assert verdict(op("Exp"), [z], np.conj(np.exp(z)))
    assert verdict(op("Mul"), [z, z], z * np.conj(z))
    cut = array("c64", [complex(-4.0, -0.0)])
    assert verdict(op("Sqrt"), [cut], array("c64", [2j]))
    inverse = op("FFT", "Inverse", (4,))
    assert verdict(inverse, [z], right(inverse, z) * np.float32(4))


def test_equal_indices_of_a_scatter_that_overwrite() -> None:
    add = op("ScatterSum", 1, (), (0,), (0,), False, False)
    x, at, updates = randoms("f32", 5), array("i32", [[2], [2]]), randoms("f32", 2, seed=1)
    last = x.copy()
    last[2] += updates[1]
    assert verdict(add, [x, at, updates], last)


def nudged(x: Array, at: tuple[int, ...]) -> list[Array]:
    """Copies with one element that is wrong."""
    kind = dtypes.BY_NUMPY[x.dtype]

    def with_(value: object) -> Array:
        y = x.copy()
        y[at] = value
        return y

    if kind is dtypes.BOOL:
        return [with_(not x[at])]
    if kind.is_integer:
        return [with_(np.asarray(x[at]).astype(int) + 1)]
    off = {16: 0.05, 32: 1e-4, 64: 1e-4}.get(kind.bits, 0.5)
    size = np.abs(x.astype(dtypes.working(kind))).max(initial=1)
    return [
        with_(np.nan),
        with_(np.asarray(x[at]).astype(complex if kind.is_complex else float) + off * size),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_one_wrong_element_of_any_op(kind: str) -> None:
    """On ordinary numbers no bound is so wide that it hides 1e-4 of the largest result."""
    for seed in range(3):
        case = of_seed(seed, kind).plain()
        given = case.rounds[0]
        expected = case.expected(given)
        for i, x in enumerate(expected):
            if not x.size or not np.isfinite(x.astype(complex)).all():
                continue
            at = tuple(n // 2 for n in x.shape)
            for y in nudged(x, at):
                got = [*expected[:i], y, *expected[i + 1 :]]
                assert differs(case, got, expected, given).difference, (case.op, case.types, y[at])
