"""Checks that compiling keeps the numbers."""

from __future__ import annotations

import numpy as np

from coremlc.compare import difference
from coremlc.errors import InternalError
from coremlc.ir import evaluate
from coremlc.ir.graph import Graph, walk
from coremlc.ir.op import Array
from coremlc.runner import random_array
from coremlc.signature import Signature
from coremlc.targets import DEFAULT

SEED = 0


class PassCheck:
    """Called after each stage: compares the graph with the one that was read, on random inputs.

    Raises:
        InternalError: a stage changed an output beyond the tolerance of its dtype.
    """

    def __init__(self) -> None:
        self._inputs: list[Array] = []
        self._expected: list[Array] = []

    def __call__(self, stage: str, graph: Graph) -> None:
        if any(node.op.evaluate is None for node in walk(graph.main)):
            return  # an op that is refused: the passes are about to tell
        if not self._expected:
            rng = np.random.default_rng(SEED)
            ports = Signature.of_graph(graph, DEFAULT).inputs
            self._inputs = [random_array(port, rng) for port in ports]
        inputs = self._inputs
        if len(graph.main.parameters) > len(inputs):
            inputs = _parts(inputs)
        parameters = zip(inputs, graph.main.parameters, strict=True)
        given = [x.astype(p.type.dtype.numpy).reshape(p.type.shape) for x, p in parameters]
        results = evaluate.run(graph.main, given)
        if not self._expected:
            self._expected = results
        if len(results) > len(self._expected):
            self._expected = _parts(self._expected)
        for output, got, expected in zip(graph.outputs, results, self._expected, strict=True):
            same = got.astype(expected.dtype).reshape(expected.shape)
            found = difference(output.name, same, expected)
            if found.mismatched:
                raise InternalError(
                    f"stage {stage} changed output {output.name!r}: {found.mismatched} of "
                    f"{found.count} elements, by up to {found.max_abs}",
                    fix="report it, with the graph.pb",
                )


def _parts(arrays: list[Array]) -> list[Array]:
    """Complex arrays as their parts, which stages have from `split` on."""
    return [p for x in arrays for p in ((x.real, x.imag) if x.dtype.kind == "c" else (x,))]
