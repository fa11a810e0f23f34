"""From graph.pb to a bundle: the way of the data, once through."""

from __future__ import annotations

import gc
import hashlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coremlc import __version__, targets
from coremlc.cache import Key, Store
from coremlc.errors import FormatError, MachineError, RefusalsError, UsageError, Where
from coremlc.report import CompileReport
from coremlc.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coremlc.ir.graph import Graph
    from coremlc.mil.model import Model
    from coremlc.signature import Signature

CACHE_FORMAT = 1
_log = logging.getLogger(__name__)
_ROOMS = ("bundle", "frontend", "ir", "mil", "ops", "passes")
_FILES = (
    "chunks.py",
    "compiler.py",
    "dtypes.py",
    "lower.py",
    "port.py",
    "signature.py",
    "targets.py",
)


@dataclass(frozen=True)
class Recipe:
    """How a graph is compiled: all that the bundle depends on besides the graph."""

    target: Target = targets.DEFAULT
    precision: str = "fp32"
    assume: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Ranges of integer inputs, both ends included."""
    dims: Mapping[str, int] = field(default_factory=dict)
    """Sizes of named axes."""
    strict: bool = False


@dataclass
class Stages:
    """Milliseconds of each stage."""

    ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ms[stage] = round((time.perf_counter() - start) * 1e3, 3)
            _log.info("%s: %.1f ms", stage, self.ms[stage])


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's cycle collector, which walks a growing graph again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class Compiled:
    """A model, and what a report tells of it."""

    model: Model
    info: dict[str, Any]


def compile_graph(
    graph: Path,
    *,
    target: str = targets.DEFAULT.name,
    precision: str = "fp32",
    assume: Mapping[str, tuple[int, int]] | None = None,
    dims: Mapping[str, int] | None = None,
    strict: bool = False,
    use_cache: bool = True,
    output: Path | None = None,
    check_passes: bool = False,
) -> CompileReport:
    """Compile a graph.pb to a bundle, or find the bundle in the cache.

    Args:
        graph: the file; its weights lie beside it.
        target: the oldest system that shall run the bundle, iOS15 .. iOS26.
        precision: fp32: float32 stays float32.
        assume: ranges of integer inputs, both ends included; `run` enforces them.
        dims: sizes of named axes.
        strict: refuse float64 instead of computing it in float32.
        use_cache: look the bundle up and store it.
        output: where a bundle (.mlmodelc) or package (.mlpackage) shall be written as well.
        check_passes: compare the graph after every stage with the graph as it was, on random data.

    Raises:
        FormatError: the file, or the weights beside it, is not what its format says.
        RefusalsError: ops, dtypes and ranges without an exact form, all at once.
        UsageError: an option makes no sense for the graph.
        MachineError: nothing could be written.
    """
    start = time.perf_counter()
    recipe = Recipe(targets.get(target), precision, assume or {}, dims or {}, strict)
    if precision != "fp32":
        raise UsageError(f"precision {precision!r} is not built yet", fix="use --precision fp32")
    stages = Stages()
    made: list[Compiled] = []

    def compiled() -> Compiled:
        if not made:
            made.append(build(graph, recipe, stages, check_passes=check_passes))
        return made[0]

    def make(path: Path) -> Mapping[str, Any]:
        from coremlc.bundle import write_mlmodelc

        result = compiled()
        with stages.time("write"):
            write_mlmodelc(path, result.model)
        return result.info

    key = key_of(graph, recipe)
    with uncollected():
        if check_passes:
            compiled()
        bundle, info, state, warnings = _obtain(key, make, use_cache=use_cache)
        if output is not None:
            _write(output, compiled().model)
            bundle = output
    return CompileReport(
        graph=str(graph),
        key=key.digest,
        cache=state,
        bundle=str(bundle),
        target=recipe.target.name,
        precision=precision,
        nodes=info["nodes"],
        mil_ops=info["mil_ops"],
        weights_bytes=info["weights_bytes"],
        warnings=(*warnings, *info["warnings"]),
        stages_ms=stages.ms,
        total_ms=round((time.perf_counter() - start) * 1e3, 3),
    )


def _obtain(
    key: Key, make: Callable[[Path], Mapping[str, Any]], *, use_cache: bool
) -> tuple[Path, Mapping[str, Any], Any, tuple[str, ...]]:
    """(bundle, what is known of it, cache state, warnings)."""
    if use_cache:
        outcome = Store().obtain(key, make)
        state = "hit" if outcome.hit else "miss"
        _log.info("cache: %s of %s", state, key.digest[:12])
        return outcome.entry.bundle, outcome.entry.info, state, outcome.warnings
    try:
        bundle = Path(tempfile.mkdtemp(prefix="coremlc-")) / "model.mlmodelc"
    except OSError as error:
        raise MachineError(
            f"no temporary directory: {error}", fix="free disk space, or set TMPDIR"
        ) from None
    try:
        return bundle, make(bundle), "off", ()
    except BaseException:
        shutil.rmtree(bundle.parent, ignore_errors=True)
        raise


def build(
    path: Path, recipe: Recipe, stages: Stages | None = None, *, check_passes: bool = False
) -> Compiled:
    """The model of a graph.pb, without touching the cache."""
    stages = stages or Stages()
    with stages.time("read"):
        graph = load(path, recipe)
    return build_model(graph, recipe, stages, check_passes=check_passes)


def build_model(
    graph: Graph, recipe: Recipe, stages: Stages | None = None, *, check_passes: bool = False
) -> Compiled:
    """The model of a graph that was read."""
    from coremlc import passes
    from coremlc.ir.verify import check
    from coremlc.lower import lower
    from coremlc.mil.model import Model
    from coremlc.mil.program import walk
    from coremlc.signature import Signature

    stages = stages or Stages()
    with stages.time("passes"):
        observer = _pass_check() if check_passes else None
        lowerable = passes.run(graph, strict=recipe.strict, after=observer)
    with stages.time("verify"):
        check(lowerable)
    signature = Signature.of_graph(graph, recipe.target, lowerable)
    with stages.time("lower"):
        program = lower(lowerable, _features(signature), recipe.target.core_ml_opset)
    model = Model(program, _description(graph, signature), recipe.target.specification_version)
    ops = [*walk(program.functions["main"].block)]
    info = {
        "graph": graph.name,
        "target": recipe.target.name,
        "nodes": len(graph.main.nodes),
        "mil_ops": sum(op.kind != "const" for op in ops),
        "weights_bytes": sum(_bytes(op) for op in ops if op.kind == "const"),
        "warnings": list(lowerable.warnings),
    }
    return Compiled(model, info)


def load(path: Path, recipe: Recipe) -> Graph:
    """The graph of a file, with the ranges that the recipe states."""
    from coremlc.frontend import read

    graph = read(path, recipe.dims)
    names = {given.name for given in graph.inputs}
    for name, (low, high) in recipe.assume.items():
        if name not in names:
            raise UsageError(
                f"there is no input {name!r}", fix=f"the graph has {', '.join(sorted(names))}"
            )
        if low > high:
            raise UsageError(f"--assume {name}={low}..{high} is empty", fix="state LOW..HIGH")
    for given, value in zip(graph.inputs, graph.main.parameters, strict=True):
        if given.name in recipe.assume and not value.type.dtype.is_integer:
            raise UsageError(
                f"input {given.name!r} is {value.type}", fix="state ranges of integer inputs only"
            )
    inputs = tuple(
        replace(i, range=recipe.assume[i.name]) if i.name in recipe.assume else i
        for i in graph.inputs
    )
    return replace(graph, inputs=inputs)


def defaults(path: Path, recipe: Recipe) -> dict[str, Any]:
    """The arrays that a graph.pb holds for inputs that nobody gives: its saved variables."""
    graph = load(path, recipe)
    return {given.name: given.default.array for given in graph.inputs if given.default is not None}


def graph_text(path: Path, stage: str | None = None, recipe: Recipe | None = None) -> str:
    """The text of a graph after a stage of the passes; as it was read, if none is named."""
    from coremlc import passes
    from coremlc.ir.text import print_graph

    if stage is not None and stage not in passes.STAGES:
        raise UsageError(
            f"there is no stage {stage!r}", fix=f"the stages are {', '.join(passes.STAGES)}"
        )
    graph = load(path, recipe or Recipe())
    if stage is None or stage == "read":
        return print_graph(graph)
    seen: dict[str, Graph] = {}
    try:
        passes.run(graph, after=seen.__setitem__)
    except RefusalsError:
        if stage not in seen:  # else a later stage refused the graph
            raise
    return print_graph(seen[stage])


def key_of(graph: Path, recipe: Recipe) -> Key:
    """The key of the bundle: the file names its weights by their SHA-256."""
    try:
        data = graph.read_bytes()
    except OSError as error:
        raise FormatError(
            f"the graph can't be read: {error.strerror}",
            fix="check the path and its permissions",
            where=Where(file=str(graph)),
        ) from None
    return Key.of(
        {
            "format": CACHE_FORMAT,
            "coremlc": __version__,
            "build": _build(),
            "target": recipe.target.name,
            "precision": recipe.precision,
            "strict": recipe.strict,
            "assume": {name: tuple(bounds) for name, bounds in recipe.assume.items()},
            "dims": dict(recipe.dims),
            "graph": data,
        }
    )


@cache
def _build() -> str:
    """Digest of the compiler's own code: another compiler may make another bundle."""
    root = Path(__file__).parent
    files = [root / name for name in _FILES]
    for room in _ROOMS:
        files += (root / room).rglob("*.py")
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda f: f.relative_to(root).as_posix()):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _pass_check() -> Callable[[str, Graph], None]:
    from coremlc.check import PassCheck

    return PassCheck()


def _features(signature: Signature) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    inputs = [(name, p.feature_dtype) for p in signature.inputs for name in p.features]
    outputs = [(name, p.feature_dtype) for p in signature.outputs for name in p.features]
    return inputs, outputs


def _description(graph: Graph, signature: Signature) -> Any:
    from coremlc.mil.description import Feature, Metadata, ModelDescription
    from coremlc.signature import KEY

    def features(ports: Any) -> tuple[Feature, ...]:
        return tuple(
            Feature(name, port.feature_dtype, tuple(port.feature_shape))
            for port in ports
            for name in port.features
        )

    return ModelDescription(
        features(signature.inputs),
        features(signature.outputs),
        metadata=Metadata(short_description=graph.name, user_defined={KEY: signature.to_json()}),
    )


def _bytes(op: Any) -> int:
    data = op.attributes["val"].data
    return int(getattr(data, "nbytes", 0))


def _write(output: Path, model: Model) -> None:
    from coremlc.bundle import write_mlmodelc, write_mlpackage

    writers = {".mlmodelc": write_mlmodelc, ".mlpackage": write_mlpackage}
    if output.suffix not in writers:
        raise UsageError(f"-o {output} names no bundle", fix="end it in .mlmodelc or in .mlpackage")
    writers[output.suffix](output, model, replace_existing=True)
