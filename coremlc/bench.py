"""Bench: models on engines, side by side in one run, so that noise hits all alike."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from coremlc import __version__
from coremlc.engine import ComputeUnits, EngineName
from coremlc.errors import FormatError, UsageError
from coremlc.locate import CompileOptions, Located, locate
from coremlc.report import Latency, Report, columns
from coremlc.runner import Array, EngineOptions, Model, RunOptions, given_inputs, load

ROUNDS = 5
PAUSE_S = 0.05
"""Between two contenders: threads that spin after a run slow the next one."""
SEED = 0


@dataclass(frozen=True, slots=True)
class MachineRow:
    """Where it was measured."""

    system: str
    processor: str
    cores: int
    python: str
    coremlc: str


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One model on one engine."""

    model: str
    engine: str
    compute_units: str
    load_ms: float
    first_ms: float
    latency_ms: Latency
    per_second: float
    peak_rss_mb: float | None
    """Of a process that loads the bundle and runs it once; None where that can't be asked."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median latency of one run by that of another; below 1 it is faster."""

    model: str
    engine: str
    against: str
    p50_ratio: float


@dataclass(frozen=True, slots=True)
class BenchReport(Report):
    """All runs, and how they compare."""

    machine: MachineRow
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
        m = self.machine
        parts = [
            f"{m.system}, {m.processor}, {m.cores} cores, Python {m.python}, coremlc {m.coremlc}",
            columns(heads, rows, right=range(2, len(heads))),
        ]
        if self.ratios:
            cells = [(r.model, r.engine, r.against, f"{r.p50_ratio:.2f}") for r in self.ratios]
            parts.append(columns(("model", "engine", "against", "p50 ratio"), cells, right=(3,)))
        return "\n\n".join(parts)


def _shown(latency: Latency) -> tuple[float, ...]:
    return latency.min, latency.p50, latency.p90, latency.p99


@dataclass
class _Contender:
    """A loaded model, and its samples so far."""

    located: Located
    units: ComputeUnits
    model: Model
    features: Mapping[str, Array]
    first_ms: float
    samples: list[float]

    def run_for(self, seconds: float) -> None:
        """Run again and again; at least once."""
        run = self.model.executable.run
        run(self.features)
        end = time.perf_counter() + seconds
        while True:
            start = time.perf_counter()
            run(self.features)
            stop = time.perf_counter()
            self.samples.append((stop - start) * 1e3)
            if stop >= end:
                return


def bench(
    models: Sequence[str],
    *,
    engines: Sequence[EngineName] = ("auto",),
    compute_units: Sequence[ComputeUnits] = ("all",),
    duration: float = 5.0,
    threads: int | None = None,
    options: CompileOptions | None = None,
    old: Path | None = None,
    told: Callable[[str], None] = lambda text: None,
) -> BenchReport:
    """Time each model on each engine and each choice of compute units.

    Contenders of one model take turns, in blocks with pauses; inputs are random, of a fixed seed.

    Args:
        models: graph.pb, bundles, packages, prefixes of cache keys.
        engines: what runs them; ratios are to the first.
        compute_units: where Core ML may run them.
        duration: seconds of timed runs for each contender.
        threads: on the CPU; equal for all.
        options: how graphs are compiled.
        old: an earlier report (JSON) to compare with.
        told: called with what is being done.
    """
    name, before = ("", []) if old is None else (old.name, _runs_of(old))
    runs: list[BenchRun] = []
    ratios: list[Ratio] = []
    for model in models:
        told(f"compiling {model}")
        located = locate(model, options)
        choices = [EngineOptions(e, u, threads=threads) for e in engines for u in compute_units]
        mine = _race(located, choices, duration, told)
        runs += mine
        ratios += [_ratio(run, mine[0].engine, mine[0].latency_ms.p50) for run in mine[1:]]
        ratios += [
            _ratio(run, name, row["latency_ms"]["p50"])
            for run in mine
            for row in before
            if _same(run, row)
        ]
    return BenchReport(machine(), tuple(runs), tuple(ratios))


def _race(
    located: Located,
    choices: Sequence[EngineOptions],
    duration: float,
    told: Callable[[str], None],
) -> list[BenchRun]:
    """The runs of one model."""
    contenders = []
    peaks = []
    for how in choices:
        told(f"loading {located.model} on {how.engine}")
        peaks.append(_peak_rss_mb(located, how))
        contenders.append(_enter(located, how))
    try:
        for i in range(ROUNDS):
            told(f"timing {located.model}, round {i + 1} of {ROUNDS}")
            for contender in contenders:
                time.sleep(PAUSE_S)
                contender.run_for(duration / ROUNDS)
    finally:
        for contender in contenders:
            contender.model.close()
    return [_report(c, peak) for c, peak in zip(contenders, peaks, strict=True)]


def _enter(located: Located, how: EngineOptions) -> _Contender:
    model = load(located.bundle, how)
    arrays = given_inputs(model.signature, RunOptions(random=SEED), located.defaults)
    features = model.signature.encode(arrays)
    start = time.perf_counter()
    model.executable.run(features)
    first_ms = (time.perf_counter() - start) * 1e3
    return _Contender(located, how.compute_units, model, features, first_ms, [])


def _report(contender: _Contender, peak: float | None) -> BenchRun:
    latency = Latency.of(contender.samples)
    return BenchRun(
        contender.located.model,
        contender.model.engine,
        contender.model.used.compute_units,
        contender.model.load_ms,
        contender.first_ms,
        latency,
        1e3 / latency.mean,
        peak,
    )


def _ratio(run: BenchRun, against: str, p50: float) -> Ratio:
    return Ratio(run.model, run.engine, against, run.latency_ms.p50 / p50)


def _peak_rss_mb(located: Located, how: EngineOptions) -> float | None:
    """Peak memory of another process that loads the bundle and runs it once; None if it fails."""
    code = "from coremlc.bench import tell_peak; tell_peak()"
    command = [sys.executable, "-c", code, str(located.bundle), how.engine]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def tell_peak() -> None:
    """What that other process does: the bundle and the engine are its arguments."""
    bundle, engine = sys.argv[1:]
    with load(bundle, EngineOptions(cast("EngineName", engine))) as model:
        arrays = given_inputs(model.signature, RunOptions(random=SEED))
        model.executable.run(model.signature.encode(arrays))
    sys.stdout.write(str(_high_water_mb()))


def _high_water_mb() -> float:
    """Of this process. Linux's ru_maxrss will not do: it starts at what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _same(run: BenchRun, row: Mapping[str, Any]) -> bool:
    """Whether an earlier run was of the same model in the same place."""
    told = (row["model"], row["engine"], row["compute_units"])
    return told == (run.model, run.engine, run.compute_units)


def machine() -> MachineRow:
    """This one."""
    processor = platform.processor() or platform.machine()
    system = f"{platform.system()} {platform.release()}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return MachineRow(system, processor, cores or 1, platform.python_version(), __version__)


def _runs_of(path: Path) -> list[dict[str, Any]]:
    """The runs of a report that was saved."""
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return [dict(run, latency_ms={"p50": float(run["latency_ms"]["p50"])}) for run in runs]
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", fix="check the path") from None
    except (ValueError, KeyError, TypeError):
        raise FormatError(f"{path} is no bench report", fix="save one with --save") from None
