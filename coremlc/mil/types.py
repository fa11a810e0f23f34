"""MIL value types, spelled with MIL's own words."""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import TypeAlias

Dim: TypeAlias = "int | EllipsisType | None"
"""A size; None for an unknown one (`?`); `...` for a variadic tail."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """`tensor<fp32, [1, 3]>`; rank 0 prints as the bare dtype in dialect 1.3."""

    dtype: str
    """fp16 fp32 fp64 bf16 bool string int4 int8 int16 int32 int64 uint1 .. uint64."""
    shape: tuple[Dim, ...] = ()


@dataclass(frozen=True, slots=True)
class ListType:
    """`list<T, length>`; length None for `?`."""

    element: ValueType
    length: int | None = None


@dataclass(frozen=True, slots=True)
class TupleType:
    """`tuple<A, B>`."""

    items: tuple[ValueType, ...]


@dataclass(frozen=True, slots=True)
class DictType:
    """`dict<K, V>`."""

    key: ValueType
    value: ValueType


@dataclass(frozen=True, slots=True)
class StateType:
    """`state<tensor<fp16, [1, 64]>>`: storage that outlives a prediction."""

    tensor: TensorType


@dataclass(frozen=True, slots=True)
class BufferType:
    """`tensor_buffer<fp16, shape=[1, 64], strides=[64, 1]>`, as in Apple's optimised texts."""

    kind: str
    """tensor_buffer pixel_buffer circular_buffer."""
    dtype: str
    fields: tuple[tuple[str, tuple[int, ...]], ...]


ValueType: TypeAlias = "TensorType | ListType | TupleType | DictType | StateType | BufferType"
