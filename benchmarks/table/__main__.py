"""Measures every model that has been made, each in its own process: `make bench`.

python -m benchmarks.table [--duration 1] [--only NAME ...]

Writes benchmarks/results.json, RESULTS.md (with NOTES.md, which people write) and results.svg.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from benchmarks.table import plot, report
from benchmarks.table.cases import RESULTS, ROOT, Case, all_cases
from benchmarks.table.measure import Row
from coremlc.bench import machine

TIMEOUT_S = 180


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table")
    parser.add_argument("--duration", type=float, default=1.0, help="seconds for each contender")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the others' rows stay")
    given = parser.parse_args()
    cases = all_cases()
    known = [case.name for case in cases]
    for name in given.only or ():
        if name not in known:
            parser.error(f"{name} has not been made; there are {', '.join(known)}")
    rows = _earlier() if given.only else {}
    for i, case in enumerate(cases):
        if given.only is None or case.name in given.only:
            rows[case.name] = row = _measured(case, given.duration)
            print(f"[{i + 1}/{len(cases)}] {report.line(row)}", flush=True)
    results = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": asdict(machine()),
        "rows": [rows[name] for name in known if name in rows],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    report.write(results)
    plot.write(results)
    return 0


def _earlier() -> dict[str, dict[str, Any]]:
    """Rows of the last run, by name."""
    if not RESULTS.exists():
        return {}
    return {row["name"]: row for row in json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]}


def _measured(case: Case, duration: float) -> dict[str, Any]:
    """A row; if the process fails, what it said last."""
    command = [sys.executable, "-m", "benchmarks.table.measure", case.name]
    command += ["--duration", str(duration)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return _failed(case, f"no end after {TIMEOUT_S} s")
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return _failed(case, said[-1])
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def _failed(case: Case, why: str) -> dict[str, Any]:
    return asdict(Row(case.name, case.kind, case.bar, failure=why[:200]))


if __name__ == "__main__":
    sys.exit(main())
