"""Writes ONNX protobuf: nodes, initializers and nested graphs, with nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from coremlc.engine.ort.tensor import ONNX_DTYPES, Array, T
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType

Name: TypeAlias = "str | T"

INLINE_BYTES = 4096
"""Constants above this stay in the bundle's blob, or are handed over as a mapped array."""
LARGE = 4096
"""Elements from which on a check of the whole tensor costs less than care about each element."""
BLOB_RECORD_BYTES = 64
"""A blob's data follow its metadata record."""

_NUMPY_TO_MIL = {
    row.numpy: name for name, row in STORAGE.items() if name in ONNX_DTYPES and row.bits >= 8
}


@dataclass(slots=True)
class Scope:
    """One graph being written, and the names that only it may use."""

    graph: Any
    names: dict[T, str] = field(default_factory=dict)


class Emitter:
    """One ONNX model under construction."""

    def __init__(self, opset: int = 28) -> None:
        self.model = ModelProto()
        self.model.ir_version = 10
        for domain, version in (("", opset), ("com.microsoft", 1)):
            entry = self.model.opset_import.add()
            entry.domain, entry.version = domain, version
        self.model.graph.name = "main"
        self.scopes = [Scope(self.model.graph)]
        self.held: dict[str, Array] = {}
        """Initializers that are handed to the session as arrays, without a copy."""
        self.one_thread = False
        """A scatter may meet duplicate indices: more than one thread would race."""
        self.blob_file: Callable[[str], str | None] = lambda path: None
        self._count = 0
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    # --- names ------------------------------------------------------------------------------

    def fresh(self) -> str:
        self._count += 1
        return f"%{self._count}"

    def use(self, x: Name) -> str:
        """The ONNX name of an operand, made now if it has none in reach."""
        if isinstance(x, str):
            return x
        if x.name is not None:
            return x.name
        for scope in reversed(self.scopes):
            if x in scope.names:
                return scope.names[x]
        if x.narrow is not None:
            scopes = self.scopes
            if x.narrow.is_const:  # once, not in every turn of a loop
                self.scopes = scopes[:1]
            name = self._widened(x, x.narrow)
            self.scopes[-1].names[x] = name
            self.scopes = scopes
        else:
            name = self._initializer(x)
            x.name = name
        return name

    def _widened(self, x: T, narrow: T) -> str:
        if narrow.is_const and narrow.is_static and narrow.size * 2 <= INLINE_BYTES:
            value = narrow.value
            assert value is not None
            return self.const(value.astype(np.float32))
        return self.cast(self.use(narrow), "fp32")

    # --- constants --------------------------------------------------------------------------

    def _initializer(self, x: T) -> str:
        if x.blob is not None and x.size * STORAGE[x.dtype].numpy.itemsize > INLINE_BYTES:
            location = self.blob_file(x.blob.path)
            if location is not None:
                return self._external(x, location, x.blob.offset + BLOB_RECORD_BYTES)
        value = x.value
        assert value is not None, "an operand with neither a name nor a value"
        return self.const(value)

    def _external(self, x: T, location: str, offset: int) -> str:
        length = x.size * STORAGE[x.dtype].numpy.itemsize
        return self._point_at(x.dtype, x.dims, location, offset, length)

    def _point_at(
        self, dtype: str, dims: Sequence[int], location: str, offset: int, length: int
    ) -> str:
        proto = self.scopes[0].graph.initializer.add()
        proto.name = self.fresh()
        proto.data_type = ONNX_DTYPES[dtype]
        proto.dims.extend(dims)
        proto.data_location = TensorProto.EXTERNAL
        for key, text in (("location", location), ("offset", offset), ("length", length)):
            entry = proto.external_data.add()
            entry.key, entry.value = key, str(text)
        return str(proto.name)

    def const(self, value: Array | np.generic | float | Sequence[Any], dtype: Any = None) -> str:
        """An initializer of the main graph; equal small ones are shared."""
        array = np.asarray(value, dtype)
        mil = _NUMPY_TO_MIL[array.dtype]
        if array.nbytes > INLINE_BYTES:
            name = self._point_at(mil, array.shape, "held", 0, array.nbytes)
            self.held[name] = np.ascontiguousarray(array)
            return name
        data = array.tobytes()
        key = (mil, array.shape, data)
        known = self._constants.get(key)
        if known is not None:
            return known
        proto = self.scopes[0].graph.initializer.add()
        proto.name = self.fresh()
        proto.data_type = ONNX_DTYPES[mil]
        proto.dims.extend(array.shape)
        proto.raw_data = data
        self._constants[key] = str(proto.name)
        return str(proto.name)

    def scalar(self, value: Any, beside: T) -> str:
        """A constant for every element of a tensor, as `repeats` has it."""
        array = np.asarray(value, STORAGE[beside.dtype].numpy)
        return self.const(array.reshape((1,) * beside.rank if beside.shape[-1:] == (1,) else ()))

    def i64(self, *values: int) -> str:
        """A vector of int64, as shapes and axes are."""
        return self.const(np.array(values, np.int64))

    # --- nodes ------------------------------------------------------------------------------

    def node(self, kind: str, *inputs: Name, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        return self.nodes(kind, 1, *inputs, domain=domain, **attributes)[0]

    def nodes(
        self, kind: str, count: int, *inputs: Name, domain: str = "", **attributes: Any
    ) -> list[str]:
        """A node with `count` outputs."""
        names = [x if isinstance(x, str) else self.use(x) for x in inputs]
        proto = self.scopes[-1].graph.node.add()
        proto.op_type = kind
        if domain:
            proto.domain = domain
        proto.input.extend(names)
        outputs = [self.fresh() for _ in range(count)]
        proto.output.extend(outputs)
        for key, value in attributes.items():
            if value is not None:
                _set_attribute(proto.attribute.add(), key, value)
        return outputs

    def alias(self, x: Name, name: str) -> None:
        """Give a value the name that the outside knows it by."""
        proto = self.scopes[-1].graph.node
        source = self.use(x)
        node = proto.add()
        node.op_type = "Identity"
        node.input.append(source)
        node.output.append(name)

    def cast(self, x: Name, dtype: str) -> str:
        return self.node("Cast", x, to=ONNX_DTYPES[dtype])

    def reshape(self, x: Name, dims: Sequence[int]) -> str:
        return self.node("Reshape", x, self.i64(*dims), allowzero=1)

    def where(self, condition: Name, a: Name, b: Name) -> str:
        """A choice of ints; for floats see `choose`."""
        return self.node("Where", condition, a, b)

    def choose(self, condition: Name, a: Name | np.float32, b: Name | np.float32) -> str:
        """A choice of float32, made on their bits: Where itself turns a chosen -0 into 0."""
        return self.node("BitCast", self.where(condition, self.bits(a), self.bits(b)), to=1)

    def bits(self, x: Name | np.float32) -> str:
        """Float32 as int32 of the same bits."""
        if isinstance(x, np.float32):
            return self.const(np.asarray(x).view(np.int32))
        return self.node("BitCast", x, to=6)

    def branch(
        self, condition: Name, usual: Callable[[], str], rare: Callable[[], str], kind: TensorType
    ) -> str:
        """An If: the usual way where `condition` holds, the exact but slow one elsewhere."""
        return self.branches(condition, lambda: [usual()], lambda: [rare()], (kind,))[0]

    def branches(
        self,
        condition: Name,
        usual: Callable[[], list[str]],
        rare: Callable[[], list[str]],
        kinds: Sequence[TensorType],
    ) -> list[str]:
        """`branch` for several results."""
        graphs = []
        for write in (usual, rare):
            with self.subgraph(self.fresh()) as graph:
                for value, kind in zip(write(), kinds, strict=True):
                    name = self.fresh()
                    self.alias(value, name)
                    declare(graph.output, name, kind)
            graphs.append(graph)
        return self.nodes("If", len(kinds), condition, then_branch=graphs[0], else_branch=graphs[1])

    # --- graphs -----------------------------------------------------------------------------

    @contextmanager
    def subgraph(self, name: str) -> Iterator[Any]:
        """Nodes go into a new graph, which sees the names of the graphs around it."""
        graph = GraphProto()
        graph.name = name
        self.scopes.append(Scope(graph))
        try:
            yield graph
        finally:
            self.scopes.pop()


def declare(field: Any, name: str, kind: TensorType) -> None:
    """Add a typed input or output to a graph's list."""
    info = field.add()
    info.name = name
    tensor = info.type.tensor_type
    tensor.elem_type = ONNX_DTYPES[kind.dtype]
    if ... in kind.shape:
        return
    tensor.shape.SetInParent()
    for i, dim in enumerate(kind.shape):
        entry = tensor.shape.dim.add()
        if isinstance(dim, int):
            entry.dim_value = dim
        else:
            entry.dim_param = f"{name}.{i}"


def _set_attribute(proto: Any, name: str, value: Any) -> None:
    proto.name = name
    if isinstance(value, str):
        proto.type, proto.s = AttributeProto.STRING, value.encode()
    elif isinstance(value, bool | int):
        proto.type, proto.i = AttributeProto.INT, int(value)
    elif isinstance(value, float):
        proto.type, proto.f = AttributeProto.FLOAT, value
    elif isinstance(value, GraphProto):
        proto.type = AttributeProto.GRAPH
        proto.g.CopyFrom(value)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], float):
        proto.type = AttributeProto.FLOATS
        proto.floats.extend(value)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], str):
        proto.type = AttributeProto.STRINGS
        proto.strings.extend(v.encode() for v in value)
    else:
        proto.type = AttributeProto.INTS
        proto.ints.extend(int(v) for v in value)
