"""Model: a program, what its callers see, and the specification version; `model.mlmodel`."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.errors import FormatError
from coremlc.mil import wire
from coremlc.mil.description import (
    ModelDescription,
    description_from_proto,
    description_to_bytes,
    parse_message,
)
from coremlc.mil.pb2 import classes
from coremlc.mil.program import Program
from coremlc.mil.proto import program_from_proto

_ML_PROGRAM = 502
"""The field of a Model that holds an ML Program."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """An ML Program model, as an `.mlpackage` holds it."""

    program: Program
    description: ModelDescription
    specification_version: int
    is_updatable: bool = False


def model_to_bytes(model: Model) -> bytes:
    """The bytes of `model.mlmodel`; equal models give equal bytes."""
    return b"".join(
        (
            wire.integer(1, model.specification_version),
            wire.field(2, description_to_bytes(model.description)),
            wire.integer(10, model.is_updatable),
            wire.field(_ML_PROGRAM, wire.program_to_bytes(model.program)),
        )
    )


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
