"""Every MIL op on both engines, on values that tell right from wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from coremlc.engine.ort.recipes import RECIPES
from coremlc.engine.reference import KERNELS
from coremlc.engine.reference.plan import CONTROL
from coremlc.mil.dialect import DIALECT
from tests.engine import cases, cases_large, cases_layers, cases_movement
from tests.engine.cases import Case
from tests.engine.programs import C, Maker, agree, one_op, run_all

CASES = [
    *cases.elementwise(),
    *cases.columns(),
    *cases.casts(),
    *cases.reductions(),
    *cases.products(),
    *cases.windows(),
    *cases_movement.all_cases(),
    *cases_layers.all_cases(),
    *cases_large.all_cases(),
]


@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES}))
def test_both_engines_agree(kind: str) -> None:
    for case in (c for c in CASES if c.kind == kind):
        _check(case)


def _check(case: Case) -> None:
    program, features = one_op(case.kind, case.inputs, case.opset)
    try:
        reference, other = run_all(program, features)
        for want, got in zip(reference, other, strict=True):
            agree(got, want, case.rtol, case.atol)
        for value, want in zip(program.functions["main"].block.outputs, reference, strict=True):
            assert value.tensor.shape == want.shape or None in value.tensor.shape
    except Exception as error:
        raise AssertionError(f"{case}: {error}") from error


def test_every_kernel_has_cases() -> None:
    tested_below = {"constexpr_lut_to_sparse", "constexpr_sparse_blockwise_shift_scale"}
    assert set(KERNELS) - {case.kind for case in CASES} == tested_below


REFUSED = {
    "affine": "image",
    "crop_resize": "image",
    "resample": "image",
    "non_maximum_suppression": "image",
    "random_bernoulli": "no fixed meaning",
    "random_categorical": "no fixed meaning",
    "random_normal": "no fixed meaning",
    "random_uniform": "no fixed meaning",
}
"""Ops that neither engine runs, and why."""


def test_engines_cover_the_dialect() -> None:
    assert set(KERNELS) | CONTROL | set(REFUSED) | {"const"} == set(DIALECT)
    folded = {kind for kind in KERNELS if kind.startswith("constexpr_")}
    assert set(RECIPES) - {"bitwise_and"} == set(KERNELS) - folded  # engine/bitwise.py makes it


@pytest.mark.parametrize("kind", ["lut", "scale"])
def test_sparse_constants(kind: str) -> None:
    rng = np.random.default_rng(0)
    mask = (rng.random((4, 6)) < 0.5).astype(np.uint8)
    values = rng.integers(0, 16, int(mask.sum())).astype(ml_dtypes.uint4)
    m = Maker()
    x = m.input("x", np.ones((4, 6), np.float16))
    packed = C(mask, "uint1")
    if kind == "lut":
        lut = C(rng.random((2, 1, 16, 1)).astype(np.float16))
        outs = m.add("constexpr_lut_to_sparse", indices_mask=packed,
                     indices_nonzero_data=C(values), lut=lut)  # fmt: skip
    else:
        scale = C(rng.random((2, 3)).astype(np.float16))
        outs = m.add("constexpr_sparse_blockwise_shift_scale", data_mask=packed,
                     nonzero_data=C(values), scale=scale)  # fmt: skip
    dense = m.add("constexpr_sparse_to_dense", nonzero_data=outs[1], mask=outs[0])
    program = m.program(m.add("mul", x=x, y=dense))
    reference, other = run_all(program, {"x": np.ones((4, 6), np.float16)})
    np.testing.assert_array_equal(reference[0], other[0])
    assert ((reference[0] != 0) <= (mask != 0)).all()


SPOILS = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-40], np.float32)


def _spoiled(x: Any, rng: np.random.Generator) -> Any:
    """One element in twelve is something awkward."""
    if isinstance(x, tuple):
        return tuple(_spoiled(item, rng) for item in x)
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f" or not x.size:
        return x
    count = max(1, x.size // 12)
    out = x.copy()
    with np.errstate(over="ignore"):
        awkward = rng.choice(SPOILS, count).astype(x.dtype)
    out.reshape(-1)[rng.integers(0, x.size, count)] = awkward
    return out


@pytest.mark.parametrize("kind", sorted({case.kind for case in CASES}))
def test_awkward_values_spread_alike(kind: str) -> None:
    rng = np.random.default_rng(5)
    for case in [c for c in CASES if c.kind == kind][:8]:
        inputs = {name: _spoiled(x, rng) for name, x in case.inputs.items()}
        _check(replace(case, inputs=inputs, rtol=1e-4, atol=max(case.atol, 1e-4)))
