"""Random op cases: the oracle and both engines must agree.

Run by `make fuzz-ops N=1000000`, which goes on where the recorded run ended. A seed (fuzz_case)
makes an op kind, attributes and operand types, and TURNS rounds of values, each a case. BATCH
neighbouring seeds share a graph, a target and a session. What is refused is counted by reason. A
difference (fuzz_judge), or an error that is no refusal, is a finding: it is printed with the seed
that makes it again (`--seed SEED -N 1`) and its graph, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import collections
import functools
import gc
import json
import math
import multiprocessing
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.fuzz_case import (
    KINDS,
    TURNS,
    Case,
    OracleError,
    graph_of,
    inputs_of,
    of_seed,
    place,
)
from benchmarks.fuzz_judge import differs
from benchmarks.fuzz_values import Array
from coremlc import targets
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import Options, load_program
from coremlc.errors import CoremlcError, RefusalsError, RefusedError
from coremlc.ir.text import print_graph
from coremlc.signature import KEY, Signature

BATCH = 16
CHUNK = 16
"""Batches that a worker does at once; the record is written after each."""
LIMIT_S = 300
ENGINES = ("reference", "onnxruntime")
TARGETS = ("iOS18", "iOS18", "iOS15", "iOS16", "iOS17", "iOS26")
FIRST = 1
"""Findings of a kind that are printed."""


class HangError(Exception):
    """One graph took too long."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {LIMIT_S} s")


@dataclass
class Tally:
    """The figures of some cases."""

    ops: dict[str, collections.Counter[str]] = field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    refused: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: collections.Counter[str] = field(default_factory=collections.Counter)
    first: dict[str, str] = field(default_factory=dict)

    def refuse(self, kind: str, error: BaseException) -> None:
        self.ops[kind]["refused"] += 1
        self.refused[reason(error)] += 1

    def find(self, kind: str, key: str, name: str) -> None:
        self.ops[kind]["findings"] += 1
        self.findings[key] += 1
        self.first.setdefault(key, name)


def target_of(seed: int) -> str:
    """The target of a seed's batch."""
    return random.Random(-1 - seed // BATCH).choice(TARGETS)


Results = list[list[list[Array]]]
"""Per round and case."""


def outputs_of(
    cases: Sequence[Case], target: str, engines: Sequence[Any] = ENGINES, turns: int = TURNS
) -> dict[str, Results]:
    """What each engine gives."""
    model = build_model(graph_of(cases), Recipe(targets.get(target))).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    given = [signature.encode(inputs_of(cases, turn)) for turn in range(turns)]
    out: dict[str, Results] = {engine: [] for engine in engines}
    for engine in engines:
        with load_program(model.program, engine=engine, options=Options(threads=1)) as executable:
            for features in given:
                flat = iter(signature.decode(executable.run(features)).values())
                out[engine].append([[next(flat) for _ in case.results] for case in cases])
    return out


def reason(error: BaseException) -> str:
    """A refusal without the names and numbers in it."""
    if isinstance(error, RefusalsError):
        error = error.refusals[0]
    text = getattr(error, "what", str(error))
    return " ".join("N" if any(c.isdigit() for c in w) else w for w in text.split())[:100]


def note(tally: Tally, case: Case, turn: int, target: str, key: str, what: str) -> None:
    """Count a finding, and print the first few of a kind."""
    name = f"{case.name} round={turn} target={target}"
    tally.find(case.op.kind, key, name)
    if tally.findings[key] > FIRST:
        return
    text = [f"--- {name} {key}", what, print_graph(graph_of([case]))]
    for i, x in enumerate(case.arrays(turn)):
        if x.size <= 40:
            text.append(f"operand {i}: {x.tolist()}")
    print("\n".join(text), file=sys.stderr, flush=True)


def judge(cases: Sequence[Case], target: str, tally: Tally) -> None:
    """Run the cases in one graph; if that fails, each half of them."""
    try:
        got = outputs_of(cases, target)
    except Exception as error:
        if len(cases) > 1:
            half = len(cases) // 2
            judge(cases[:half], target, tally)
            judge(cases[half:], target, tally)
        elif isinstance(error, RefusedError):
            tally.refuse(cases[0].op.kind, error)
        else:
            trace = "".join(traceback.format_exception(error, limit=-3))
            note(tally, cases[0], 0, target, f"{cases[0].op.kind}: {place(error)}", trace)
        return
    for n, case in enumerate(cases):
        for turn in range(TURNS):
            results = {engine: found[turn][n] for engine, found in got.items()}
            _compare(case, turn, target, results, tally)


def _compare(
    case: Case, turn: int, target: str, results: dict[str, list[Array]], tally: Tally
) -> None:
    tally.ops[case.op.kind]["cases"] += 1
    try:
        expected = case.expected(turn)
    except CoremlcError as error:  # the oracle refuses too
        tally.refuse(case.op.kind, error)
        return
    except OracleError as error:
        note(tally, case, turn, target, str(error), traceback.format_exc(limit=-3))
        return
    for engine, got in results.items():
        what = differs(case, got, expected, case.arrays(turn))
        if what:
            kinds = ",".join(t.dtype.short for t in case.types[:2])
            note(tally, case, turn, target, f"{case.op.kind}({kinds}): {engine} differs", what)


def fuzz(seed: int, count: int, only: str = "") -> Tally:
    """The cases of `count` seeds."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _stop)
    tally = Tally()
    for start in range(seed, seed + count, BATCH):
        signal.alarm(LIMIT_S)
        try:
            cases = [of_seed(at, only) for at in range(start, min(start + BATCH, seed + count))]
            judge(cases, target_of(start), tally)
        finally:
            signal.alarm(0)
        gc.collect()
    return tally


# --- the record


def spans(seed: int, count: int) -> Iterator[tuple[int, int]]:
    """Chunks, each of whole batches."""
    step = BATCH * CHUNK
    for start in range(seed, seed + count, step):
        yield start, min(step, seed + count - start)


def add(record: dict[str, Any], tally: Tally, count: int) -> None:
    """Count a chunk."""
    record["cases"] += count * TURNS
    record["next_seed"] += count
    for kind, counts in tally.ops.items():
        row = record["ops"].setdefault(kind, {})
        for name, n in counts.items():
            row[name] = row.get(name, 0) + n
    for name in ("refused", "findings"):
        for key, n in getattr(tally, name).items():
            record[name][key] = record[name].get(key, 0) + n
    for key, at in tally.first.items():
        record["first"].setdefault(key, at)


def save(record: dict[str, Any], path: Path | None) -> None:
    """Write the record."""
    if path is None:
        return
    for name in ("ops", "refused", "findings", "first"):
        record[name] = dict(sorted(record[name].items()))
    path.write_text(json.dumps(record, indent=1) + "\n")


def empty(seed: int) -> dict[str, Any]:
    """The record of no case."""
    zero = {"seed": seed, "next_seed": seed, "cases": 0, "wall_s": 0.0, "cpu_s": 0.0}
    return {**zero, "ops": {}, "refused": {}, "findings": {}, "first": {}}


def _one(span: tuple[int, int], only: str) -> tuple[Tally, int, float]:
    gc.disable()
    begin = time.process_time()
    return fuzz(*span, only), span[1], time.process_time() - begin


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
    begin, before = time.time(), record["wall_s"]
    print(f"seed={record['next_seed']}, {given.N - record['cases']} cases to go", flush=True)
    count = math.ceil((given.N - record["cases"]) / TURNS)
    todo = list(spans(record["next_seed"], count))
    one = functools.partial(_one, only=given.only)
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for tally, count, cpu in pool.imap(one, todo):
            add(record, tally, count)
            record["wall_s"] = round(before + time.time() - begin, 1)
            record["cpu_s"] = round(record["cpu_s"] + cpu, 1)
            save(record, given.json)
            if time.time() - begin > 60 * given.minutes:
                pool.terminate()
                break
    each = 1000 * record["cpu_s"] / max(record["cases"], 1)
    print(f"{record['cases']} cases, {each:.1f} ms CPU each, next seed={record['next_seed']}")
    for name in ("refused", "findings"):
        for key, n in sorted(record[name].items(), key=lambda row: -row[1]):
            print(f"{name} {n:6} {key}  {record['first'].get(key, '')}")
    return 1 if record["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
