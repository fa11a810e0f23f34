"""Cases through the compiler and both engines, compared with the oracle."""

from __future__ import annotations

import gc
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

from benchmarks.fuzz.case import (
    TURNS,
    Case,
    OracleError,
    graph_of,
    inputs_of,
    of_seed,
    place,
)
from benchmarks.fuzz.judge import differs
from benchmarks.fuzz.record import Tally
from benchmarks.fuzz.values import Array
from coremlc import targets
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import Options, load_program
from coremlc.errors import CoremlcError, RefusedError
from coremlc.ir.text import print_graph
from coremlc.signature import KEY, Signature

BATCH = 16
LIMIT_S = 300
ENGINES = ("reference", "onnxruntime")
TARGETS = ("iOS18", "iOS18", "iOS15", "iOS16", "iOS17", "iOS26")
PRINTED = 40
"""Elements of an operand that a finding prints at most."""


class HangError(Exception):
    """One graph took too long."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {LIMIT_S} s")


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
    turns = min(turns, max(len(case.rounds) for case in cases))
    given = [signature.encode(inputs_of(cases, turn)) for turn in range(turns)]
    out: dict[str, Results] = {engine: [] for engine in engines}
    for engine in engines:
        with load_program(model.program, engine=engine, options=Options(threads=1)) as executable:
            for features in given:
                flat = iter(signature.decode(executable.run(features)).values())
                out[engine].append([[next(flat) for _ in case.results] for case in cases])
    return out


def note(tally: Tally, case: Case, turn: int, target: str, key: str, what: str) -> None:
    """Count a finding, and print the first of a kind."""
    name = f"{case.name} round={turn} target={target}"
    tally.find(case.op.kind, key, name)
    if tally.findings[key] > 1:
        return
    text = [f"--- {name} {key}", what, print_graph(graph_of([case]))]
    for i, x in enumerate(case.rounds[turn]):
        if x.size <= PRINTED:
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
            tally.refuse(cases[0], error)
        else:
            trace = "".join(traceback.format_exception(error, limit=-3))
            note(tally, cases[0], 0, target, f"{cases[0].op.kind}: {place(error)}", trace)
        return
    for n, case in enumerate(cases):
        for turn in range(len(case.rounds)):
            results = {engine: found[turn][n] for engine, found in got.items()}
            _compare(case, turn, target, results, tally)


def _compare(
    case: Case, turn: int, target: str, results: dict[str, list[Array]], tally: Tally
) -> None:
    given = case.rounds[turn]
    try:
        expected = case.expected(given)
    except CoremlcError as error:  # the oracle refuses too
        tally.refuse(case, error, rounds=1)
        return
    except OracleError as error:
        note(tally, case, turn, target, str(error), traceback.format_exc(limit=-3))
        return
    tally.count(case, expected)
    for engine, got in results.items():
        verdict = differs(case, got, expected, given)
        if verdict.open:
            tally.open[case.op.kind] += verdict.open
        if verdict.difference:
            kinds = ",".join(t.dtype.short for t in case.types[:2])
            key = f"{case.op.kind}({kinds}): {engine} differs"
            note(tally, case, turn, target, key, verdict.difference)


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


def timed(span: tuple[int, int], only: str) -> tuple[Tally, int, float]:
    """The same in a process of its own, with the number of seeds and the seconds of CPU."""
    gc.disable()
    gc.freeze()
    begin = time.process_time()
    return fuzz(*span, only), span[1], time.process_time() - begin
