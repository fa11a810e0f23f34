"""Which ops run as one loop: a function cut into parts, in the order in which they run.

Levels make the cut: parts of one level need only lower ones. Sessions' levels are even, those of
fused loops odd; an op comes as early as its operands allow. So whatever stands at one level may run
together: a way out of a level and back into it would have to lead down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal as Word

from coremlc.engine.fused import small
from coremlc.engine.fused.costs import gain_us, is_simple, is_view, least_us, saved_us
from coremlc.engine.fused.loops import squeezed
from coremlc.engine.literals import used_by
from coremlc.engine.reference import KERNELS
from coremlc.engine.unroll import folded
from coremlc.mil.program import Function, Op, Value

MAX_OPS = 256
"""Of one loop: LLVM's time grows a little faster than that."""
MAX_ALL_OPS = 4096
"""Of all loops of a function: seconds of LLVM's time."""
MAX_ROUNDS = 8
"""Cuts that are tried: each does without the regions that were poor in the one before."""

CUT_US = 1000.0
"""What must be saved besides if sessions remain: values leave an arena, and convs their layout."""

Kind = Word["session", "fused"]
Place = tuple[int, Kind, object, int]
"""Level, kind, squeezed shape and number of a part."""


@dataclass(slots=True, eq=False)
class Part:
    """Ops that run together; inputs and outputs are what crosses its border."""

    kind: Kind
    ops: list[Op] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Partition:
    """Parts in order; none if a session is best for the whole function.

    function: with its small constants computed.
    roots: the value that a view has its elements from, by the view's id. Nothing else crosses
    borders: a loop reads it in the view's shape, a session has the views that it needs.
    """

    function: Function
    parts: Sequence[Part]
    roots: Mapping[int, Value]

    def root(self, value: Value) -> Value:
        return self.roots.get(id(value), value)


def partition(function: Function, least_gain_us: float) -> Partition:
    """A function of known shapes in parts, if there are loops that save `least_gain_us`."""
    if small.is_worth_it(function, least_gain_us):
        whole = Part("fused", list(function.block.ops), list(function.inputs))
        whole.outputs = list(function.block.outputs)
        return Partition(function, [whole], {})
    if not _may_gain(function.block.ops, least_gain_us):
        return Partition(function, [], {})
    function = folded(function)
    cutter = _Cutter(function)
    return Partition(function, cutter.parts(least_gain_us), cutter.roots)


def _may_gain(ops: Sequence[Op], least_gain_us: float) -> bool:
    """Whether all ops of one shape together could save enough; most functions go no further."""
    saved: dict[object, float] = {}
    cut_us = 0.0
    for op in ops:
        if is_simple(op):
            shape = squeezed(op.outputs[0].tensor.shape)
            saved[shape] = saved.get(shape, 0.0) + saved_us(op)
        elif op.kind != "const" and not is_view(op):
            cut_us = CUT_US
    return max(saved.values(), default=-1.0) >= least_gain_us + cut_us


class _Cutter:
    """What the cuts of a function have in common."""

    def __init__(self, function: Function) -> None:
        self.results = function.block.outputs
        self.ops: list[Op] = []
        self.reads: dict[int, list[Value]] = {}
        """What an op takes, constants aside and views as their roots, by the op's id."""
        self.roots: dict[int, Value] = {}
        self.fixed: set[int] = set()
        """Values that constants alone decide."""
        self.free: dict[int, Op] = {}
        """Values that are fixed or views, and their ops: each session has those it needs."""
        for op in function.block.ops:
            if op.kind != "const":
                self._add(op)

    def _add(self, op: Op) -> None:
        reads = [self.roots.get(id(v), v) for v in used_by(op) if v.literal is None]
        self.reads[id(op)] = reads
        is_fixed = op.kind in KERNELS and all(id(v) in self.fixed for v in reads)
        if is_fixed or is_view(op):
            self.free |= {id(v): op for v in op.outputs}
        else:
            self.ops.append(op)
        if is_fixed:
            self.fixed |= {id(v) for v in op.outputs}
        elif is_view(op):
            self.roots[id(op.outputs[0])] = reads[0]

    def parts(self, least_gain_us: float) -> list[Part]:
        """Those of the first cut whose loops are all worth it."""
        if any(v.literal is not None or id(v) in self.fixed for v in self.results):
            return []  # constants need a session to become outputs
        fusible = {
            id(op) for op in self.ops if is_simple(op) and self.fixed.isdisjoint(self._ids(op))
        }
        for _ in range(MAX_ROUNDS):
            if sum(saved_us(op) for op in self.ops if id(op) in fusible) < least_gain_us:
                return []
            parts = self._joined(self._cut(fusible))
            fused = [part for part in parts if part.kind == "fused"]
            least = least_gain_us + (CUT_US if len(parts) > 1 else 0)
            poor = _poor(fused, least)
            if not poor:
                return parts if fused else []
            fusible -= {id(op) for part in poor for op in part.ops}
        return []

    def _ids(self, op: Op) -> Iterator[int]:
        return map(id, self.reads[id(op)])

    def _cut(self, fusible: Collection[int]) -> list[Part]:
        """Parts by level, fused ones also by shape; only their ops yet."""
        made: dict[Place, Part] = {}
        places: dict[int, Place] = {}
        last: dict[tuple[int, object], int] = {}
        for op in self.ops:
            sources = [places[i] for i in self._ids(op) if i in places]
            place = level, kind, shape, number = _place(op, sources, id(op) in fusible, last)
            part = made.setdefault(place, Part(kind))
            part.ops.append(op)
            if kind == "fused" and len(part.ops) == MAX_OPS:
                last[level, shape] = number + 1
            places.update((id(v), place) for v in op.outputs)
        return [made[place] for place in sorted(made, key=lambda p: (p[0], p[3]))]

    def _joined(self, parts: list[Part]) -> list[Part]:
        """Filled in: what every part takes and gives, and the free ops that a session needs."""
        maker = {id(v): part for part in parts for op in part.ops for v in op.outputs}
        wanted = {id(self.roots.get(id(v), v)) for v in self.results}
        for part in parts:
            used = {id(v): v for op in part.ops for v in self.reads[id(op)]}
            part.inputs = [
                v for i, v in used.items() if maker.get(i) is not part and i not in self.fixed
            ]
            wanted |= {id(v) for v in part.inputs}
        for part in parts:
            made = [v for op in part.ops for v in op.outputs]
            part.outputs = [v for v in made if id(v) in wanted]
            if part.kind == "session" and self.free:
                part.ops = self._with_free(part.ops)
        return parts

    def _with_free(self, ops: Sequence[Op]) -> list[Op]:
        """The ops and, before the first that needs them, free ones."""
        found: dict[int, Op] = {}
        waiting = list(reversed(ops))
        while waiting:
            op = waiting.pop()
            if id(op) in found:
                continue
            missing = [self.free[id(v)] for v in used_by(op) if id(v) in self.free]
            missing = [source for source in missing if id(source) not in found]
            if missing:
                waiting += [op, *missing]
            else:
                found[id(op)] = op
        return list(found.values())


def _poor(parts: Sequence[Part], least_gain_us: float) -> list[Part]:
    """Loops that save too little, and the least of those that are too many to compile."""
    gains = [(gain_us(p.ops, p.inputs, p.outputs), len(p.ops), p) for p in parts]
    found = [p for gain, count, p in gains if gain < least_us(least_gain_us, count)]
    total = 0
    for _, count, part in sorted(gains, key=lambda g: g[0] / g[1], reverse=True):
        total += count
        if total > MAX_ALL_OPS and part not in found:
            found.append(part)
    return found


def _place(
    op: Op, sources: Sequence[Place], is_fused: bool, last: dict[tuple[int, object], int]
) -> Place:
    base = max((place[0] for place in sources), default=0)
    is_odd = base % 2 == 1
    if not is_fused:
        return base + is_odd, "session", None, 0
    shape = squeezed(op.outputs[0].tensor.shape)
    joins = is_odd and all(place[2] == shape for place in sources if place[0] == base)
    level = base if joins else base + 1 + is_odd
    return level, "fused", shape, last.get((level, shape), 0)
