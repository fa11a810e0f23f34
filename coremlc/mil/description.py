"""ModelDescription: a model's features, functions and metadata, and their protobuf form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from coremlc.errors import FormatError
from coremlc.mil import wire
from coremlc.mil.pb2 import Message, classes

Shape: TypeAlias = tuple[int, ...]

_METADATA = 100
"""The number of that field."""

ARRAY_DTYPES = {
    "fp16": "FLOAT16",
    "fp32": "FLOAT32",
    "fp64": "DOUBLE",
    "int32": "INT32",
    "int8": "INT8",
}
"""MIL's word and the protobuf's for each dtype a multi-array may have."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input, output or state of a model."""

    name: str
    dtype: str = ""
    """fp16 fp32 fp64 int32 int8; empty when it is no multi-array."""
    shape: Shape = ()
    """The default shape; empty where the description gives none."""
    ranges: tuple[tuple[int, int], ...] | None = None
    """Smallest and largest size of each axis; -1 for no largest."""
    enumerated: tuple[Shape, ...] | None = None
    is_optional: bool = False
    default: int | float | None = None
    """What an optional input is filled with."""
    description: str = ""
    kind: str = "multiArray"
    """multiArray state image dictionary sequence int64 double string."""
    raw: bytes = field(default=b"", repr=False)
    """The serialized message, where the fields above don't hold all of it (images ...)."""

    @property
    def is_flexible(self) -> bool:
        return self.ranges is not None or self.enumerated is not None


@dataclass(frozen=True, slots=True)
class Metadata:
    """Who made the model and what for; user_defined is the user's own."""

    short_description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    user_defined: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FunctionDescription:
    """The features of one function of several."""

    name: str
    inputs: tuple[Feature, ...] = ()
    outputs: tuple[Feature, ...] = ()
    states: tuple[Feature, ...] = ()
    predicted_feature: str = ""
    predicted_probabilities: str = ""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a caller of a model sees; order is the model's own."""

    inputs: tuple[Feature, ...] = ()
    outputs: tuple[Feature, ...] = ()
    states: tuple[Feature, ...] = ()
    metadata: Metadata | None = None
    functions: tuple[FunctionDescription, ...] = ()
    """Used instead of inputs, outputs and states by models of several functions."""
    default_function: str = ""
    predicted_feature: str = ""
    predicted_probabilities: str = ""
    training_inputs: tuple[Feature, ...] = ()

    @property
    def user_defined(self) -> Mapping[str, str]:
        return {} if self.metadata is None else self.metadata.user_defined

    @property
    def default(self) -> FunctionDescription:
        """The features of the function that runs unless another is named."""
        for function in self.functions:
            if function.name == self.default_function:
                return function
        if self.functions:
            return self.functions[0]
        return FunctionDescription("main", self.inputs, self.outputs, self.states)


def description_to_bytes(description: ModelDescription) -> bytes:
    """Serialized, the user's metadata sorted by key.

    Protobuf promises no order for maps, and its deterministic one isn't by key; the map is the last
    field of the last field, so its entries are appended here.
    """
    spec = description_to_proto(replace(description, metadata=None))
    out: bytes = spec.SerializeToString(deterministic=True)
    if description.metadata is None:
        return out
    metadata = classes().model.Metadata()
    _set_metadata(metadata, replace(description.metadata, user_defined={}))
    inner: bytes = metadata.SerializeToString()
    for key in sorted(description.user_defined):
        entry = classes().model.Metadata(userDefined={key: description.user_defined[key]})
        inner += entry.SerializeToString()
    return out + wire.field(_METADATA, inner)


def description_from_bytes(data: bytes) -> ModelDescription:
    """FormatError if it is no serialized ModelDescription."""
    spec = classes().model.ModelDescription()
    parse_message(spec, data, "a model description")
    return description_from_proto(spec)


def parse_message(spec: Message, data: bytes, what: str) -> None:
    """Fill a message from its serialized form; FormatError if it isn't one."""
    from google.protobuf.message import DecodeError  # late: running a bundle needs no protobuf

    try:
        spec.ParseFromString(data)
    except DecodeError as error:
        raise FormatError(
            f"{len(data)} bytes are not {what}: {error}", fix="the file is damaged; make it again"
        ) from None


def description_to_proto(description: ModelDescription) -> Message:
    """A `ModelDescription` message."""
    spec = classes().model.ModelDescription(
        defaultFunctionName=description.default_function,
        predictedFeatureName=description.predicted_feature,
        predictedProbabilitiesName=description.predicted_probabilities,
    )
    _set_features(spec.input, description.inputs)
    _set_features(spec.output, description.outputs)
    _set_features(spec.state, description.states)
    _set_features(spec.trainingInput, description.training_inputs)
    for function in description.functions:
        inner = spec.functions.add(
            name=function.name,
            predictedFeatureName=function.predicted_feature,
            predictedProbabilitiesName=function.predicted_probabilities,
        )
        _set_features(inner.input, function.inputs)
        _set_features(inner.output, function.outputs)
        _set_features(inner.state, function.states)
    if description.metadata is not None:
        _set_metadata(spec.metadata, description.metadata)
    return spec


def description_from_proto(spec: Message) -> ModelDescription:
    """The description that a `ModelDescription` message holds."""
    return ModelDescription(
        inputs=_features(spec.input),
        outputs=_features(spec.output),
        states=_features(spec.state),
        metadata=_metadata(spec.metadata) if spec.HasField("metadata") else None,
        functions=tuple(
            FunctionDescription(
                function.name,
                _features(function.input),
                _features(function.output),
                _features(function.state),
                function.predictedFeatureName,
                function.predictedProbabilitiesName,
            )
            for function in spec.functions
        ),
        default_function=spec.defaultFunctionName,
        predicted_feature=spec.predictedFeatureName,
        predicted_probabilities=spec.predictedProbabilitiesName,
        training_inputs=_features(spec.trainingInput),
    )


def _set_metadata(spec: Message, metadata: Metadata) -> None:
    spec.SetInParent()
    spec.shortDescription = metadata.short_description
    spec.versionString = metadata.version
    spec.author = metadata.author
    spec.license = metadata.license
    for key in sorted(metadata.user_defined):
        spec.userDefined[key] = metadata.user_defined[key]


def _metadata(spec: Message) -> Metadata:
    user_defined = {key: spec.userDefined[key] for key in sorted(spec.userDefined)}
    return Metadata(
        spec.shortDescription, spec.versionString, spec.author, spec.license, user_defined
    )


def _set_features(container: Message, features: Iterable[Feature]) -> None:
    for feature in features:
        spec = container.add()
        if feature.raw:
            spec.ParseFromString(feature.raw)
        else:
            _set_feature(spec, feature)


def _set_feature(spec: Message, feature: Feature) -> None:
    spec.name = feature.name
    spec.shortDescription = feature.description
    if feature.is_optional:
        spec.type.isOptional = True
    if feature.kind not in ("multiArray", "state"):
        getattr(spec.type, f"{feature.kind}Type").SetInParent()
        return
    is_state = feature.kind == "state"
    array = spec.type.stateType.arrayType if is_state else spec.type.multiArrayType
    _set_array(array, feature)


def _set_array(array: Message, feature: Feature) -> None:
    array.SetInParent()
    array.shape.extend(feature.shape)
    if feature.dtype:
        word = ARRAY_DTYPES[feature.dtype]
        array.dataType = classes().features.ArrayFeatureType.ArrayDataType.Value(word)
    if feature.ranges is not None:
        array.shapeRange.SetInParent()
        for lower, upper in feature.ranges:
            array.shapeRange.sizeRanges.add(lowerBound=lower, upperBound=upper)
    if feature.enumerated is not None:
        array.enumeratedShapes.SetInParent()
        for shape in feature.enumerated:
            array.enumeratedShapes.shapes.add(shape=shape)
    if feature.default is None:
        return
    if feature.dtype in ("int32", "int8"):
        array.intDefaultValue = int(feature.default)
    elif feature.dtype == "fp64":
        array.doubleDefaultValue = feature.default
    else:
        array.floatDefaultValue = feature.default


def _features(specs: Iterable[Message]) -> tuple[Feature, ...]:
    return tuple([_feature(spec) for spec in specs])


def _feature(spec: Message) -> Feature:
    """A feature; its bytes are kept if it would not be written again as it was."""
    feature = _fields(spec)
    again = classes().model.FeatureDescription()
    _set_feature(again, feature)
    stored: bytes = spec.SerializeToString(deterministic=True)
    if again.SerializeToString(deterministic=True) == stored:
        return feature
    return replace(feature, raw=stored)


def _fields(spec: Message) -> Feature:
    type_ = spec.type
    kind = (type_.WhichOneof("Type") or "").removesuffix("Type")
    if kind == "multiArray":
        array = type_.multiArrayType
    elif kind == "state":
        array = type_.stateType.arrayType
    else:
        return Feature(
            spec.name,
            is_optional=type_.isOptional,
            description=spec.shortDescription,
            kind=kind or "multiArray",
        )
    flexibility = array.WhichOneof("ShapeFlexibility")
    default = array.WhichOneof("defaultOptionalValue")
    words = {
        classes().features.ArrayFeatureType.ArrayDataType.Value(word): dtype
        for dtype, word in ARRAY_DTYPES.items()
    }
    return Feature(
        name=spec.name,
        dtype=words.get(array.dataType, ""),
        shape=tuple(array.shape),
        ranges=tuple((r.lowerBound, r.upperBound) for r in array.shapeRange.sizeRanges)
        if flexibility == "shapeRange"
        else None,
        enumerated=tuple(tuple(s.shape) for s in array.enumeratedShapes.shapes)
        if flexibility == "enumeratedShapes"
        else None,
        is_optional=type_.isOptional,
        default=None if default is None else getattr(array, default),
        description=spec.shortDescription,
        kind=kind,
    )
