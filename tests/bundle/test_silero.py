"""Real audio through Apple-compiled bundles: the Silero VAD, float and compressed.

`make silero` fetches the reference model and makes a minute of speech. The float bundle of the
samples is not the reference to the last bit: its converter rounded most weights to half floats
and added an epsilon under a root, which moves single frames by up to 0.4. So it is compared twice:
as it is with the reference changed in these two respects, and undone in both with the reference as
it is. Run with `-s` to see the figures.
"""

import logging
import sys
import warnings

import numpy as np
import pytest

from coremlc.bundle import read_bundle
from tests.bundle import silero
from tests.bundle.builds import whole_package
from tests.samples import MOBIUS

ready = pytest.mark.skipif(
    not (MOBIUS.is_dir() and silero.MODEL.is_file() and silero.SPEECH.is_file()),
    reason="needs the samples (COREMLC_SAMPLES) and out/silero: make silero",
)
pytestmark = [ready]
engines = pytest.mark.parametrize(
    "engine", ["onnxruntime", pytest.param("reference", marks=pytest.mark.slow)]
)


def told(what, engine, found):
    sys.stderr.write(f"\nsilero, {what}, {engine}: {found}\n")
    return found


def test_the_speech_is_speech():
    frames = silero.frames()
    assert frames.shape == (1875, 1, 576)
    assert 0.2 < (silero.reference() > 0.5).mean() < 0.9


@engines
def test_the_float_bundle_is_the_reference(engine):
    """Within 1e-4 over a minute, in float32: with the reference's constants, and with its own."""
    program = silero.program(silero.FLOAT)
    undone = silero.widened(program, silero.reference_weights(), epsilon=0.0)
    found = silero.difference(silero.run(undone, engine), silero.reference())
    assert told("the reference's constants", engine, found)["max"] < 1e-4

    due = silero.reference(half_weights=True, epsilon=silero.EPSILON)
    found = silero.difference(silero.run(silero.widened(program), engine), due)
    assert told("its own constants", engine, found)["max"] < 1e-4


@engines
def test_the_float_bundle_as_it_is(engine):
    """In half floats, which its states carry from frame to frame."""
    found = silero.run(silero.program(silero.FLOAT), engine)
    due = silero.reference(half_weights=True, epsilon=silero.EPSILON)
    apart = told("as it is", engine, silero.difference(found, due))
    assert apart["max"] < 0.03
    assert apart["flips"] <= 2
    far = told("as it is, against the reference", engine,
               silero.difference(found, silero.reference()))  # fmt: skip
    assert far["mean"] < 0.02
    assert far["flips"] < 0.02 * found.size


@pytest.fixture
def dense(tmp_path):
    """A compressed package with its weights decompressed by coremltools, not by us."""

    def make(name):
        package = whole_package(MOBIUS / f"{name}.mlpackage", MOBIUS / f"{name}.mlmodelc", tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            try:
                import coremltools as ct

                model = ct.models.MLModel(str(package), skip_model_load=True)
                ct.optimize.coreml.decompress_weights(model).save(str(tmp_path / "d.mlpackage"))
            finally:
                logging.disable(logging.NOTSET)
        bundle = read_bundle(tmp_path / "d.mlpackage")
        return silero.renewed(bundle.program, lambda _, x: silero.array_literal(bundle, x))

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", silero.COMPRESSED)
@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_compressed_weights_are_the_only_error(name, engine, dense):
    """Bit for bit what the same program gives with the weights that coremltools makes of them."""
    packed = silero.program(name)
    other = dense(name)
    kinds = [{op.kind for op in p.functions["main"].block.ops} for p in (packed, other)]
    assert any(kind.startswith("constexpr_") for kind in kinds[0])
    assert not any(kind.startswith("constexpr_") for kind in kinds[1])
    found = silero.run(packed, engine)
    np.testing.assert_array_equal(found, silero.run(other, engine))
    told(name, engine, silero.difference(found, silero.reference()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [silero.FLOAT, *silero.COMPRESSED])
def test_both_engines_agree(name):
    program = silero.program(name)
    one, other = (silero.run(program, engine) for engine in ("onnxruntime", "reference"))
    apart = told(f"{name}, engines", "both", silero.difference(one, other))
    assert apart["max"] < 5e-3
    assert apart["flips"] <= 1
