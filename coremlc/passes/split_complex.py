"""Complex values become two real ones, their parts: Core ML has no complex dtype.

A complex parameter is two parameters, a complex result two results, in this order: real, imaginary.
Data movement goes part by part; other ops say by `split` what they mean. complex128 gives float64
parts, which legalize narrows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from coremlc.dtypes import PART
from coremlc.errors import CoremlcError, RefusedError
from coremlc.ir.graph import Function, Graph, Input, Node, Output, Value, placed, walk
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.complex import Parts
from coremlc.ops.refused import Unsupported
from coremlc.passes.decompose import Decomposer
from coremlc.passes.smart import live

Known = dict[Value, Value | Parts]
"""What values of the old function are in the new one."""


def split_complex(graph: Graph) -> Graph:
    """A graph of primitives without complex values, simplified; the same graph if it has none."""
    if not _has_complex(graph.main):
        return graph
    inputs: list[Input] = []
    for given, value in zip(graph.inputs, graph.main.parameters, strict=True):
        names = _names(given.name, value)
        inputs += [replace(given, name=name) for name in names]
    outputs: list[Output] = []
    for known, value in zip(graph.outputs, graph.main.results, strict=True):
        updated = _names(known.variable, value) if known.variable else ("", "")
        pairs = zip(_names(known.name, value), updated, strict=False)
        outputs += [replace(known, name=name, variable=variable) for name, variable in pairs]
    main = _function(graph.main, {})
    return replace(graph, main=main, inputs=tuple(inputs), outputs=tuple(outputs))


def _names(name: str, value: Value) -> tuple[str, ...]:
    return (f"{name}_re", f"{name}_im") if value.type.dtype.is_complex else (name,)


def _has_complex(function: Function) -> bool:
    values = [*function.parameters, *(r for n in walk(function) for r in n.results)]
    return any(v.type.dtype.is_complex for v in values)


def _function(function: Function, outer: Mapping[Value, Value | Parts]) -> Function:
    """outer: what the values are that a body takes from the functions around it."""
    g = Decomposer()
    known: Known = dict(outer)
    for value in function.parameters:
        known[value] = _parameter(g, value)
    for node in function.nodes:
        g.source, g.label = node.source, node.label
        try:
            results = _node(g, node, known)
        except CoremlcError as error:
            raise placed(error, node) from None
        known.update(zip(node.results, results, strict=True))
    return live(g.finish(*_flat(known.get(r, r) for r in function.results), name=function.name))


def _parameter(g: Decomposer, value: Value) -> Value | Parts:
    if value.type.dtype.is_complex:
        part = _part(value.type)
        return Parts(g.parameter(part), g.parameter(part))
    g.parameters.append(value)
    return value


def _node(g: Decomposer, node: Node, known: Known) -> list[Value | Parts]:
    op = node.op
    operands = [known.get(o, o) for o in node.operands]
    if op.bodies:
        return _pack(node, g.add_multi(_with_bodies(op, known), *_flat(operands)))
    types = [v.type for v in (*node.operands, *node.results)]
    if not any(t.dtype.is_complex for t in types):
        return list(g.add_multi(op, *_flat(operands)))
    if isinstance(op, Unsupported):
        flat = tuple(p for r in node.results for p in _parts(r.type))
        return _pack(node, g.add_multi(replace(op, types=flat), *_flat(operands)))
    if op.split is not None:
        return [op.split(g, *operands)]
    if not op.native or not all(r.type.dtype.is_complex for r in node.results):
        kinds = ", ".join(str(o.type) for o in node.operands)
        raise RefusedError(
            f"{op.kind} of {kinds}: it has no complex form", fix="take Real, Imag or Abs first"
        )
    moved = _retyped(op)
    halves = []
    for i in range(2):
        given = [x[i] if isinstance(x, Parts) else x for x in operands]
        halves.append(g.add_multi(moved, *given))
    return [Parts(re, im) for re, im in zip(*halves, strict=True)]


def _pack(node: Node, results: Iterable[Value]) -> list[Value | Parts]:
    """Results of a node whose complex ones are two each."""
    rest = iter(results)
    return [
        Parts(next(rest), next(rest)) if r.type.dtype.is_complex else next(rest)
        for r in node.results
    ]


def _flat(values: Iterable[Value | Parts]) -> tuple[Value, ...]:
    return tuple(part for x in values for part in (x if isinstance(x, Parts) else (x,)))


def _with_bodies(op: Op, known: Known) -> Op:
    """The op with its bodies split; their parameters are its operands, or there are none."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(op):  # type: ignore[arg-type]
        value = getattr(op, field.name)
        if isinstance(value, Function):
            changes[field.name] = _function(value, known)
    return replace(op, **changes)  # type: ignore[type-var]


def _retyped(op: Op) -> Op:
    """The op with the part's type where it names the result's."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(op):  # type: ignore[arg-type]
        value = getattr(op, field.name)
        if isinstance(value, TensorType):
            changes[field.name] = _part(value)
    return replace(op, **changes) if changes else op  # type: ignore[type-var]


def _part(t: TensorType) -> TensorType:
    return t.with_dtype(PART[t.dtype])


def _parts(t: TensorType) -> tuple[TensorType, ...]:
    return (_part(t), _part(t)) if t.dtype.is_complex else (t,)
