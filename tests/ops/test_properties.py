"""On random operands of every op the witnesses agree: shapes, dtypes, edges.

The oracle, both engines, and, on ordinary numbers, XLA. Cases are the fuzzer's (benchmarks/fuzz);
hypothesis makes its choices, and shrinks them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.case import KINDS, TURNS, Case, draw, graph_of, inputs_of
from benchmarks.fuzz.judge import differs
from benchmarks.fuzz.run import outputs_of
from benchmarks.fuzz.values import PACKED
from coremlc import dtypes
from coremlc.compare import difference
from coremlc.errors import RefusedError
from coremlc.targets import BY_NAME

CHOICES = st.randoms(use_true_random=False)


def examples(count: int) -> Callable:
    """The same ones in each run; a failing one is shrunk."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def check(case: Case, target: str, turns: int) -> None:
    """Every engine gives what the oracle says."""
    try:
        got = outputs_of([case], target, turns=turns)
    except RefusedError:  # as the fuzzer's record counts: few, each for its reason
        return
    for engine, results in got.items():
        for turn, operands in enumerate(case.rounds[:turns]):
            found = differs(case, results[turn][0], case.expected(operands), operands)
            assert not found.difference, f"{engine}: {found.difference}\n{operands}"


@pytest.mark.parametrize("kind", KINDS)
@examples(2)
@given(rng=CHOICES)
def test_engines_agree(kind: str, rng: random.Random) -> None:
    check(draw(rng, kind), "iOS18", turns=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@examples(30)
@given(rng=CHOICES, target=st.sampled_from(sorted(BY_NAME)))
def test_engines_agree_for_every_target(kind: str, rng: random.Random, target: str) -> None:
    check(draw(rng, kind), target, TURNS)


# --- XLA

HALVES = 4
"""Times the tolerance of half dtypes: XLA rounds after each step of a composite."""


def is_comparable(case: Case) -> bool:
    """Without what XLA on a CPU does otherwise (tests/baseline has the edges, one by one)."""
    found = {t.dtype for t in (*case.types, *case.results)}
    return not (
        found & PACKED  # XLA divides them by 0: SIGFPE
        or (case.op.kind == "Pow" and found & dtypes.INTEGER)  # takes 6 bits of an exponent
        or (case.op.kind == "Bitcast" and found & dtypes.FLOAT)  # keeps the bits of a NaN
        or any(0 in t.shape for t in case.types)
    )


@pytest.mark.xla
@pytest.mark.parametrize("kind", KINDS)
@examples(3)
@given(rng=CHOICES)
def test_xla_agrees(kind: str, rng: random.Random) -> None:
    from coremlc.baseline import load_xla

    case = draw(rng, kind).plain()
    if not is_comparable(case):
        return
    got = load_xla(graph_of([case]))(inputs_of([case], 0))
    for x, y in zip(got.values(), case.expected(case.rounds[0]), strict=True):
        relative, absolute = dtypes.BY_NUMPY[y.dtype].tolerance
        size = float(np.nanmax(np.abs(y.astype(complex)), initial=0)) if relative else 0.0
        wide = HALVES if dtypes.BY_NUMPY[y.dtype] in dtypes.HALF else 1
        found = difference(kind, x, y, (wide * relative, wide * absolute + wide * relative * size))
        assert not found.mismatched, (found, case.op, case.types, x, y)
