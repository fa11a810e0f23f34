"""Who takes part in a bench: a model loaded by an engine, or by XLA, and fed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from coremlc.bench.report import BenchRun
from coremlc.locate import CompileOptions, Located, graph_and_inputs
from coremlc.report import Latency, percentile
from coremlc.runner import EngineOptions, RunOptions, given_inputs, load

SEED = 0


@dataclass
class Contender:
    """A loaded model, and its samples so far."""

    model: str
    engine: str
    compute_units: str
    load_ms: float
    run: Callable[[], object]
    """Computes; what it gives stays where the engine left it."""
    close: Callable[[], None]
    first_ms: float = field(init=False)
    rounds: list[list[float]] = field(default_factory=list)
    """Milliseconds of each run, by round."""
    seconds: float = 0.0
    """Of all rounds, warm-up left out."""

    def __post_init__(self) -> None:
        start = time.perf_counter()
        self.run()
        self.first_ms = (time.perf_counter() - start) * 1e3

    def take_turn(self, seconds: float, concurrency: int) -> None:
        """One round: callers run it again and again, after a run that does not count."""
        self.run()
        start = time.perf_counter()
        if concurrency == 1:
            samples = self._run_until(start + seconds)
        else:
            with ThreadPoolExecutor(concurrency) as callers:
                ends = [start + seconds] * concurrency
                samples = [ms for part in callers.map(self._run_until, ends) for ms in part]
        self.seconds += time.perf_counter() - start
        self.rounds.append(samples)

    def _run_until(self, end: float) -> list[float]:
        """At least once."""
        samples = []
        while True:
            start = time.perf_counter()
            self.run()
            stop = time.perf_counter()
            samples.append((stop - start) * 1e3)
            if stop >= end:
                return samples

    def result(self, peak_rss_mb: float | None) -> BenchRun:
        """What came of its turns."""
        samples = [ms for part in self.rounds for ms in part]
        return BenchRun(
            self.model,
            self.engine,
            self.compute_units,
            self.load_ms,
            self.first_ms,
            Latency.of(samples),
            tuple(percentile(sorted(part), 0.5) for part in self.rounds),
            len(samples) / self.seconds,
            peak_rss_mb,
        )


def on_engine(located: Located, how: EngineOptions) -> Contender:
    """A bundle on one of our engines; features and results are numpy's."""
    model = load(located.bundle, how)
    arrays = given_inputs(model.signature, RunOptions(random=SEED), located.defaults)
    features = model.signature.encode(arrays)
    return Contender(
        located.model,
        model.engine,
        model.used.compute_units,
        model.load_ms,
        lambda: model.executable.run(features),
        model.close,
    )


def on_xla(graph_file: str, options: CompileOptions, threads: int | None) -> Contender:
    """The graph of the bundle by XLA; inputs and results stay as XLA holds them."""
    from coremlc.baseline import load_xla

    graph, arrays = graph_and_inputs(Path(graph_file), options, RunOptions(random=SEED))
    executable = load_xla(graph, threads)
    placed = executable.place(arrays)
    return Contender(
        graph_file,
        "xla",
        "cpu-only",
        executable.load_ms,
        lambda: executable.run(placed),
        lambda: None,
    )


def peak_on_engine(located: Located, how: EngineOptions) -> float | None:
    """Megabytes at the peak of another process that loads the bundle and runs it once."""
    return _peak("engine", str(located.bundle), how.engine)


def peak_on_xla(graph_file: str, options: CompileOptions) -> float | None:
    """The same of XLA, which compiles the graph there."""
    return _peak("xla", graph_file, json.dumps(asdict(options)))


def _peak(*arguments: str) -> float | None:
    """None if that process fails."""
    code = "from coremlc.bench.contender import tell_peak; tell_peak()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def tell_peak() -> None:
    """What that other process does."""
    kind, model, how = sys.argv[1:]
    if kind == "xla":
        on_xla(model, CompileOptions(**json.loads(how)), None)
    else:
        on_engine(Located(model, Path(model)), EngineOptions(how))  # type: ignore[arg-type]
    sys.stdout.write(str(_high_water_mb()))


def _high_water_mb() -> float:
    """Of this process. Linux's ru_maxrss will not do: it starts at what the parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
