"""Reads graph.pb and the weights beside it into a Graph.

Everything is checked here: what is wrong with the file is an error that names the place; a graph
that comes out is typed, closed and in topological order.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from coremlc.chunks import same_bytes
from coremlc.errors import CoremlcError, FormatError, Where, at
from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend.attributes import function_fields, make, shape_of, takes_attributes
from coremlc.frontend.axes import Axes
from coremlc.frontend.weights import DataFile, unpacked
from coremlc.ir.graph import Function, Graph, Input, Node, Output, Value, infer
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Array, Op
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import Constant
from coremlc.ops.refused import REFUSED, Unsupported

FORMAT_MAJOR = 1
FEATURES = frozenset({"closures", "dynamic_axes", "packed"})
MAX_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_CLOSURES = 32
"""Closures in closures; model.mil nests as deep."""
MAX_RANK = 16
MAX_NODES = 1 << 20
MAX_ELEMENTS = 1 << 40
INLINE_BYTES = 1024
_RESAVE = "save the graph again with the recorder"


def read(path: Path, dims: Mapping[str, int] | None = None) -> Graph:
    """The graph of a graph.pb.

    dims: sizes of its named axes; those left out take the default that the file states.

    Raises:
        FormatError: the file, or the weights file beside it, is not what its format says.
        UsageError: a named axis has no size, or one that it does not allow.
    """
    with at(Where(file=str(path))):
        return _File(path, parse(path), dims or {}).graph()


def parse(path: Path) -> pb.GraphFile:
    """The protobuf of a file in a format that is known; FormatError if it is none."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise FormatError(
            f"the graph can't be read: {error.strerror}", fix="check the path and its permissions"
        ) from None
    if size > MAX_BYTES:
        raise FormatError(
            f"the graph has {size} bytes, more than {MAX_BYTES}",
            fix="weights belong in the .safetensors file: save it with the recorder",
        )
    file = pb.GraphFile()
    try:
        file.ParseFromString(data)
    except (DecodeError, RecursionError):
        raise FormatError("not a graph.pb: the protobuf does not parse", fix=_RESAVE) from None
    if file.format_major != FORMAT_MAJOR:
        known = f"this coremlc reads {FORMAT_MAJOR}"
        newer = file.format_major > FORMAT_MAJOR
        raise FormatError(
            f"format {file.format_major}.{file.format_minor}, {known}"
            if newer
            else "not a graph.pb: it states no format",
            fix="update coremlc" if newer else _RESAVE,
        )
    unknown = sorted(set(file.required_features) - FEATURES)
    if unknown:
        raise FormatError(f"it needs features {unknown}", fix="update coremlc")
    return file


@dataclass
class _Scope:
    """Values of one function by id."""

    function: int
    values: dict[int, Value] = field(default_factory=dict)


class _File:
    """One file while it is read."""

    def __init__(self, path: Path, file: pb.GraphFile, dims: Mapping[str, int]) -> None:
        self._path = path
        self._pb = file
        self._axes = Axes(file, dims)
        self._scopes: list[_Scope] = []
        """Of the functions that are being read, the innermost last."""
        self._ids: set[int] = set()
        self._types: dict[bytes, TensorType] = {}
        self._files: dict[int, DataFile] = {}
        self._depth = 0
        self._splats: dict[tuple[TensorType, bytes], Array] = {}
        self._functions: dict[int, Function] = {}
        self._counts: dict[Function, int] = {}
        self._weights: dict[bytes, Array] = {}

    def graph(self) -> Graph:
        if sum(len(f.nodes) for f in self._pb.functions) > MAX_NODES:
            raise FormatError(f"more than {MAX_NODES} nodes", fix="split the graph")
        if self._pb.main >= len(self._pb.functions):
            raise FormatError(f"there is no function {self._pb.main}", fix=_RESAVE)
        for i in range(len(self._pb.data_files)):
            self._data_file(i)
        source = self._pb.functions[self._pb.main]
        main = self._function(self._pb.main)
        if not main.results:
            raise FormatError("the graph has no results", fix="return a value from the function")
        inputs = tuple(map(self._input, source.parameters, main.parameters))
        outputs = tuple(_output(r, i) for i, r in enumerate(source.results))
        ports: dict[str, tuple[Input | Output, ...]] = {"input": inputs, "output": outputs}
        for what, group in ports.items():
            names = [port.name for port in group]
            for name in names:
                if not name or names.count(name) > 1:
                    raise FormatError(f"{what} name {name!r} is empty or taken", fix="rename it")
        return Graph(main, inputs, outputs, self._pb.name or self._path.stem)

    def _input(self, given: pb.Parameter, value: Value) -> Input:
        is_variable = given.role == pb.Parameter.Role.VARIABLE
        if not given.HasField("default"):
            return Input(given.name, "variable" if is_variable else "input")
        with at(Where(f"parameter {given.name!r}")):
            default = self._tensor(given.default)
            if default.type != value.type:
                raise FormatError(f"its default is of type {default.type}", fix=_RESAVE)
        return Input(given.name, "variable" if is_variable else "input", default=default)

    def _function(self, index: int) -> Function:
        if index >= len(self._pb.functions):
            raise FormatError(f"there is no function {index}", fix=_RESAVE)
        around = self._around(self._pb.functions[index])
        if index in self._functions:
            return self._functions[index]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FormatError(f"functions nest deeper than {MAX_DEPTH}", fix="nest less")
        if len(around) > MAX_CLOSURES:
            raise FormatError(f"closures nest deeper than {MAX_CLOSURES}", fix="nest less")
        source = self._pb.functions[index]
        scopes, self._scopes = self._scopes, [*around, _Scope(index)]
        parameters = []
        for p in source.parameters:
            with at(Where(f"parameter {p.name!r}")):
                value = Value(self._type(p.value.shape))
                self._define(p.value.id, value)
                parameters.append(value)
        nodes = [self._node(node) for node in source.nodes]
        results = tuple(self._use(r.value, f"result {i}") for i, r in enumerate(source.results))
        self._depth -= 1
        self._scopes = scopes
        function = Function(tuple(parameters), tuple(nodes), results, source.name)
        self._functions[index] = function
        called = [self._counts[body] for node in nodes for body in node.op.bodies]
        self._counts[function] = len(nodes) + sum(called)
        if self._counts[function] > MAX_NODES:
            raise FormatError(
                f"with all calls in line there are more than {MAX_NODES} nodes",
                fix="split the graph",
            )
        return function

    def _around(self, source: pb.Function) -> list[_Scope]:
        """What a function may use: a closure the values of its parent and of the parents' parents.

        Only of those that are defined before the node that it belongs to.
        """
        if source.kind != pb.Function.CLOSURE:
            return []
        for i in reversed(range(len(self._scopes))):
            if self._scopes[i].function == source.parent_plus_1 - 1:
                return self._scopes[: i + 1]
        raise FormatError(
            f"closure {source.name!r} is used outside the function that it belongs to", fix=_RESAVE
        )

    def _node(self, node: pb.Node) -> Node:
        try:
            return self._typed_node(node)
        except CoremlcError as error:
            if error.where is None or not error.where.what:
                ids = ", ".join(f"%{r.id}" for r in node.results)
                file = "" if error.where is None else error.where.file
                error.where = Where(f"node {ids} ({node.op})", self._source(node.location), file)
            raise

    def _typed_node(self, node: pb.Node) -> Node:
        present = [i for i in node.operands if i]
        operands = tuple([self._use(i, "operand") for i in present])
        self._axes.learn(node, operands)
        types = tuple([self._type(r.shape) for r in node.results])
        op = self._op(node, types, operands)
        _check_count(op, operands)
        inferred = types if isinstance(op, Unsupported) else _inferred(op, operands)
        if inferred != types:
            raise FormatError(
                f"its results are {_spell(types)} in the file, {_spell(inferred)} by its operands",
                fix=_RESAVE,
            )
        result = Node(op, operands, types, self._source(node.location), node.label)
        for recorded, value in zip(node.results, result.results, strict=True):
            self._define(recorded.id, value)
        return result

    def _op(self, node: pb.Node, types: tuple[TensorType, ...], operands: tuple[Value, ...]) -> Op:
        if node.op == "Constant":
            return Constant(self._tensor(node.constant))
        if node.op in REFUSED:
            return Unsupported(node.op, types)
        cls = REGISTRY.get(node.op)
        if cls is None or not cls.gomlx:
            raise FormatError(f"op {node.op!r} is unknown to this coremlc", fix="update coremlc")
        extra: dict[str, Any] = self._axes.static(node, types, operands)
        names = function_fields(cls)  # type: ignore[arg-type]  # Op has a hash in its dataclasses
        if len(node.functions) != len(names):
            count = len(node.functions)
            raise FormatError(
                f"{node.op} of {count} function{'' if count == 1 else 's'}", fix=_RESAVE
            )
        extra.update(zip(names, map(self._function, node.functions), strict=True))
        optional = getattr(cls, "optional", ())
        if optional:
            flags = [bool(i) for i in node.operands[-len(optional) :]]
            if len(flags) != len(optional):
                raise FormatError(f"{node.op} of {len(flags)} operands", fix=_RESAVE)
            extra.update(zip(optional, flags, strict=True))
        message = None
        if takes_attributes(cls):
            member = node.attributes.WhichOneof("kind")
            message = getattr(node.attributes, member) if member else None
            if message is None or message.DESCRIPTOR.name != f"{node.op}Attributes":
                raise FormatError(f"{node.op} without its attributes", fix=_RESAVE)
        return make(cls, message, self._axes.size, extra)  # type: ignore[no-any-return]

    def _define(self, index: int, value: Value) -> None:
        if index == 0 or index in self._ids:
            raise FormatError(f"value id {index} is zero or defined twice", fix=_RESAVE)
        self._ids.add(index)
        self._scopes[-1].values[index] = value

    def _use(self, index: int, what: str) -> Value:
        for scope in reversed(self._scopes):
            value = scope.values.get(index)
            if value is not None:
                return value
        raise FormatError(f"{what}: value %{index} is not defined before", fix=_RESAVE)

    def _type(self, shape: Any) -> TensorType:
        key = shape.SerializeToString()
        known = self._types.get(key)
        if known is not None:
            return known
        known = shape_of(shape, self._axes.size)
        if known.rank > MAX_RANK or any(d < 0 for d in known.shape):
            raise FormatError(
                f"a value of type {known}", fix=f"use at most {MAX_RANK} dims, none below 0"
            )
        if math.prod(max(d, 1) for d in known.shape) > MAX_ELEMENTS:
            raise FormatError(
                f"a value of type {known}", fix=f"use at most {MAX_ELEMENTS} elements"
            )
        self._types[key] = known
        return known

    def _source(self, location: pb.SourceLoc) -> str:
        index = location.file_plus_1 - 1
        if not 0 <= index < len(self._pb.source_files):
            return ""
        line = f":{location.line}" if location.line else ""  # what is no code has none
        return f"{self._pb.source_files[index]}{line}"

    def _data_file(self, index: int) -> DataFile:
        if index not in self._files:
            if index >= len(self._pb.data_files):
                raise FormatError(f"there is no data file {index}", fix=_RESAVE)
            row = self._pb.data_files[index]
            if not re.fullmatch(r"[^/\\\0]+", row.name) or row.name in (".", ".."):
                raise FormatError(f"data file {row.name!r} is not a plain name", fix=_RESAVE)
            self._files[index] = DataFile(self._path.parent / row.name, row.size, row.sha256)
        return self._files[index]

    def _tensor(self, tensor: pb.Tensor) -> TensorData:
        t = self._type(tensor.shape)
        kind = tensor.WhichOneof("data")
        if t.dtype.bits < 8:
            return TensorData(t.dtype, self._unpacked(tensor, t))
        numpy = t.dtype.numpy
        if kind == "external":
            file = self._data_file(tensor.external.data_file)
            array = _checked(file.tensor(tensor.external.name, numpy, t.shape))
            return TensorData(t.dtype, array, self._digest(tensor, array))
        if kind not in ("inline", "splat"):
            raise FormatError("a constant without elements", fix=_RESAVE)
        raw = getattr(tensor, kind)
        count = 1 if kind == "splat" else t.size
        if len(raw) != count * numpy.itemsize or (kind == "inline" and len(raw) > INLINE_BYTES):
            raise FormatError(f"{len(raw)} bytes for {t}", fix=_RESAVE)
        array = _checked(np.frombuffer(raw, numpy))
        if kind == "splat":
            return TensorData(t.dtype, np.broadcast_to(array.reshape(()), t.shape))
        return TensorData(t.dtype, array.reshape(t.shape))

    def _unpacked(self, tensor: pb.Tensor, t: TensorType) -> Array:
        """Elements under 8 bits, each in a byte of its own: the first in the lowest bits."""
        kind = tensor.WhichOneof("data")
        per = 8 // t.dtype.bits
        count = 1 if kind == "splat" else t.size
        size = -(-count // per)
        if kind == "external":
            file = self._data_file(tensor.external.data_file)
            raw = file.tensor(tensor.external.name, np.dtype(np.uint8), (size,))
        elif kind in ("inline", "splat"):
            raw = np.frombuffer(getattr(tensor, kind), np.uint8)
        else:
            raise FormatError("a constant without elements", fix=_RESAVE)
        if raw.size != size or (kind == "inline" and size > INLINE_BYTES):
            raise FormatError(f"{raw.size} bytes for {t}", fix=_RESAVE)
        array = unpacked(raw, t.dtype)[:count]
        return np.broadcast_to(array, t.shape) if kind == "splat" else array.reshape(t.shape)

    def _digest(self, tensor: pb.Tensor, array: Array) -> bytes | None:
        """The digest that the file states, None for a small tensor: that is soon computed.

        Equal constants are joined by it; so one digest must not stand for two contents. That it is
        the right one for its content need not be checked, as the whole weights file is.
        """
        if array.nbytes <= INLINE_BYTES:
            return None
        known = self._weights.setdefault(tensor.sha256, array)
        same_place = known.__array_interface__["data"] == array.__array_interface__["data"]
        same = known.nbytes == array.nbytes and (same_place or same_bytes(known, array))
        if len(tensor.sha256) != hashlib.sha256().digest_size or not same:
            raise FormatError("its SHA-256 is not that of the elements", fix=_RESAVE)
        return tensor.sha256


def _checked(array: Array) -> Array:
    """The elements, bools each a byte 0 or 1."""
    if array.dtype == np.bool_ and np.any(array.view(np.uint8) > 1):
        raise FormatError("an element of a bool constant is neither 0 nor 1", fix=_RESAVE)
    return array


def _inferred(op: Op, operands: tuple[Value, ...]) -> tuple[TensorType, ...]:
    """Result types; attributes of which `infer` can make nothing at all are the file's fault."""
    try:
        return infer(op, operands)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise FormatError(f"its attributes don't fit together: {error}", fix=_RESAVE) from None


def _check_count(op: Op, operands: tuple[Value, ...]) -> None:
    """`infer` takes that many operands."""
    at_least, at_most = _counts(op.kind)
    if not at_least <= len(operands) <= at_most:
        count = len(operands)
        raise FormatError(f"{op.kind} of {count} operand{'' if count == 1 else 's'}", fix=_RESAVE)


@cache
def _counts(kind: str) -> tuple[int, float]:
    """Least and greatest number of operands."""
    kinds = [p.kind for p in list(inspect.signature(REGISTRY[kind].infer).parameters.values())[1:]]
    at_least = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return at_least, math.inf if inspect.Parameter.VAR_POSITIONAL in kinds else at_least


def _output(result: pb.Result, index: int) -> Output:
    if result.role == pb.Result.Role.VARIABLE_UPDATE:
        return Output(result.name or f"output{index}", "variable_update", result.variable)
    return Output(result.name or f"output{index}")


def _spell(types: tuple[TensorType, ...]) -> str:
    return ", ".join(map(str, types)) or "nothing"
