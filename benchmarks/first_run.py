"""From a graph.pb to its first outputs, by coremlc cold and cached, by XLA; and whole commands.

    python -m benchmarks.first_run [GRAPH ...]            (make bench-first-run)

Each measurement is a process of its own, which has run a small graph before, so that everything is
imported and at work. The bars are 0.3 of XLA's time cold, 0.08 from the cache. XLA reads the same
graph.pb and compiles it by jax.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEFAULT = ROOT / "out" / "bench" / "encoder-12x128x384" / "graph.pb"
WARM_UP = ROOT / "fixtures" / "einsum" / "graph.pb"
ROUNDS = 5


def main(graphs: Sequence[Path]) -> None:
    """The table of all graphs: the fastest of some rounds that take turns."""
    print("| graph | XLA, ms | cold, ms | ratio | from the cache, ms | ratio |")
    print("| --- | --: | --: | --: | --: | --: |")
    for graph in graphs:
        xla, cold, hit = (min(times) for times in zip(*map(_round, [graph] * ROUNDS), strict=True))
        print(f"| {graph.parent.name} | {xla:.0f} | {cold:.0f} | {cold / xla:.2f} "
              f"| {hit:.0f} | {hit / xla:.3f} |")  # fmt: skip


def processes() -> None:
    """Seconds of whole commands on a small graph that is in the cache: the least of some runs."""
    graph = str(ROOT / "fixtures" / "digits" / "graph.pb")
    print("| command | s | bar |")
    print("| --- | --: | --: |")
    for words, bar in (
        (["--version"], 0.1),
        (["compile", graph, "--quiet"], 0.3),
        (["run", graph, "--random", "0", "--json"], 0.45),
    ):
        command = [Path(sys.executable).with_name("coremlc"), *words]
        times = []
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            times.append(time.perf_counter() - start)
        print(f"| coremlc {words[0]} | {min(times):.2f} | {bar} |")


def _round(graph: Path) -> tuple[float, float, float]:
    """Milliseconds of XLA, of coremlc with an empty cache, and with a full one."""
    with tempfile.TemporaryDirectory() as cache:
        return (
            _time("xla", graph, cache),
            _time("coremlc", graph, cache),
            _time("coremlc", graph, cache),
        )


def _time(how: str, graph: Path, cache: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_run", "--time", how, str(graph)],
        env={**os.environ, "COREMLC_CACHE": cache},
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


def _timed(how: str, graph: Path) -> float:
    run = {"xla": _by_xla, "coremlc": _by_coremlc}[how]
    run(WARM_UP)
    start = time.perf_counter()
    run(graph)
    return (time.perf_counter() - start) * 1e3


def _by_xla(graph: Path) -> None:
    from coremlc.baseline import load_xla
    from coremlc.locate import CompileOptions, graph_and_inputs
    from coremlc.runner import RunOptions

    made, inputs = graph_and_inputs(graph, CompileOptions(), RunOptions(random=0))
    load_xla(made)(inputs)


def _by_coremlc(graph: Path) -> None:
    from coremlc.locate import locate
    from coremlc.runner import RunOptions, given_inputs, load

    with load(locate(str(graph)).bundle) as model:
        model(given_inputs(model.signature, RunOptions(random=0)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:
        print(_timed(sys.argv[2], Path(sys.argv[3])))
    else:
        main([Path(name) for name in sys.argv[1:]] or [DEFAULT])
        processes()
