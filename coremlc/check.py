"""Checks that compiling keeps the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coremlc.compare import difference
from coremlc.dtypes import BY_NUMPY
from coremlc.errors import InternalError
from coremlc.ir import evaluate
from coremlc.ir.graph import Graph, Input, Output, Value, walk
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
        main = graph.main
        inputs = _carried(self._inputs, graph.inputs, main.parameters)
        given = [
            x.astype(p.type.dtype.numpy).reshape(p.type.shape)
            for x, p in zip(inputs, main.parameters, strict=True)
        ]
        results = evaluate.run(main, given)
        if not self._expected:
            self._expected = results
        due = _carried(self._expected, graph.outputs, main.results)
        for output, got, expected in zip(graph.outputs, results, due, strict=True):
            same = got.astype(expected.dtype).reshape(expected.shape)
            found = difference(output.name, same, expected, _tolerance(expected))
            if found.mismatched:
                raise InternalError(
                    f"stage {stage} changed output {output.name!r}: {found.mismatched} of "
                    f"{found.count} elements, by up to {found.max_abs}",
                    fix="report it, with the graph.pb",
                )


def _tolerance(expected: Array) -> tuple[float, float] | None:
    """Wider for 16-bit floats: a composite op rounds once, the ops that it becomes each do."""
    dtype = BY_NUMPY[expected.dtype]
    if not (dtype.is_float and dtype.bits == 16):
        return None
    relative, absolute = dtype.tolerance
    return 8 * relative, 8 * absolute


def _carried(
    arrays: list[Array], ports: Sequence[Input | Output], values: Sequence[Value]
) -> list[Array]:
    """The user's arrays as a stage has them: complex ones in parts, 64-bit ones in words.

    Those without elements are gone after the first stage.
    """
    if not any(v.type.dtype.is_complex for v in values):
        arrays = [p for x in arrays for p in ((x.real, x.imag) if x.dtype.kind == "c" else (x,))]
    rest = iter([x for x in arrays if x.size])
    carried: list[Array] = []
    for port, value in zip(ports, values, strict=True):
        if not value.type.size:
            carried.append(np.empty(value.type.shape, value.type.dtype.numpy))
            continue
        if port.word != "low":
            x = next(rest)
        bits = x.astype(np.uint64) if port.word else x
        if port.word:
            bits = (bits >> np.uint64(32 if port.word == "high" else 0)).astype(np.uint32)
        carried.append(bits.view(np.int32) if port.word else bits)
    return carried
