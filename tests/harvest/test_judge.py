"""The judge of the harvest notices what is wrong, and allows for ill-conditioned results only."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.harvest import sample
from benchmarks.harvest.case import Case
from benchmarks.harvest.judge import judge


def first(directory, wanted) -> Case:
    """The first graph of the sample whose first vector is as wanted."""
    for name in sample.names():
        case = sample.unpack(name, directory)
        if case.vectors and wanted(case.vectors[0]):
            return case
    raise AssertionError("there is none")


def floats(vector) -> bool:
    x = vector["out.output0"]
    return x.dtype == np.float32 and x.size > 1 and bool(np.all(np.isfinite(x)))


def statuses(case: Case) -> set[str]:
    return {v.status for v in judge(case, ("reference",)) if v.variant == "plain"}


@pytest.mark.parametrize("change", [lambda x: x + 1, lambda x: x * np.float32("nan")])
def test_a_wrong_output_fails(tmp_path, change) -> None:
    case = first(tmp_path, floats)
    assert statuses(case) == {"passed"}
    vector = dict(case.vectors[0])
    vector["out.output0"] = change(vector["out.output0"])
    assert statuses(Case(case.path, case.origin, [vector])) == {"failed"}


def test_one_wrong_vector_of_two_fails(tmp_path) -> None:
    case = first(tmp_path, lambda v: v["out.output0"].dtype == np.int32)
    vector = dict(case.vectors[0])
    vector["out.output0"] = vector["out.output0"] + np.int32(1)
    assert statuses(Case(case.path, case.origin, [*case.vectors, vector])) == {"failed"}
