"""The op fuzzer: a batch without a finding, cases made again from seeds, and what it would find."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fuzz_ops
from benchmarks.fuzz_case import KINDS, TURNS, of_seed
from benchmarks.fuzz_judge import differs


def test_a_batch_has_no_finding(capsys: pytest.CaptureFixture) -> None:
    tally = fuzz_ops.fuzz(0, fuzz_ops.BATCH)
    assert not tally.findings, capsys.readouterr().err
    assert sum(row["cases"] for row in tally.ops.values()) == fuzz_ops.BATCH * TURNS


def test_a_seed_makes_its_case_again() -> None:
    a, b = of_seed(7), of_seed(7)
    assert repr(a) == repr(b)
    for x, y in zip(a.arrays(2), b.arrays(2), strict=True):
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    case = of_seed(1, kind)
    assert case.op.kind == kind
    assert [y.shape for y in case.expected(0)] == [r.shape for r in case.results]


@pytest.mark.parametrize("kind", ["ReduceSum", "Exp", "Mul", "Equal", "Sort", "FusedSoftmax"])
def test_a_wrong_result_is_a_finding(kind: str) -> None:
    case = of_seed(3, kind)
    given, right = case.arrays(0), case.expected(0)
    assert not differs(case, right, right, given)
    wrong = [~y if y.dtype == bool else np.full_like(y, 77) for y in right]
    assert differs(case, wrong, right, given)
    assert differs(case, [y[None] for y in right], right, given)


@pytest.mark.parametrize(("kind", "seed"), [("Neg", 2), ("Reshape", 1), ("Add", 2)])
def test_a_wrong_zero_is_a_finding(kind: str, seed: int) -> None:
    case = of_seed(seed, kind)
    zero = [np.zeros(r.shape, r.dtype.numpy) for r in case.results]
    other = [-x for x in zero]
    assert differs(case, other, zero, case.arrays(0))
