"""The encoders of go/cmd/bench as an expert writes them for ONNX Runtime, with their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from coremlc.ir.graph import Graph
from coremlc.ops.leaves import Constant

ENCODERS = ("encoder-6x128x384", "encoder-6x16x384", "encoder-2x512x768")
OPSET = 20
HEADS = 12
EPSILON = 1e-5

Array = np.ndarray[Any, Any]


@dataclass
class _Model:
    """An ONNX graph in the making."""

    weights: Mapping[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array: Array, name: str) -> str:
        self.initializers.setdefault(
            name, numpy_helper.from_array(np.ascontiguousarray(array), name)
        )
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.weights[name], name)

    def vector(self, name: str) -> str:
        return self.constant(self.weights[name].reshape(-1), name)

    def shape(self, *dims: int) -> str:
        return self.constant(np.array(dims, np.int64), f"shape{dims}")


def encoder(graph: Graph) -> bytes:
    """An ONNX model f32[1, length, width] -> the same; inside, activations are of rank 2."""
    (x,) = graph.main.parameters
    _, length, width = x.type.shape
    weights = {
        n.label: n.op.value.array
        for n in graph.main.nodes
        if isinstance(n.op, Constant) and n.label
    }
    m = _Model(weights)
    y = m.op("Reshape", "x", m.shape(length, width))
    layers = sum(name.endswith("/norm1/gain") for name in weights)
    for i in range(layers):
        y = _layer(m, y, f"/layer{i}", length, width)
    m.nodes.append(helper.make_node("Reshape", [y, m.shape(1, length, width)], ["output0"]))
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, x.type.shape)
        for name in ("x", "output0")
    ]
    made = helper.make_graph(m.nodes, graph.name, ports[:1], ports[1:], [*m.initializers.values()])
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=10)
    return bytes(model.SerializeToString())


def _layer(m: _Model, x: str, at: str, length: int, width: int) -> str:
    attended = _attention(m, x, f"{at}/attention", length, width)
    x = _norm(m, m.op("Add", x, attended), f"{at}/norm1")
    up = m.op("Gelu", _linear(m, x, f"{at}/mlp/up"))
    return _norm(m, m.op("Add", x, _linear(m, up, f"{at}/mlp/down")), f"{at}/norm2")


def _attention(m: _Model, x: str, at: str, length: int, width: int) -> str:
    size = width // HEADS

    def heads(name: str, *permutation: int) -> str:
        split = m.op("Reshape", _linear(m, x, f"{at}/{name}"), m.shape(length, HEADS, size))
        return m.op("Transpose", split, perm=permutation)

    q, k, v = heads("query", 1, 0, 2), heads("key", 1, 2, 0), heads("value", 1, 0, 2)
    scale = m.constant(np.float32(size**-0.5), "scale")
    scores = m.op("Softmax", m.op("Mul", m.op("MatMul", q, k), scale), axis=-1)
    mixed = m.op("Transpose", m.op("MatMul", scores, v), perm=(1, 0, 2))
    return _linear(m, m.op("Reshape", mixed, m.shape(length, width)), f"{at}/out")


def _linear(m: _Model, x: str, at: str) -> str:
    return m.op("Gemm", x, m.weight(f"{at}/weights"), m.vector(f"{at}/bias"))


def _norm(m: _Model, x: str, at: str) -> str:
    gain, offset = m.vector(f"{at}/gain"), m.vector(f"{at}/offset")
    return m.op("LayerNormalization", x, gain, offset, axis=-1, epsilon=EPSILON)
