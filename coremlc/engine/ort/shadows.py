"""Names that ONNX Runtime's passes gave twice: once in a graph, again in a branch inside it."""

from __future__ import annotations

from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto


def without_shadows(data: bytes) -> bytes:
    """The same model, every value of a branch with a name that the graphs around it lack.

    ONNX Runtime writes such models (a layout's `reorder` in a graph and in its branch) and refuses
    to read them.
    """
    model = ModelProto.FromString(data)
    _rename(model.graph, {}, set())
    out: bytes = model.SerializeToString()
    return out


def _rename(graph: GraphProto, around: dict[str, str], taken: set[str]) -> None:
    """around: the new names that hold outside; taken: all names in use there."""
    names = dict(around)
    for name in _defined(graph):
        fresh = name
        while fresh in taken:
            fresh += "'"
        taken.add(fresh)
        names[name] = fresh
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in _graphs(attribute):
                _rename(inner, names, taken)


def _defined(graph: GraphProto) -> list[str]:
    """Names that a graph gives, each once."""
    given = [value.name for value in (*graph.input, *graph.initializer)]
    given += [name for node in graph.node for name in node.output if name]
    return list(dict.fromkeys(given))


def _graphs(attribute: AttributeProto) -> list[Any]:
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return list(attribute.graphs)
