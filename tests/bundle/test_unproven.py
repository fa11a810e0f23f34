from dataclasses import replace

import pytest

from coremlc.bundle import read_bundle
from coremlc.bundle.unproven import unproven
from tests.bundle import builds
from tests.mil import programs
from tests.samples import MOBIUS, named, needs_samples


@needs_samples
@pytest.mark.parametrize("path", sorted(MOBIUS.glob("*.mlmodelc")), ids=named)
def test_what_was_compared_with_apples_is_proven(path):
    assert unproven(read_bundle(path).model) == []


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (replace(builds.weighted(8), program=programs.nested()), "nested block text"),
        (builds.weighted(8), "format number"),
        (builds.weighted(10), "specification 10"),
        (builds.stateful(), "state entries"),
        (builds.stateful(), "strings with a backslash"),
        (builds.stateful(), "guessed for read_state, write_state"),
        (builds.flexible(enumerated=((1, 4), (2, 4))), "keys of enumerated shapes"),
        (builds.flexible(ranges=((1, -1), (4, 4))), "ranges without an upper bound"),
        (builds.two_functions(), "several functions"),
    ],
)
def test_what_is_not_proven_is_told(model, what):
    assert any(what in sentence for sentence in unproven(model)), unproven(model)


def test_a_plain_model_is_proven():
    assert unproven(builds.weighted(7)) == []
