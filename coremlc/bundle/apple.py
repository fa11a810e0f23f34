"""Apple's own compiler, on a Mac: run it on a package, and compare its bundle with ours.

Not proven off a Mac: the tests run this with a stand-in for `xcrun`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from coremlc.bundle.coremldata import parse_coremldata
from coremlc.bundle.files import copy, staged
from coremlc.bundle.package import model_file
from coremlc.bundle.read import read_bundle
from coremlc.bundle.text import build_info
from coremlc.bundle.versions import COREMLC_VERSION, MIL_VERSION
from coremlc.bundle.write import compile_package
from coremlc.errors import FormatError, MachineError, Where
from coremlc.mil.description import description_from_bytes

_TIMEOUT_S = 3600


def compile_with_apple(
    source: Path, target: Path, *, replace_existing: bool = False
) -> tuple[str, ...]:
    """Write what `xcrun coremlcompiler compile` makes of a package; how ours would differ.

    Raises:
        MachineError: there is no such tool on this machine.
        FormatError: the tool refuses the package; its own words are in the message.
    """
    xcrun = shutil.which("xcrun")
    if xcrun is None:
        raise MachineError(
            "--writer apple needs Apple's coremlcompiler, which is part of Xcode on a Mac",
            fix="drop --writer apple; what is unproven of a bundle: coremlc inspect BUNDLE",
        )
    with tempfile.TemporaryDirectory(prefix="coremlc-") as directory:
        room = Path(directory)
        theirs = _run(xcrun, _named_like(source, target, room), room)
        with staged(target, replace=replace_existing) as stage:
            for file in sorted(path for path in theirs.rglob("*") if path.is_file()):
                copy(file, stage / file.relative_to(theirs))
        ours = room / "ours" / target.name
        ours.parent.mkdir()
        info = build_info(read_bundle(theirs).program)
        compile_package(
            source,
            ours,
            coremlc_version=info.get("coremlc-version", COREMLC_VERSION),
            mil_version=info.get("coremlc-component-MIL", MIL_VERSION),
        )
        return tuple(differences(ours, theirs))


def differences(ours: Path, theirs: Path) -> Iterator[str]:
    """What differs between two bundles; the order of the user's metadata does not count."""
    mine, other = _files(ours), _files(theirs)
    for name in sorted(mine.keys() | other.keys()):
        if name not in other:
            yield f"{name}: only ours has it"
        elif name not in mine:
            yield f"{name}: only Apple's has it"
        elif mine[name].read_bytes() != other[name].read_bytes():
            what = _difference(name, mine[name], other[name])
            if what:
                yield f"{name}: {what}"


def _difference(name: str, ours: Path, theirs: Path) -> str:
    mine, other = ours.read_bytes(), theirs.read_bytes()
    if name == "coremldata.bin":
        return _data_difference(mine, other)
    if name == "metadata.json":
        found, due = json.loads(mine)[0], json.loads(other)[0]
        keys = sorted(k for k in found.keys() | due.keys() if found.get(k) != due.get(k))
        told = [f"{k} is {found.get(k)!r}, Apple's {due.get(k)!r}" for k in keys]
        return "; ".join(told) if told else _order_difference(found, due)
    if name == "model.mil":
        pairs = zip(mine.splitlines(), other.splitlines(), strict=False)
        for number, (line, wanted) in enumerate(pairs, 1):
            if line != wanted:
                return f"line {number} is {line.decode()!r}, Apple's {wanted.decode()!r}"
    at = next((i for i, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), None)
    where = f" from byte {at} on" if at is not None else ""
    return f"{len(mine)} bytes, Apple's {len(other)}, differ{where}"


def _data_difference(mine: bytes, other: bytes) -> str:
    found, due = parse_coremldata(mine), parse_coremldata(other)
    for field in ("format", "specification_version", "trailer"):
        if getattr(found, field) != getattr(due, field):
            return f"{field} is {getattr(found, field)!r}, Apple's {getattr(due, field)!r}"
    same = description_from_bytes(found.description) == description_from_bytes(due.description)
    return "" if same else "the descriptions differ"


def _order_difference(found: dict[str, object], due: dict[str, object]) -> str:
    """Key order is Apple's, but for the user's metadata, whose order is random there."""
    key = "userDefinedMetadata"
    texts = [json.dumps(content | {key: None}) for content in (found, due)]
    return "the keys are in another order" if texts[0] != texts[1] else ""


def _named_like(source: Path, target: Path, room: Path) -> Path:
    """The package under the target's name, which becomes the generated class name."""
    if source.is_file() or source.stem == target.stem:
        return source
    named = room / f"{target.stem}{source.suffix}"
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        copy(file, named / file.relative_to(source))
    return named


def _run(xcrun: str, source: Path, room: Path) -> Path:
    out = room / "theirs"
    out.mkdir()
    command = [xcrun, "coremlcompiler", "compile", str(source.resolve()), str(out)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(
            f"Apple's compiler did not run: {error}", fix="check it: xcrun coremlcompiler version"
        ) from None
    found = sorted(out.glob("*.mlmodelc"))
    if done.returncode or len(found) != 1:
        told = (done.stderr + done.stdout).strip()
        raise FormatError(
            f"Apple's compiler refuses the package: {told or f'exit code {done.returncode}'}",
            fix="see its message; a package of coremlc's that it refuses is a fault of coremlc's",
            where=Where(file=str(model_file(source))),
        )
    return found[0]


def _files(bundle: Path) -> dict[str, Path]:
    return {str(p.relative_to(bundle)): p for p in bundle.rglob("*") if p.is_file()}
