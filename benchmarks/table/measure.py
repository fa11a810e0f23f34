"""One case measured: compiled, loaded by all who can run it, judged, raced.

Run in a process of its own, by the table: python -m benchmarks.table.measure NAME [--duration 1]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import contenders
from benchmarks.table.cases import Case, all_cases
from benchmarks.table.contenders import Entrant
from coremlc.bench import ROUNDS, race
from coremlc.bench.contender import Contender
from coremlc.locate import CompileOptions, compile_model
from coremlc.report import CompileReport
from zoo.inputs import Array, Arrays

COMPILE_S = 1.0
"""Compiling is repeated for as long; the fastest counts."""
TOLERANCE = 1e-4
"""Of an output, relative to GoMLX's largest number: who answers something else does not race."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A contender's milliseconds, or why there are none."""

    name: str
    load_ms: float = 0.0
    n: int = 0
    min_ms: float = 0.0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    failure: str = ""

    @staticmethod
    def of(contender: Contender) -> Timing:
        """After its race."""
        run = contender.result(None)
        found = run.latency_ms
        return Timing(run.engine, run.load_ms, found.n, found.min, found.p50, found.p90)


@dataclass(frozen=True, slots=True)
class Row:
    """What a model costs."""

    name: str
    kind: str
    bar: float | None
    nodes: int = 0
    mil_ops: int = 0
    compile_ms: float = 0.0
    bundle_bytes: int = 0
    timings: tuple[Timing, ...] = ()
    failure: str = ""


def measure(case: Case, duration: float) -> Row:
    """Compile, load, judge and race a case.

    Args:
        case: whose files have been made.
        duration: seconds of timed runs for each contender.
    """
    arrays: Arrays = dict(np.load(case.vectors))
    inputs = {k.removeprefix("in."): x for k, x in arrays.items() if k.startswith("in.")}
    expected = {k.removeprefix("out."): x for k, x in arrays.items() if k.startswith("out.")}
    with tempfile.TemporaryDirectory(prefix="coremlc-bench-") as room:
        compiled = _compile(case.graph, Path(room))
        bundle = Path(compiled.bundle)
        size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        makers: dict[str, Callable[[], Entrant | None]] = {
            "onnxruntime": lambda: contenders.of_bundle("onnxruntime", bundle, inputs),
            "xla": lambda: contenders.of_xla(case, inputs),
            "expert": lambda: contenders.of_expert(case, inputs),
        }
        entered = [_enter(name, make, expected) for name, make in makers.items()]
        racers = [e.contender for e in entered if isinstance(e, Entrant)]
        if racers:
            race(racers, duration)
        timings = [Timing.of(r) for r in racers] + [e for e in entered if isinstance(e, Timing)]
        timings.append(_alone(bundle, inputs, expected, duration))
    return Row(
        case.name, case.kind, case.bar, compiled.nodes, compiled.mil_ops, compiled.total_ms, size,
        tuple(timings),
    )  # fmt: skip


def _compile(graph: Path, room: Path) -> CompileReport:
    reports: list[CompileReport] = []
    end = time.perf_counter() + COMPILE_S
    while not reports or time.perf_counter() < end:
        output = room / f"{len(reports)}.mlmodelc"
        options = CompileOptions(use_cache=False)
        reports.append(compile_model(graph, options, output=output))
    return min(reports, key=lambda report: report.total_ms)


def _enter(
    name: str, make: Callable[[], Entrant | None], expected: Mapping[str, Array]
) -> Entrant | Timing | None:
    """Who answers as GoMLX does, or why there is none."""
    try:
        entrant = make()
        if entrant is not None:
            _judge(entrant.outputs(), expected)
    except Exception as error:
        return Timing(name, failure=f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
    return entrant


def _judge(outputs: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    for name, want in expected.items():
        got = outputs[name]
        room = TOLERANCE * np.abs(want).max(initial=0) if want.dtype.kind in "fc" else 0
        if got.shape != want.shape or not np.allclose(got, want, rtol=0, atol=room, equal_nan=True):
            raise ValueError(f"output {name!r} is not GoMLX's")


def _alone(bundle: Path, inputs: Arrays, expected: Mapping[str, Array], duration: float) -> Timing:
    """The reference engine: it is slow, and nobody races it."""
    entered = _enter(
        "reference", lambda: contenders.of_bundle("reference", bundle, inputs), expected
    )
    if not isinstance(entered, Entrant):
        assert entered is not None
        return entered
    entered.contender.take_turn(duration / ROUNDS, 1)
    return Timing.of(entered.contender)


def main() -> int:
    """Print the row as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table.measure")
    parser.add_argument("name")
    parser.add_argument("--duration", type=float, default=1.0)
    given = parser.parse_args()
    (case,) = (case for case in all_cases() if case.name == given.name)
    json.dump(asdict(measure(case, given.duration)), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
