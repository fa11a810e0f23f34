"""One node of a graph.pb as a graph.pb of its own, for whoever looks into a difference."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend.read import parse

Place: TypeAlias = "tuple[int | None, int]"
"""Where a value of the main function comes from: (node, result), or (None, parameter)."""


def extract_node(path: Path, index: int, folder: Path) -> dict[str, Place]:
    """Write `folder`/graph.pb, which holds node `index` of the main function alone.

    Its results are the outputs `y0`, `y1` .. Constants that it uses stay constants; all other
    values are inputs, and so are those that its bodies capture.

    Returns:
        For each input, the value of the whole graph that it stands for.
    """
    file = parse(path)
    main = file.functions[file.main]
    node = main.nodes[index]
    reached = set(_reached(file, node.functions))
    inner = [n for i in sorted(reached) for n in file.functions[i].nodes]
    returned = [r.value for i in sorted(reached) for r in file.functions[i].results]
    places = _places(main)
    used = [i for n in (node, *inner) for i in n.operands] + returned
    order = [i for i in dict.fromkeys(used) if i in places]

    small = pb.GraphFile()
    small.CopyFrom(file)
    small.name = f"{file.name}-{node.op}"
    for i, function in enumerate(small.functions):
        if i != file.main and i not in reached:
            function.Clear()
    inputs = _fill(small.functions[file.main], main, node, order, places)
    _copy_weights(small, path.parent, folder)
    (folder / "graph.pb").write_bytes(small.SerializeToString(deterministic=True))
    return inputs


def _reached(file: pb.GraphFile, functions: Iterable[int]) -> Iterator[int]:
    """Functions that are called from these, and they themselves."""
    for i in functions:
        yield i
        for node in file.functions[i].nodes:
            yield from _reached(file, node.functions)


def _places(main: pb.Function) -> dict[int, Place]:
    places: dict[int, Place] = {p.value.id: (None, i) for i, p in enumerate(main.parameters)}
    for i, node in enumerate(main.nodes):
        places |= {r.id: (i, k) for k, r in enumerate(node.results)}
    return places


def _fill(
    function: pb.Function,
    main: pb.Function,
    node: pb.Node,
    order: Iterable[int],
    places: Mapping[int, Place],
) -> dict[str, Place]:
    """Make `function` that of the one node; its inputs."""
    for part in (function.nodes, function.parameters, function.results):
        del part[:]
    inputs: dict[str, Place] = {}
    for i in order:
        source, position = places[i]
        if source is not None and main.nodes[source].op == "Constant":
            function.nodes.add().CopyFrom(main.nodes[source])
            continue
        name = f"x{len(inputs)}"
        inputs[name] = (source, position)
        values = main.parameters if source is None else main.nodes[source].results
        given = function.parameters.add(name=name, role=pb.Parameter.Role.INPUT)
        value = values[position]
        given.value.CopyFrom(value.value if isinstance(value, pb.Parameter) else value)
    function.nodes.add().CopyFrom(node)
    for k, result in enumerate(node.results):
        function.results.add(value=result.id, name=f"y{k}", role=pb.Result.Role.OUTPUT)
    return inputs


def _copy_weights(small: pb.GraphFile, source: Path, folder: Path) -> None:
    """The data files that its constants need; without any, it lists none."""
    tensors = [n.constant for f in small.functions for n in f.nodes if n.op == "Constant"]
    needed = {t.external.data_file for t in tensors if t.HasField("external")}
    for i in needed:
        shutil.copyfile(source / small.data_files[i].name, folder / small.data_files[i].name)
    if not needed:
        del small.data_files[:]
