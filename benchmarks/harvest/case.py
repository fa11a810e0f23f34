"""One graph of the archive, and the arrays that it was executed on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from coremlc import arrays as files
from coremlc.dtypes import DType
from coremlc.frontend import read
from coremlc.ir.graph import Graph, walk
from coremlc.ir.op import Array
from coremlc.ops.rng_bit_generator import STATE, RNGBitGenerator
from coremlc.runner import random_array
from coremlc.signature import Signature
from coremlc.targets import DEFAULT

SEED = 0
GO = "gomlx"
"""The judge that is GoMLX's Go backend."""


@dataclass
class Case:
    """One directory of the archive."""

    path: Path
    origin: Mapping[str, Any] = field(default_factory=dict)
    vectors: Sequence[Mapping[str, Array]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def judge(self) -> str:
        """Who computed the outputs of the vectors."""
        return str(self.origin.get("judge") or GO)

    @staticmethod
    def load(path: Path) -> Case:
        origin = json.loads((path / "origin.json").read_text())
        vectors = [files.read_npz(p) for p in sorted(path.glob("vectors-*.npz"))]
        return Case(path, origin, vectors)

    def read(self, vector: Mapping[str, Array]) -> Graph:
        """The graph, its named axes of the sizes that the vector has."""
        return sized(self.path, {name: x.shape for name, x in vector.items()})


def sized(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """The graph of a directory, its named axes of the sizes that its inputs (`in.NAME`) have."""
    dims: dict[str, int] = {}
    for name, axes in symbols(path / "graph.pb").items():
        shape = shapes.get(f"in.{name}", ())
        dims |= {s: shape[i] if i < len(shape) else 2 for i, s in axes.items()}
    return read(path / "graph.pb", dims)


def symbols(path: Path) -> dict[str, dict[int, str]]:
    """The named axes of each parameter of the main function."""
    from coremlc.frontend import graph_pb2 as pb

    file = pb.GraphFile.FromString(path.read_bytes())
    found: dict[str, dict[int, str]] = {}
    for p in file.functions[file.main].parameters:
        axes = {i: d.symbol for i, d in enumerate(p.value.shape.dims) if d.symbol}
        if axes:
            found[p.name] = axes
    return found


def inputs_of(graph: Graph, vector: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs of a vector, in the graph's dtypes; random ones without a vector."""
    if vector or not graph.inputs:
        parameters = zip(graph.inputs, graph.main.parameters, strict=True)
        return {i.name: _cast(vector[f"in.{i.name}"], v.type.dtype) for i, v in parameters}
    rng = np.random.default_rng(SEED)
    ports = Signature.of_graph(graph, DEFAULT).inputs
    return {port.name: random_array(port, rng) for port in ports}


def outputs_of(graph: Graph, vector: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of a vector, in the graph's dtypes; none without a vector."""
    results = zip(graph.outputs, graph.main.results, strict=True)
    return {
        o.name: _cast(vector[f"out.{o.name}"], value.type.dtype) for o, value in results if vector
    }


def _cast(x: Array, dtype: DType) -> Array:
    return files.as_bfloat16(x) if dtype.name == "BFloat16" else x


def is_random(graph: Graph) -> bool:
    """Whether it draws random bits anywhere."""
    return any(isinstance(node.op, RNGBitGenerator) for node in walk(graph.main))


def random_states(graph: Graph) -> set[str]:
    """Outputs that may be states of the generator: the Go backend leaves their third word open."""
    results = zip(graph.outputs, graph.main.results, strict=True)
    return {o.name for o, value in results if value.type == STATE}
