"""A graph.pb in the making, good or broken; for tests of all that starts from a file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coremlc import dtypes
from coremlc.errors import FormatError
from coremlc.frontend import graph_pb2, ops_pb2, read

Dims = tuple[int | str, ...]
MEMBERS = {
    f.message_type.name: f.name for f in ops_pb2.Attributes.DESCRIPTOR.fields if f.message_type
}
"""Member of Attributes by message name."""


@dataclass
class File:
    """One GraphFile; `save` writes it, with the weights that were added."""

    pb: graph_pb2.GraphFile = field(
        default_factory=lambda: graph_pb2.GraphFile(
            format_major=1, name="made", source_files=["model.go"]
        )
    )
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    last: int = 0

    def __post_init__(self) -> None:
        self.main = self.function("main", graph_pb2.Function.MAIN)
        self.into = self.main

    def function(self, name: str, kind: int = graph_pb2.Function.NAMED) -> graph_pb2.Function:
        """Begin a function; nodes and parameters go into it from now on."""
        self.into = self.pb.functions.add(name=name, kind=kind)
        return self.into

    def input(
        self, name: str, dtype: str, *dims: int | str, role: int = graph_pb2.Parameter.INPUT
    ) -> int:
        given = self.into.parameters.add(name=name, role=role)
        return self._value(given.value, dtype, dims)

    def node(
        self,
        op: str,
        operands: tuple[int, ...],
        of: str,
        *dims: int | str,
        functions: tuple[int, ...] = (),
        **attributes: Any,
    ) -> int:
        """One node with one result, `of` a dtype; its source line is its place in the function."""
        node = self.into.nodes.add(op=op, operands=operands, functions=functions)
        node.location.file_plus_1 = 1
        node.location.line = len(self.into.nodes)
        if f"{op}Attributes" in MEMBERS:
            member = getattr(node.attributes, MEMBERS[f"{op}Attributes"])
            member.SetInParent()
            fill(member, attributes)
        return self._value(node.results.add(), of, dims)

    def constant(self, value: object, dtype: str) -> int:
        """Inline up to 1 KiB, else in the weights file."""
        array = np.asarray(value, dtypes.BY_NAME[dtype].numpy)
        index = self.node("Constant", (), dtype, *array.shape)
        tensor = self.into.nodes[-1].constant
        shape(tensor.shape, dtype, array.shape)
        tensor.sha256 = hashlib.sha256(array.tobytes()).digest()
        if array.nbytes <= 1024:
            tensor.inline = array.tobytes()
        else:
            tensor.external.name = f"t{len(self.weights)}"
            self.weights[tensor.external.name] = array
        return index

    def splat(self, value: object, dtype: str, *dims: int) -> int:
        index = self.node("Constant", (), dtype, *dims)
        tensor = self.into.nodes[-1].constant
        shape(tensor.shape, dtype, dims)
        tensor.splat = np.asarray(value, dtypes.BY_NAME[dtype].numpy).tobytes()
        tensor.sha256 = hashlib.sha256(tensor.splat).digest()
        return index

    def result(self, value: int, name: str = "y", role: int = graph_pb2.Result.OUTPUT) -> None:
        self.into.results.add(value=value, name=name, role=role)

    def save(self, directory: Path) -> Path:
        """graph.pb in the directory, and graph.safetensors if there are weights."""
        if self.weights and not self.pb.data_files:
            data = safetensors(self.weights)
            (directory / "graph.safetensors").write_bytes(data)
            self.pb.data_files.add(
                name="graph.safetensors", size=len(data), sha256=hashlib.sha256(data).digest()
            )
        path = directory / "graph.pb"
        path.write_bytes(self.pb.SerializeToString(deterministic=True))
        return path

    def _value(self, value: Any, dtype: str, dims: Dims) -> int:
        self.last += 1
        value.id = self.last
        shape(value.shape, dtype, dims)
        return self.last


def shape(message: Any, dtype: str, dims: Dims) -> None:
    message.dtype = dtype
    for dim in dims:
        message.dims.add(**{"symbol" if isinstance(dim, str) else "size": dim})


def fill(message: Any, values: dict[str, Any]) -> None:
    """Set the fields of a message; dicts are messages, lists repeat."""
    for name, value in values.items():
        if isinstance(value, dict):
            fill(getattr(message, name), value)
        elif name in ("shape", "output_shape"):
            shape(getattr(message, name), *value)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for item in value:
                fill(getattr(message, name).add(), item)
        elif isinstance(value, list | tuple):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)


def safetensors(weights: dict[str, np.ndarray]) -> bytes:
    """The bytes of a safetensors file."""
    header, start = {}, 0
    for name, array in weights.items():
        end = start + array.nbytes
        spelled = {"f": "F", "i": "I", "u": "U"}[array.dtype.kind] + str(array.itemsize * 8)
        header[name] = {
            "dtype": spelled, "shape": list(array.shape), "data_offsets": [start, end],
        }  # fmt: skip
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in weights.values())


def adding(dtype: str = "Float32", *dims: int) -> File:
    """`y = x + x`: the smallest good file."""
    file = File()
    x = file.input("x", dtype, *(dims or (2, 3)))
    file.result(file.node("Add", (x, x), dtype, *(dims or (2, 3))))
    return file


def weighted() -> File:
    """`y = x + w`, w of 400 numbers in the weights file."""
    file = File()
    x = file.input("x", "Float32", 400)
    w = file.constant(np.arange(400, dtype=np.float32), "Float32")
    file.result(file.node("Add", (x, w), "Float32", 400))
    return file


def refusing() -> File:
    """`y = -x`; a test says that Neg is refused, whatever is lowered by now."""
    file = File()
    x = file.input("x", "Float32", 2)
    file.result(file.node("Neg", (x,), "Float32", 2))
    return file


def refused(path, *says, kind=FormatError, dims=None):
    """The error that reading gives; its text holds every one of `says`."""
    with pytest.raises(kind) as caught:
        read(path, dims)
    text = str(caught.value)
    for part in says:
        assert part in text, text
    assert re.match(r"error: \S", text)
    assert re.search(r"\n  fix:   \S", text), text
    return text
