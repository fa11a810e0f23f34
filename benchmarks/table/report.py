"""RESULTS.md of results.json: ratios against their bars, and what each model costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.table.cases import EXPERT_BAR, RESULTS, ZOO_MEAN_BAR

EXPERTS = ("handwritten", "shipped")
HEAD = """# Results

Made by `make bench`; change NOTES.md, not this. {date}, {system}, {processor}, {cores} cores, Python {python}, coremlc {coremlc}.

Latency in ms: minimum and median, of blocks in turns within one process, with pauses; equal threads. Ratios are of minima: below 1
coremlc is faster. `expert` is ONNX Runtime on the encoder as an expert wrote it by hand, or on the zoo's model as it was shipped.
Synthetic models: `go/cmd/bench`. A name that ends in `-b8` is of batch 8.

![Ratio to XLA](results.svg)
"""  # noqa: E501


def write(results: Mapping[str, Any]) -> None:
    """RESULTS.md, with NOTES.md at its end."""
    rows = results["rows"]
    head = HEAD.format(date=results["date"], **results["machine"])
    notes = RESULTS.with_name("NOTES.md").read_text(encoding="utf-8")
    parts = [head, bars(rows), costs(rows), latencies(rows), failures(rows), notes]
    text = "\n".join(part for part in parts if part)
    RESULTS.with_name("RESULTS.md").write_text(text, encoding="utf-8")


def timing(row: Mapping[str, Any], *names: str) -> Mapping[str, Any] | None:
    """That of the contender by one of these names, if it ran."""
    found = (t for t in row["timings"] if t["name"] in names and not t["failure"])
    return next(found, None)


def ratio(row: Mapping[str, Any], *against: str, by: str = "min_ms") -> float | None:
    """ONNX Runtime engine over another contender."""
    ours, theirs = timing(row, "onnxruntime"), timing(row, *against)
    return None if ours is None or theirs is None else ours[by] / theirs[by]


def mean(ratios: Iterable[float]) -> float | None:
    """The geometric one."""
    logs = [math.log(r) for r in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else None


def line(row: Mapping[str, Any]) -> str:
    """A row for those who wait."""
    if row["failure"]:
        return f"{row['name']}: {row['failure']}"
    ours = timing(row, "onnxruntime")
    shown = [row["name"], "-" if ours is None else f"{_ms(ours['min_ms'])} ms"]
    for name, found in (("xla", ratio(row, "xla")), ("expert", ratio(row, *EXPERTS))):
        shown += [f"{name} {found:.2f}"] if found is not None else []
    return "  ".join(shown)


def bars(rows: Iterable[Mapping[str, Any]]) -> str:
    """Each ratio that has a bar, missed ones first."""
    found: list[tuple[str, str, float, float | None, float]] = []
    zoo = []
    for row in rows:
        by_min, by_median = ratio(row, "xla"), ratio(row, "xla", by="p50_ms")
        if by_min is not None and row["bar"] is not None:
            found.append((row["name"], "XLA", by_min, by_median, row["bar"]))
        if by_min is not None and row["kind"] == "zoo":
            zoo.append(by_min)
        by_min, by_median = ratio(row, *EXPERTS), ratio(row, *EXPERTS, by="p50_ms")
        if by_min is not None:
            found.append((row["name"], "expert", by_min, by_median, EXPERT_BAR))
    average = mean(zoo)
    if average is not None:
        found.append(("zoo, geometric mean", "XLA", average, None, ZOO_MEAN_BAR))
    found.sort(key=lambda entry: entry[4] / entry[2])
    met = sum(entry[2] <= entry[4] for entry in found)
    cells = [
        (n, of, f"{low:.2f}", _ratio(middle), f"{bar:.2f}", "met" if low <= bar else "**missed**")
        for n, of, low, middle, bar in found
    ]
    heads = ("model", "against", "ratio", "of medians", "bar", "")
    return f"## Bars: {met} of {len(found)} met\n\n" + _table(heads, cells, right=(2, 3, 4))


def costs(rows: Iterable[Mapping[str, Any]]) -> str:
    """Ops, compile time, size and load time."""
    cells = []
    for row in rows:
        if not row["failure"]:
            loads = [timing(row, n) for n in ("onnxruntime", "reference", "xla")]
            cells.append(
                (row["name"], str(row["nodes"]), str(row["mil_ops"]), f"{row['compile_ms']:.0f}",
                 f"{row['bundle_bytes'] / 1e6:.2f}",
                 *("" if t is None else f"{t['load_ms']:.0f}" for t in loads))
            )  # fmt: skip
    heads = ("model", "nodes", "MIL ops", "compile, ms", "bundle, MB", "load, ms", "reference",
             "XLA: trace and compile")  # fmt: skip
    return "## Costs\n\n" + _table(heads, cells, right=range(1, 8))


def latencies(rows: Iterable[Mapping[str, Any]]) -> str:
    """All contenders, minimum and median."""
    cells = []
    for row in rows:
        if not row["failure"]:
            raced = [timing(row, n) for n in ("onnxruntime", "reference", "xla")]
            shown = [_latency(t) for t in (*raced, timing(row, *EXPERTS))]
            ratios = [_ratio(ratio(row, *n)) for n in (("xla",), EXPERTS)]
            slower = timing(row, "reference"), timing(row, "onnxruntime")
            times = "" if None in slower else f"{slower[0]['min_ms'] / slower[1]['min_ms']:.0f}"  # type: ignore[index]
            cells.append((row["name"], *shown, *ratios, times))
    heads = ("model", "onnxruntime", "reference", "XLA", "expert", "to XLA", "to expert",
             "reference to onnxruntime")  # fmt: skip
    return "## Latency\n\n" + _table(heads, cells, right=range(1, 8))


def failures(rows: Iterable[Mapping[str, Any]]) -> str:
    """What did not run, and why."""
    cells = [(row["name"], "", row["failure"]) for row in rows if row["failure"]]
    cells += [
        (r["name"], t["name"], t["failure"]) for r in rows for t in r["timings"] if t["failure"]
    ]
    if not cells:
        return ""
    return "## Did not run\n\n" + _table(("model", "contender", "why"), cells)


def _latency(found: Mapping[str, Any] | None) -> str:
    return "" if found is None else f"{_ms(found['min_ms'])} / {_ms(found['p50_ms'])}"


def _ms(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _table(heads: Iterable[str], cells: Iterable[Iterable[str]], right: Iterable[int] = ()) -> str:
    names, aligned = list(heads), set(right)
    rule = ["--:" if i in aligned else "---" for i in range(len(names))]
    lines = [f"| {' | '.join(row)} |" for row in (names, rule, *cells)]
    return "\n".join(lines) + "\n"
