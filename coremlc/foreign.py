"""Bundles of other makers: the ports of their functions, from the program itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coremlc import dtypes
from coremlc.bundle import entry_name
from coremlc.errors import FormatError
from coremlc.mil.program import Array, Function, Literal
from coremlc.mil.types import StateType, TensorType
from coremlc.port import Port, Role

if TYPE_CHECKING:
    from coremlc.bundle import Bundle
    from coremlc.mil.description import Feature

_DTYPES = {
    "fp16": "Float16",
    "fp32": "Float32",
    "fp64": "Float64",
    "bf16": "BFloat16",
    "bool": "Bool",
    **{f"int{bits}": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"Uint{bits}" for bits in (8, 16, 32, 64)},
}


def ports(bundle: Bundle, function: str | None) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs, in the order of the description, or as the program has them."""
    name = entry_name(bundle, function)
    body = bundle.program.functions[name]
    features = _optional(bundle, name)
    shapes = default_shapes(body)
    inputs = [
        _port(value.name, value.type, "input", features.get(value.name), shapes.get(value.name))
        for value in body.inputs
        if not isinstance(value.type, StateType)
    ]
    outputs = [_port(value.name, value.type, "output") for value in body.block.outputs]
    return tuple(inputs), tuple(outputs)


def default_shapes(function: Function) -> dict[str, tuple[int, ...]]:
    """The shapes that flexible inputs have unless told otherwise."""
    told = function.attributes.get("FlexibleShapeInformation")
    pairs = [] if told is None else _members(told)
    for pair in pairs:
        parts = _members(pair)
        if len(parts) == 2 and parts[0].data == "DefaultShapes":
            return {str(key.data): _sizes(shape) for key, shape in _items(parts[1])}
    return {}


def _members(literal: Literal) -> list[Literal]:
    data = literal.data
    return [x for x in data if isinstance(x, Literal)] if isinstance(data, tuple) else []


def _items(literal: Literal) -> list[tuple[Literal, Literal]]:
    data = literal.data
    return [x for x in data if isinstance(x, tuple)] if isinstance(data, tuple) else []


def _sizes(literal: Literal) -> tuple[int, ...]:
    data: Array | object = literal.data
    return tuple(int(size) for size in getattr(data, "flat", ()))


def _optional(bundle: Bundle, name: str) -> dict[str, Feature]:
    """The inputs that need not be given; the description is read only if there may be some."""
    if not bundle.has_optional:
        return {}
    description = bundle.description
    functions = {f.name: f for f in description.functions}
    features = functions.get(name, description.default).inputs
    return {feature.name: feature for feature in features if feature.is_optional}


def _port(
    name: str,
    kind: object,
    role: Role,
    feature: Feature | None = None,
    default_shape: tuple[int, ...] | None = None,
) -> Port:
    dtype = _DTYPES.get(kind.dtype) if isinstance(kind, TensorType) else None
    if dtype is None or not isinstance(kind, TensorType):
        word = getattr(kind, "dtype", type(kind).__name__)
        if not isinstance(kind, TensorType):
            word = getattr(kind, "kind", word)
        raise FormatError(
            f"{role} {name!r} is of type {word}", fix="run models of numeric features only"
        )
    shape = tuple(dim if isinstance(dim, int) else None for dim in kind.shape)
    fill = None
    if feature is not None:
        fill = 0 if feature.default is None else feature.default
    return Port(
        name, dtypes.BY_NAME[dtype], shape, (name,), kind.dtype, role, None, default_shape, fill
    )
