"""What a bench tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coremlc.bench.host import MachineRow
from coremlc.errors import FormatError, UsageError
from coremlc.report import Latency, Report, columns


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One model on one engine, or by XLA."""

    model: str
    engine: str
    compute_units: str
    load_ms: float
    """Of XLA: tracing and compiling."""
    first_ms: float
    latency_ms: Latency
    rounds_p50_ms: tuple[float, ...]
    """The median of each round, in which the contenders of a model took turns."""
    per_second: float
    peak_rss_mb: float | None
    """Of a process that loads the model and runs it once; None where that can't be asked."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Latency of one run by that of another; below 1 it is faster."""

    model: str
    engine: str
    against: str
    p50_ratio: float
    min_ratio: float
    spread: tuple[float, float] | None
    """Least and greatest ratio of the medians of a round; None if the other did not take turns."""

    @staticmethod
    def of(run: BenchRun, other: BenchRun) -> Ratio:
        """Of two that took turns."""
        rounds = [a / b for a, b in zip(run.rounds_p50_ms, other.rounds_p50_ms, strict=True)]
        mine, theirs = run.latency_ms, other.latency_ms
        spread = min(rounds), max(rounds)
        return Ratio(
            run.model,
            run.engine,
            other.engine,
            mine.p50 / theirs.p50,
            mine.min / theirs.min,
            spread,
        )


@dataclass(frozen=True, slots=True)
class BenchReport(Report):
    """All runs, and how they compare."""

    machine: MachineRow
    threads: int
    """Of each contender, on the CPU."""
    concurrency: int
    """Callers at a time."""
    runs: tuple[BenchRun, ...]
    ratios: tuple[Ratio, ...]

    def table(self) -> str:
        heads = ("model", "engine", "load", "first", "min", "p50", "p90", "p99", "per s", "peak MB")
        rows = [
            (
                r.model,
                f"{r.engine} ({r.compute_units})",
                *(f"{ms:.2f}" for ms in (r.load_ms, r.first_ms, *_shown(r.latency_ms))),
                f"{r.per_second:.0f}",
                "" if r.peak_rss_mb is None else f"{r.peak_rss_mb:.0f}",
            )
            for r in self.runs
        ]
        how = f"{self.threads} threads, {self.concurrency} caller{'s' * (self.concurrency > 1)}"
        parts = [f"{self.machine}; {how}", columns(heads, rows, right=range(2, len(heads)))]
        if self.ratios:
            parts.append(_ratio_table(self.ratios))
        return "\n\n".join(parts)


def _shown(latency: Latency) -> tuple[float, ...]:
    return latency.min, latency.p50, latency.p90, latency.p99


def _ratio_table(ratios: Sequence[Ratio]) -> str:
    heads = ("model", "engine", "against", "p50 ratio", "of rounds", "min ratio")
    cells = [
        (
            r.model,
            r.engine,
            r.against,
            f"{r.p50_ratio:.2f}",
            "" if r.spread is None else f"{r.spread[0]:.2f}..{r.spread[1]:.2f}",
            f"{r.min_ratio:.2f}",
        )
        for r in ratios
    ]
    return columns(heads, cells, right=(3, 4, 5))


@dataclass(frozen=True, slots=True)
class Earlier:
    """The runs of a report that was saved."""

    name: str
    runs: Sequence[Mapping[str, Any]]

    @staticmethod
    def read(path: Path) -> Earlier:
        """Of a JSON file.

        Raises:
            UsageError: it can't be read.
            FormatError: it holds no report.
        """
        try:
            runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
            return Earlier(path.name, [_checked(run) for run in runs])
        except OSError as error:
            raise UsageError(
                f"{path} can't be read: {error.strerror}", fix="check the path"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise FormatError(f"{path} is no bench report", fix="save one with --save") from None

    def ratios(self, run: BenchRun) -> list[Ratio]:
        """To each of its runs that is of the same model in the same place."""
        told = (run.model, run.engine, run.compute_units)
        mine = run.latency_ms
        return [
            Ratio(
                run.model, run.engine, self.name, mine.p50 / row["p50"], mine.min / row["min"], None
            )
            for row in self.runs
            if told == (row["model"], row["engine"], row["compute_units"])
        ]


def _checked(run: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of an earlier run."""
    names = {key: str(run[key]) for key in ("model", "engine", "compute_units")}
    return names | {key: float(run["latency_ms"][key]) for key in ("p50", "min")}
