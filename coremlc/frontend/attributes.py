"""Attribute messages of ops.proto as the dataclasses of `coremlc.ops`, field for field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

from coremlc.dtypes import BY_NAME, DType
from coremlc.errors import FormatError
from coremlc.ir.graph import Function
from coremlc.ir.types import TensorType
from coremlc.ops.attention import ScaledDotProductAttentionConfig
from coremlc.ops.conv_general import ConvolveAxesConfig, Pair
from coremlc.ops.dense import DenseConfig
from coremlc.ops.dot_general import DotGeneralConfig
from coremlc.ops.pad import PadAxis
from coremlc.ops.quantized import Quantization
from coremlc.ops.static import DynamicDimensionSpec, Ints

STRUCTS: dict[str, type] = {
    "ConvolveAxesConfig": ConvolveAxesConfig,
    "DenseConfig": DenseConfig,
    "DotGeneralConfig": DotGeneralConfig,
    "DynamicDimensionSpec": DynamicDimensionSpec,
    "Ints": Ints,
    "PadAxis": PadAxis,
    "Pair": Pair,
    "Quantization": Quantization,
    "ScaledDotProductAttentionConfig": ScaledDotProductAttentionConfig,
}
"""Messages inside attributes, by name."""


def dtype_of(name: str) -> DType:
    """The dtype that a file names."""
    if name not in BY_NAME:
        raise FormatError(
            f"dtype {name!r} is unknown to this coremlc", fix="update coremlc, or use another dtype"
        )
    return BY_NAME[name]


Symbols = Callable[[str], int]
"""The size of a named axis, or of GoMLX's expression of such."""


def shape_of(shape: Any, symbols: Symbols) -> TensorType:
    """A Shape message, its symbols replaced."""
    dims = [d.size if d.HasField("size") else symbols(d.symbol) for d in shape.dims]
    return TensorType(dtype_of(shape.dtype), tuple(dims))


def make(cls: type, message: Any, symbols: Symbols, extra: dict[str, Any] | None = None) -> Any:
    """An instance of dataclass `cls` with the fields of `message`."""
    fields = {} if extra is None else dict(extra)
    for name, is_dtype in _fields(cls):
        if name in fields:
            continue
        fields[name] = _value(getattr(message, name), is_dtype, symbols)
    return cls(**fields)


@cache
def _fields(cls: type) -> tuple[tuple[str, bool], ...]:
    """(name, whether it is a dtype) of each field of a dataclass."""
    return tuple((f.name, f.type in ("DType", DType)) for f in dataclasses.fields(cls))


def _value(value: Any, is_dtype: bool, symbols: Symbols) -> Any:
    if is_dtype:
        return dtype_of(value)
    if isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "DESCRIPTOR"):
        return _struct(value, symbols)
    items = list(value)
    if items and hasattr(items[0], "DESCRIPTOR"):
        return tuple([_struct(item, symbols) for item in items])
    return tuple(items)


def _struct(message: Any, symbols: Symbols) -> Any:
    name = message.DESCRIPTOR.name
    if name == "Shape":
        return shape_of(message, symbols)
    return make(STRUCTS[name], message, symbols)


def takes_attributes(cls: type) -> bool:
    """Whether the op kind has attributes in ops.proto."""
    return len(_fields(cls)) > len(function_fields(cls))


@cache
def function_fields(cls: type) -> tuple[str, ...]:
    """Attributes that are functions: a node names them beside its attributes, in this order."""
    return tuple([f.name for f in dataclasses.fields(cls) if f.type in ("Function", Function)])
