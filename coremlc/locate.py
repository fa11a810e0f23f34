"""MODEL, as commands take it: a graph.pb, a bundle, a package, or the prefix of a cache key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coremlc import __version__
from coremlc.bundle.files import reading
from coremlc.bundle.package import model_file
from coremlc.cache import Key, Store
from coremlc.errors import UsageError
from coremlc.report import CompileReport
from coremlc.runner import Array

if TYPE_CHECKING:
    from coremlc.compiler import Recipe

_PREFIX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How a graph is compiled, if MODEL is one."""

    target: str = "iOS18"
    precision: str = "fp32"
    assume: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    strict: bool = False
    use_cache: bool = True

    def recipe(self) -> Recipe:
        """What of it the bundle depends on."""
        from coremlc import targets
        from coremlc.compiler import Recipe

        return Recipe(targets.get(self.target), self.precision, self.assume, self.dims, self.strict)


@dataclass(frozen=True, slots=True)
class Located:
    """The bundle of a MODEL."""

    model: str
    bundle: Path
    key: str | None = None
    """Its key, if it lies in the cache."""
    report: CompileReport | None = None
    """If it was a graph."""
    warnings: tuple[str, ...] = ()
    defaults: Callable[[], Mapping[str, Array]] = dict
    """What the graph has for inputs that nobody gives."""


def locate(model: str, options: CompileOptions | None = None) -> Located:
    """The bundle to run; compiled first, or found in the cache, where that is needed.

    Raises:
        UsageError: there is no such file and no such key.
    """
    path = Path(model)
    if path.is_dir():
        is_package = not (path / "model.mil").is_file() and (
            (path / "Manifest.json").is_file() or path.suffix == ".mlpackage"
        )
        return _from_package(model, path) if is_package else Located(model, path)
    if path.is_file():
        is_package = path.suffix == ".mlmodel"
        return _from_package(model, path) if is_package else _from_graph(model, path, options)
    if _PREFIX.fullmatch(model):
        entry = Store().find(model)
        return Located(model, entry.bundle, entry.key)
    raise UsageError(
        f"there is no {model}",
        fix="give a graph.pb, a .mlmodelc, a .mlpackage, or 4 or more digits of a cache key",
    )


def _from_graph(model: str, path: Path, options: CompileOptions | None) -> Located:
    from coremlc.compiler import Recipe, compile_graph, defaults

    how = CompileOptions() if options is None else options
    report = compile_graph(
        path,
        target=how.target,
        precision=how.precision,
        assume=how.assume,
        dims=how.dims,
        strict=how.strict,
        use_cache=how.use_cache,
    )
    recipe = Recipe(dims=how.dims)
    return Located(
        model,
        Path(report.bundle),
        report.key,
        report,
        report.warnings,
        lambda: defaults(path, recipe),
    )


def _from_package(model: str, path: Path) -> Located:
    """As Core ML does it: compiled to a `.mlmodelc`, here once for all."""
    from coremlc.bundle import compile_package

    def make(target: Path) -> Mapping[str, Any]:
        compile_package(path, target)
        return {"graph": path.name}

    file = model_file(path)
    if not file.is_file():
        raise UsageError(f"{path} holds no {file.name}", fix="give a whole .mlpackage")
    blobs = sorted(f for f in file.parent.glob("weights/*") if f.is_file())
    parts = {f.relative_to(file.parent).as_posix(): _digest(f) for f in (file, *blobs)}
    key = Key.of({"format": 1, "coremlc": __version__, "package": parts})
    outcome = Store().obtain(key, make)
    return Located(model, outcome.entry.bundle, outcome.entry.key, warnings=outcome.warnings)


def _digest(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
