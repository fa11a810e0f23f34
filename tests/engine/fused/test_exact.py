"""Fused loops give the reference engine's bits, whatever the ops, the shapes and the values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from coremlc.engine import Options
from coremlc.engine.ort.parts import PartsExecutable
from coremlc.mil.program import Program
from tests.engine.fused.regions import programs
from tests.engine.programs import start

ALWAYS = Options(threads=2, fuse_from_us=-np.inf)


def same_bits(got: np.ndarray, want: np.ndarray) -> None:
    """Any NaN for a NaN; else zeros of one sign, and everything equal."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_array_equal(got, want)
    if got.dtype == np.float32:
        number = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number])


def check(program: Program, features: dict[str, np.ndarray]) -> None:
    with start(program, "reference") as oracle:
        want = oracle.run(features)
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        assert isinstance(executable, PartsExecutable)
        got = executable.run(features)
    assert list(got) == list(want)
    for name in want:
        same_bits(got[name], want[name])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_random_regions(case: tuple[Program, dict[str, np.ndarray]]) -> None:
    check(*case)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_many_random_regions(case: tuple[Program, dict[str, np.ndarray]]) -> None:
    check(*case)
