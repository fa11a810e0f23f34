"""One LLVM function for each fused region: `void (ptr in .., ptr out .., i64 low, i64 high)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy.typing as npt
from llvmlite import ir

from coremlc.engine.fused.loops import Loops, Steps, dims_of, loops_of, squeezed, steps_of
from coremlc.engine.fused.partition import Part
from coremlc.engine.fused.rules import RULES
from coremlc.engine.fused.writer import BIT, BYTE, I64, POINTER, TYPES, Value, Writer
from coremlc.engine.literals import literal_of, plain
from coremlc.mil.program import Arg, Literal, Op
from coremlc.mil.program import Value as MilValue
from coremlc.mil.types import TensorType

Array: TypeAlias = "npt.NDArray[Any]"
Resolver: TypeAlias = Callable[[Literal], Array]
Key = tuple[int, Steps]
"""An operand from outside, and how it is broadcast."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a region reads: an input by its place, or a constant of many elements."""

    arg: Arg
    steps: Steps
    place: int | None


@dataclass(frozen=True, slots=True)
class _Slot:
    """A pointer that the loop reads or writes."""

    pointer: Value
    kind: Any
    steps: Steps

    @property
    def stored(self) -> Any:
        return BYTE if self.kind == BIT else self.kind


class Body:
    """A region's function, written into a module. The span low..high is of rows, or of elements."""

    def __init__(
        self, module: Any, name: str, part: Part, roots: Mapping[int, MilValue], array: Resolver
    ) -> None:
        self.part = part
        self.roots = roots
        self.array = array
        self.shape = dims_of(squeezed(part.ops[0].outputs[0].tensor.shape))
        self.sources = self._sources()
        steps = [s.steps for s in self.sources.values()]
        dense = [steps_of(self.shape, self.shape)] * len(part.outputs)
        self.loops: Loops = loops_of(self.shape, [*steps, *dense])
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * len(self.loops.steps) + [I64, I64])
        self.function = ir.Function(module, signature, name)
        pointers = self.function.args[:-2]
        for pointer in pointers:
            pointer.add_attribute("noalias")
        args = [s.arg for s in self.sources.values()] + list(part.outputs)
        slots = [
            _Slot(p, TYPES[_type(a).dtype], s)
            for p, a, s in zip(pointers, args, self.loops.steps, strict=True)
        ]
        self._reads = dict(zip(self.sources, slots, strict=False))
        self._writes = slots[len(self.sources) :]
        self.w = Writer(module, ir.IRBuilder(self.function.append_basic_block()))
        self._loop_nest(*self.function.args[-2:])
        self.w.builder.ret_void()

    def _loop_nest(self, low: Value, high: Value) -> None:
        if len(self.loops.dims) == 1:
            self._row(low, high, None)
            return
        with _loop(self.w.builder, low, high) as row:
            self._row(ir.Constant(I64, 0), ir.Constant(I64, self.loops.dims[-1]), row)

    def _row(self, low: Value, high: Value, row: Value | None) -> None:
        reads = [(key, slot, self._start(slot, row)) for key, slot in self._reads.items()]
        writes = [(slot, self._start(slot, row)) for slot in self._writes]
        with _loop(self.w.builder, low, high) as i:
            known: dict[Key, Value] = {k: self._load(slot, start, i) for k, slot, start in reads}
            for op in self.part.ops:
                known[id(op.outputs[0]), ()] = self._element(op, known)
            for value, (slot, start) in zip(self.part.outputs, writes, strict=True):
                self._store(known[id(value), ()], slot, start, i)

    def _start(self, slot: _Slot, row: Value | None) -> Value:
        """Where the row begins in an operand."""
        if row is None:
            return slot.pointer
        b, offset, rest = self.w.builder, ir.Constant(I64, 0), row
        for dim, step in zip(self.loops.dims[-2::-1], slot.steps[-2::-1], strict=True):
            size = ir.Constant(I64, dim)
            if step:
                offset = b.add(offset, b.mul(b.urem(rest, size), ir.Constant(I64, step)))
            rest = b.udiv(rest, size)
        return b.gep(slot.pointer, [offset], source_etype=slot.stored)

    def _load(self, slot: _Slot, start: Value, i: Value) -> Value:
        b = self.w.builder
        place = b.gep(start, [i], source_etype=slot.stored) if slot.steps[-1] else start
        value = b.load(place, typ=slot.stored)
        return b.icmp_unsigned("!=", value, ir.Constant(BYTE, 0)) if slot.kind == BIT else value

    def _store(self, value: Value, slot: _Slot, start: Value, i: Value) -> None:
        b = self.w.builder
        stored = b.zext(value, BYTE) if slot.kind == BIT else value
        b.store(stored, b.gep(start, [i], source_etype=slot.stored))

    def _element(self, op: Op, known: Mapping[Key, Value]) -> Value:
        given = {name: self._operand(op, args[0], known) for name, args in op.inputs.items()}
        return RULES[op.kind](self.w, **given)

    def _operand(self, op: Op, arg: Arg, known: Mapping[Key, Value]) -> Value:
        key = self._key(op, arg)
        if key in known:
            return known[key]
        literal = literal_of(arg)
        if literal is None:
            return known[key[0], ()]
        value = plain(literal, self.array)
        return value if isinstance(value, str) else self.w.constant(value)

    def _key(self, op: Op, arg: Arg) -> Key:
        """An operand as an op reads it."""
        if not isinstance(arg.type, TensorType):
            return id(arg), ()
        shape = dims_of(op.outputs[0].tensor.shape)
        root = self.roots.get(id(arg), arg)
        return id(root), steps_of(dims_of(arg.type.shape), shape)

    def _sources(self) -> dict[Key, Source]:
        """What the region reads from memory, once for each way in which it is broadcast."""
        places = {id(v): place for place, v in enumerate(self.part.inputs)}
        found: dict[Key, Source] = {}
        for op in self.part.ops:
            for (arg,) in op.inputs.values():
                key = self._key(op, arg)
                if key[0] in places or _is_large(arg):
                    found[key] = Source(arg, key[1], places.get(key[0]))
        return found


def _is_large(arg: Arg) -> bool:
    """A constant of more than one element."""
    kind = arg.type
    return (
        literal_of(arg) is not None
        and isinstance(kind, TensorType)
        and prod(dims_of(kind.shape)) > 1
    )


def _type(arg: Arg) -> TensorType:
    assert isinstance(arg.type, TensorType)
    return arg.type


@contextmanager
def _loop(builder: Any, low: Value, high: Value) -> Iterator[Value]:
    """Turns for i in low .. high - 1; low < high."""
    before, body = builder.block, builder.append_basic_block()
    builder.branch(body)
    builder.position_at_end(body)
    i = builder.phi(I64)
    i.add_incoming(low, before)
    yield i
    following = builder.add(i, ir.Constant(I64, 1), flags=["nuw", "nsw"])
    i.add_incoming(following, builder.block)
    after = builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("<", following, high), body, after)
    builder.position_at_end(after)
