"""MIL's cond and while_loop as ONNX If and Loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coremlc.engine.ort.emitter import declare
from coremlc.engine.ort.tensor import T
from coremlc.mil.program import Block, Op
from coremlc.mil.types import TensorType

if TYPE_CHECKING:
    from coremlc.engine.ort.translate import Translator


def cond(walk: Translator, op: Op) -> None:
    """An If; what a branch returns gets a name of its own in it."""
    g = walk.g
    branches = []
    for block in op.blocks:
        with g.subgraph(g.fresh()) as graph:
            walk.ops(block)
            _export(walk, graph, [walk.operand(v) for v in block.outputs])
        branches.append(graph)
    predicate = walk.operand(op.inputs["pred"][0])
    names = g.nodes(
        "If", len(op.outputs), predicate, then_branch=branches[0], else_branch=branches[1]
    )
    for value, name in zip(op.outputs, names, strict=True):
        walk.bind(value, name)


def while_loop(walk: Translator, op: Op) -> None:
    """The condition is written twice: before the loop, and at the end of the body."""
    g = walk.g
    condition, body = op.blocks
    initial = [walk.operand(v) for v in op.inputs["loop_vars"]]
    first = _inline(walk, condition, initial)[0]
    with g.subgraph(g.fresh()) as graph:
        declare(graph.input, g.fresh(), TensorType("int64"))
        declare(graph.input, g.fresh(), TensorType("bool"))
        carried = []
        for value in op.outputs:
            kind = value.tensor
            carried.append(T(kind.dtype, kind.shape, name=g.fresh()))
            declare(graph.input, str(carried[-1].name), kind)
        following = _inline(walk, body, carried)
        again = _inline(walk, condition, following)[0]
        _export(walk, graph, [again, *following])
    names = g.nodes("Loop", len(op.outputs), "", first, *initial, body=graph)
    for value, name in zip(op.outputs, names, strict=True):
        walk.bind(value, name)


def _inline(walk: Translator, block: Block, values: list[T]) -> list[T]:
    for parameter, value in zip(block.inputs, values, strict=True):
        walk.known[id(parameter)] = value
    walk.ops(block)
    return [walk.operand(v) for v in block.outputs]


def _export(walk: Translator, graph: Any, values: list[T]) -> None:
    """Outputs of a subgraph are its own names, whatever they stand for."""
    for value in values:
        name = walk.g.fresh()
        walk.g.alias(value, name)
        declare(graph.output, name, TensorType(value.dtype, (...,)))
