"""The two forms in which a graph is judged.

`plain`, as it was recorded; and `free`, with the constants, the iotas and the random bits of its
main function turned into inputs. Over half of the graphs have no inputs: as recorded they would
only test what coremlc computes while compiling. And GoMLX's Go backend draws other random bits
than coremlc (pcg.py): given as inputs, what follows from them can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks.harvest.pcg import drawn as go_bits
from coremlc import dtypes
from coremlc.ir.graph import Builder, Function, Graph, Input, Node, Value, substitute
from coremlc.ir.op import Array
from coremlc.ops.iota import Iota
from coremlc.ops.leaves import Constant

VARIANTS = ("plain", "free")
QUANTIZED = ("FusedQuantizedDense", "QuantizedEmbeddingLookup")
INT32 = dtypes.I32.limits


def freed(
    graph: Graph, given: Mapping[str, Array], *, drawn: bool
) -> tuple[Graph, dict[str, Array]] | None:
    """The `free` graph and its inputs; None if it has no leaves. Quantized weights stay.

    drawn: random bits are leaves too, with those that GoMLX's Go backend draws.
    """
    weights = {o for n in graph.main.nodes if n.op.kind in QUANTIZED for o in n.operands}
    bits = go_bits(graph.main, list(given.values())) if drawn else {}
    g = Builder()
    g.parameters = list(graph.main.parameters)
    inputs, given = list(graph.inputs), dict(given)
    mapped: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.main.nodes:
        leaves = {} if node.results[0] in weights else _leaves(node, bits)
        for old, array in leaves.items():
            name = f"leaf{len(mapped)}"
            mapped[old] = g.parameter(old.type)
            given[name] = array
            inputs.append(Input(name))
        if not leaves:
            nodes.append(node)
    if not mapped:
        return None
    main = replace(graph.main, nodes=tuple(nodes))
    main = substitute(main, mapped)
    main = Function(tuple(g.parameters), main.nodes, main.results, main.name)
    return replace(graph, main=main, inputs=tuple(inputs)), given


def _leaves(node: Node, bits: Mapping[Value, Array]) -> dict[Value, Array]:
    """The results that become inputs, with their values."""
    if isinstance(node.op, Constant | Iota):
        return {node.results[0]: np.array(node.op.evaluate())}
    return {r: bits[r] for r in node.results if r in bits}


def stated(graph: Graph, given: Mapping[str, Array]) -> Graph:
    """With the full range stated of integer inputs that need more than an int32."""
    inputs = []
    for i in graph.inputs:
        x = given[i.name]
        if (
            x.dtype.kind in "iu"
            and x.size
            and not INT32[0] <= int(x.min()) <= int(x.max()) <= INT32[1]
        ):
            i = replace(i, range=dtypes.BY_NUMPY[x.dtype].limits)
        inputs.append(i)
    return replace(graph, inputs=tuple(inputs))
