"""The text form of a Graph (`.gir`): print and parse.

    graph digits
    input image : f32[100,8,8,1]
    %0 = Constant() {value=f32[2](1.5, inf)} : f32[2]
    %1 = Reshape(image) {dimensions=(100, 64)} : f32[100,64]  # model.go:57
    output logits = %1

A large constant prints as its SHA-256 (`f32[64,10]<9f3a..>`); such text is for reading, and is
parsed only with the tensors at hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from coremlc.dtypes import DType
from coremlc.ir.graph import Function, Graph, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType

INLINE = 64
"""Constants of more elements print as their digest."""


def print_graph(graph: Graph) -> str:
    """The text of a graph; equal graphs give equal text."""
    names: dict[Value, str] = {}
    lines = [f"graph {quote(graph.name)}"]
    for given, value in zip(graph.inputs, graph.main.parameters, strict=True):
        names[value] = quote(given.name)
        bounds = "" if given.range is None else f" in {given.range[0]}..{given.range[1]}"
        lines.append(f"{given.role} {names[value]} : {value.type}{bounds}")
    lines += _nodes(graph.main, names, "")
    for known, value in zip(graph.outputs, graph.main.results, strict=True):
        update = f" updates {quote(known.variable)}" if known.role == "variable_update" else ""
        lines.append(f"output {quote(known.name)} = {names[value]}{update}")
    return "\n".join(lines) + "\n"


def quote(name: str) -> str:
    """A name as it is if it is a plain word, else in double quotes."""
    plain = name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit()
    if plain and name not in ("inf", "nan"):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _nodes(function: Function, names: dict[Value, str], indent: str) -> Iterator[str]:
    for node in function.nodes:
        results = []
        for value in node.results:
            names[value] = f"%{len(names)}"
            results.append(names[value])
        operands = ", ".join(names[o] for o in node.operands)
        types = ", ".join(str(r.type) for r in node.results)
        source = f"  # {node.source}" if node.source else ""
        head = f"{', '.join(results)} = " if results else ""
        yield f"{indent}{head}{node.op.kind}({operands}){attributes(node.op)} : {types}{source}"
        for body in node.op.bodies:
            yield from _body(body, names, indent + "  ")


def _body(body: Function, names: dict[Value, str], indent: str) -> Iterator[str]:
    for value in body.parameters:
        names[value] = f"%{len(names)}"
    given = ", ".join(f"{names[p]} : {p.type}" for p in body.parameters)
    yield f"{indent}({given}) {{"
    yield from _nodes(body, names, indent + "  ")
    yield f"{indent}}} -> {', '.join(names[r] for r in body.results)}"


def attributes(op: Op) -> str:
    """` {axis=0, ..}`, or nothing."""
    fields = [f.name for f in dataclasses.fields(op)]  # type: ignore[arg-type]
    shown = [(n, getattr(op, n)) for n in fields if not isinstance(getattr(op, n), Function)]
    items = [f"{name}={attribute(value)}" for name, value in shown]
    return f" {{{', '.join(items)}}}" if items else ""


def attribute(value: Any) -> str:
    """One attribute's value."""
    match value:
        case TensorData():
            return constant(value)
        case DType():
            return value.short
        case TensorType():
            return str(value)
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case bool():
            return "true" if value else "false"
        case tuple():
            return f"({', '.join(map(attribute, value))})"
        case int() | float():
            return repr(value)
    fields = [f.name for f in dataclasses.fields(value)]
    items = ", ".join(f"{name}={attribute(getattr(value, name))}" for name in fields)
    return f"{type(value).__name__}({items})"


def constant(value: TensorData) -> str:
    """`f32[2](1.5, inf)`, `f32[9](splat 0.0)` or `f32[64,10]<sha256>`."""
    t = value.type
    if value.is_splat and t.size > 1:
        return f"{t}(splat {_element(value.array[(0,) * t.rank], t.dtype)})"
    if t.size > INLINE:
        return f"{t}<{value.digest.hex()}>"
    return f"{t}({', '.join(_element(x, t.dtype) for x in np.ravel(value.array))})"


def _element(x: Any, dtype: DType) -> str:
    if dtype.kind == "bool":
        return "true" if x else "false"
    if dtype.is_complex:
        return f"{float(x.real)!r}+{float(x.imag)!r}i"
    return str(int(x)) if dtype.is_integer else repr(float(x))
