"""On random operands of every op, the oracle and both engines agree: shapes, dtypes, edges.

Cases are the fuzzer's (benchmarks/fuzz_case.py); hypothesis makes its choices, and shrinks them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_case import KINDS, TURNS, Case, draw
from benchmarks.fuzz_judge import differs
from benchmarks.fuzz_ops import outputs_of
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
        for turn in range(turns):
            given = case.arrays(turn)
            what = differs(case, results[turn][0], case.expected(turn), given)
            assert not what, f"{engine}: {what}\n{given}"


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
