"""bfloat16 values become float32 values that are bfloat16 numbers: MIL has no bfloat16.

Each op computes in float32, and its result is rounded to bfloat16 (as XLA does on a CPU), unless
operands that are bfloat16 numbers give nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from coremlc.dtypes import BY_NAME, F32, DType
from coremlc.errors import CoremlcError
from coremlc.ir.graph import Function, Graph, Node, Value, map_bodies, placed, walk
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import DotGeneralConfig
from coremlc.ops.leaves import Constant
from coremlc.ops.refused import Unsupported
from coremlc.ops.round_bfloat16 import round_bfloat16
from coremlc.ops.scatter import scatter
from coremlc.passes.smart import SmartBuilder, live

BF16 = BY_NAME["BFloat16"]
_CHOICE = "Max Min Clamp ReduceMax ReduceMin max_pool"
EXACT = frozenset(f"Abs Neg Sign Ceil Floor Round {_CHOICE}".split())
"""Kinds that choose among their operands or drop bits; so does data movement (`native`)."""


def widen_bfloat16(graph: Graph) -> Graph:
    """A graph of primitives without bfloat16, simplified; the same graph if it has none."""
    values = [*graph.main.parameters, *(r for n in walk(graph.main) for r in n.results)]
    if not any(v.type.dtype is BF16 for v in values):
        return graph
    return graph.with_main(_function(graph.main, {}))


def _function(function: Function, outer: Mapping[Value, Value]) -> Function:
    g = SmartBuilder()
    known = dict(outer)
    for value in function.parameters:
        known[value] = g.parameter(_type(value.type))
    for node in function.nodes:
        g.source, g.label = node.source, node.label
        try:
            results = _node(g, node, known)
        except CoremlcError as error:
            raise placed(error, node) from None
        known.update(zip(node.results, results, strict=True))
    return live(g.finish(*[known.get(r, r) for r in function.results], name=function.name))


def _node(g: SmartBuilder, node: Node, known: Mapping[Value, Value]) -> list[Value]:
    operands = [known.get(o, o) for o in node.operands]
    op = map_bodies(node.op, lambda body: _function(body, known))
    results = g.add_multi(_widened(op), *operands)
    return [
        g.add(round_bfloat16(), new) if old.type.dtype is BF16 and _rounds(node) else new
        for old, new in zip(node.results, results, strict=True)
    ]


def _rounds(node: Node) -> bool:
    """Whether the op gives bfloat16 numbers only when it rounds."""
    op = node.op
    if isinstance(op, ConvertDType):
        source = node.operands[0].type.dtype
        return not ((source.is_integer and source.bits <= 8) or source.kind == "bool")
    if isinstance(op, scatter):
        return op.mode == "add"
    return not (op.native or op.bodies or op.kind in EXACT or isinstance(op, Unsupported))


def _type(t: TensorType) -> TensorType:
    return t.with_dtype(F32) if t.dtype is BF16 else t


def _widened(op: Op) -> Op:
    """The op with float32 where an attribute says bfloat16."""
    if isinstance(op, Constant):
        value = op.value
        wide = TensorData(F32, value.array.astype(F32.numpy)) if value.type.dtype is BF16 else value
        return op if wide is value else Constant(wide)
    fields = dataclasses.fields(op)  # type: ignore[arg-type]
    old = {f.name: getattr(op, f.name) for f in fields}
    new = {name: _attribute(value) for name, value in old.items()}
    return op if new == old else dataclasses.replace(op, **new)  # type: ignore[type-var]


def _attribute(value: Any) -> Any:
    match value:
        case DType():
            return F32 if value is BF16 else value
        case TensorType():
            return _type(value)
        case DotGeneralConfig():
            return DotGeneralConfig(
                _attribute(value.accumulator_dtype), _attribute(value.output_dtype)
            )
        case tuple():
            return tuple([_attribute(item) for item in value])
    return value
