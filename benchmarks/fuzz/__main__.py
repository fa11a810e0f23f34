"""Random op cases: the oracle and both engines must agree.

Run by `make fuzz-ops N=1000000`, which goes on where the recorded run ended. A seed (case) makes an
op kind, attributes and operand types, and rounds of values, each a case. Neighbouring seeds share a
graph, a target and a session. What is refused is counted by reason. A difference (judge), or an
error that is no refusal, is a finding: it is printed with the seed that makes it again
(`--seed SEED -N 1`) and its graph, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fuzz.case import KINDS
from benchmarks.fuzz.record import Record, add, empty, save
from benchmarks.fuzz.run import BATCH, timed

CHUNK = 16 * BATCH
"""Seeds that a worker takes at once; the record is written after each."""
ROOT = Path(__file__).parents[2]


def commit() -> str:
    """Of the code that runs; with a `+` if the files are others."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
    changed = [*git, "status", "--porcelain", "coremlc", "benchmarks/fuzz"]
    return name + "+" * bool(subprocess.check_output(changed, text=True).strip())


def spans(seed: int, cases: int) -> list[tuple[int, int]]:
    """Chunks of seeds, more than enough: each seed has a case at least."""
    return [(start, CHUNK) for start in range(seed, seed + cases + CHUNK, CHUNK)]


def run(record: Record, given: argparse.Namespace) -> None:
    """Go on with a record until it has N cases."""
    begin, before, code = time.time(), record["wall_s"], commit()
    one = functools.partial(timed, only=given.only)
    todo = spans(record["next_seed"], given.N - record["cases"])
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for tally, count, cpu in pool.imap(one, todo):
            add(record, tally, count, code)
            record["wall_s"] = round(before + time.time() - begin, 1)
            record["cpu_s"] = round(record["cpu_s"] + cpu, 1)
            if given.json is not None:
                save(record, given.json)
            if record["cases"] >= given.N or time.time() - begin > 60 * given.minutes:
                pool.terminate()
                return


def main() -> int:
    """Run the jobs, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-N", type=int, default=10_000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", choices=["", *KINDS], metavar="OP")
    parser.add_argument("--json", type=Path, help="the record: goes on from it, and writes it")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after so long")
    given = parser.parse_args()
    record = empty(given.seed)
    if given.json is not None and given.json.exists():
        record = json.loads(given.json.read_text())
    print(f"seed={record['next_seed']}, {given.N - record['cases']} cases to go", flush=True)
    run(record, given)
    each = 1000 * record["cpu_s"] / max(record["cases"], 1)
    print(f"{record['cases']} cases, {each:.1f} ms CPU each, next seed={record['next_seed']}")
    for name in ("refused", "findings"):
        for key, n in sorted(record[name].items(), key=lambda row: -row[1]):
            print(f"{name} {n:6} {key}  {record['first'].get(key, '')}")
    return 1 if record["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
