"""Bench: models on engines, side by side in one run, so that noise hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from coremlc.bench.contender import (
    Contender,
    on_engine,
    on_xla,
    peak_on_engine,
    peak_on_xla,
)
from coremlc.bench.host import MachineRow, cores, machine
from coremlc.bench.report import BenchReport, BenchRun, Earlier, Ratio
from coremlc.engine import ComputeUnits, EngineName
from coremlc.errors import UsageError
from coremlc.locate import CompileOptions, is_graph, locate
from coremlc.runner import EngineOptions

__all__ = ["BenchReport", "BenchRun", "MachineRow", "Ratio", "bench", "machine", "race"]

ROUNDS = 5
PAUSE_S = 0.05
"""Between two contenders: threads that spin after a run slow the next one."""


def bench(
    models: Sequence[str],
    *,
    engines: Sequence[EngineName] = ("auto",),
    compute_units: Sequence[ComputeUnits] = ("all",),
    against: Literal["xla"] | None = None,
    duration: float = 5.0,
    threads: int | None = None,
    concurrency: int = 1,
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
        against: XLA runs each graph too, and there are ratios to it.
        duration: seconds of timed runs for each contender.
        threads: on the CPU, equal for all; by default as many as there are cores.
        concurrency: how many threads call a contender at a time.
        options: how graphs are compiled.
        old: an earlier report (JSON) to compare with.
        told: called with what is being done.

    Raises:
        UsageError: a bundle is to be compared with XLA, which needs the graph.
        MachineError: XLA is not installed.
        CoremlcError: as compiling, loading and running do.
    """
    if against is not None:
        _check_graphs(models)
    earlier = None if old is None else Earlier.read(old)
    count = cores() if threads is None else threads
    how = CompileOptions() if options is None else options
    choices = [EngineOptions(e, u, threads=count) for e in engines for u in compute_units]
    runs: list[BenchRun] = []
    ratios: list[Ratio] = []
    for model in models:
        contenders, peaks = _enter(model, choices, how, against, told)
        race(contenders, duration, concurrency, told)
        mine = [c.result(peak) for c, peak in zip(contenders, peaks, strict=True)]
        runs += mine
        ratios += _ratios(mine, against)
        if earlier is not None:
            ratios += [ratio for run in mine for ratio in earlier.ratios(run)]
    return BenchReport(machine(), count, concurrency, tuple(runs), tuple(ratios))


def _check_graphs(models: Sequence[str]) -> None:
    for model in models:
        if not is_graph(model):
            raise UsageError(
                f"{model} is no graph.pb, and XLA runs GoMLX graphs only",
                fix="give the graph.pb that it is of, or drop --against xla",
            )


def _enter(
    model: str,
    choices: Sequence[EngineOptions],
    options: CompileOptions,
    against: str | None,
    told: Callable[[str], None],
) -> tuple[list[Contender], list[float | None]]:
    """All that run a model, loaded; and how much memory each takes alone."""
    told(f"compiling {model}")
    located = locate(model, options)
    contenders: list[Contender] = []
    peaks: list[float | None] = []
    for choice in choices:
        told(f"loading {model} on {choice.engine}")
        peaks.append(peak_on_engine(located, choice))
        contenders.append(on_engine(located, choice))
    if against is not None:
        told(f"compiling {model} by XLA")
        contenders.append(on_xla(model, options, choices[0].threads))
        peaks.append(peak_on_xla(model, options))
    return contenders, peaks


def race(
    contenders: Sequence[Contender],
    duration: float,
    concurrency: int = 1,
    told: Callable[[str], None] = lambda text: None,
) -> None:
    """Let them take turns, in blocks with pauses, and close them."""
    try:
        for i in range(ROUNDS):
            told(f"timing {contenders[0].model}, round {i + 1} of {ROUNDS}")
            for contender in contenders:
                time.sleep(PAUSE_S)
                contender.take_turn(duration / ROUNDS, concurrency)
    finally:
        for contender in contenders:
            contender.close()


def _ratios(runs: Sequence[BenchRun], against: str | None) -> list[Ratio]:
    """Of each engine to the first one, and to XLA, which comes last."""
    ours = runs if against is None else runs[:-1]
    found = [Ratio.of(run, ours[0]) for run in ours[1:]]
    return found if against is None else found + [Ratio.of(run, runs[-1]) for run in ours]
