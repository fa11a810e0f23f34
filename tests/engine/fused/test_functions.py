"""How near the functions of fused loops are to the true values, in units of the last place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from coremlc.engine import Options
from tests.engine.programs import Maker, start

ALWAYS = Options(threads=1, fuse_from_us=-np.inf)
Truth = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, tuple[Truth, dict[str, float], float]] = {
    "exp": (np.exp, {}, 1.1),
    "log": (np.log, {"epsilon": 0.0}, 1.0),
    "tanh": (np.tanh, {}, 5.0),
    "sin": (np.sin, {}, 1.0),
    "cos": (np.cos, {}, 1.0),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), {}, 3.0),
    "silu": (lambda x: x / (1 + np.exp(-x)), {}, 3.5),
    "softplus": (lambda x: np.logaddexp(0, x), {}, 2.5),
}
"""In float64, other operands, and the bound."""
DENORMAL_FACTOR = 104 * float(np.finfo(np.float32).tiny)
"""Below it silu is the product of its argument and a denormal number, and as exact as that."""


def arguments(step: int) -> np.ndarray:
    """Every step-th float32 there is, and all those beside places where something changes."""
    every = np.arange(0, 2**32, step, dtype=np.uint64).astype(np.uint32).view(np.float32)
    turns = [0, 1, 2, 0.5, 0.625, np.sqrt(0.5), np.sqrt(2), np.log(2), 88.72284, 87.33655, 103.97]
    turns += [1e-45, np.finfo(np.float32).tiny, np.finfo(np.float32).max, np.inf, np.nan, 104, 89]
    near = np.array(turns, np.float32).view(np.int32)[:, None] + np.arange(-50, 51, dtype=np.int32)
    beside = near.ravel().astype(np.int32).view(np.float32)
    common = np.linspace(-110, 110, 20001, dtype=np.float32)
    return np.concatenate([every, beside, -beside, common])


def error_ulp(kind: str, x: np.ndarray) -> tuple[float, np.float32]:
    """The largest error and where it is; NaN and infinity must be where they belong."""
    truth, operands, _ = FUNCTIONS[kind]
    m = Maker()
    program = m.program(m.add(kind, x=m.input("x", x), **operands))
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        (got,) = executable.run({"x": x}).values()
    with np.errstate(all="ignore"):
        want = truth(x.astype(np.float64))
        rounded = want.astype(np.float32)
        plain = np.isfinite(rounded) & np.isfinite(got)
        edge = np.abs(want) >= np.finfo(np.float32).max  # where rounding decides
        np.testing.assert_array_equal(got[~plain & ~edge], rounded[~plain & ~edge])
        np.testing.assert_array_equal(np.isnan(got), np.isnan(rounded))
        zero = rounded == 0
        signs = np.signbit(got[zero & (got == 0)]), np.signbit(rounded[zero & (got == 0)])
        np.testing.assert_array_equal(*signs)
        least = DENORMAL_FACTOR if kind == "silu" else 0
        errors = np.abs(got[plain] - want[plain])
        errors /= np.spacing(np.maximum(np.abs(rounded[plain]), np.float32(least)))
    worst = int(np.argmax(errors))
    return float(errors[worst]), x[plain][worst]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_ulp(kind: str) -> None:
    worst, where = error_ulp(kind, arguments(16411))
    assert worst <= FUNCTIONS[kind][2], f"{worst} ulp at {where!r}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_ulp_of_many(kind: str) -> None:
    worst, where = error_ulp(kind, arguments(257))
    assert worst <= FUNCTIONS[kind][2], f"{worst} ulp at {where!r}"
