"""Synthetic graphs: of many nodes, and of large weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from coremlc.frontend import graph_pb2 as pb

WIDTH = 8


class Writer:
    """A graph.pb in the making: layers of matrix product, bias, activation, norm and attention."""

    def __init__(self) -> None:
        self.file = pb.GraphFile(format_major=1, name="synthetic")
        self.function = self.file.functions.add(kind=pb.Function.MAIN, name="main")
        self.file.source_files.append("synthetic.go")
        self.next_id = 1

    def shape(self, target: object, dims: tuple[int, ...], dtype: str = "Float32") -> None:
        target.dtype = dtype  # type: ignore[attr-defined]
        for dim in dims:
            target.dims.add(size=dim)  # type: ignore[attr-defined]

    def parameter(self, name: str, dims: tuple[int, ...], dtype: str = "Float32") -> int:
        given = self.function.parameters.add(name=name, role=pb.Parameter.INPUT)
        return self.value(given.value, dims, dtype)

    def value(self, value: object, dims: tuple[int, ...], dtype: str = "Float32") -> int:
        value.id = self.next_id  # type: ignore[attr-defined]
        self.next_id += 1
        self.shape(value.shape, dims, dtype)  # type: ignore[attr-defined]
        return self.next_id - 1

    def node(self, op: str, dims: tuple[int, ...], *operands: int) -> tuple[int, pb.Node]:
        node = self.function.nodes.add(op=op, operands=operands)
        node.location.file_plus_1 = 1
        node.location.line = len(self.function.nodes)
        return self.value(node.results.add(), dims), node

    def constant(self, dims: tuple[int, ...], seed: int) -> int:
        value, node = self.node("Constant", dims)
        self.shape(node.constant.shape, dims)
        count = 1
        for dim in dims:
            count *= dim
        node.constant.inline = b"".join(
            ((seed * 31 + i) % 65536).to_bytes(2, "little") + b"\x80\x3e" for i in range(count)
        )
        return value

    def save(self, result: int, path: Path) -> None:
        """The file, whose only output is that value."""
        self.function.results.add(value=result, name="y", role=pb.Result.OUTPUT)
        path.write_bytes(self.file.SerializeToString(deterministic=True))

    def product(self, x: int, weight: int, dims: tuple[int, ...], axis: int = 0) -> int:
        """`x` times a matrix, along its axis."""
        y, dot = self.node("DotGeneral", dims, x, weight)
        dot.attributes.dot_general.lhs_contracting_axes.append(1)
        dot.attributes.dot_general.rhs_contracting_axes.append(axis)
        dot.attributes.dot_general.config.accumulator_dtype = "Float32"
        dot.attributes.dot_general.config.output_dtype = "Float32"
        return y

    def layer(self, x: int, seed: int) -> int:
        """15 nodes."""
        row = (4, WIDTH)
        weight, bias = self.constant((WIDTH, WIDTH), seed), self.constant((WIDTH,), seed + 1)
        y = self.product(x, weight, row)
        wide, broadcast = self.node("BroadcastInDim", row, bias)
        self.shape(broadcast.attributes.broadcast_in_dim.output_shape, row)
        broadcast.attributes.broadcast_in_dim.broadcast_axes.append(1)
        y, _ = self.node("Add", row, y, wide)
        top, most = self.node("ReduceMax", (4,), y)
        most.attributes.reduce_max.axes.append(1)
        top, shaped = self.node("Reshape", (4, 1), top)
        shaped.attributes.reshape.dimensions.extend((4, 1))
        y, _ = self.node("Sub", row, y, top)
        y, _ = self.node("Exp", row, y)
        total, added = self.node("ReduceSum", (4,), y)
        added.attributes.reduce_sum.axes.append(1)
        total, shaped = self.node("Reshape", (4, 1), total)
        shaped.attributes.reshape.dimensions.extend((4, 1))
        y, _ = self.node("Div", row, y, total)
        y, turned = self.node("Transpose", (WIDTH, 4), y)
        turned.attributes.transpose.permutation.extend((1, 0))
        y, shaped = self.node("Reshape", row, y)
        shaped.attributes.reshape.dimensions.extend(row)
        y, _ = self.node("Tanh", row, y)
        y, _ = self.node("Add", row, y, x)
        return y


def many_nodes(nodes: int, path: Path) -> None:
    """Write a graph.pb of about that many nodes."""
    writer = Writer()
    x = writer.parameter("x", (4, WIDTH))
    seed = 0
    while len(writer.function.nodes) < nodes:
        x = writer.layer(x, seed)
        seed += 2
    writer.save(x, path)


def large_weights(
    size_bytes: int, path: Path, *, words: int = 32_000, width: int = 2048
) -> list[tuple[int, ...]]:
    """Write a graph.pb of a token's embedding, matrix products, and logits by the embedding again.

    All weights are float32, in a safetensors file beside it: of about that many bytes. Gives their
    shapes.
    """
    writer = Writer()
    tokens = writer.parameter("tokens", (4, 1), "Int32")
    layers = max((size_bytes // 4 - words * width) // width**2, 1)
    shapes: list[tuple[int, ...]] = [(words, width), *[(width, width)] * layers]
    table, *matrices = _weights(writer, shapes, path.with_suffix(".safetensors"))
    x, gather = writer.node("Gather", (4, width), table, tokens)
    axes = gather.attributes.gather
    axes.index_vector_axis = 1
    axes.offset_output_axes.append(1)
    axes.collapsed_slice_axes.append(0)
    axes.start_index_map.append(0)
    axes.slice_sizes.extend((1, width))
    for matrix in matrices:
        x, _ = writer.node("Tanh", (4, width), writer.product(x, matrix, (4, width)))
    writer.save(writer.product(x, table, (4, words), axis=1), path)
    return shapes


def _weights(writer: Writer, shapes: list[tuple[int, ...]], path: Path) -> list[int]:
    """Constants of random elements, written to a safetensors file one after the other."""
    random = np.random.default_rng(0)
    values, rows, end = [], {}, 0
    for i, shape in enumerate(shapes):
        start, end = end, end + 4 * int(np.prod(shape))
        rows[f"w{i}"] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    header = json.dumps(rows).encode()
    whole = hashlib.sha256()
    with path.open("wb") as file:

        def put(data: bytes | memoryview) -> None:
            whole.update(data)
            file.write(data)

        put(len(header).to_bytes(8, "little") + header)
        for name, shape in zip(rows, shapes, strict=True):
            data = random.random(shape, np.float32).data.cast("B")
            value, node = writer.node("Constant", shape)
            writer.shape(node.constant.shape, shape)
            node.constant.external.name = name
            node.constant.sha256 = hashlib.sha256(data).digest()
            put(data)
            values.append(value)
        size = file.tell()
    writer.file.data_files.add(name=path.name, size=size, sha256=whole.digest())
    return values
