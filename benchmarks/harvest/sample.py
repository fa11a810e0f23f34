"""Chooses the sample of the harvest that tests/harvest runs: `python -m benchmarks.harvest.sample`.

Small graphs first, until every op on every dtype that the harvest has is in it. The sample is one
zip file; what it can't do yet is listed in expected.json beside it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.harvest.case import Case
from benchmarks.harvest.judge import Verdict, judge
from coremlc.ir.graph import Function, walk

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "fixtures" / "harvest" / "sample.zip"
EXPECTED = SAMPLE.with_name("expected.json")
COUNT = 120
OURS = "TestMore"
"""What GoMLX's tests never do (go/harvest/more_test.go): all of it is in the sample."""
MAX_BYTES = 60_000
FILES = ("graph.pb", "graph.safetensors", "origin.json", "vectors-0.npz")


def features(case: Case) -> set[tuple[str, ...]]:
    """What a graph shows: ops, dtypes, ops on dtypes."""
    graph = case.read(case.vectors[0] if case.vectors else {})
    found: set[tuple[str, ...]] = {("inputs" if graph.inputs else "constant",)}
    for node in walk(graph.main):
        values = node.operands or node.results
        found |= {("op", _kind(node)), ("op", _kind(node), values[0].type.dtype.name)}
        found |= {("rank", _kind(node), str(values[0].type.rank))}
    found |= {("dtype", t.name) for t in _dtypes(graph.main)}
    return found


def _kind(node: Any) -> str:
    return str(getattr(node.op, "op", "") or node.op.kind)


def _dtypes(function: Function) -> Iterator[Any]:
    for value in function.parameters:
        yield value.type.dtype
    for node in walk(function):
        for value in node.results:
            yield value.type.dtype


def choose(paths: list[Path], bad: set[str]) -> list[Path]:
    """The smallest graphs that add the most, those with vectors first."""
    sizes: dict[Path, int] = {}
    shows: dict[Path, set[tuple[str, ...]]] = {}
    for path in paths:
        size = sum((path / f).stat().st_size for f in FILES if (path / f).exists())
        slow = b"RNGBitGenerator" in (path / "graph.pb").read_bytes()
        if size > MAX_BYTES or path.name in bad or slow:
            continue
        try:
            shows[path] = features(Case.load(path))
        except Exception as error:
            print(f"{path.name}: {error}")
            continue
        sizes[path] = size + (0 if (path / FILES[-1]).exists() else 5_000)
    chosen = [p for p in shows if json.loads((p / "origin.json").read_text())["test"] == OURS]
    covered: set[tuple[str, ...]] = set().union(*(shows.pop(p) for p in chosen))
    weights = {"op": 3.0, "dtype": 3.0, "rank": 0.5}

    def gain(path: Path) -> float:
        fresh = shows[path] - covered
        return sum(weights.get(f[0], 1.0) for f in fresh) / (2_000 + sizes[path])

    while shows and len(chosen) < COUNT:
        best = max(sorted(shows), key=gain)
        chosen.append(best)
        covered |= shows.pop(best)
    return sorted(chosen)


def write(paths: list[Path]) -> None:
    """The zip file; equal graphs give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in paths:
            for name in FILES:
                if (path / name).exists():
                    member = zipfile.ZipInfo(f"{path.name}/{name}")
                    member.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(member, (path / name).read_bytes())
    SAMPLE.write_bytes(buffer.getvalue())


def names() -> list[str]:
    """The graphs of the sample."""
    with zipfile.ZipFile(SAMPLE) as archive:
        return sorted({name.split("/")[0] for name in archive.namelist()})


def unpack(name: str, directory: Path) -> Case:
    """One graph of the sample."""
    with zipfile.ZipFile(SAMPLE) as archive:
        archive.extractall(directory, [n for n in archive.namelist() if n.startswith(f"{name}/")])
    return Case.load(directory / name)


def shortfalls(verdicts: list[Verdict]) -> dict[str, str]:
    """What did not pass, by variant and engine."""
    bad = [v for v in verdicts if v.status in ("refused", "failed")]
    return {f"{v.variant} {v.engine}": f"{v.status}: {v.why}" for v in bad}


def expect() -> None:
    """Write expected.json anew."""
    expected: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for name in names():
            found = shortfalls(judge(unpack(name, Path(directory))))
            if found:
                expected[name] = found
    EXPECTED.write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")
    print(f"{len(names())} graphs, {len(expected)} of them with shortfalls")


def main() -> None:
    """Choose, or only list anew what the sample can't do."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = os.environ.get("COREMLC_HARVEST", ROOT / "out" / "harvest")
    parser.add_argument("--archive", type=Path, default=place)
    parser.add_argument("--expect", action="store_true", help="only write expected.json")
    options = parser.parse_args()
    if not options.expect:
        archive = Path(options.archive)
        known = json.loads(Path(__file__).with_name("graphs.json").read_text())
        write(choose([p.parent for p in archive.glob("graphs/*/graph.pb")], set(known)))
        print(f"{SAMPLE.stat().st_size} bytes")
    expect()


if __name__ == "__main__":
    main()
