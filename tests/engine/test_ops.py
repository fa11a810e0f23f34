"""Every MIL op on both engines, on values that tell right from wrong."""

from __future__ import annotations

import pytest

from coremlc.engine.reference import KERNELS
from tests.engine import cases, cases_movement
from tests.engine.cases import Case
from tests.engine.programs import agree, one_op, run_all

CASES = [
    *cases.elementwise(),
    *cases.casts(),
    *cases.reductions(),
    *cases.products(),
    *cases.windows(),
    *cases_movement.all_cases(),
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
    assert set(KERNELS) - {case.kind for case in CASES} == set()
