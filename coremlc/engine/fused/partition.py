"""Which ops run as one loop: a function cut into parts, in the order in which they run.

Levels make the cut: parts of one level need only lower ones. Sessions' levels are even, those of
fused loops odd; an op comes as early as its operands allow. So whatever stands at one level may run
together: a way out of a level and back into it would have to lead down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal as Word

from coremlc.engine.fused.costs import VIEWS, gain_us, is_simple, saved_us
from coremlc.engine.fused.loops import squeezed
from coremlc.engine.literals import used_by
from coremlc.engine.reference import KERNELS
from coremlc.mil.program import Function, Op, Value

MAX_OPS = 256
"""Of one loop: LLVM's time grows a little faster than that."""
MAX_ROUNDS = 8
"""Cuts that are tried: each does without the regions that were poor in the one before."""

Kind = Word["session", "fused"]
Place = tuple[int, Kind, object, int]
"""Level, kind, squeezed shape and number of a part."""


@dataclass(slots=True)
class Part:
    """Ops that run together; inputs and outputs are what crosses its border."""

    kind: Kind
    ops: list[Op] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)


def partition(function: Function, least_gain_us: float) -> list[Part]:
    """The parts of a function of known shapes; none if no loop would save `least_gain_us`."""
    ops = [op for op in function.block.ops if op.kind != "const"]
    fixed = _of_constants(ops)
    if any(v.literal is not None or id(v) in fixed for v in function.block.outputs):
        return []  # constants need a session to become outputs
    ops = [op for op in ops if id(op.outputs[0]) not in fixed]
    fusible = _fusible(ops, fixed)
    if sum(saved_us(op) for op in ops if id(op) in fusible) < least_gain_us:
        return []
    for _ in range(MAX_ROUNDS):
        parts = _cut(ops, fusible)
        _join(parts, fixed, function.block.outputs)
        fused = [p for p in parts if p.kind == "fused"]
        poor = [p for p in fused if gain_us(p.ops, p.inputs, p.outputs) < least_gain_us]
        if not poor:
            return parts if fused else []
        fusible -= {id(op) for part in poor for op in part.ops}
    return []


def _of_constants(ops: Iterable[Op]) -> dict[int, Op]:
    """Values that constants alone decide, and their ops: a session folds them, each its own."""
    found: dict[int, Op] = {}
    for op in ops:
        known = (id(v) in found for v in used_by(op) if v.literal is None)
        if op.kind in KERNELS and all(known):
            found |= {id(v): op for v in op.outputs}
    return found


def _fusible(ops: Sequence[Op], fixed: Collection[int]) -> set[int]:
    """Ops that a loop can hold; views only where they stand beside another one."""
    simple = [op for op in ops if is_simple(op) and not any(id(v) in fixed for v in used_by(op))]
    found = {id(op) for op in simple if op.kind not in VIEWS}
    made = {id(op.outputs[0]) for op in simple if id(op) in found}
    wanted = {id(v) for op in simple if id(op) in found for v in used_by(op)}
    for op in simple:
        if op.kind in VIEWS and (id(op.inputs["x"][0]) in made or id(op.outputs[0]) in wanted):
            found.add(id(op))
            made.add(id(op.outputs[0]))
    return found


def _cut(ops: Iterable[Op], fusible: Collection[int]) -> list[Part]:
    """Parts by level, fused ones also by shape."""
    made: dict[Place, Part] = {}
    places: dict[int, Place] = {}
    last: dict[tuple[int, object], int] = {}
    for op in ops:
        sources = [places[id(v)] for v in used_by(op) if id(v) in places]
        place = level, kind, shape, number = _place(op, sources, id(op) in fusible, last)
        part = made.setdefault(place, Part(kind))
        part.ops.append(op)
        if kind == "fused" and len(part.ops) == MAX_OPS:
            last[level, shape] = number + 1
        places.update((id(v), place) for v in op.outputs)
    return [made[place] for place in sorted(made, key=lambda p: (p[0], p[3]))]


def _place(
    op: Op, sources: Sequence[Place], is_fused: bool, last: dict[tuple[int, object], int]
) -> Place:
    base = max((level for level, *_ in sources), default=0)
    is_odd = base % 2 == 1
    if not is_fused:
        return base + is_odd, "session", None, 0
    shape = squeezed(op.outputs[0].tensor.shape)
    joins = is_odd and all(s[2] == shape for s in sources if s[0] == base)
    level = base if joins else base + 1 + is_odd
    return level, "fused", shape, last.get((level, shape), 0)


def _join(parts: Sequence[Part], fixed: dict[int, Op], results: Iterable[Value]) -> None:
    """Fill in what every part takes and gives, and the ops of constants that it needs."""
    maker = {id(v): part for part in parts for op in part.ops for v in op.outputs}
    wanted = {id(v) for v in results}
    for part in parts:
        used = {id(v): v for op in part.ops for v in used_by(op) if v.literal is None}
        taken = {i: v for i, v in used.items() if maker.get(i) is not part and i not in fixed}
        part.inputs = list(taken.values())
        wanted |= taken.keys()
    for part in parts:
        made = [v for op in part.ops for v in op.outputs]
        part.outputs = [v for v in made if id(v) in wanted]
        if part.kind == "session":
            part.ops[:0] = _needed(part.ops, fixed)


def _needed(ops: Iterable[Op], fixed: dict[int, Op]) -> list[Op]:
    """The ops of constants that others need, in order."""
    wanted = {id(v) for op in ops for v in used_by(op)}
    found = []
    for op in reversed(dict.fromkeys(fixed.values())):
        if any(id(v) in wanted for v in op.outputs):
            found.append(op)
            wanted |= {id(v) for v in used_by(op)}
    return found[::-1]
