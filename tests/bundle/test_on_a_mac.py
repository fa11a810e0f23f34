"""Core ML itself on our bundles, to prove the rest: `pytest -m coreml`, on a Mac."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from coremlc.bundle import write_mlmodelc
from coremlc.mil.description import Feature, ModelDescription
from coremlc.mil.program import Value
from coremlc.mil.types import TensorType
from coremlc.runner import EngineOptions, RunOptions, given_inputs, load
from tests.bundle import builds
from tests.engine.programs import Maker

pytestmark = [
    pytest.mark.coreml,
    pytest.mark.skipif(sys.platform != "darwin", reason="needs a Mac with Core ML"),
]


def branching():
    """y = x + 1 if the sum of x is positive, else x * 2; then doubled until its sum is 100."""
    kind = TensorType("fp32", (3,))
    m = Maker()
    x = m.input("x", kind)
    size = m.add("reduce_sum", x=x, axes=[0], keep_dims=False)
    yes, no = Maker(), Maker()
    first, second = yes.add("add", x=x, y=1.0), no.add("mul", x=x, y=2.0)
    y = m.add(
        "cond",
        pred=m.add("greater", x=size, y=0.0),
        blocks=(yes.block(first), no.block(second)),
    )
    test, body = Maker(), Maker()
    held, next_held = Value("held", kind), Value("next_held", kind)
    total = test.add("reduce_sum", x=held, axes=[0], keep_dims=False)
    low = test.add("less", x=test.add("abs", x=total), y=100.0)
    more = body.add("add", x=next_held, y=next_held)
    out = m.add(
        "while_loop",
        loop_vars=(y,),
        blocks=(test.block(low, inputs=(held,)), body.block(more, inputs=(next_held,))),
    )
    return m.program(out)


def described(program, version):
    """A model whose description is what its program says."""
    (function,) = program.functions.values()

    def features(values):
        return tuple(
            Feature(v.name, v.type.dtype, tuple(v.type.shape))
            for v in values
            if isinstance(v.type, TensorType)
        )

    description = ModelDescription(features(function.inputs), features(function.block.outputs))
    return replace(builds.weighted(version), program=program, description=description)


MODELS = {
    **{f"weights-{version}": (builds.weighted(version), None) for version in (6, 7, 8, 9, 10)},
    "nested-blocks": (described(branching(), 9), None),
    "state": (builds.stateful(), None),
    "ranges": (builds.flexible(ranges=((1, 4), (4, 4))), None),
    "enumerated": (builds.flexible(enumerated=((1, 4), (2, 4))), None),
    "first-of-two": (builds.two_functions(), "first"),
    "second-of-two": (builds.two_functions(), "second"),
}


@pytest.mark.parametrize("name", MODELS)
def test_core_ml_runs_it_as_the_reference_engine_does(name, tmp_path):
    model, function = MODELS[name]
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, model)
    results = []
    for engine in ("reference", "coreml"):
        options = EngineOptions(engine=engine, compute_units="cpu-only", function=function)
        with load(path, options) as loaded:
            features = given_inputs(loaded.signature, RunOptions(random=1))
            results.append([loaded(features), loaded(features)])  # twice: states go on
    for due, found in zip(*results, strict=True):
        assert due.keys() == found.keys()
        for output, expected in due.items():
            np.testing.assert_allclose(found[output], expected, rtol=1e-3, atol=1e-3)
