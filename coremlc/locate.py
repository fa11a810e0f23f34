"""MODEL, as commands take it: a graph.pb, a bundle, a package, or the prefix of a cache key."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from coremlc.cache import Store
from coremlc.errors import UsageError
from coremlc.packages import compile_in_cache, compile_to, is_package, write_bundle
from coremlc.report import CompileReport

if TYPE_CHECKING:
    from coremlc.arrays import Array
    from coremlc.compiler import Recipe
    from coremlc.ir.graph import Graph
    from coremlc.runner import RunOptions

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
    if is_package(path):
        outcome = compile_in_cache(path)
        entry = outcome.entry
        return Located(model, entry.bundle, entry.key, warnings=outcome.warnings)
    if path.is_dir():
        return Located(model, path)
    if path.is_file():
        return _from_graph(model, path, options)
    if _PREFIX.fullmatch(model):
        entry = Store().find(model)
        return Located(model, entry.bundle, entry.key)
    raise UsageError(
        f"there is no {model}",
        fix="give a graph.pb, a .mlmodelc, a .mlpackage, or 4 or more digits of a cache key",
    )


def is_graph(model: str) -> bool:
    """Whether MODEL is a graph.pb."""
    path = Path(model)
    return path.is_file() and not is_package(path)


def graph_and_inputs(
    path: Path, options: CompileOptions, source: RunOptions
) -> tuple[Graph, dict[str, Array]]:
    """A graph as it was recorded, and what it is fed; its saved variables where nobody gives them.

    Raises:
        CoremlcError: as reading the graph and the inputs do.
    """
    from coremlc import compiler
    from coremlc.runner import given_inputs
    from coremlc.signature import Signature

    recipe = options.recipe()
    graph = compiler.load(path, recipe)
    signature = Signature.of_graph(graph, recipe.target)
    return graph, given_inputs(signature, source, lambda: compiler.defaults(path, recipe))


def compile_model(
    path: Path,
    options: CompileOptions | None = None,
    *,
    output: Path | None = None,
    check_passes: bool = False,
    writer: str = "native",
) -> CompileReport:
    """Compile a graph.pb, a `.mlpackage` or a `.mlmodel`, by our writer or by Apple's.

    Raises:
        CoremlcError: as `compile_graph`, `compile_package` and `compile_with_apple` do.
    """
    how = CompileOptions() if options is None else options
    if writer == "apple" and output is None:
        raise UsageError("--writer apple needs a path", fix="say where: -o model.mlmodelc")
    if is_package(path):
        if replace(how, use_cache=True) != CompileOptions() or check_passes:
            raise UsageError(
                f"{path} is a package, which is compiled as it is",
                fix="drop the options that say how a graph is compiled",
            )
        return compile_to(path, output, writer=writer)
    if writer == "native" or output is None:
        return _compile_graph(path, how, output, check_passes=check_passes)
    with tempfile.TemporaryDirectory(prefix="coremlc-") as room:
        package = Path(room) / f"{output.stem}.mlpackage"
        report = _compile_graph(path, how, package, check_passes=check_passes)
        warnings = write_bundle(package, output, writer=writer)
    return replace(report, bundle=str(output), warnings=(*report.warnings, *warnings))


def _from_graph(model: str, path: Path, options: CompileOptions | None) -> Located:
    from coremlc.compiler import Recipe, defaults

    how = CompileOptions() if options is None else options
    report = _compile_graph(path, how, None)
    recipe = Recipe(dims=how.dims)
    return Located(
        model,
        Path(report.bundle),
        report.key,
        report,
        report.warnings,
        lambda: defaults(path, recipe),
    )


def _compile_graph(
    path: Path, how: CompileOptions, output: Path | None, *, check_passes: bool = False
) -> CompileReport:
    from coremlc.compiler import compile_graph

    return compile_graph(
        path,
        target=how.target,
        precision=how.precision,
        assume=how.assume,
        dims=how.dims,
        strict=how.strict,
        use_cache=how.use_cache,
        output=output,
        check_passes=check_passes,
    )
