"""coremlc: GoMLX computation graphs to Core ML, compiled, run and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from coremlc.engine import ComputeUnits, EngineName
    from coremlc.model import CompiledModel
    from coremlc.runner import Model

__version__ = "0.1.0"
__all__ = ["__version__", "compile", "load"]


def compile(
    graph: str | os.PathLike[str],
    *,
    target: str = "iOS18",
    precision: str = "fp32",
    assume: Mapping[str, tuple[int, int]] | None = None,
    dims: Mapping[str, int] | None = None,
    strict: bool = False,
    use_cache: bool = True,
    output: str | os.PathLike[str] | None = None,
) -> CompiledModel:
    """Compile a GoMLX graph.pb to a Core ML bundle, or find it in the cache.

    Args:
        graph: the file; its `.safetensors` lies beside it.
        target: the oldest system that the bundle shall run on, iOS15 to iOS26.
        precision: fp32, fp16 or mixed.
        assume: ranges of integer inputs, which running checks.
        dims: sizes of named axes.
        strict: refuse what would be computed in a narrower dtype.
        use_cache: False compiles even if the bundle is cached.
        output: where the bundle shall go as well.

    Raises:
        coremlc.errors.CoremlcError: what, where, and how to fix it.
    """
    from pathlib import Path

    from coremlc.compiler import compile_graph
    from coremlc.model import CompiledModel

    report = compile_graph(
        Path(graph),
        target=target,
        precision=precision,
        assume={} if assume is None else assume,
        dims={} if dims is None else dims,
        strict=strict,
        use_cache=use_cache,
        output=None if output is None else Path(output),
    )
    return CompiledModel(report)


def load(
    bundle: str | os.PathLike[str],
    *,
    engine: EngineName = "auto",
    compute_units: ComputeUnits = "all",
    strict_units: bool = False,
    threads: int | None = None,
    function: str | None = None,
) -> Model:
    """Load a `.mlmodelc` (or `.mlpackage`) to call it: `load(path)(x=array)["logits"]`.

    Of whatever maker; `function` is which one of several. States are kept from call to call.

    Close it, or use it in a `with` statement.
    """
    from coremlc.locate import locate
    from coremlc.runner import EngineOptions
    from coremlc.runner import load as load_bundle

    options = EngineOptions(engine, compute_units, strict_units, threads, function)
    return load_bundle(locate(str(bundle)).bundle, options)
