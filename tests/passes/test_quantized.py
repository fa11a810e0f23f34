"""Packed weights as users give them: bytes, read as 4 bits by Bitcast, for FusedQuantizedDense."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from coremlc import passes
from coremlc.dtypes import BY_NAME, F32
from coremlc.errors import RefusalsError, RefusedError
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Value
from coremlc.ops.bitcast import Bitcast
from coremlc.ops.leaves import constant
from coremlc.ops.quantized import FusedQuantizedDense, Quantization
from coremlc.ops.shape import Reshape
from tests.ir.graphs import graph


@pytest.mark.parametrize("scheme", ["Linear", "NF4"])
@pytest.mark.parametrize("packed", ["Int4", "Uint4"])
def test_packed_weights_of_any_size_are_one_constant(scheme: str, packed: str) -> None:
    rows, columns = 256, 1024
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (rows, columns // 2)).astype(np.uint8)
    scales = rng.normal(size=(rows, columns // 32)).astype(np.float32)

    def make(g: Builder, x: Value) -> Value:
        four = g.add(Bitcast(BY_NAME[packed]), g.add(constant(BY_NAME["Uint8"], raw)))
        weights = g.add(Reshape((rows, columns)), four)
        quantization = Quantization(scheme, 1, 32, "")
        op = FusedQuantizedDense(quantization, "none", False, True, False)
        return g.add(op, x, weights, g.add(constant(F32, scales)))

    made = graph(make, f"f32[3,{rows}]")
    after = passes.run(made)
    assert Counter(n.op.kind for n in after.main.nodes) == {"Constant": 1, "linear": 1}
    x = rng.normal(size=(3, rows)).astype(np.float32)
    (got,), (due,) = (evaluate.run(m.main, [x]) for m in (after, made))
    np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-4)


def test_ggml_weights_at_run_time_are_refused() -> None:
    op = FusedQuantizedDense(Quantization("GGML", 0, 0, "Q8_0"), "none", False, False, False)

    def make(g: Builder, x: Value, weights: Value) -> Value:
        g.source = "model.go:3"
        return g.add(op, x, weights)

    with pytest.raises((RefusalsError, RefusedError), match="known at run time only") as caught:
        passes.run(graph(make, "f32[2,32]", "u8[4,34]"))
    assert "model.go:3" in str(caught.value)
