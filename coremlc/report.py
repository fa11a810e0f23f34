"""What commands tell: frozen reports, as one stable JSON object or as a table.

The fields are the JSON keys, in their order; docs/cli.md promises them.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.table import Table

CacheState = Literal["hit", "miss", "off"]
Rows = Sequence[tuple[str, str]]


class Report:
    """A frozen dataclass that is shown to a user or to a program."""

    def json(self) -> str:
        """One object; a number that JSON lacks (NaN, infinity) is null."""
        return json.dumps(plain(asdict(self)), indent=2, ensure_ascii=False)  # type: ignore[call-overload]

    def table(self) -> str:
        """For people."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CompileReport(Report):
    """One graph, compiled or found in the cache."""

    graph: str
    key: str
    cache: CacheState
    bundle: str
    target: str
    precision: str
    nodes: int
    mil_ops: int
    weights_bytes: int
    warnings: tuple[str, ...] = ()
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    total_ms: float = 0.0

    def table(self) -> str:
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in self.stages_ms.items())
        rows = [
            ("graph", self.graph),
            ("key", self.key),
            ("cache", self.cache),
            ("bundle", self.bundle),
            ("target", f"{self.target}, {self.precision}"),
            (
                "size",
                f"{self.nodes} nodes -> {self.mil_ops} MIL ops, {byte_text(self.weights_bytes)}",
            ),
            ("time", f"{self.total_ms:.1f} ms" + (f" ({stages})" if stages else "")),
        ]
        return facts(rows)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of n predictions, the warm-up left out."""

    n: int
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float
    mean: float

    @staticmethod
    def of(samples_ms: Sequence[float]) -> Latency:
        """Percentiles by linear interpolation; at least one sample."""
        ordered = sorted(samples_ms)
        p50, p90, p95, p99 = (percentile(ordered, q) for q in (0.5, 0.9, 0.95, 0.99))
        mean = math.fsum(ordered) / len(ordered)
        return Latency(len(ordered), ordered[0], p50, p90, p95, p99, ordered[-1], mean)


@dataclass(frozen=True, slots=True)
class ComputeUnitsReport:
    """Where it was to run, and where it ran."""

    requested: str
    used: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OutputReport:
    """One output, in its GoMLX dtype."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: str | None = None


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """One output against what was expected of it."""

    name: str
    max_abs: float
    max_rel: float
    mismatched: int
    """Elements beyond tolerance, all of them when dtype or shape differ."""
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class ExpectReport:
    """All outputs against what was expected."""

    ok: bool
    outputs: tuple[OutputDifference, ...]


@dataclass(frozen=True, slots=True)
class RunReport(Report):
    """One model, run."""

    model: str
    key: str | None
    engine: str
    compute_units: ComputeUnitsReport
    load_ms: float
    first_ms: float
    latency_ms: Latency
    outputs: tuple[OutputReport, ...]
    expect: ExpectReport | None = None

    def table(self) -> str:
        units = self.compute_units
        rows = [
            ("model", self.model),
            *([("key", self.key)] if self.key is not None else []),
            ("engine", f"{self.engine} on {units.used}" + (units.note and f" ({units.note})")),
            ("load", f"{self.load_ms:.2f} ms, first run {self.first_ms:.2f} ms"),
        ]
        parts = [facts(rows), latency_table({"": self.latency_ms}), self._outputs()]
        if self.expect is not None:
            parts.append(_expect_table(self.expect))
        return "\n\n".join(parts)

    def _outputs(self) -> str:
        rows = [
            (o.name, f"{o.dtype}{list(o.shape)}", "" if o.path is None else o.path)
            for o in self.outputs
        ]
        return columns(("output", "type", "file"), rows)


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first node that differs, and a graph of it alone."""

    op: str
    label: str
    source: str
    difference: OutputDifference
    alone: bool
    """Whether it differs with the judge's inputs too.

    Else what differs came to it, or it is compiled together with its neighbours.
    """
    graph: str


@dataclass(frozen=True, slots=True)
class VerifyReport(Report):
    """What an engine computes, against another witness."""

    model: str
    engine: str
    against: str
    ok: bool
    outputs: tuple[OutputDifference, ...]
    first: FirstDifference | None = None

    def table(self) -> str:
        verdict = "the same" if self.ok else "DIFFERENT"
        rows = [("model", self.model), ("compared", f"{self.engine} with {self.against}")]
        parts = [facts(rows), difference_table("output", self.outputs), verdict]
        if self.first is not None:
            parts.append(_first_table(self.first))
        return "\n\n".join(parts)


def percentile(ordered: Sequence[float], q: float) -> float:
    """The q-quantile of ascending numbers, interpolated."""
    at = q * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def latency_table(rows: Mapping[str, Latency]) -> str:
    """Latencies side by side, in milliseconds."""
    heads = ("latency, ms", "n", "min", "p50", "p90", "p95", "p99", "max", "mean")
    cells = [
        (
            name,
            str(t.n),
            *(f"{v:.3f}" for v in (t.min, t.p50, t.p90, t.p95, t.p99, t.max, t.mean)),
        )
        for name, t in rows.items()
    ]
    return columns(heads, cells, right=range(1, len(heads)))


def facts(rows: Rows) -> str:
    """Names and what they are, one a line."""
    table = _table()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, _text(value))
    return _render(table)


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """A table with a head."""
    table = _table(head=True)
    to_right = set(right)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i in to_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_text(cell) for cell in row])
    return _render(table)


def plain(value: Any) -> Any:
    """What json can write: tuples as lists, numbers that are no numbers as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def is_terminal() -> bool:
    """Whether a person watches stdout and wants colour."""
    quiet = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not quiet


def _expect_table(expect: ExpectReport) -> str:
    verdict = "as expected" if expect.ok else "DIFFERENT from what was expected"
    return f"{difference_table('expected', expect.outputs)}\n{verdict}"


def difference_table(head: str, outputs: Sequence[OutputDifference]) -> str:
    """How far arrays are from what they should be."""
    rows = [
        (o.name, f"{o.mismatched} of {o.count}", f"{o.max_abs:.3g}", f"{o.max_rel:.3g}", o.note)
        for o in outputs
    ]
    heads = (head, "beyond tolerance", "max abs", "max rel", "")
    return columns(heads, rows, right=range(1, 4))


def _first_table(first: FirstDifference) -> str:
    d = first.difference
    rows = [
        ("first node", first.op + (f" {first.label!r}" if first.label else "")),
        ("built at", first.source or "unknown"),
        ("differs", f"{d.mismatched} of {d.count}, by up to {d.max_abs:.3g}"),
        ("by itself", "yes" if first.alone else "no: only in its place in the graph"),
        ("as a graph", first.graph),
    ]
    return facts(rows)


def _table(*, head: bool = False) -> Table:
    from rich.table import Table  # late: --json needs none

    return Table(box=None, show_header=head, pad_edge=False, header_style="bold")


def _text(value: str) -> str:
    from rich.markup import escape

    return escape(value)


def _render(table: Table) -> str:
    from rich.console import Console

    watched = is_terminal()
    out = io.StringIO()
    width = None if watched else 10_000
    console = Console(
        file=out, force_terminal=watched, width=width, no_color=not watched, highlight=False
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def byte_text(size: int) -> str:
    """`1.5 MiB`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
