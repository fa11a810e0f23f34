"""What a run found: tallies of cases, the record they add up to, and its page (FUZZ.md)."""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.fuzz.case import KINDS, Case
from benchmarks.fuzz.values import Array
from coremlc import dtypes, ops_table
from coremlc.errors import RefusalsError

Record: TypeAlias = dict[str, Any]
COUNTERS = ("ops", "ranks", "open", "refused", "findings", "commits")
SHORT = [d.short for d in dtypes.ALL]


def _counter() -> collections.Counter[str]:
    return collections.Counter()


@dataclass
class Tally:
    """The figures of some cases."""

    ops: collections.Counter[str] = field(default_factory=_counter)
    """Cases by `Kind dtype`, for each dtype among operands and results."""
    ranks: collections.Counter[str] = field(default_factory=_counter)
    """Cases by the greatest rank among them, and those with a tensor of no element."""
    refused: collections.Counter[str] = field(default_factory=_counter)
    findings: collections.Counter[str] = field(default_factory=_counter)
    first: dict[str, str] = field(default_factory=dict)
    cases: int = 0
    elements: int = 0
    """That were compared, once for each engine."""
    open: collections.Counter[str] = field(default_factory=_counter)
    """Those of a kind that pass only since their bound is no number."""

    def count(self, case: Case, expected: Sequence[Array]) -> None:
        """A case that was compared."""
        types = (*case.types, *case.results)
        self.cases += 1
        self.elements += 2 * sum(x.size for x in expected)
        self.ops.update(f"{case.op.kind} {d}" for d in {t.dtype.short for t in types})
        self.ranks[str(max((t.rank for t in types), default=0))] += 1
        if not all(t.size for t in types):
            self.ranks["empty"] += 1

    def refuse(self, case: Case, error: BaseException, rounds: int = 0) -> None:
        """Cases that the compiler or the oracle refuses."""
        self.refused[f"{case.op.kind}: {reason(error)}"] += rounds or len(case.rounds)

    def find(self, kind: str, key: str, name: str) -> None:
        """A finding; name makes it again."""
        self.findings[key] += 1
        self.first.setdefault(key, name)


def reason(error: BaseException) -> str:
    """A refusal without the names and numbers in it."""
    if isinstance(error, RefusalsError):
        error = error.refusals[0]
    text = getattr(error, "what", str(error))
    return " ".join("N" if any(c.isdigit() for c in w) else w for w in text.split())[:100]


def empty(seed: int) -> Record:
    """The record of no case."""
    figures = {"seed": seed, "next_seed": seed, "cases": 0, "elements": 0}
    return {**figures, "wall_s": 0.0, "cpu_s": 0.0, "first": {}, **{k: {} for k in COUNTERS}}


def add(record: Record, tally: Tally, seeds: int, commit: str) -> None:
    """Count a chunk of seeds."""
    record["next_seed"] += seeds
    for name in ("cases", "elements"):
        record[name] += getattr(tally, name)
    for name in COUNTERS:
        new = {commit: tally.cases} if name == "commits" else getattr(tally, name)
        for key, n in new.items():
            record[name][key] = record[name].get(key, 0) + n
    for key, at in tally.first.items():
        record["first"].setdefault(key, at)


def save(record: Record, path: Path) -> None:
    """The record as JSON, and its page beside it."""
    for name in ("ops", "ranks", "open", "refused", "findings", "first"):
        record[name] = dict(sorted(record[name].items()))
    path.write_text(json.dumps(record, indent=1) + "\n")
    path.with_suffix(".md").write_text(page(record))


# --- the page


def page(record: Record) -> str:
    """The record, to read."""
    cases, cpu = record["cases"], record["cpu_s"]
    commits = ", ".join(f"{commit} ({n:,})" for commit, n in record["commits"].items())
    ranks = ", ".join(f"{n:,} {_rank(key)}" for key, n in record["ranks"].items())
    findings, open_ = (sum(record[name].values()) for name in ("findings", "open"))
    pairs = _pairs(record["ops"])
    lines = [
        "# Random op cases",
        "",
        "Written by `make fuzz-ops` (benchmarks/fuzz): the numpy oracle against both engines.",
        "",
        f"- **{cases:,} cases, {findings} differences** or errors that are no refusal;"
        f" seeds {record['seed']} to {record['next_seed'] - 1}.",
        f"- Cases by commit: {commits}.",
        f"- {record['elements']:,} elements compared. Of {open_:,}"
        f" ({open_ / max(record['elements'], 1):.1e}) no number can be asked, since a step"
        f" overflows or divides by what may be 0: {_first(record['open'])}.",
        f"- {cpu / 60:.0f} minutes of CPU, {cases / max(cpu, 1e-9):.0f} cases a second on a core.",
        f"- By greatest rank: {ranks}.",
        f"- {len(pairs)} pairs of op and dtype. Of those that docs/ops.md has, in no case:"
        f" {', '.join(_missing(pairs)) or 'none'}.",
        f"- {sum(record['refused'].values()):,} more cases were refused, for these reasons.",
        "",
        "A case is one op with its attributes, types, target and operands. A seed makes the types,"
        " and up to 10 rounds of operands, no two alike; what graphs hold as constants stays.",
        "",
        *_table(("refused", "reason"), [(f"{n:,}", k) for k, n in _by_count(record["refused"])]),
        "",
    ]
    if findings:
        rows = [(f"{n}", k, record["first"][k]) for k, n in _by_count(record["findings"])]
        lines += [*_table(("findings", "of", "first"), rows), ""]
    return "\n".join([*lines, *_coverage(pairs), ""])


def _first(counts: Mapping[str, int]) -> str:
    """The greatest counts."""
    rows = _by_count(counts)
    most = ", ".join(f"{kind} {n:,}" for kind, n in rows[:8])
    return most + f", {len(rows) - 8} other kinds" * (len(rows) > 8)


def _rank(key: str) -> str:
    return "with an empty tensor" if key == "empty" else f"of {key}"


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda row: -row[1])


def _pairs(ops: Mapping[str, int]) -> dict[tuple[str, str], int]:
    return {tuple(key.split()): n for key, n in ops.items()}  # type: ignore[misc]


def _missing(pairs: Mapping[tuple[str, str], int]) -> list[str]:
    """What `coremlc ops` says is taken, and no case had."""
    rows = [row for row in ops_table.read() if row.name in KINDS]
    return [f"{row.name} of {d}" for row in rows for d in row.dtypes if (row.name, d) not in pairs]


def _coverage(pairs: Mapping[tuple[str, str], int]) -> list[str]:
    """Cases of each op, by dtype among its operands and results."""
    rows = []
    for kind in KINDS:
        counts = [pairs.get((kind, short), 0) for short in SHORT]
        if any(counts):
            rows.append((kind, *(_brief(n) for n in counts)))
    return _table(("cases with", *SHORT), rows)


def _brief(n: int) -> str:
    return f"{n}" if n < 1000 else f"{n / 1000:.1f}k" if n < 10_000 else f"{n / 1000:.0f}k"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return lines if rows else []
