"""The op fuzzer: a few batches without a finding, and each case made again from its seed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fuzz_ops
from coremlc.ir.op import REGISTRY


def test_a_few_cases_have_no_finding(capsys: pytest.CaptureFixture) -> None:
    tally = fuzz_ops.fuzz(0, 2 * fuzz_ops.BATCH)
    assert not tally.findings, capsys.readouterr().err
    assert sum(row["cases"] for row in tally.ops.values()) == 2 * fuzz_ops.BATCH


def test_a_seed_makes_its_case_again() -> None:
    a, b = fuzz_ops.draw(7), fuzz_ops.draw(7)
    assert a.op.kind == b.op.kind
    for x, y in zip(a.operands, b.operands, strict=True):
        np.testing.assert_array_equal(x.view(np.uint8), y.view(np.uint8))


@pytest.mark.parametrize("kind", fuzz_ops.KINDS)
def test_every_kind_is_drawn(kind: str) -> None:
    assert fuzz_ops.draw(1, kind).op.kind == kind
    assert not REGISTRY[kind].refused


def test_a_wrong_result_is_a_finding() -> None:
    case = fuzz_ops.draw(3, "ReduceSum")
    right = [y.copy() for y in case.expected]
    assert not fuzz_ops.differs(case, right)
    wrong = [y.astype(y.dtype) * 0 + 77 if y.dtype != bool else ~y for y in right]
    assert fuzz_ops.differs(case, [w.astype(y.dtype) for w, y in zip(wrong, right, strict=True)])
