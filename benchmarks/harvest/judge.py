"""Judges one graph: compiles it, runs it on each engine, compares with what GoMLX computed."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.harvest.case import GO, Case, inputs_of, is_random, outputs_of, random_states
from benchmarks.harvest.truth import Truths, is_near
from benchmarks.harvest.variants import VARIANTS, freed, stated
from coremlc import dtypes
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model, uncollected
from coremlc.engine.base import load_program
from coremlc.errors import CoremlcError, RefusalsError, RefusedError, UsageError
from coremlc.ir import evaluate
from coremlc.ir.graph import Graph, walk
from coremlc.ir.op import Array
from coremlc.signature import KEY, Signature

ENGINES = ("reference", "onnxruntime")


@dataclass
class Verdict:
    """What became of one graph, in one variant, on one engine."""

    graph: str
    variant: str
    engine: str
    status: str
    """passed, refused, failed; unjudged where there is nothing to compare with; same where the
    variant is."""
    judge: str = ""
    """Whose outputs were compared: those of GoMLX's Go backend (`gomlx`), or, where that has none,
    of `xla` or `numpy`."""
    why: str = ""
    by_conditioning: bool = False
    """Passed only since GoMLX's own float result is that uncertain."""


def judge(case: Case, engines: Sequence[str] = ENGINES, seconds: int = 60) -> list[Verdict]:
    """Verdicts of a graph: one for each variant and engine, and for numpy's rules (`evaluate`)."""
    verdicts: list[Verdict] = []
    for variant in VARIANTS:
        found = {e: Verdict(case.name, variant, e, "") for e in ("evaluate", *engines)}
        for vector in case.vectors or [{}]:
            _Trial(case, vector, variant, found, seconds).run()
        verdicts += found.values()
    return verdicts


@dataclass
class _Trial:
    """One vector through one variant of a graph."""

    case: Case
    vector: Mapping[str, Array]
    variant: str
    found: dict[str, Verdict]
    seconds: int
    graph: Graph | None = None
    given: dict[str, Array] = field(default_factory=dict)
    wanted: dict[str, Array] = field(default_factory=dict)
    """What is due: GoMLX's outputs, else those of numpy's rules."""
    states: set[str] = field(default_factory=set)
    """Outputs whose third word is open."""
    judge: str = ""

    def run(self) -> None:
        if not self._attempt(list(self.found), self._prepare):
            return
        assert self.graph is not None
        truths = Truths(self.graph, self.given, self.wanted)
        self._attempt(["evaluate"], lambda: self._evaluate(truths))
        engines = [e for e in self.found if e != "evaluate"]
        built: list[Any] = []
        if self._attempt(engines, lambda: built.append(self._build())):
            for engine in engines:
                self._attempt([engine], lambda e=engine: self._run(built[0], e, truths))  # type: ignore[misc]
        for verdict in self.found.values():
            verdict.judge = self.judge
            verdict.status = verdict.status or "passed"

    def _attempt(self, engines: Sequence[str], act: Callable[[], None]) -> bool:
        verdict = _attempt(act, self.seconds)
        for engine in engines if verdict is not None else []:
            _worsen(self.found[engine], *verdict)  # type: ignore[misc]
        return verdict is None

    def _prepare(self) -> None:
        self.judge = self.case.judge
        graph = self.case.read(self.vector)
        given = inputs_of(graph, self.vector)
        self.wanted = outputs_of(graph, self.vector)
        self.states = random_states(graph) if is_random(graph) else set()
        if self.variant == "free":
            found = freed(graph, given, drawn=self.judge == GO)
            if found is None:
                raise _SameError
            graph, given = found
        if is_random(graph) and self.judge == GO:
            self.wanted = {}  # it draws other bits
        self.graph, self.given = stated(graph, given), given

    def _evaluate(self, truths: Truths) -> None:
        assert self.graph is not None
        if any(node.op.evaluate is None for node in walk(self.graph.main)):
            raise _UnjudgedError("an op has no numpy rule")
        results = evaluate.run(self.graph.main, list(self.given.values()))
        outputs = dict(zip(_names(self.graph), results, strict=True))
        if self.wanted:
            self._compare("evaluate", outputs, truths)
            return
        self.judge = "numpy"
        self.wanted.update(outputs)

    def _build(self) -> Any:
        assert self.graph is not None
        with uncollected():
            return build_model(self.graph, Recipe()).model

    def _run(self, model: Any, engine: str, truths: Truths) -> None:
        assert self.graph is not None
        outputs = _run(model, engine, self.given)
        if not self.wanted:
            raise _UnjudgedError("neither GoMLX nor numpy has outputs")
        self._compare(engine, outputs, truths)

    def _compare(self, engine: str, got: Mapping[str, Array], truths: Truths) -> None:
        complaints = []
        for name, want in self.wanted.items():
            x = got[name]
            if name in self.states:
                x, want = x[:2], want[:2]
            found = difference(name, x, want)
            if not found.mismatched:
                continue
            if is_near(x, want, truths.of(name)):
                self.found[engine].by_conditioning = True
                continue
            complaints.append(
                f"{name}: {found.mismatched} of {found.count} {want.dtype} differ, by up to "
                f"{found.max_abs:.3g} ({found.max_rel:.3g} relative) {found.note} {_first(x, want)}"
            )
        if complaints:
            raise _DifferentError("; ".join(complaints[:3]))


_ORDER = ("", "same", "passed", "unjudged", "refused", "failed")


def _worsen(verdict: Verdict, status: str, why: str) -> None:
    if _ORDER.index(status) > _ORDER.index(verdict.status):
        verdict.status, verdict.why = status, why


class _SameError(Exception):
    """The variant does not differ from the plain one."""


class _UnjudgedError(Exception):
    """There is nothing to compare with."""


class _DifferentError(Exception):
    """Outputs differ."""


def _attempt(act: Callable[[], None], seconds: int) -> tuple[str, str] | None:
    try:
        with _deadline(seconds):
            act()
    except _SameError:
        return "same", ""
    except _UnjudgedError as error:
        return "unjudged", str(error)
    except _DifferentError as error:
        return "failed", str(error)
    except RefusalsError as error:
        return "refused", _reason(error.refusals[0])
    except (RefusedError, UsageError) as error:
        return "refused", _reason(error)
    except CoremlcError as error:
        return "failed", f"{type(error).__name__}: {error.what} [{error.where}]"
    except Exception as error:
        text = str(error).split("\n", 1)[0][:300]
        return "failed", f"{type(error).__name__}: {text} {_place(error)}"
    return None


def _place(error: Exception) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/coremlc/" in file:
            place = f"[{file.rsplit('/coremlc/', 1)[1]}:{trace.tb_lineno}]"
        trace = trace.tb_next
    return place


def _reason(error: CoremlcError) -> str:
    """A refusal without the sizes and names that differ from graph to graph."""
    what = "" if error.where is None else str(error.where.what).split(" '")[0]
    return f"{what}: {re.sub(r'[0-9]+', 'N', error.what)}"


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _names(graph: Graph) -> list[str]:
    return [o.name for o in graph.outputs]


def _run(model: Any, engine: str, given: Mapping[str, Array]) -> dict[str, Array]:
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    with load_program(model.program, engine=engine) as loaded:  # type: ignore[arg-type]
        return signature.decode(loaded.run(signature.encode(given)))


def _first(x: Array, want: Array) -> str:
    """The first element that differs."""
    if x.shape != want.shape or x.dtype != want.dtype:
        return ""
    tolerance = dtypes.BY_NUMPY[want.dtype].tolerance
    with np.errstate(all="ignore"):
        a, b = x.ravel(), want.ravel()
        wide = dtypes.working(dtypes.BY_NUMPY[want.dtype])
        close = np.isclose(a.astype(wide), b.astype(wide), *tolerance, equal_nan=True)
    at = np.flatnonzero(~close if a.dtype.kind != "b" else a != b)
    return f"first {a[at[0]]!r}, want {b[at[0]]!r} at {at[0]}" if at.size else ""
