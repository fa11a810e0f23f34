"""Programs and the MIL protobuf: what an `.mlpackage` stores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np

from coremlc.errors import FormatError
from coremlc.mil.arrays import STORAGE, pack, unpack
from coremlc.mil.pb2 import Message, classes
from coremlc.mil.program import (
    Arg,
    Array,
    BlobRef,
    Block,
    Data,
    Function,
    Literal,
    Op,
    Program,
    Value,
)
from coremlc.mil.scope import Scope
from coremlc.mil.types import (
    BufferType,
    DictType,
    Dim,
    ListType,
    StateType,
    TensorType,
    TupleType,
    ValueType,
)

_FIX = "make the file again with its tool; it may be cut short or changed"

_FIELDS = {
    "bool": "bools",
    "fp32": "floats",
    "fp64": "doubles",
    "int16": "ints",
    "uint16": "ints",
    "int32": "ints",
    "int64": "longInts",
    "uint64": "longInts",
    "string": "strings",
}
"""The field an immediate tensor is stored in; every other dtype goes into `bytes`."""


def program_to_proto(program: Program) -> Message:
    """A `MILSpec.Program` message."""
    from coremlc.mil.wire import program_to_bytes  # late: wire builds on this module

    spec = classes().mil.Program()
    spec.ParseFromString(program_to_bytes(program))
    return spec


def program_from_proto(spec: Message) -> Program:
    """The program of a `MILSpec.Program` message; what the protobuf leaves unordered is sorted."""
    functions = {name: _function(spec.functions[name]) for name in sorted(spec.functions)}
    return Program(functions, _attributes(spec.attributes), spec.version, spec.docString)


# Writing


def set_type(spec: Message, type_: ValueType) -> None:
    """Fill a `ValueType` message."""
    match type_:
        case TensorType(dtype, shape):
            tensor = spec.tensorType
            tensor.dataType = classes().code_of[dtype]
            tensor.rank = -1 if ... in shape else len(shape)
            for dim in shape:
                _set_dim(tensor.dimensions.add(), dim)
        case ListType(element, length):
            set_type(spec.listType.type, element)
            _set_dim(spec.listType.length, length)
        case TupleType(items):
            spec.tupleType.SetInParent()
            for item in items:
                set_type(spec.tupleType.types.add(), item)
        case DictType(key, value):
            set_type(spec.dictionaryType.keyType, key)
            set_type(spec.dictionaryType.valueType, value)
        case StateType(tensor_type):
            set_type(spec.stateType.wrappedType, tensor_type)
        case BufferType(kind):
            raise FormatError(f"a {kind} has no place in a package", fix="keep it as model.mil")


def _set_dim(spec: Message, dim: Dim) -> None:
    if isinstance(dim, int):
        spec.constant.size = dim
    else:
        spec.unknown.variadic = dim is ...


def set_value(spec: Message, literal: Literal) -> None:
    """Fill a `Value` message."""
    set_type(spec.type, literal.type)
    data = literal.data
    if isinstance(data, BlobRef):
        spec.blobFileValue.fileName = data.path
        spec.blobFileValue.offset = data.offset
        return
    immediate = spec.immediateValue
    match literal.type:
        case TensorType(dtype):
            assert isinstance(data, str | np.ndarray)
            _set_tensor(immediate.tensor, data, dtype)
        case DictType():
            immediate.dictionary.SetInParent()
            for key, value in cast("tuple[tuple[Literal, Literal], ...]", data):
                pair = immediate.dictionary.values.add()
                set_value(pair.key, key)
                set_value(pair.value, value)
        case _:
            field = immediate.list if isinstance(literal.type, ListType) else immediate.tuple
            field.SetInParent()
            for member in cast("tuple[Literal, ...]", data):
                set_value(field.values.add(), member)


def _set_tensor(spec: Message, data: Array | str, dtype: str) -> None:
    name = _FIELDS.get(dtype, "bytes")
    field = getattr(spec, name)
    field.SetInParent()
    if isinstance(data, str):
        field.values.append(data)
    elif name == "bytes":
        row = STORAGE[dtype]
        packed = pack(data, row.bits) if row.is_packed else np.ascontiguousarray(data)
        field.values = packed.tobytes()
    elif dtype == "uint64":
        field.values.extend(data.astype(np.int64).reshape(-1).tolist())
    else:
        field.values.extend(data.reshape(-1).tolist())


# Reading


def _function(spec: Message) -> Function:
    scope = Scope()
    inputs = _named(spec.inputs)
    _define(scope, inputs)
    blocks = {
        opset: _block(spec.block_specializations[opset], scope)
        for opset in sorted(spec.block_specializations)
    }
    if spec.opset not in blocks:
        raise FormatError(f"a function of opset {spec.opset!r} has no block for it", fix=_FIX)
    return Function(inputs, spec.opset, blocks, _attributes(spec.attributes))


def _block(spec: Message, scope: Scope) -> Block:
    with scope.nested():
        inputs = _named(spec.inputs)
        _define(scope, inputs)
        ops = tuple([_op(operation, scope) for operation in spec.operations])
        outputs = tuple([_known(scope, name) for name in spec.outputs])
    return Block(ops, outputs, inputs, _attributes(spec.attributes))


def _op(spec: Message, scope: Scope) -> Op:
    inputs = {
        name: tuple([_binding(binding, scope) for binding in spec.inputs[name].arguments])
        for name in sorted(spec.inputs)
    }
    attributes = _attributes(spec.attributes)
    blocks = tuple([_block(block, scope) for block in spec.blocks])
    outputs = _named(spec.outputs)
    _define(scope, outputs)
    if spec.type == "const" and len(outputs) == 1:
        outputs[0].literal = attributes.get("val")
    return Op(spec.type, inputs, outputs, attributes, blocks)


def _binding(spec: Message, scope: Scope) -> Arg:
    if spec.WhichOneof("binding") == "value":
        return _value(spec.value)
    return _known(scope, spec.name)


def _known(scope: Scope, name: str) -> Value:
    value = scope.get(name)
    if value is None:
        raise FormatError(f"{name!r} is not defined before its use", fix=_FIX)
    return value


def _define(scope: Scope, values: tuple[Value, ...]) -> None:
    for value in values:
        if not scope.define(value):
            raise FormatError(f"{value.name!r} is defined twice", fix=_FIX)


def _named(specs: Iterable[Message]) -> tuple[Value, ...]:
    return tuple([Value(spec.name, _type(spec.type)) for spec in specs])


def _attributes(specs: Mapping[str, Message]) -> dict[str, Literal]:
    return {name: _value(specs[name]) for name in sorted(specs)}


def _type(spec: Message) -> ValueType:
    match spec.WhichOneof("type"):
        case "tensorType":
            return _tensor_type(spec.tensorType)
        case "listType":
            length = _dim(spec.listType.length)
            return ListType(_type(spec.listType.type), length if isinstance(length, int) else None)
        case "tupleType":
            return TupleType(tuple([_type(item) for item in spec.tupleType.types]))
        case "dictionaryType":
            kinds = spec.dictionaryType
            return DictType(_type(kinds.keyType), _type(kinds.valueType))
        case "stateType":
            wrapped = _type(spec.stateType.wrappedType)
            if isinstance(wrapped, TensorType):
                return StateType(wrapped)
    raise FormatError("a value without a type that coremlc knows", fix=_FIX)


def _tensor_type(spec: Message) -> TensorType:
    dtype = classes().dtype_of.get(spec.dataType)
    if dtype is None:
        raise FormatError(f"a tensor of unknown dtype {spec.dataType}", fix=_FIX)
    if spec.attributes:
        raise FormatError("a tensor type with attributes", fix="coremlc doesn't know such types")
    shape = tuple([_dim(dim) for dim in spec.dimensions])
    if spec.rank != len(shape) and ... not in shape:
        raise FormatError(f"a tensor of rank {spec.rank} with {len(shape)} dims", fix=_FIX)
    return TensorType(dtype, shape)


def _dim(spec: Message) -> Dim:
    if spec.WhichOneof("dimension") == "constant":
        return int(spec.constant.size)
    return ... if spec.unknown.variadic else None


def _value(spec: Message) -> Literal:
    type_ = _type(spec.type)
    match spec.WhichOneof("value"):
        case "blobFileValue":
            return Literal(type_, BlobRef(spec.blobFileValue.fileName, spec.blobFileValue.offset))
        case "immediateValue":
            return Literal(type_, _immediate(spec.immediateValue, type_))
    raise FormatError("a literal without a value", fix=_FIX)


def _immediate(spec: Message, type_: ValueType) -> Data:
    match type_, spec.WhichOneof("value"):
        case TensorType(), "tensor":
            return _tensor(spec.tensor, type_)
        case ListType(), "list":
            return tuple([_value(member) for member in spec.list.values])
        case TupleType(), "tuple":
            return tuple([_value(member) for member in spec.tuple.values])
        case DictType(), "dictionary":
            return tuple([(_value(p.key), _value(p.value)) for p in spec.dictionary.values])
    raise FormatError("a literal whose value is not of its type", fix=_FIX)


def _tensor(spec: Message, type_: TensorType) -> Array | str:
    name = spec.WhichOneof("value")
    if name is None or (name == "strings") != (type_.dtype == "string"):
        raise FormatError(f"a {type_.dtype} literal stored as {name}", fix=_FIX)
    values = getattr(spec, name).values
    if name == "bytes":
        return _shaped(_raw(values, type_), type_)
    if name == "strings":
        if not type_.shape and len(values) == 1:
            return str(values[0])
        texts = np.empty(len(values), object)
        texts[:] = list(values)
        return _shaped(texts, type_)
    row = STORAGE[type_.dtype]
    if name in ("ints", "longInts") and row.maximum:
        wide = np.array(values, np.int64)
        if row.bits < 64 and not ((wide >= row.minimum) & (wide <= row.maximum)).all():
            raise FormatError(f"a {type_.dtype} literal with a larger number", fix=_FIX)
        return _shaped(wide.astype(row.numpy), type_)
    if name != _FIELDS.get(type_.dtype):
        raise FormatError(f"a {type_.dtype} literal stored as {name}", fix=_FIX)
    return _shaped(np.array(values, row.numpy), type_)


def _raw(data: bytes, type_: TensorType) -> Array:
    row = STORAGE[type_.dtype]
    if row.is_packed:
        size = math.prod(dim for dim in type_.shape if isinstance(dim, int))
        if len(data) != row.packed_bytes(size):
            raise FormatError(f"{len(data)} bytes for {size} of {type_.dtype}", fix=_FIX)
        return unpack(np.frombuffer(data, np.uint8), type_.dtype, size)
    if len(data) % row.numpy.itemsize:
        raise FormatError(f"{len(data)} bytes of {type_.dtype}", fix=_FIX)
    return np.frombuffer(data, row.numpy)


def _shaped(flat: Array, type_: TensorType) -> Array:
    shape = type_.shape
    if len(shape) == 1 and shape[0] is None:
        return flat
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    if len(sizes) != len(shape) or math.prod(sizes) != flat.size:
        raise FormatError(f"{flat.size} elements for a literal of shape {list(shape)}", fix=_FIX)
    return flat.reshape(sizes)
