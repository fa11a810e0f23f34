from coremlc.frontend import ops_pb2 as _ops_pb2
from coremlc.frontend import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GraphFile(_message.Message):
    __slots__ = ("format_major", "format_minor", "producer", "required_features", "name", "functions", "main", "data_files", "axes", "source_files", "metadata")
    FORMAT_MAJOR_FIELD_NUMBER: _ClassVar[int]
    FORMAT_MINOR_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FEATURES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    MAIN_FIELD_NUMBER: _ClassVar[int]
    DATA_FILES_FIELD_NUMBER: _ClassVar[int]
    AXES_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FILES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    format_major: int
    format_minor: int
    producer: Producer
    required_features: _containers.RepeatedScalarFieldContainer[str]
    name: str
    functions: _containers.RepeatedCompositeFieldContainer[Function]
    main: int
    data_files: _containers.RepeatedCompositeFieldContainer[DataFile]
    axes: _containers.RepeatedCompositeFieldContainer[Axis]
    source_files: _containers.RepeatedScalarFieldContainer[str]
    metadata: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, format_major: _Optional[int] = ..., format_minor: _Optional[int] = ..., producer: _Optional[_Union[Producer, _Mapping]] = ..., required_features: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., functions: _Optional[_Iterable[_Union[Function, _Mapping]]] = ..., main: _Optional[int] = ..., data_files: _Optional[_Iterable[_Union[DataFile, _Mapping]]] = ..., axes: _Optional[_Iterable[_Union[Axis, _Mapping]]] = ..., source_files: _Optional[_Iterable[str]] = ..., metadata: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Producer(_message.Message):
    __slots__ = ("name", "version", "modules")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    modules: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., modules: _Optional[_Iterable[str]] = ...) -> None: ...

class Function(_message.Message):
    __slots__ = ("name", "kind", "parent_plus_1", "parameters", "nodes", "results")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Function.Kind]
        MAIN: _ClassVar[Function.Kind]
        NAMED: _ClassVar[Function.Kind]
        CLOSURE: _ClassVar[Function.Kind]
    KIND_UNSPECIFIED: Function.Kind
    MAIN: Function.Kind
    NAMED: Function.Kind
    CLOSURE: Function.Kind
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARENT_PLUS_1_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: Function.Kind
    parent_plus_1: int
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    results: _containers.RepeatedCompositeFieldContainer[Result]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Function.Kind, str]] = ..., parent_plus_1: _Optional[int] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ...) -> None: ...

class Parameter(_message.Message):
    __slots__ = ("value", "name", "role", "default")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[Parameter.Role]
        INPUT: _ClassVar[Parameter.Role]
        VARIABLE: _ClassVar[Parameter.Role]
        ARGUMENT: _ClassVar[Parameter.Role]
    ROLE_UNSPECIFIED: Parameter.Role
    INPUT: Parameter.Role
    VARIABLE: Parameter.Role
    ARGUMENT: Parameter.Role
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    value: Value
    name: str
    role: Parameter.Role
    default: Tensor
    def __init__(self, value: _Optional[_Union[Value, _Mapping]] = ..., name: _Optional[str] = ..., role: _Optional[_Union[Parameter.Role, str]] = ..., default: _Optional[_Union[Tensor, _Mapping]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("value", "name", "role", "variable")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[Result.Role]
        OUTPUT: _ClassVar[Result.Role]
        VARIABLE_UPDATE: _ClassVar[Result.Role]
        RETURN: _ClassVar[Result.Role]
    ROLE_UNSPECIFIED: Result.Role
    OUTPUT: Result.Role
    VARIABLE_UPDATE: Result.Role
    RETURN: Result.Role
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VARIABLE_FIELD_NUMBER: _ClassVar[int]
    value: int
    name: str
    role: Result.Role
    variable: str
    def __init__(self, value: _Optional[int] = ..., name: _Optional[str] = ..., role: _Optional[_Union[Result.Role, str]] = ..., variable: _Optional[str] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("id", "shape")
    ID_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    id: int
    shape: _types_pb2.Shape
    def __init__(self, id: _Optional[int] = ..., shape: _Optional[_Union[_types_pb2.Shape, _Mapping]] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("op", "operands", "results", "attributes", "functions", "location", "label", "constant")
    OP_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    op: str
    operands: _containers.RepeatedScalarFieldContainer[int]
    results: _containers.RepeatedCompositeFieldContainer[Value]
    attributes: _ops_pb2.Attributes
    functions: _containers.RepeatedScalarFieldContainer[int]
    location: SourceLoc
    label: str
    constant: Tensor
    def __init__(self, op: _Optional[str] = ..., operands: _Optional[_Iterable[int]] = ..., results: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., attributes: _Optional[_Union[_ops_pb2.Attributes, _Mapping]] = ..., functions: _Optional[_Iterable[int]] = ..., location: _Optional[_Union[SourceLoc, _Mapping]] = ..., label: _Optional[str] = ..., constant: _Optional[_Union[Tensor, _Mapping]] = ...) -> None: ...

class SourceLoc(_message.Message):
    __slots__ = ("file_plus_1", "line")
    FILE_PLUS_1_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    file_plus_1: int
    line: int
    def __init__(self, file_plus_1: _Optional[int] = ..., line: _Optional[int] = ...) -> None: ...

class Axis(_message.Message):
    __slots__ = ("name", "min", "max", "sizes", "default")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    SIZES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    name: str
    min: int
    max: int
    sizes: _containers.RepeatedScalarFieldContainer[int]
    default: int
    def __init__(self, name: _Optional[str] = ..., min: _Optional[int] = ..., max: _Optional[int] = ..., sizes: _Optional[_Iterable[int]] = ..., default: _Optional[int] = ...) -> None: ...

class DataFile(_message.Message):
    __slots__ = ("name", "size", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size: int
    sha256: bytes
    def __init__(self, name: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("shape", "inline", "external", "splat", "sha256")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_NUMBER: _ClassVar[int]
    SPLAT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    shape: _types_pb2.Shape
    inline: bytes
    external: External
    splat: bytes
    sha256: bytes
    def __init__(self, shape: _Optional[_Union[_types_pb2.Shape, _Mapping]] = ..., inline: _Optional[bytes] = ..., external: _Optional[_Union[External, _Mapping]] = ..., splat: _Optional[bytes] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class External(_message.Message):
    __slots__ = ("data_file", "name")
    DATA_FILE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    data_file: int
    name: str
    def __init__(self, data_file: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...
