"""benchmarks/HARVEST.md: what became of GoMLX's own tests, from the verdicts and lists of reasons.

The reasons are data beside this file: `graphs.json` why a graph does not pass, `tests.json` why a
test of GoMLX fails while it is recorded. What is not listed there is UNEXPLAINED in the report.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harvest.judge import ENGINES, Verdict
from benchmarks.harvest.variants import VARIANTS

REASONS = Path(__file__).with_name("graphs.json")
TESTS = Path(__file__).with_name("tests.json")
COMPUTE = "github.com/coremlc/coremlc/go/harvest"
"""The package that runs compute/support/backendtest."""
SHOWN = {COMPUTE: "compute/support/backendtest, and more (go/harvest)"}
STATUSES = ("passed", "same", "refused", "failed", "unjudged")
UNEXPLAINED = "**UNEXPLAINED**"
VARIANTS_TOLD = """\
`plain` is the graph as recorded; `free` has its constants, iotas and random bits as inputs, since
most graphs have no inputs and would be folded while compiling; `same` have nothing to free.
`evaluate` are numpy's rules, one of the witnesses. What passes by conditioning differs by more than
the tolerance of its dtype, but is as near to the result in float64 as GoMLX's own is, or numpy's in
float32."""
BITS_TOLD = """\
The Go backend draws random bits by PCG; XLA and coremlc by Philox, as GoMLX's interface promises.
What the Go backend computed from its own bits is compared in `free`, where they are inputs; `plain`
is compared with numpy's rules there."""
CURES = {
    "judge": "XLA runs what the Go backend can't",
    "always": "XLA runs all of it",
    "recorder": "mended",
    "time": "half an hour",
}
"""What was done about a test, by the word in `tests.json`."""
JUDGES = {
    "gomlx": "GoMLX's Go backend",
    "xla": "XLA (coremlc/baseline), where the Go backend lacks an op or a dtype, or is wrong",
    "numpy": "numpy's rules (coremlc/ops), where neither has outputs",
    "none": "nobody",
}


@dataclass(frozen=True)
class Harvest:
    """All that the report tells of."""

    verdicts: Sequence[Verdict]
    origins: Mapping[str, Mapping[str, Any]]
    """origin.json of each graph."""
    tests: Mapping[str, Mapping[str, Any]]
    """tests.json of the archive: by `package:Test` the result, why it failed, and its cases."""
    heading: str

    def reasons(self) -> dict[str, str]:
        return dict(json.loads(REASONS.read_text()))

    def by_graph(self) -> dict[str, list[Verdict]]:
        """What is judged of each graph: `evaluate` is a witness, not an engine."""
        found: dict[str, list[Verdict]] = defaultdict(list)
        for v in self.verdicts:
            if v.engine in ENGINES:
                found[v.graph].append(v)
        return found

    def short(self) -> list[str]:
        """Graphs that do not pass everywhere."""
        graphs = self.by_graph().items()
        return sorted(g for g, vs in graphs if any(not passes(v) for v in vs))

    def unexplained(self) -> list[str]:
        """Graphs and tests that fail without a reason."""
        tests = json.loads(TESTS.read_text())
        graphs = [g for g in self.short() if g not in self.reasons()]
        return graphs + [name for name in failed(self.tests) if name not in tests]


def passes(verdict: Verdict) -> bool:
    """Whether it is as good as passed."""
    return verdict.status in ("passed", "same")


def failed(tests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Tests that failed in Go."""
    return sorted(name for name, row in tests.items() if row["result"] == "failed")


def report(harvest: Harvest) -> str:
    """The whole page."""
    parts = [
        ["# GoMLX's own tests through coremlc", "", harvest.heading],
        ["## Graphs", "", *_summary(harvest), "", *_table(harvest), "", *_near(harvest)],
        ["## By package", "", *_packages(harvest)],
        ["## Graphs that do not pass", "", *_short(harvest)],
        ["## compute/support/backendtest", "", *_backendtest(harvest)],
        ["## Who judges", "", *_judges(harvest)],
        ["## Tests of GoMLX that fail while they are recorded", "", *_failed(harvest)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _summary(harvest: Harvest) -> Iterator[str]:
    short, total = harvest.short(), len(harvest.by_graph())
    share = 100 * (total - len(short)) / max(total, 1)
    good = total - len(short)
    yield f"{good} of {total} graphs ({share:.1f} %) pass on both engines in both variants."
    yield VARIANTS_TOLD


def _table(harvest: Harvest) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for v in harvest.verdicts:
        groups[v.variant, v.engine].append(v)

    def rows() -> Iterator[Sequence[object]]:
        for variant in VARIANTS:
            for engine in (*ENGINES, "evaluate"):
                group = groups[variant, engine]
                count = Counter(v.status for v in group)
                near = sum(v.by_conditioning and v.status == "passed" for v in group)
                yield variant, engine, *(count[s] for s in STATUSES), near

    return _rows(("variant", "engine", *STATUSES, "by conditioning"), rows())


def _near(harvest: Harvest) -> Iterator[str]:
    tests: dict[str, set[str]] = defaultdict(set)
    for v in harvest.verdicts:
        if v.by_conditioning and v.status == "passed" and v.engine in ENGINES:
            tests[harvest.origins[v.graph]["test"]].add(v.graph)
    if tests:
        told = ", ".join(f"{test} ({len(graphs)})" for test, graphs in sorted(tests.items()))
        yield f"Tests with graphs that pass by conditioning: {told}."


def _packages(harvest: Harvest) -> Iterator[str]:
    graphs: dict[str, list[str]] = defaultdict(list)
    for graph in harvest.by_graph():
        graphs[harvest.origins[graph]["package"]].append(graph)
    tests: dict[str, Counter[str]] = defaultdict(Counter)
    for name, row in harvest.tests.items():
        tests[name.rpartition(":")[0]][row["result"]] += 1
    short = set(harvest.short())

    def rows() -> Iterator[Sequence[object]]:
        for package in sorted(tests | graphs):
            found, count = graphs[package], tests[package]
            good = len([g for g in found if g not in short])
            results = (count[r] for r in ("passed", "failed", "skipped"))
            yield SHOWN.get(package, package), *results, len(found), good

    header = ("package", "tests passed", "failed", "skipped", "graphs", "pass")
    yield "A graph that several tests build counts where it was met first."
    yield ""
    yield from _rows(header, rows())


def _short(harvest: Harvest) -> Iterator[str]:
    reasons, graphs = harvest.reasons(), harvest.by_graph()

    def rows() -> Iterator[Sequence[object]]:
        for name in harvest.short():
            bad = [v for v in graphs[name] if not passes(v)]
            where = ", ".join(f"{v.variant} {v.engine}" for v in bad)
            test = harvest.origins[name]["test"]
            why = bad[0].why if len(bad[0].why) < 160 else bad[0].why[:160] + " .."
            yield name, test, bad[0].status, where, why, reasons.get(name, UNEXPLAINED)

    if not harvest.short():
        return iter(["None."])
    return _rows(("graph", "test", "status", "where", "what", "reason"), rows())


def _backendtest(harvest: Harvest) -> Iterator[str]:
    row = harvest.tests.get(f"{COMPUTE}:TestCompute")
    if row is None:
        yield "Not harvested."
        return
    short, graphs = set(harvest.short()), set(harvest.by_graph())
    cases: Mapping[str, list[str]] = row["cases"]
    built = {name: found for name, found in cases.items() if found}
    equal = [n for n, found in built.items() if set(found) <= graphs and not short & set(found)]
    count = len({g for found in built.values() for g in found})
    yield f"{len(cases)} cases, {row['result']} in Go; {len(built)} of them build {count} graphs."
    yield f"{len(equal)} of these {len(built)} are equal to GoMLX's expectation on both engines, in"
    yield "both variants."
    rest = sorted(set(cases) - set(built))
    yield f"Cases that build no graph: {', '.join(f'`{n}`' for n in rest) if rest else 'none'}."
    wrong = sorted(set(built) - set(equal))
    yield f"Cases that are not equal: {', '.join(f'`{n}`' for n in wrong) if wrong else 'none'}."


def _judges(harvest: Harvest) -> Iterator[str]:
    count: Counter[str] = Counter()
    for verdicts in harvest.by_graph().values():
        judges = {v.judge for v in verdicts}
        count[next((j for j in JUDGES if j in judges), "none")] += 1
    rows = ((JUDGES[j], n) for j, n in count.most_common())
    yield from _rows(("who computed what is compared", "graphs"), rows)
    yield ""
    yield BITS_TOLD


def _failed(harvest: Harvest) -> Iterator[str]:
    known: dict[str, dict[str, str]] = json.loads(TESTS.read_text())
    count = Counter(row["result"] for row in harvest.tests.values())
    short = set(harvest.short())

    def rows(result: str) -> Iterator[Sequence[object]]:
        for name, row in sorted(harvest.tests.items()):
            if row["result"] == result:
                graphs = {g for found in row["cases"].values() for g in found}
                told = known.get(name, {})
                good = f"{len(graphs - short)} of {len(graphs)}"
                yield name, told.get("kind", ""), good, told.get("why", UNEXPLAINED)

    results = ", ".join(f"{count[r]} {r}" for r in ("passed", "failed", "skipped"))
    yield f"{len(harvest.tests)} tests: {results}. Graphs of those that failed are judged as well."
    for result in ("failed", "skipped"):
        yield f"\n{result.capitalize()}:\n"
        yield from _rows(("test", "kind", "graphs that pass", "why"), rows(result))
    helped = [n for n, row in known.items() if "cure" in row and n in harvest.tests]
    good = sorted(n for n in helped if harvest.tests[n]["result"] == "passed")
    yield f"\nThat fail on the Go backend, or failed in an earlier harvest: {len(good)}.\n"
    rest = ((n, known[n]["kind"], known[n]["why"], CURES[known[n]["cure"]]) for n in good)
    yield from _rows(("test", "kind", "why", "cure"), rest)
