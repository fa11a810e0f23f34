"""Every fixture, compiled for every target and run on both engines, gives GoMLX's numbers."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from coremlc.bundle import verify_bundle
from coremlc.bundle.histogram import walk
from coremlc.engine import load
from coremlc.mil.text import parse_program, print_program
from coremlc.mil.text.parse import dialect_of
from coremlc.signature import Signature
from tests.conftest import FIXTURES
from tests.e2e.fixtures import BOTH, ENGINES, NAMES, agree, bundle, compiled, vectors


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    return tmp_path_factory.mktemp("bundles")


def run(found, engine, inputs):
    signature = Signature.of_bundle(found)
    with load(found, engine=engine, compute_units="cpu-only") as executable:
        return signature.decode(executable.run(signature.encode(inputs)))


@pytest.mark.parametrize(("name", "target"), BOTH)
@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_are_gomlxs(name, target, engine, bundles):
    agree(name, run(bundle(name, target, bundles), engine, vectors(name).inputs))


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_the_text_of_a_bundle_is_read_back(name, target, bundles):
    found = bundle(name, target, bundles)
    program = parse_program(found.text)
    assert print_program(program, dialect=dialect_of(found.text)) == found.text
    assert verify_bundle(found.root) == []


def test_digits_are_read_as_gomlx_reads_them(bundles):
    due = vectors("digits")
    truth = due.others["labels"]
    expected = due.outputs["logits"].argmax(axis=1)
    readme = (FIXTURES / "digits" / "README.md").read_text(encoding="utf-8")
    right, of = map(int, re.findall(r"(\d+) of the (\d+) in `vectors.npz`", readme)[0])
    assert len(truth) == of
    for engine in ENGINES:
        logits = run(bundle("digits", "iOS18", bundles), engine, due.inputs)["logits"]
        np.testing.assert_array_equal(logits.argmax(axis=1), expected)
        assert np.count_nonzero(logits.argmax(axis=1) == truth) == right


def test_vectors_are_no_trivial_ones():
    for name in NAMES:
        due = vectors(name)
        assert due.inputs
        for key, x in due.outputs.items():
            known = (name, key) == ("tables", "gather_bool")
            assert np.unique(x).size > 1 or x.size == 1 or known, (name, key)


def test_an_output_that_is_wrong_would_be_found():
    due = vectors("einsum")
    wrong = dict(due.outputs)
    wrong["all"] = wrong["all"] * np.float32(1.0001)
    with pytest.raises(AssertionError):
        agree("einsum", wrong)


def test_op_counts(golden):
    """A bloated lowering shows as a diff."""
    counts = {}
    for name in NAMES:
        program = compiled(name, "iOS18").model.program
        kinds: dict[str, int] = {}
        for op in walk(program.functions["main"].block):
            if op.kind != "const":
                kinds[op.kind] = kinds.get(op.kind, 0) + 1
        counts[name] = {"total": sum(kinds.values())} | dict(sorted(kinds.items()))
    golden("ops.json", json.dumps(counts, indent=2))
