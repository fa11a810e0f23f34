"""What GoMLX ops become: rows for `coremlc ops` and docs/ops.md.

ops_table.json holds what only compiling can tell. `make docs` makes it (tests/ops/survey.py, which
compiles the plainest sample of each op in each dtype, for each target); tests/ops/test_table.py
proves it.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from coremlc import targets
from coremlc.dtypes import ALL, COMPLEX, FLOAT, INTEGER, DType
from coremlc.errors import UsageError
from coremlc.report import Report, columns, facts

TABLE = Path(__file__).with_name("ops_table.json")
How = Literal["lowered", "decomposed", "declined", "refused"]
Group = Literal["standard", "control", "fused", "collective", "leaf"]
GROUPS: tuple[Group, ...] = ("standard", "control", "fused", "collective", "leaf")
"""GoMLX's interfaces; control has bodies, a leaf is what every function has."""
FLOAT8 = frozenset(d for d in FLOAT if d.bits == 8)
HEADS = ("op", "how", "dtypes", "exactness", "MIL ops", "targets", "meaning")
_LETTERS = {"I": INTEGER, "F": FLOAT - FLOAT8, "C": COMPLEX}


@dataclass(frozen=True, slots=True)
class OpRefusal:
    """What of an op has no exact form."""

    case: str
    """A dtype, or words."""
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class OpRow:
    """One GoMLX op."""

    name: str
    how: How
    meaning: str
    """Signature in types, and what it means."""
    reason: str = ""
    """Why it is declined, or refused."""
    group: Group = "standard"
    dtypes: tuple[str, ...] = ()
    """Of the first operand, T in its signature: those in which it compiles."""
    exactness: str = ""
    targets: tuple[str, ...] = ()
    mil_ops: int | None = None
    """Of its plainest sample, constants left out."""
    refusals: tuple[OpRefusal, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """What stands under HEADS."""
        return (
            self.name,
            self.how,
            _dtype_text(self.dtypes),
            self.exactness,
            "" if self.mil_ops is None else str(self.mil_ops),
            _target_text(self.targets),
            self.reason or self.meaning,
        )


@dataclass(frozen=True, slots=True)
class OpsReport(Report):
    """All ops."""

    ops: tuple[OpRow, ...]
    summary: str

    def table(self) -> str:
        rows = [[_plain(cell) for cell in op.cells()] for op in self.ops]
        return f"{columns(HEADS, rows, right=[HEADS.index('MIL ops')])}\n\n{self.summary}"


@dataclass(frozen=True, slots=True)
class OpReport(Report):
    """Everything about one op."""

    op: OpRow
    attributes: tuple[str, ...]
    text: str

    def table(self) -> str:
        op = self.op
        rows = [
            ("op", op.name),
            ("how", op.how + (op.reason and f": {op.reason}")),
            ("attributes", ", ".join(self.attributes)),
            ("dtypes", ", ".join(op.dtypes)),
            ("exactness", op.exactness),
            ("targets", ", ".join(op.targets)),
            ("MIL ops", "" if op.mil_ops is None else f"{op.mil_ops} for the plainest sample"),
            *(("refused", f"{r.case}: {r.what}; {r.fix}") for r in op.refusals),
        ]
        shown = facts([(name, text) for name, text in rows if text])
        return shown + (f"\n\n{_plain(self.text)}" if self.text else "")


def ops_report(target: str | None = None) -> OpsReport:
    """Every GoMLX op, by name; of what a target lacks, that it does."""
    rows = [for_target(row, target) for row in read()]
    return OpsReport(tuple(rows), summary(rows))


def op_report(name: str, target: str | None = None) -> OpReport:
    """One op; UsageError with the nearest name if there is none."""
    import coremlc.ops as _ops
    from coremlc.ir.op import REGISTRY

    assert _ops  # importing it fills the registry
    known = {op.name.casefold(): op for op in ops_report(target).ops}
    row = known.get(name.casefold())
    if row is None:
        near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0)
        hint = f"did you mean {known[near[0]].name!r}? " if near else ""
        raise UsageError(f"there is no op {name!r}", fix=f"{hint}See them all with: coremlc ops")
    kind: Any = REGISTRY.get(row.name)
    fields = {} if kind is None else kind.__dataclass_fields__
    attributes = tuple(f"{name}: {field.type}" for name, field in fields.items())
    return OpReport(row, attributes, inspect.getdoc(kind) or "" if kind else "")


def read() -> list[OpRow]:
    """The rows of ops_table.json."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))
    for row in rows:
        row |= {"dtypes": tuple(row["dtypes"]), "targets": tuple(row["targets"])}
        row["refusals"] = tuple(OpRefusal(**refusal) for refusal in row["refusals"])
    return [OpRow(**row) for row in rows]


def summary(rows: Iterable[OpRow]) -> str:
    """`102 of 102 standard ops, ..`, and what the others are."""
    rows = list(rows)
    counts = []
    for group in GROUPS:
        of = [row for row in rows if row.group == group]
        there = sum(row.how in ("lowered", "decomposed") for row in of)
        counts.append(f"{there} of {len(of)} {group}")
    others = [f"{row.name} is {row.how}: {row.reason}" for row in rows if row.reason]
    return "; ".join([", ".join(counts), *others])


def markdown() -> str:
    """docs/ops.md."""
    rows = read()
    lines = [_HEAD.format(summary=summary(rows), tolerances=_tolerances())]
    lines += [_line(op.cells()) for op in rows]
    lines += ["", _REFUSED]
    lines += [_line((op.name, r.case, r.what, r.fix)) for op in rows for r in op.refusals]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


_HEAD = """\
# Operations

Generated by `make docs` from the ops themselves, their samples and what compiling these gives.
`coremlc ops` prints it, `coremlc ops NAME` an op's contract in full, `--json` both.

{summary}.

- how: *lowered* ops become MIL as they stand, *decomposed* ones smaller ops of the same meaning.
- dtypes of the first operand, T in the meaning (of a condition: of what it chooses; of none: of the
  result): `I` every integer from int2 to uint64, `F` float16, bfloat16, float32 and float64,
  `C` complex64 and complex128. float64 computes in float32, with a warning; `--strict` refuses it.
  Float8 is for constants, and for what moves their elements.
- exactness of floats (integers and bools are exact always, NaNs and infinities stand where the
  oracle has them): *exact*, the very elements; *rounded*, the exact result rounded once, complex
  ones close; *close*, within the tolerance of the dtype ({tolerances}) of each op that it becomes;
  *summed*, close or within 16 units of the sum of the terms' magnitudes, 1 more for 32 terms.
- MIL ops that the plainest sample becomes, constants left out.
- targets: the oldest system, and all after it.

| op | how | dtypes | exactness | MIL ops | targets | meaning |
| --- | --- | --- | --- | ---: | --- | --- |"""
_REFUSED = """\
## Refused

No op is refused, but cases of some are, as below. Of every op: ranks above 5, unless axes can be
merged (most ops allow it).

| op | refused | as | fix |
| --- | --- | --- | --- |"""


def _tolerances() -> str:
    shown = [d for d in ALL if d in FLOAT and d not in FLOAT8]
    return ", ".join(f"{d.short} {d.tolerance[0]:g}" for d in shown)


def for_target(row: OpRow, target: str | None) -> OpRow:
    """The row, refused if a target lacks what the op needs."""
    if target is None or not row.targets or targets.get(target).name in row.targets:
        return row
    return replace(row, how="refused", reason=f"it needs {row.targets[0]}")


def _dtype_text(shorts: tuple[str, ...]) -> str:
    """`bool I F`: letters for families that are all there."""
    left: set[DType] = {d for d in ALL if d.short in shorts}
    letters = []
    for letter, family in _LETTERS.items():
        if family <= left:
            letters.append(letter)
            left -= family
    rest = [d.short for d in ALL if d in left]
    return " ".join(
        [*(s for s in rest if s == "bool"), *letters, *(s for s in rest if s != "bool")]
    )


def _target_text(names: tuple[str, ...]) -> str:
    """`iOS15+`, if all that follow are there."""
    known = [*targets.BY_NAME]
    if names and names == tuple(known[known.index(names[0]) :]):
        return f"{names[0]}+"
    return ", ".join(names)


def _plain(text: str) -> str:
    return text.replace("`", "")
