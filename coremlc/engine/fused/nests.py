"""A region as loop nests over buffers: which ops share a loop, what is read, what is written.

Nothing here knows LLVM; `emit` writes what stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from coremlc.engine.fused.contractions import CONTRACTIONS, Contraction
from coremlc.engine.fused.loops import dims_of, squeezed
from coremlc.engine.fused.places import Key, Place, dense, key_of, moved
from coremlc.engine.literals import literal_of, value_of
from coremlc.mil.program import Arg, Array, Literal, Op, Value
from coremlc.mil.types import TensorType

Resolver: TypeAlias = Callable[[Literal], Array]
MOVES = frozenset(
    {"identity", "reshape", "expand_dims", "squeeze", "transpose", "reverse", "slice_by_index"}
)
"""Ops whose results are their operand, read in other steps."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory of a routine: an input, a constant of several elements, or what an op makes."""

    dtype: str
    size: int
    source: Value | Literal | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """An elementwise op in a loop: a key for each operand, or a constant or word."""

    kind: str
    operands: Mapping[str, Key | Any]
    result: Key


@dataclass(slots=True)
class Nest:
    """Loops over dims: loads, perhaps an inner loop, ops, stores."""

    dims: tuple[int, ...]
    head: Contraction | None = None
    reads: dict[Key, None] = field(default_factory=dict)
    ops: list[Element] = field(default_factory=list)
    writes: list[tuple[Key, Key]] = field(default_factory=list)
    """What is stored, and where."""

    @property
    def turns(self) -> int:
        """Of all its loops."""
        return prod(self.dims) * prod(self.head.dims if self.head is not None else ())

    @property
    def makes(self) -> set[int]:
        """Buffers that are not whole before its end."""
        return {target.buffer for _, target in self.writes}


@dataclass(frozen=True, slots=True)
class While:
    """Steps that decide, where they left the answer, and steps to repeat."""

    condition: Sequence[Step]
    again: Key
    body: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Branch:
    """One of two ways."""

    condition: Key
    ways: tuple[Sequence[Step], Sequence[Step]]


Step: TypeAlias = "Nest | While | Branch"


@dataclass(slots=True)
class Routine:
    """Steps, and the buffers that they work on."""

    steps: list[Step]
    buffers: list[Buffer]
    outputs: list[int]
    """The buffer of each result."""

    @property
    def is_one_nest(self) -> bool:
        """Threads may share its outer loop."""
        return len(self.steps) == 1 and isinstance(self.steps[0], Nest)


def routine(
    ops: Sequence[Op],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    roots: Mapping[int, Value],
    array: Resolver,
) -> Routine:
    """The loop nests of ops, which may stand in any order that their operands allow.

    inputs and outputs: arrays from and to outside, dense.
    roots: the value that a view has its elements from, by the view's id.
    """
    planner = _Planner(roots, array)
    for value in inputs:
        planner.receive(value)
    steps = planner.steps(ops)
    results = [planner.give(value, steps) for value in outputs]
    return Routine(steps, planner.buffers, results)


class _Planner:
    """Walks ops, knows where values lie."""

    def __init__(self, roots: Mapping[int, Value], array: Resolver) -> None:
        self.roots = roots
        self.array = array
        self.buffers: list[Buffer] = []
        self.places: dict[int, Place] = {}
        self.taken: set[int] = set()
        """Buffers that are results."""

    # --- places -----------------------------------------------------------------------------

    def buffer(self, kind: TensorType, source: Value | Literal | None = None) -> int:
        self.buffers.append(Buffer(kind.dtype, prod(dims_of(kind.shape)), source))
        return len(self.buffers) - 1

    def receive(self, value: Value) -> None:
        self.places[id(value)] = dense(
            self.buffer(value.tensor, value), dims_of(value.tensor.shape)
        )

    def give(self, value: Value, steps: list[Step]) -> int:
        """The buffer of a result: its own, dense, and no input's."""
        place, shape = self.place(value), dims_of(value.tensor.shape)
        is_own = self.buffers[place.buffer].source is None and place.buffer not in self.taken
        if is_own and place == dense(place.buffer, shape):
            self.taken.add(place.buffer)
            return place.buffer
        target = dense(self.buffer(value.tensor), shape)
        steps.append(_copy(place, target, shape))
        return target.buffer

    def place(self, arg: Arg) -> Place:
        """Where an operand lies; constants of several elements get a buffer now."""
        found = self.places.get(id(arg))
        if found is not None:
            return found
        kind = arg.type
        assert isinstance(kind, TensorType)
        shape = dims_of(kind.shape)
        root = self.roots.get(id(arg))
        if root is not None:
            return dense(self.place(root).buffer, shape)
        literal = literal_of(arg)
        assert literal is not None
        made = self.places[id(arg)] = dense(self.buffer(kind, literal), shape)
        return made

    def given(self, op: Op) -> dict[str, Any]:
        """Operands other than x, which constants say."""
        others = {name: args for name, args in op.inputs.items() if name != "x"}
        return {name: self.constant(arg) for name, (arg,) in others.items()}

    def constant(self, arg: Arg) -> Any:
        return value_of(arg, self.array)

    # --- steps ------------------------------------------------------------------------------

    def steps(self, ops: Sequence[Op]) -> list[Step]:
        found: list[Step] = []
        for op in ops:
            if op.kind == "const":
                continue
            if op.kind in MOVES:
                self.move(op, found)
            elif op.kind == "concat":
                self.concat(op, found)
            elif op.kind == "while_loop":
                self.loop(op, found)
            elif op.kind == "cond":
                self.branch(op, found)
            elif op.kind in CONTRACTIONS:
                self.contract(op, found)
            else:
                self.element(op, found)
        return found

    def move(self, op: Op, steps: list[Step]) -> None:
        (x,) = op.inputs["x"]
        assert isinstance(x.type, TensorType)
        shape, place, given = dims_of(x.type.shape), self.place(x), self.given(op)
        found = moved(place, shape, op.kind, given)
        if found is None:
            target = dense(self.buffer(x.type), shape)
            steps.append(_copy(place, target, shape))
            found = moved(target, shape, op.kind, given)
        assert found is not None, op.kind
        self.places[id(op.outputs[0])] = found

    def concat(self, op: Op, steps: list[Step]) -> None:
        """Each operand is copied to where it begins."""
        result = op.outputs[0].tensor
        shape = dims_of(result.shape)
        whole = dense(self.buffer(result), shape)
        axis, begin = int(self.constant(op.inputs["axis"][0])) % len(shape), 0
        for arg in op.inputs["values"]:
            assert isinstance(arg.type, TensorType)
            dims = dims_of(arg.type.shape)
            part = Place(whole.buffer, begin * whole.steps[axis], whole.steps)
            steps.append(_copy(self.place(arg), part, dims))
            begin += dims[axis]
        self.places[id(op.outputs[0])] = whole

    def contract(self, op: Op, steps: list[Step]) -> None:
        (result,) = op.outputs
        shape = dims_of(result.tensor.shape)
        nest = Nest(dims_of(squeezed(shape)), CONTRACTIONS[op.kind](op, self.place, self.constant))
        steps.append(nest)
        self.made(result, nest)

    def element(self, op: Op, steps: list[Step]) -> None:
        """In the last nest, if that has its shape and what it reads is whole or at hand there."""
        (result,) = op.outputs
        shape = dims_of(result.tensor.shape)
        operands = {name: self.operand(arg, shape) for name, (arg,) in op.inputs.items()}
        keys = [key for key in operands.values() if isinstance(key, Key)]
        last = steps[-1] if steps else None
        if isinstance(last, Nest) and last.dims == squeezed(shape) and _is_ready(keys, last):
            nest = last
        else:
            nest = Nest(dims_of(squeezed(shape)))
            steps.append(nest)
        made = {key for key, _ in nest.writes}
        nest.reads.update((key, None) for key in keys if key not in made)
        key = self.made(result, nest)
        nest.ops.append(Element(op.kind, operands, key))

    def operand(self, arg: Arg, shape: Sequence[int]) -> Key | Any:
        """A key, or the value of a constant of one element."""
        if not isinstance(arg.type, TensorType) or prod(dims_of(arg.type.shape)) == 1:
            known = self.constant(arg)
            if known is not None:
                return known
        assert isinstance(arg.type, TensorType)
        return key_of(self.place(arg), dims_of(arg.type.shape), shape)

    def made(self, value: Value, nest: Nest) -> Key:
        """A nest's own value gets a buffer; it is stored if another step reads it."""
        shape = dims_of(value.tensor.shape)
        place = self.places[id(value)] = dense(self.buffer(value.tensor), shape)
        key = key_of(place, shape, shape)
        nest.writes.append((key, key))
        return key

    # --- control ----------------------------------------------------------------------------

    def loop(self, op: Op, steps: list[Step]) -> None:
        """Loop variables lie in buffers of their own; results go there at a turn's end."""
        condition, body = op.blocks
        states = [dense(self.buffer(v.tensor), dims_of(v.tensor.shape)) for v in op.outputs]
        self.copied(op.inputs["loop_vars"], states, steps)
        self.places.update(zip(map(id, condition.inputs), states, strict=True))
        self.places.update(zip(map(id, body.inputs), states, strict=True))
        self.places.update(zip(map(id, op.outputs), states, strict=True))
        deciding = self.steps(condition.ops)
        again = self.single(condition.outputs[0])
        turn = self.steps(body.ops)
        self.copied(body.outputs, states, turn)
        steps.append(While(deciding, again, turn))

    def branch(self, op: Op, steps: list[Step]) -> None:
        targets = [dense(self.buffer(v.tensor), dims_of(v.tensor.shape)) for v in op.outputs]
        condition = self.single(op.inputs["pred"][0])
        ways = []
        for block in op.blocks:
            way = self.steps(block.ops)
            self.copied(block.outputs, targets, way)
            ways.append(way)
        self.places.update(zip(map(id, op.outputs), targets, strict=True))
        steps.append(Branch(condition, (ways[0], ways[1])))

    def copied(self, args: Sequence[Arg], targets: Sequence[Place], steps: list[Step]) -> None:
        """All at once: what lies in a target is saved before any is written."""
        busy = {target.buffer for target in targets}
        waiting = []
        for arg, target in zip(args, targets, strict=True):
            assert isinstance(arg.type, TensorType)
            place, shape = self.place(arg), dims_of(arg.type.shape)
            if place == target:
                continue
            if place.buffer in busy:
                saved = dense(self.buffer(arg.type), shape)
                steps.append(_copy(place, saved, shape))
                place = saved
            waiting.append(_copy(place, target, shape))
        steps += waiting

    def single(self, arg: Arg) -> Key:
        """A number in memory."""
        place = self.place(arg)
        return Key(place.buffer, place.offset, ())


def _copy(place: Place, target: Place, shape: Sequence[int]) -> Nest:
    source = key_of(place, shape, shape)
    nest = Nest(dims_of(squeezed(shape)), reads={source: None})
    nest.writes.append((source, key_of(target, shape, shape)))
    return nest


def buffers_read(routine: Routine) -> set[int]:
    """Buffers that must be in memory: results, and what a step reads that did not make it."""
    found = set(routine.outputs)
    waiting = list(routine.steps)
    while waiting:
        match waiting.pop():
            case Nest(head=head, reads=reads):
                found |= {key.buffer for key in reads}
                found |= {key.buffer for key in head.keys} if head is not None else set()
            case While(condition, again, body):
                found.add(again.buffer)
                waiting += [*condition, *body]
            case Branch(condition, ways):
                found.add(condition.buffer)
                waiting += [*ways[0], *ways[1]]
    return found


def _is_ready(keys: Sequence[Key], nest: Nest) -> bool:
    made = {key for key, _ in nest.writes}
    return all(key in made or key.buffer not in nest.makes for key in keys)
