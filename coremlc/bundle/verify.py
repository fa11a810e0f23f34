"""Damage in a bundle: all of it at once, each with its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coremlc.bundle.histogram import literals
from coremlc.bundle.read import Bundle, CompiledBundle, read_bundle
from coremlc.bundle.versions import SPECIFICATIONS
from coremlc.errors import CoremlcError
from coremlc.mil.program import BlobRef, Literal, Program, walk
from coremlc.mil.types import StateType, TensorType
from coremlc.mil.wellformed import faults

_MOST = 100
"""Problems told of one kind; a damaged file may hold thousands."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    what: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.place})" if self.place else self.what


def verify_bundle(path: Path) -> list[Problem]:
    """What is wrong with a bundle; empty if nothing is."""
    problems: list[Problem] = []
    with _noting(problems):
        bundle = read_bundle(path)
        checks: list[Callable[[Bundle, list[Problem]], None]]
        checks = [_check_program, _check_weights, _check_features]
        if isinstance(bundle, CompiledBundle):
            checks += [_check_header, _check_metadata]
        for check in checks:
            with _noting(problems):
                check(bundle, problems)
    return list(dict.fromkeys(problems))


@contextmanager
def _noting(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except CoremlcError as error:
        problems.append(Problem(error.what, "" if error.where is None else str(error.where)))


def _check_program(bundle: Bundle, problems: list[Problem]) -> None:
    """Every op against the dialect: what it takes, and the types written down."""
    found = (e for function in bundle.program.functions.values() for e in faults(function))
    for count, error in enumerate(found):
        if count == _MOST:
            problems.append(Problem("and more of this kind"))
            break
        problems.append(Problem(error.what, "" if error.where is None else str(error.where)))


def _check_weights(bundle: Bundle, problems: list[Problem]) -> None:
    """Every reference of the program, and every record of every file it names."""
    refs = list(_references(bundle.program))
    count = len(problems)
    for ref, type_ in refs:
        with _noting(problems):
            bundle.blob(ref.path).check(ref.offset, type_)
        if len(problems) - count > _MOST:
            problems.append(Problem("and more of this kind"))
            break
    for path in sorted({ref.path for ref, _ in refs}):
        with _noting(problems):
            for _ in bundle.blob(path).records():
                pass


def _references(program: Program) -> Iterator[tuple[BlobRef, TensorType]]:
    for function in program.functions.values():
        for block in function.blocks.values():
            for op in walk(block):
                for _, literal in literals(op):
                    yield from _reference(literal)


def _reference(literal: Literal) -> Iterator[tuple[BlobRef, TensorType]]:
    if isinstance(literal.data, BlobRef) and isinstance(literal.type, TensorType):
        yield literal.data, literal.type


def _check_features(bundle: Bundle, problems: list[Problem]) -> None:
    """The description and the program name the same inputs and outputs."""
    description = bundle.description
    for features in description.functions or (description.default,):
        functions = bundle.program.functions
        function = functions.get(features.name)
        if function is None and len(functions) == 1 and not description.functions:
            (function,) = functions.values()
        if function is None:
            problems.append(Problem(f"the program has no function {features.name!r}"))
            continue
        inputs = {v.name for v in function.inputs if not isinstance(v.type, StateType)}
        states = {v.name for v in function.inputs if isinstance(v.type, StateType)}
        outputs = {value.name for value in function.block.outputs}
        pairs = [
            ("input", {f.name for f in features.inputs}, inputs),
            ("state", {f.name for f in features.states}, states),
            ("output", {f.name for f in features.outputs}, outputs),
        ]
        for what, described, programmed in pairs:
            problems.extend(
                Problem(f"{what} {name!r} is in the description or the program, not in both")
                for name in sorted(described ^ programmed)
            )


def _check_header(bundle: Bundle, problems: list[Problem]) -> None:
    assert isinstance(bundle, CompiledBundle)
    header = bundle.header
    place = str(bundle.root / "coremldata.bin")
    row = SPECIFICATIONS.get(header.specification_version)
    if row is None:
        what = f"specification version {header.specification_version} is not known"
        problems.append(Problem(what, place))
    elif bundle.dialect != row.dialect:
        what = f"model.mil is dialect {bundle.dialect}, the version's is {row.dialect}"
        problems.append(Problem(what, place))
    if len(header.trailer) % 16:
        problems.append(Problem(f"{len(header.trailer)} bytes after the description", place))


def _check_metadata(bundle: Bundle, problems: list[Problem]) -> None:
    """metadata.json, where there is one, agrees with coremldata.bin."""
    assert isinstance(bundle, CompiledBundle)
    file = bundle.root / "metadata.json"
    if not file.is_file():
        return
    if dict(bundle.user_defined) != dict(bundle.description.user_defined):
        problems.append(Problem("the user's metadata differ from coremldata.bin's", str(file)))
    version = json.loads(file.read_bytes())[0].get("specificationVersion")
    if version != bundle.specification_version:
        what = f"specification version {version}, coremldata.bin has {bundle.specification_version}"
        problems.append(Problem(what, str(file)))
