"""coremltools reads every fixture's program and infers the types that we wrote."""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict

import pytest

from coremlc.mil.model import model_to_bytes
from coremlc.mil.program import Block
from tests.e2e.fixtures import BOTH, compiled

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # it warns at import that it cannot run models on Linux
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.converters.mil.mil import types as judged
    from coremltools.proto import Model_pb2

    logging.disable(logging.NOTSET)


def theirs(name: str, target: str):
    model = compiled(name, target).model
    spec = Model_pb2.Model()
    spec.ParseFromString(model_to_bytes(model))
    return load(spec, spec.specificationVersion, "").functions["main"]


def types_of(block: Block) -> dict[str, tuple[str, tuple]]:
    found = {}
    for op in block.ops:
        for value in op.outputs:
            found[value.name] = (value.tensor.dtype, tuple(value.tensor.shape))
    return found


def judged_types(function) -> dict[str, set[tuple[str, tuple]]]:
    found = defaultdict(set)  # coremltools gives consts of its own names that ours may have too
    for op in function.operations:
        for var in op.outputs:
            found[var.name].add((judged.builtin_to_string(var.dtype), tuple(var.shape)))
    return dict(found)


@pytest.mark.parametrize(("name", "target"), BOTH)
def test_every_value_has_the_type_that_coremltools_infers(name, target):
    ours = types_of(compiled(name, target).model.program.functions["main"].block)
    function = theirs(name, target)
    found = judged_types(function)
    assert len(ours) > 5
    wrong = {k: (t, found[k]) for k, t in ours.items() if k in found and t not in found[k]}
    assert not wrong
    consts = {
        value.name
        for op in compiled(name, target).model.program.functions["main"].block.ops
        if op.kind == "const"
        for value in op.outputs
    }
    assert ours.keys() - found.keys() <= consts
    assert [var.name for var in function.outputs] == [
        value.name for value in compiled(name, target).model.program.functions["main"].block.outputs
    ]
