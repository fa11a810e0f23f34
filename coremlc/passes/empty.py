"""Inputs and outputs without elements go: Core ML has no such arrays, and they say nothing.

The signature (coremlc/signature.py) remembers them: `run` checks the ones, and gives the others.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from coremlc.ir.graph import Builder, Function, Graph, Value, substitute
from coremlc.ir.literal import TensorData
from coremlc.ops.leaves import Constant


def drop_empty(graph: Graph) -> Graph:
    """A graph with constants for inputs without elements, and without such outputs."""
    main = graph.main
    inputs = [(i, p) for i, p in zip(graph.inputs, main.parameters, strict=True) if p.type.size]
    outputs = [(o, r) for o, r in zip(graph.outputs, main.results, strict=True) if r.type.size]
    if len(inputs) == len(main.parameters) and len(outputs) == len(main.results):
        return graph
    g = Builder()
    known = {p: g.add(_nothing(p)) for p in main.parameters if not p.type.size}
    kept = Function(
        tuple([p for _, p in inputs]), main.nodes, tuple([r for _, r in outputs]), main.name
    )
    kept = substitute(kept, known)
    return dataclasses.replace(
        graph,
        main=dataclasses.replace(kept, nodes=(*g.nodes, *kept.nodes)),
        inputs=tuple([i for i, _ in inputs]),
        outputs=tuple([o for o, _ in outputs]),
    )


def _nothing(value: Value) -> Constant:
    t = value.type
    return Constant(TensorData(t.dtype, np.empty(t.shape, t.dtype.numpy)))
