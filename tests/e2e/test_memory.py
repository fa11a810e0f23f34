"""Large weights: written once, as they lie in their file, and never held in memory."""

import sys

import numpy as np
import pytest

from benchmarks.memory import peak_bytes
from benchmarks.synthetic import large_weights
from coremlc import load
from coremlc.compiler import compile_graph
from coremlc.mil.blob import BlobFile


def test_a_weight_of_two_uses_is_written_once(tmp_path):
    """An embedding table, which the logits are products with again."""
    shapes = large_weights(100_000, tmp_path / "graph.pb", words=100, width=64)
    bundle = tmp_path / "m.mlmodelc"
    compile_graph(tmp_path / "graph.pb", output=bundle)
    blob = BlobFile(bundle / "weights" / "weight.bin")
    large = [r for r in blob.records() if r.size_bytes > 1024]
    assert sorted(r.size_bytes for r in large) == sorted(4 * a * b for a, b in shapes)
    tokens = np.array([[3], [0], [99], [3]], np.int32)
    outs = [load(bundle, engine=e)(tokens=tokens)["y"] for e in ("reference", "onnxruntime")]
    np.testing.assert_allclose(outs[0], outs[1], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads RssAnon of /proc")
def test_compiling_takes_no_more_memory_for_larger_weights(tmp_path):
    def peak(size_bytes):
        graph = tmp_path / f"{size_bytes}.pb"
        large_weights(size_bytes, graph, words=1000)
        out = tmp_path / f"{size_bytes}.mlmodelc"
        command = [sys.executable, "-m", "coremlc", "compile", graph, "-o", out, "--no-cache"]
        return peak_bytes(command)[0]

    small, large = peak(20_000_000), peak(320_000_000)
    assert large - small < 0.1 * 300_000_000
