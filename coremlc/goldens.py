"""Golden bundles: what a graph compiles to, kept beside it, so that a change shows as a diff.

For a graph `a/b.pb` the directory `b.golden` (for `b/graph.pb` too) holds `model.mil` and
`metadata.json` as text, and `golden.json`: where the graph lies, how it is compiled, and the
SHA-256 of every file of the bundle.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from coremlc.bundle import write_mlmodelc
from coremlc.bundle.files import reading, writing
from coremlc.errors import FormatError, UsageError, Where
from coremlc.locate import CompileOptions
from coremlc.report import Report, columns

State = Literal["same", "changed", "new", "written", "unchanged"]
TEXTS = ("model.mil", "metadata.json")
RECORD = "golden.json"
VERSION = 1
_SUFFIX = ".golden"
_CONTEXT = 2
_WIDTH = 160
"""Characters of a diff's line that are shown."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """One graph."""

    graph: str
    golden: str
    state: State
    diff: str = ""


@dataclass(frozen=True, slots=True)
class GoldenReport(Report):
    """All graphs."""

    ok: bool
    graphs: tuple[GoldenRow, ...]

    def table(self) -> str:
        diffs = [row.diff for row in self.graphs if row.diff]
        rows = [(row.state, row.graph, row.golden) for row in self.graphs]
        return "\n\n".join([*diffs, columns(("state", "graph", "golden"), rows)])


def write(
    directory: Path, graphs: Sequence[Path] = (), options: CompileOptions | None = None
) -> GoldenReport:
    """Write the golden files of these graphs; without graphs, of all that have some already.

    Raises:
        UsageError: there is no graph, or two of one name.
    """
    rows = []
    for golden, graph, how in _plan(directory, graphs, options):
        made = _bundle(graph, how, golden.stem)
        texts = {name: data for name, data in made.items() if name in TEXTS}
        texts[RECORD] = _record(golden, graph, how, made)
        state: State = "unchanged" if _known(golden) == texts else "written"
        if state == "written":
            with writing(golden):
                golden.mkdir(parents=True, exist_ok=True)
                for name, data in texts.items():
                    (golden / name).write_bytes(data)
        rows.append(GoldenRow(str(graph), str(golden), state))
    return GoldenReport(True, tuple(rows))


def check(
    directory: Path, graphs: Sequence[Path] = (), options: CompileOptions | None = None
) -> GoldenReport:
    """Compile again, as it was recorded, and compare; nothing is written."""
    rows = []
    for golden, graph, how in _plan(directory, graphs, options):
        known = _known(golden)
        if not known:
            rows.append(GoldenRow(str(graph), str(golden), "new"))
            continue
        made = _bundle(graph, how, golden.stem)
        diff = "\n".join(_differences(golden, known, made))
        rows.append(GoldenRow(str(graph), str(golden), "changed" if diff else "same", diff))
    return GoldenReport(all(row.state == "same" for row in rows), tuple(rows))


def _plan(
    directory: Path, graphs: Sequence[Path], options: CompileOptions | None
) -> list[tuple[Path, Path, CompileOptions]]:
    """(golden directory, graph, how it is compiled); what was recorded counts unless told."""
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}", fix=f"make it: mkdir -p {directory}")
    if not graphs:
        found = [path.parent for path in sorted(directory.rglob(RECORD))]
        if not found:
            raise UsageError(
                f"{directory} holds no golden files",
                fix=f"name graphs: coremlc golden write {directory} model.pb",
            )
        return [(golden, *_recorded(golden, options)) for golden in found]
    rows = []
    for graph in graphs:
        golden = directory / f"{_name(graph)}{_SUFFIX}"
        how = options
        if how is None:
            has_record = (golden / RECORD).is_file()
            how = _recorded(golden, None)[1] if has_record else CompileOptions()
        rows.append((golden, graph, how))
    names = [golden.name for golden, _, _ in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{twice[0]} would be of two graphs", fix="keep them in two directories")
    return rows


def _name(graph: Path) -> str:
    """`b` for `a/b.pb` and for `b/graph.pb`."""
    return graph.resolve().parent.name if graph.name == "graph.pb" else graph.stem


def _recorded(golden: Path, options: CompileOptions | None) -> tuple[Path, CompileOptions]:
    file = golden / RECORD
    with reading(file):
        data = file.read_bytes()
    try:
        content = json.loads(data)
        how = dict(content["options"])
        how["assume"] = {name: (low, high) for name, (low, high) in how["assume"].items()}
        graph = Path(os.path.normpath(golden / content["graph"]))
        return graph, CompileOptions(**how) if options is None else options
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(
            "no record of a golden bundle",
            fix="write it again: coremlc golden write DIR GRAPH",
            where=Where(file=str(file)),
        ) from None


def _record(golden: Path, graph: Path, how: CompileOptions, made: Mapping[str, bytes]) -> bytes:
    options = asdict(how)
    options.pop("use_cache")
    content = {
        "version": VERSION,
        "graph": Path(os.path.relpath(graph.resolve(), golden.resolve())).as_posix(),
        "options": options,
        "sha256": {name: _digest(data) for name, data in made.items()},
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _bundle(graph: Path, how: CompileOptions, name: str) -> dict[str, bytes]:
    """The files of the bundle."""
    from coremlc.compiler import build

    with tempfile.TemporaryDirectory(prefix="coremlc-") as room:
        bundle = Path(room) / f"{name}.mlmodelc"
        write_mlmodelc(bundle, build(graph, how.recipe()).model)
        files = sorted(path for path in bundle.rglob("*") if path.is_file())
        return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in files}


def _known(golden: Path) -> dict[str, bytes]:
    """What is there; empty if the record is not."""
    if not (golden / RECORD).is_file():
        return {}
    with reading(golden):
        files = [path for name in (*TEXTS, RECORD) if (path := golden / name).is_file()]
        return {path.name: path.read_bytes() for path in files}


def _differences(golden: Path, known: Mapping[str, bytes], made: Mapping[str, bytes]) -> list[str]:
    lines: list[str] = []
    for name in TEXTS:
        lines += _diff(f"{golden.name}/{name}", known.get(name, b""), made.get(name, b""))
    try:
        digests: dict[str, Any] = json.loads(known[RECORD])["sha256"]
    except (ValueError, KeyError, TypeError):
        return [*lines, f"{golden.name}/{RECORD} holds no digests"]
    for name in sorted(digests.keys() | made.keys()):
        due = digests.get(name)
        found = _digest(made[name]) if name in made else None
        if due != found and (name not in TEXTS or made.get(name) == known.get(name)):
            lines.append(f"{golden.name}/{name}: sha256 {_short(due)} -> {_short(found)}")
    return lines


def _diff(name: str, known: bytes, made: bytes) -> Iterator[str]:
    old, new = (data.decode(errors="replace").splitlines() for data in (known, made))
    for line in difflib.unified_diff(old, new, f"golden/{name}", "now", lineterm="", n=_CONTEXT):
        yield line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _short(digest: str | None) -> str:
    return "nothing" if digest is None else str(digest)[:12]
