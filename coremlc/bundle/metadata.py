"""metadata.json, as Apple's compiler writes it: odd key order included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from coremlc.bundle.histogram import compute_precision, histogram, storage_precision
from coremlc.bundle.slots import slot_order
from coremlc.bundle.versions import specification
from coremlc.mil.description import Feature, FunctionDescription
from coremlc.mil.model import Model
from coremlc.mil.program import Function

Json: TypeAlias = "str | int | Sequence[Json] | Mapping[str, Json]"

_TOP = [
    "version",
    "method",
    "generatedClassName",
    "inputSchema",
    "defaultFunctionName",
    "shortDescription",
    "modelParameters",
    "author",
    "license",
    "modelType",
    "outputSchema",
    "availability",
    "metadataOutputVersion",
    "stateSchema",
    "isUpdatable",
    "functions",
    "mlProgramOperationTypeHistogram",
    "userDefinedMetadata",
    "specificationVersion",
    "storagePrecision",
    "computePrecision",
]
"""An order of insertion that gives the order of keys seen."""

_ARRAY_NAMES = {
    "fp16": "Float16",
    "fp32": "Float32",
    "fp64": "Double",
    "int32": "Int32",
    "int8": "Int8",
}
_ESCAPES = str.maketrans(
    {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f"}
    | {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    | {chr(code): f"\\u{code:04x}" for code in range(32) if chr(code) not in "\b\f\n\r\t"}
)


def metadata_json(
    model: Model, class_name: str, user_defined: Mapping[str, str] | None = None
) -> str:
    """The text of metadata.json; user_defined in the order in which coremldata.bin has it."""
    return _dump([_top(model, class_name, user_defined)], 0)


def class_name_of(stem: str) -> str:
    """`silero-vad-v6.0` -> `silero_vad_v6_0`."""
    return "".join([char if char.isalnum() else "_" for char in stem])


def entry_function(model: Model) -> Function:
    """The program's default function."""
    functions = model.program.functions
    named = functions.get(model.description.default.name)
    return named if named is not None else functions[min(functions)]


def _top(model: Model, class_name: str, order: Mapping[str, str] | None) -> Json:
    description = model.description
    features = description.default
    function = entry_function(model)
    user_defined = description.user_defined if order is None else order
    values: dict[str, Json] = {
        "metadataOutputVersion": "3.0",
        "inputSchema": _schema(features.inputs),
        "outputSchema": _schema(features.outputs),
        "stateSchema": _schema(features.states),
        "modelParameters": [],
        "specificationVersion": model.specification_version,
        "computePrecision": compute_precision(function.block),
        "mlProgramOperationTypeHistogram": _histogram(function),
        "isUpdatable": "1" if model.is_updatable else "0",
        "availability": _availability(model.specification_version),
        "modelType": {"name": "MLModelType_mlProgram"},
        "userDefinedMetadata": {key: user_defined[key] for key in slot_order(user_defined)},
        "generatedClassName": class_name,
        "method": "predict",
    }
    metadata = description.metadata
    optional: dict[str, Json] = {"storagePrecision": storage_precision(function.block)}
    if metadata is not None:
        optional["shortDescription"] = metadata.short_description
        optional["version"] = metadata.version
        optional["author"] = metadata.author
        optional["license"] = metadata.license
    if description.functions:
        optional["defaultFunctionName"] = description.default_function
        optional["functions"] = [_function(model, inner) for inner in description.functions]
    values |= {key: value for key, value in optional.items() if value}
    return {key: values[key] for key in slot_order([key for key in _TOP if key in values])}


def _function(model: Model, features: FunctionDescription) -> Json:
    function = model.program.functions.get(features.name, entry_function(model))
    return {
        "computePrecision": compute_precision(function.block),
        "outputSchema": _schema(features.outputs),
        "stateSchema": _schema(features.states),
        "name": features.name,
        "mlProgramOperationTypeHistogram": _histogram(function),
        "inputSchema": _schema(features.inputs),
    }


def _histogram(function: Function) -> Json:
    counts = histogram(function.block, function.opset)
    return {key: counts[key] for key in slot_order(counts)}


def _availability(version: int) -> Json:
    mac, phone, watch, vision = specification(version).availability
    return {
        "macOS": mac,
        "tvOS": phone,
        "visionOS": vision,
        "watchOS": watch,
        "iOS": phone,
        "macCatalyst": phone,
    }


def _schema(features: tuple[Feature, ...]) -> list[Json]:
    return [_entry(feature) for feature in features]


def _entry(feature: Feature) -> Json:
    """One feature; states, and what is no multi-array, are written by analogy, not proven."""
    word = "State" if feature.kind == "state" else "MultiArray"
    if feature.kind not in ("multiArray", "state"):
        word = feature.kind[:1].upper() + feature.kind[1:]
    dtype = _ARRAY_NAMES.get(feature.dtype, "")
    sizes = " × ".join(map(str, feature.shape))
    values: dict[str, Json] = {
        "hasShapeFlexibility": "1" if feature.is_flexible else "0",
        "isOptional": "1" if feature.is_optional else "0",
        "dataType": dtype,
        "formattedType": f"{word} ({dtype}{sizes and ' ' + sizes})",
        "shortDescription": feature.description,
        "shape": f"[{', '.join(map(str, feature.shape))}]",
        "name": feature.name,
        "type": word,
    }
    if feature.ranges is not None:
        ranges = ", ".join([f"[{low}, {high}]" for low, high in feature.ranges])
        spans = [f"{a}" if a == b else f"{a}...{b}" for a, b in feature.ranges]
        values |= {"shapeRange": f"[{ranges}]", "shapeFlexibility": " × ".join(spans)}
    elif feature.enumerated is not None:
        shapes = [f"[{', '.join(map(str, shape))}]" for shape in feature.enumerated]
        choices = [" × ".join(map(str, shape)) for shape in feature.enumerated]
        values |= {"enumeratedShapes": f"[{', '.join(shapes)}]"}
        values |= {"shapeFlexibility": " | ".join(choices)}
    return {key: values[key] for key in _entry_order(feature)}


def _entry_order(feature: Feature) -> list[str]:
    if feature.ranges is not None:
        order = "dataType hasShapeFlexibility isOptional shapeFlexibility shapeRange formattedType"
        return [*order.split(), "type", "shape", "name", "shortDescription"]
    if feature.enumerated is not None:
        order = "shortDescription dataType hasShapeFlexibility isOptional shapeFlexibility"
        return [*order.split(), "formattedType", "type", "shape", "name", "enumeratedShapes"]
    order = "hasShapeFlexibility isOptional dataType formattedType shortDescription shape name type"
    return order.split()


def _dump(value: Json, indent: int) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    inner = "\n" + " " * (indent + 2)
    if isinstance(value, Mapping):
        items = [f"{_dump(key, 0)} : {_dump(value[key], indent + 2)}" for key in value]
        opens, closes = "{", "}"
    else:
        items = [_dump(item, indent + 2) for item in value]
        opens, closes = "[", "]"
    body = inner + f",{inner}".join(items) if items else "\n"
    return f"{opens}{body}\n{' ' * indent}{closes}"
