"""Packages as MODEL: compiled to a `.mlmodelc`, as Xcode's coremlcompiler does it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coremlc import __version__, bundle, targets
from coremlc.bundle.files import reading
from coremlc.bundle.package import model_file
from coremlc.cache import Key, Outcome, Store
from coremlc.errors import UsageError
from coremlc.report import CacheState, CompileReport

if TYPE_CHECKING:
    from coremlc.bundle import Bundle


def is_package(path: Path) -> bool:
    """Whether a path is a `.mlpackage`, or a bare `.mlmodel`; told by what it holds."""
    if path.is_file():
        return path.suffix == ".mlmodel"
    has_manifest = (path / "Manifest.json").is_file() or path.suffix == ".mlpackage"
    return path.is_dir() and has_manifest and not (path / "model.mil").is_file()


def compile_in_cache(package: Path) -> Outcome:
    """The bundle of a package, from the cache or made there."""

    def make(target: Path) -> Mapping[str, Any]:
        bundle.compile_package(package, target)
        return {"graph": package.name}

    return Store().obtain(_key(package), make)


def compile_to(package: Path, output: Path | None, *, writer: str = "native") -> CompileReport:
    """Compile a package, to a path or to the cache, and tell what it holds."""
    start = time.perf_counter()
    key = _key(package).digest
    state: CacheState = "off"
    if output is None:
        outcome = compile_in_cache(package)
        state = "hit" if outcome.hit else "miss"
        path, warnings = outcome.entry.bundle, outcome.warnings
    else:
        path, warnings = output, write_bundle(package, output, writer=writer)
    content = bundle.read_bundle(path)
    count = _ops(content)
    elapsed = round((time.perf_counter() - start) * 1e3, 3)
    return CompileReport(
        graph=str(package),
        key=key,
        cache=state,
        bundle=str(path),
        target=_target(content.specification_version),
        precision="as in the package",
        nodes=count,
        mil_ops=count,
        weights_bytes=_weights(content.weights_root),
        warnings=warnings,
        stages_ms={"write": elapsed},
        total_ms=elapsed,
    )


def write_bundle(package: Path, output: Path, *, writer: str = "native") -> tuple[str, ...]:
    """Write the bundle of a package by our writer or by Apple's; warnings."""
    if output.suffix != ".mlmodelc":
        raise UsageError(f"-o {output} names no bundle", fix="a package becomes a .mlmodelc")
    if writer == "native":
        bundle.compile_package(package, output, replace_existing=True)
        return ()
    found = bundle.compile_with_apple(package, output, replace_existing=True)
    return tuple(f"Apple's bundle differs from ours: {what}" for what in found)


def _key(package: Path) -> Key:
    """Of the bytes of its model and weights."""
    file = model_file(package)
    if not file.is_file():
        raise UsageError(f"{package} holds no {file.name}", fix="give a whole .mlpackage")
    blobs = sorted(f for f in file.parent.glob("weights/*") if f.is_file())
    parts = {f.relative_to(file.parent).as_posix(): _digest(f) for f in (file, *blobs)}
    return Key.of({"format": 1, "coremlc": __version__, "package": parts})


def _digest(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _target(version: int) -> str:
    names = {target.specification_version: target.name for target in targets.ALL}
    return names.get(version, f"specification {version}")


def _ops(content: Bundle) -> int:
    from coremlc.mil.program import walk

    functions = content.program.functions.values()
    return sum(op.kind != "const" for function in functions for op in walk(function.block))


def _weights(root: Path) -> int:
    return sum(file.stat().st_size for file in root.glob("weights/*") if file.is_file())
