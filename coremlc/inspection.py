"""What a model, or the cache, holds: reports about things that are not run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coremlc.bundle import Bundle, Problem, read_bundle, verify_bundle
from coremlc.bundle.unproven import unproven
from coremlc.cache import Store
from coremlc.errors import UsageError
from coremlc.locate import CompileOptions, locate
from coremlc.mil.dialect.args import spell
from coremlc.mil.program import Function, walk
from coremlc.mil.types import StateType
from coremlc.port import Port
from coremlc.report import Report, byte_text, columns, facts
from coremlc.signature import Signature


@dataclass(frozen=True, slots=True)
class PortRow:
    """An input or output, as the user knows it and as Core ML does."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    features: tuple[str, ...]
    feature_dtype: str
    range: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class InspectReport(Report):
    """One bundle."""

    model: str
    key: str | None
    bundle: str
    specification_version: int
    opset: str
    inputs: tuple[PortRow, ...]
    outputs: tuple[PortRow, ...]
    ops: Mapping[str, int]
    weights_bytes: int
    functions: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    unproven: tuple[str, ...] = ()
    """What of our bytes for this model nobody has compared with Apple's."""

    def table(self) -> str:
        rows = [
            ("model", self.model),
            *([("key", self.key)] if self.key is not None else []),
            ("bundle", self.bundle),
            *([("functions", ", ".join(self.functions))] if len(self.functions) > 1 else []),
            *[("state", f"{name} {kind}") for name, kind in self.states.items()],
            *[("unproven", what) for what in self.unproven],
            ("made for", self._made_for()),
            ("weights", byte_text(self.weights_bytes)),
        ]
        ports = [("in", port) for port in self.inputs] + [("out", port) for port in self.outputs]
        cells = [
            (side, p.name, f"{p.dtype}{_dims(p.shape)}", _range(p), ", ".join(p.features))
            for side, p in ports
        ]
        ops = [(kind, str(count)) for kind, count in self.ops.items()]
        return "\n\n".join(
            (
                facts(rows),
                columns(("", "name", "type", "range", "feature"), cells),
                columns(("MIL op", "count"), ops, right=(1,)),
            )
        )

    def _made_for(self) -> str:
        if not self.specification_version:
            return f"{self.opset}; coremldata.bin is missing"
        return f"{self.opset}, specification version {self.specification_version}"


@dataclass(frozen=True, slots=True)
class VerifyReport(Report):
    """What is wrong with a bundle; nothing, if it is whole."""

    model: str
    ok: bool
    problems: tuple[Problem, ...]

    def table(self) -> str:
        if self.ok:
            return f"{self.model} is whole"
        return columns(("problem", "place"), [(p.what, p.place) for p in self.problems])


@dataclass(frozen=True, slots=True)
class CacheRow:
    """One entry."""

    key: str
    graph: str
    target: str
    size_bytes: int
    used: str
    """When it was last used: a date and time of UTC."""


@dataclass(frozen=True, slots=True)
class CacheList(Report):
    """All entries."""

    path: str
    entries: tuple[CacheRow, ...]
    size_bytes: int

    def table(self) -> str:
        rows = [
            (e.key[:12], e.graph, e.target, byte_text(e.size_bytes), e.used) for e in self.entries
        ]
        total = f"{len(rows)} entries, {byte_text(self.size_bytes)} in {self.path}"
        if not rows:
            return total
        table = columns(("key", "graph", "target", "size", "last used (UTC)"), rows, right=(3,))
        return f"{table}\n\n{total}"


@dataclass(frozen=True, slots=True)
class CacheInfo(Report):
    """One entry, verified."""

    key: str
    bundle: str
    size_bytes: int
    files: Mapping[str, int]
    parts: Mapping[str, str]

    def table(self) -> str:
        rows = [("key", self.key), ("bundle", self.bundle), ("size", byte_text(self.size_bytes))]
        files = [(name, str(size)) for name, size in self.files.items()]
        return "\n\n".join(
            (
                facts(rows),
                columns(("part of the key", "value"), list(self.parts.items())),
                columns(("file", "bytes"), files, right=(1,)),
            )
        )


def inspect(model: str, options: CompileOptions | None = None) -> InspectReport:
    """Look into a model; a graph is compiled first."""
    located = locate(model, options)
    bundle = read_bundle(located.bundle)
    signature = Signature.of_bundle(bundle)
    functions = bundle.program.functions
    counts = Counter(
        op.kind
        for function in functions.values()
        for block in function.blocks.values()
        for op in walk(block)
        if op.kind != "const"
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return InspectReport(
        model=model,
        key=located.key,
        bundle=str(located.bundle),
        specification_version=bundle.specification_version if bundle.is_described else 0,
        opset=next(iter(functions.values())).opset,
        inputs=tuple(_port(port) for port in signature.inputs),
        outputs=tuple(_port(port) for port in signature.outputs),
        ops=dict(ordered),
        weights_bytes=_weights(bundle),
        functions=tuple(functions),
        states=_states(functions.values()),
        unproven=tuple(unproven(bundle.model)) if bundle.is_described else (),
    )


def verify(model: str, options: CompileOptions | None = None) -> VerifyReport:
    """Look for damage; a bundle or package is looked at where it lies."""
    path = Path(model)
    is_here = path.is_dir() or path.suffix == ".mlmodel"
    problems = tuple(verify_bundle(path if is_here else locate(model, options).bundle))
    return VerifyReport(model, not problems, problems)


def text(model: str, stage: str | None = None, options: CompileOptions | None = None) -> str:
    """The graph of a graph.pb, after a stage; the MIL text of a bundle."""
    path = Path(model)
    if path.is_file() and path.suffix != ".mlmodel":
        from coremlc.compiler import graph_text

        how = CompileOptions() if options is None else options
        return graph_text(path, stage, how.recipe())
    if stage is not None:
        raise UsageError(
            f"{model} is no graph.pb and has no stages", fix="drop --stage, or give the graph"
        )
    return (locate(model).bundle / "model.mil").read_text(encoding="utf-8")


def cache_list() -> CacheList:
    """The entries, the one used last first; those that vanish meanwhile are left out."""
    store = Store()
    found = [peeked for digest in store.digests() if (peeked := store.peek(digest)) is not None]
    found.sort(key=lambda item: (-item[1], item[0].key))
    rows = tuple(
        CacheRow(
            entry.key,
            str(entry.info.get("graph", "")),
            str(entry.info.get("target", "")),
            entry.manifest.size_bytes,
            time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(used)),
        )
        for entry, used in found
    )
    return CacheList(str(store.root), rows, sum(row.size_bytes for row in rows))


def cache_info(prefix: str) -> CacheInfo:
    """The entry whose key begins so, its files verified."""
    entry = Store().find(prefix, thorough=True)
    manifest = entry.manifest
    return CacheInfo(
        entry.key,
        str(entry.bundle),
        manifest.size_bytes,
        {name: file.size for name, file in manifest.files.items()},
        dict(sorted(manifest.key.parts.items())),
    )


def _states(functions: Iterable[Function]) -> dict[str, str]:
    values = [value for function in functions for value in function.inputs]
    return {v.name: spell(v.type) for v in values if isinstance(v.type, StateType)}


def _weights(bundle: Bundle) -> int:
    return sum(f.stat().st_size for f in bundle.weights_root.glob("weights/*") if f.is_file())


def _port(port: Port) -> PortRow:
    return PortRow(
        port.name, port.dtype.name, port.shape, port.features, port.feature_dtype, port.range
    )


def _dims(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('?' if dim is None else str(dim) for dim in shape)}]"


def _range(port: PortRow) -> str:
    return "" if port.range is None else f"{port.range[0]}..{port.range[1]}"
