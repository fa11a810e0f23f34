"""A function as a list of steps over numbered slots: what runs, and what may be freed when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from coremlc.engine.base import Model, raise_all, unknown_op, where_of
from coremlc.engine.literals import literal_of, plain
from coremlc.engine.reference.registry import KERNELS, VARIADIC, Kernel
from coremlc.errors import CoremlcError, Where
from coremlc.mil.dialect import bindings_of
from coremlc.mil.program import Arg, Block, Op, Value
from coremlc.mil.types import StateType, TensorType

CONTROL = frozenset({"cond", "while_loop", "read_state", "write_state"})
"""Ops that the executor itself runs."""


@dataclass(slots=True)
class Step:
    """One op: slots in, slots out, slots that nobody needs afterwards."""

    kind: str
    kernel: Kernel | None
    where: Where
    inputs: dict[str, int]
    lists: dict[str, list[int]]
    outputs: list[int]
    out_types: tuple[TensorType, ...]
    blocks: list[Steps] = field(default_factory=list)
    frees: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Steps:
    """A block."""

    inputs: list[int]
    steps: list[Step]
    outputs: list[int]


@dataclass(slots=True)
class Plan:
    """A function: its body, the slots of its inputs, and all slots with the constants in place."""

    body: Steps
    template: list[Any]
    features: dict[str, int]
    outputs: dict[str, int]
    states: dict[str, TensorType]


class Planner:
    """Numbers values and turns blocks into steps."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.slots: dict[int, int] = {}
        self.template: list[Any] = []
        self.refusals: list[CoremlcError] = []

    def plan(self) -> Plan:
        function = self.model.function
        features: dict[str, int] = {}
        states: dict[str, TensorType] = {}
        for value in function.inputs:
            slot = self.define(value)
            if isinstance(value.type, StateType):
                states[value.name] = value.type.tensor
                self.template[slot] = value.name
            else:
                features[value.name] = slot
        body = self.block(function.block, kept=())
        raise_all(self.refusals)
        outputs = {v.name: s for v, s in zip(function.block.outputs, body.outputs, strict=True)}
        return Plan(body, self.template, features, outputs, states)

    def define(self, value: Value) -> int:
        self.slots[id(value)] = len(self.template)
        self.template.append(None)
        return len(self.template) - 1

    def slot(self, arg: Arg) -> int:
        """Where a value stands; constants are put there now."""
        known = self.slots.get(id(arg))
        if known is not None:
            return known
        literal = literal_of(arg)
        assert literal is not None, f"value {getattr(arg, 'name', '?')} is used before its op"
        self.slots[id(arg)] = len(self.template)
        self.template.append(plain(literal, self.model.array))
        return len(self.template) - 1

    def block(self, block: Block, kept: Iterable[int]) -> Steps:
        inputs = [self.define(value) for value in block.inputs]
        steps = [step for op in block.ops if op.kind != "const" if (step := self.step(op))]
        outputs = [self.slot(value) for value in block.outputs]
        own = {*inputs, *(slot for step in steps for slot in step.outputs)}
        _mark_frees(steps, own - {*outputs, *kept})
        return Steps(inputs, steps, outputs)

    def fold(self, op: Op, kernel: Kernel) -> None:
        """A constexpr op: what it makes is a constant, made once."""
        inputs = {n: self.template[self.slot(args[0])] for n, args in bindings_of(op).items()}
        result = kernel(**inputs)
        arrays = result if isinstance(result, tuple) else (result,)
        for value, array in zip(op.outputs, arrays, strict=True):
            self.template[self.define(value)] = array

    def step(self, op: Op) -> Step | None:
        kernel = KERNELS.get(op.kind)
        if kernel is None and op.kind not in CONTROL:
            self.refusals.append(unknown_op(op, "reference", "onnxruntime"))
        if kernel is not None and op.kind.startswith("constexpr_"):
            self.fold(op, kernel)
            return None
        inputs, lists = {}, {}
        for name, args in bindings_of(op).items():
            slots = [self.slot(arg) for arg in args]
            if name in VARIADIC:
                lists[name] = slots
            else:
                (inputs[name],) = slots
        blocks = [self.block(block, kept=()) for block in op.blocks]
        types = tuple(v.type for v in op.outputs if isinstance(v.type, TensorType))
        outputs = [self.define(value) for value in op.outputs]
        return Step(op.kind, kernel, where_of(op), inputs, lists, outputs, types, blocks)


def _uses(step: Step) -> set[int]:
    found = {*step.inputs.values(), *(slot for slots in step.lists.values() for slot in slots)}
    for block in step.blocks:
        found.update(block.outputs, *(_uses(inner) for inner in block.steps))
    return found


def _mark_frees(steps: list[Step], freeable: set[int]) -> None:
    pending = set(freeable)
    for step in reversed(steps):
        last = (_uses(step) | set(step.outputs)) & pending
        step.frees = sorted(last)
        pending -= last
