"""The program as a bundle's model.mil has it: what the compiler adds to the package's program."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from coremlc.bundle.versions import specification
from coremlc.mil.description import Feature
from coremlc.mil.model import Model
from coremlc.mil.program import Array, Literal, Program
from coremlc.mil.text import print_program
from coremlc.mil.types import DictType, ListType, TensorType, TupleType, ValueType

FLEXIBLE = "FlexibleShapeInformation"
BUILD_INFO = "buildInfo"

_STRING = TensorType("string")
_SHAPE = TensorType("int32", (None,))
_RANGE = TensorType("int32", (2,))
_SHAPES = DictType(_STRING, _SHAPE)


def model_mil(model: Model, coremlc_version: str, mil_version: str) -> str:
    """The text of model.mil."""
    program = with_build_info(
        model.program,
        {"coremlc-component-MIL": mil_version, "coremlc-version": coremlc_version},
    )
    dialect = specification(model.specification_version).dialect
    return print_program(with_flexible_shapes(replace(model, program=program)), dialect=dialect)


def build_info(program: Program) -> dict[str, str]:
    """The entries of buildInfo."""
    known = program.attributes.get(BUILD_INFO)
    if known is None or not isinstance(known.data, tuple):
        return {}
    pairs = [pair for pair in known.data if isinstance(pair, tuple)]
    return {str(key.data): str(value.data) for key, value in pairs}


def with_build_info(program: Program, added: dict[str, str]) -> Program:
    """BuildInfo with these entries in addition, or instead of those of the same name."""
    pairs = build_info(program) | added
    literal = Literal(
        DictType(_STRING, _STRING),
        tuple((_text(key), _text(pairs[key])) for key in sorted(pairs)),
    )
    return replace(program, attributes={**program.attributes, BUILD_INFO: literal})


def without_compiler(program: Program) -> Program:
    """The program as a package holds it: without what the compiler adds."""
    functions = {
        name: replace(
            function,
            attributes={k: v for k, v in function.attributes.items() if k != FLEXIBLE},
        )
        for name, function in program.functions.items()
    }
    attributes = {k: v for k, v in program.attributes.items() if k != BUILD_INFO}
    known = program.attributes.get(BUILD_INFO)
    if known is not None and isinstance(known.data, tuple):
        pairs = [pair for pair in known.data if isinstance(pair, tuple)]
        kept = tuple(p for p in pairs if not str(p[0].data).startswith("coremlc-"))
        if kept:
            attributes[BUILD_INFO] = Literal(known.type, kept)
    return replace(program, functions=functions, attributes=attributes)


def with_flexible_shapes(model: Model) -> Program:
    """The program whose functions tell the shapes that their inputs may have."""
    description = model.description
    functions = dict(model.program.functions)
    described = {function.name: function.inputs for function in description.functions}
    for name, function in functions.items():
        inputs = described.get(name, description.inputs if not described else ())
        flexible = sorted((f for f in inputs if f.is_flexible), key=lambda feature: feature.name)
        if flexible:
            attributes = {**function.attributes, FLEXIBLE: _flexible(flexible)}
            functions[name] = replace(function, attributes=attributes)
    return replace(model.program, functions=functions)


def _flexible(features: list[Feature]) -> Literal:
    defaults = _named([(f.name, _ints(f.shape, _SHAPE)) for f in features], _SHAPE)
    parts = [_part("DefaultShapes", defaults)]
    enumerated = [f for f in features if f.enumerated is not None]
    ranged = [f for f in features if f.ranges is not None]
    if enumerated:
        parts.append(_part("EnumeratedShapes", _enumerated(enumerated)))
    if ranged:
        type_ = ListType(_RANGE)
        dims = [(f.name, _list(f.ranges or (), type_)) for f in ranged]
        parts.append(_part("RangeDims", _named(dims, type_)))
    return Literal(TupleType(tuple(part.type for part in parts)), tuple(parts))


def _enumerated(features: list[Feature]) -> Literal:
    """Shape sets by a key; Apple's hash for the key is not known, ours is of the same form."""
    sets: dict[str, Literal] = {}
    for i in range(max(len(f.enumerated or ()) for f in features)):
        shapes = [(f.name, f.enumerated[i]) for f in features if i < len(f.enumerated or ())]  # type: ignore[index]
        key = hashlib.sha256(repr(shapes).encode()).hexdigest()[:8]
        sets[key] = _named([(name, _ints(shape, _SHAPE)) for name, shape in shapes], _SHAPE)
    return _named(sorted(sets.items()), _SHAPES)


def _part(name: str, value: Literal) -> Literal:
    return Literal(TupleType((_STRING, value.type)), (_text(name), value))


def _named(items: list[tuple[str, Literal]], type_: ValueType) -> Literal:
    return Literal(DictType(_STRING, type_), tuple((_text(name), value) for name, value in items))


def _list(ranges: tuple[tuple[int, int], ...], type_: ListType) -> Literal:
    return Literal(type_, tuple(_ints(bounds, _RANGE) for bounds in ranges))


def _ints(sizes: tuple[int, ...], type_: TensorType) -> Literal:
    data: Array = np.array(sizes, np.int32)
    return Literal(type_, data)


def _text(text: str) -> Literal:
    return Literal(_STRING, text)
