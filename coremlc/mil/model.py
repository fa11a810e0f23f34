"""Model: a program, what its callers see, and the specification version; `model.mlmodel`."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.errors import FormatError
from coremlc.mil.description import (
    ModelDescription,
    description_from_proto,
    description_to_proto,
    parse_message,
)
from coremlc.mil.pb2 import classes
from coremlc.mil.program import Program
from coremlc.mil.proto import program_from_proto, program_to_proto


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An ML Program model, as an `.mlpackage` holds it."""

    program: Program
    description: ModelDescription
    specification_version: int
    is_updatable: bool = False


def model_to_bytes(model: Model) -> bytes:
    """The bytes of `model.mlmodel`; equal models give equal bytes."""
    spec = classes().model.Model(specificationVersion=model.specification_version)
    if model.is_updatable:
        spec.isUpdatable = True
    spec.description.CopyFrom(description_to_proto(model.description))
    spec.mlProgram.CopyFrom(program_to_proto(model.program))
    out: bytes = spec.SerializeToString(deterministic=True)
    return out


def model_from_bytes(data: bytes) -> Model:
    """The model of a `model.mlmodel`; FormatError if it is damaged or no ML Program."""
    spec = classes().model.Model()
    parse_message(spec, data, "a Core ML model")
    kind = spec.WhichOneof("Type")
    if kind != "mlProgram":
        raise FormatError(
            f"a model of type {kind or 'unknown'}, not an ML Program",
            fix="convert it to an ML Program first (coremltools, convert_to='mlprogram')",
        )
    return Model(
        program_from_proto(spec.mlProgram),
        description_from_proto(spec.description),
        spec.specificationVersion,
        spec.isUpdatable,
    )
