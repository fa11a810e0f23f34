"""Anonymous memory of compiling and of running large weights, at its peak.

    python -m benchmarks.memory [GRAPH.pb]            (make bench-memory)

Without a graph: 1 GB of float32 weights. Each command is a process of its own, whose RssAnon is
read every few milliseconds: pages of mapped files don't count, as the system may drop them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.synthetic import large_weights

WEIGHTS_BYTES = 10**9
INTERVAL_SECONDS = 0.002
MB = 10**6


@dataclass(frozen=True)
class Bar:
    """The most anonymous memory that a command may take."""

    command: str
    per_byte: float
    base_bytes: int

    def of(self, weights_bytes: int) -> float:
        return self.per_byte * weights_bytes + self.base_bytes


COMPILE = Bar("compile", 0.2, 200 * MB)
RUN = Bar("run", 1.1, 100 * MB)


def peak_bytes(command: Sequence[str | Path]) -> tuple[int, str]:
    """(anonymous memory at its peak, what the command printed)."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _anonymous_bytes(process.pid))
            time.sleep(INTERVAL_SECONDS)
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return peak, printed


def _anonymous_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def measure(graph: Path, room: Path) -> list[tuple[Bar, int, int]]:
    """(bar, weights' bytes, peak) of compiling a graph and of running it, with random inputs."""
    coremlc: list[str | Path] = [sys.executable, "-m", "coremlc"]
    bundle = room / "model.mlmodelc"
    build = [*coremlc, "compile", graph, "-o", bundle, "--no-cache", "--json"]
    compile_peak, printed = peak_bytes(build)
    weights = json.loads(printed)["weights_bytes"]
    run_peak, _ = peak_bytes([*coremlc, "run", bundle, "--random", "0", "--repeat", "1", "--json"])
    return [(COMPILE, weights, compile_peak), (RUN, weights, run_peak)]


def main() -> int:
    """Print a line for each command; 1 if a bar is missed."""
    with tempfile.TemporaryDirectory() as directory:
        room = Path(directory)
        graph = Path(sys.argv[1]) if len(sys.argv) > 1 else room / "graph.pb"
        if len(sys.argv) == 1:
            large_weights(WEIGHTS_BYTES, graph)
        rows = measure(graph, room)
    for bar, weights, peak in rows:
        print(
            f"{bar.command:8} {weights / MB:6.0f} MB of weights  {peak / MB:6.0f} MB anonymous "
            f"(bar {bar.of(weights) / MB:.0f})"
        )
    return int(any(peak > bar.of(weights) for bar, weights, peak in rows))


if __name__ == "__main__":
    sys.exit(main())
