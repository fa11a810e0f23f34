"""A routine as an LLVM function: `void (ptr .., i64 low, i64 high)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from llvmlite import ir

from coremlc.engine.fused.contractions import Contraction
from coremlc.engine.fused.functions import FUNCTIONS
from coremlc.engine.fused.loops import merged
from coremlc.engine.fused.nests import Branch, Nest, Routine, Step, While, buffers_read
from coremlc.engine.fused.places import Key, Steps
from coremlc.engine.fused.rules import RULES
from coremlc.engine.fused.writer import BIT, BYTE, F32, I32, I64, POINTER, TYPES, Value, Writer

ALIGNMENT = 32
"""Of memory for what lies between steps: a vector of AVX."""
VECTOR_TURNS = 1024
"""From which on vectors earn what LLVM takes to think of them."""
ABREAST = 4
"""Vectors whose polynomials are computed side by side: each waits for its own last step."""


class Function:
    """A routine's function, written into a module. Pointers: sources in order, then results."""

    def __init__(self, module: Any, name: str, routine: Routine) -> None:
        self.routine = routine
        outer = [i for i, b in enumerate(routine.buffers) if b.source is not None]
        pointers = [*outer, *routine.outputs]
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * len(pointers) + [I64, I64])
        self.function = ir.Function(module, signature, name)
        *given, low, high = self.function.args
        for pointer in given:
            pointer.add_attribute("noalias")
        self.w = Writer(module, ir.IRBuilder(self.function.append_basic_block()))
        self.stored = buffers_read(routine)
        self.memory = dict(zip(pointers, given, strict=True))
        for i in sorted(self.stored - self.memory.keys()):
            buffer = routine.buffers[i]
            count = ir.Constant(I64, buffer.size)
            self.memory[i] = self.w.builder.alloca(_stored(TYPES[buffer.dtype]), count)
            self.memory[i].align = ALIGNMENT
        span = (low, high) if routine.is_one_nest else None
        self.turns = 1
        """Of the outer loop, which threads may share."""
        self.mark: list[Any] = []
        """What LLVM is told of the loops being written."""
        for step in routine.steps:
            self._step(step, span)
        self.w.builder.ret_void()

    # --- steps ------------------------------------------------------------------------------

    def _step(self, step: Step, span: tuple[Value, Value] | None = None) -> None:
        match step:
            case Nest():
                self._nest(step, span)
            case While():
                self._while(step)
            case Branch():
                self._branch(step)

    def _while(self, step: While) -> None:
        b = self.w.builder
        deciding, turn, after = (b.append_basic_block() for _ in range(3))
        b.branch(deciding)
        b.position_at_end(deciding)
        for inner in step.condition:
            self._step(inner)
        b.cbranch(self._load(step.again, (), ()), turn, after)
        b.position_at_end(turn)
        for inner in step.body:
            self._step(inner)
        b.branch(deciding)
        b.position_at_end(after)

    def _branch(self, step: Branch) -> None:
        b = self.w.builder
        *starts, after = (b.append_basic_block() for _ in range(3))
        b.cbranch(self._load(step.condition, (), ()), *starts)
        for start, way in zip(starts, step.ways, strict=True):
            b.position_at_end(start)
            for inner in way:
                self._step(inner)
            b.branch(after)
        b.position_at_end(after)

    def _nest(self, nest: Nest, span: tuple[Value, Value] | None) -> None:
        writes = [(key, target) for key, target in nest.writes if target.buffer in self.stored]
        keys = [*nest.reads, *(target for _, target in writes)]
        if nest.head is not None:
            keys += nest.head.keys
        dims, steps = merged(nest.dims, [key.steps for key in keys])
        at = dict(zip(keys, steps, strict=True))
        if span is not None and dims:
            self.turns = dims[0]
        self.mark = _mark_of(nest, self.w.module)
        with ExitStack() as loops:
            index = [
                loops.enter_context(self._loop(*_bounds(dim, span if not i else None)))
                for i, dim in enumerate(dims)
            ]
            known = {key: self._load(key, at[key], index) for key in nest.reads}
            if nest.head is not None:
                known[nest.writes[0][0]] = self._contracted(nest.head, at, index)
            for op in nest.ops:
                given = {
                    name: known[x] if isinstance(x, Key) else x if isinstance(x, str)
                    else self.w.constant(x)
                    for name, x in op.operands.items()
                }  # fmt: skip
                known[op.result] = RULES[op.kind](self.w, **given)
            for key, target in writes:
                self._store(known[key], target, at[target], index)

    def _contracted(self, head: Contraction, at: dict[Key, Steps], index: Sequence[Value]) -> Value:
        """Inner loops with a running total; the order of a sum is LLVM's to choose."""
        b = self.w.builder
        kind = TYPES[self.routine.buffers[head.factors[0].key.buffer].dtype]
        with b.goto_entry_block():
            total = b.alloca(kind)
        b.store(_first(head.kind, kind), total)
        with ExitStack() as loops:
            inner = [loops.enter_context(self._loop(*_bounds(dim, None))) for dim in head.dims]
            terms = [
                self._load(f.key, (*at[f.key], *f.inner), (*index, *inner)) for f in head.factors
            ]
            b.store(self._combined(head.kind, b.load(total, typ=kind), terms), total)
        value = b.load(total, typ=kind)
        if head.divisor != 1:
            value = self.w.div(value, self.w.number(head.divisor))
        if head.plus is not None:
            value = self.w.add(value, self._load(head.plus, at[head.plus], index))
        return value

    def _combined(self, kind: str, total: Value, terms: Sequence[Value]) -> Value:
        b = self.w.builder
        if kind != "sum":
            return self.w.extreme({"max": ">", "min": "<"}[kind], total, terms[0])
        if total.type != F32:
            return b.add(total, terms[0] if len(terms) == 1 else b.mul(*terms))
        flags = ["reassoc", "contract"]
        term = terms[0] if len(terms) == 1 else b.fmul(*terms, flags=flags)
        return b.fadd(total, term, flags=flags)

    @contextmanager
    def _loop(self, low: Value, high: Value) -> Iterator[Value]:
        """Turns for i in low .. high - 1; low < high."""
        b = self.w.builder
        before, body = b.block, b.append_basic_block()
        b.branch(body)
        b.position_at_end(body)
        i = b.phi(I64)
        i.add_incoming(low, before)
        yield i
        following = b.add(i, ir.Constant(I64, 1), flags=["nuw", "nsw"])
        i.add_incoming(following, b.block)
        after = b.append_basic_block()
        branch = b.cbranch(b.icmp_signed("<", following, high), body, after)
        if self.mark:
            branch.set_metadata("llvm.loop", _distinct(self.w.module, self.mark))
        b.position_at_end(after)

    # --- memory -----------------------------------------------------------------------------

    def _address(self, key: Key, steps: Steps, index: Sequence[Value]) -> tuple[Value, Any]:
        b, kind = self.w.builder, TYPES[self.routine.buffers[key.buffer].dtype]
        offset = ir.Constant(I64, key.offset)
        for step, i in zip(steps, index, strict=True):
            if step:
                offset = b.add(offset, i if step == 1 else b.mul(i, ir.Constant(I64, step)))
        return b.gep(self.memory[key.buffer], [offset], source_etype=_stored(kind)), kind

    def _load(self, key: Key, steps: Steps, index: Sequence[Value]) -> Value:
        b = self.w.builder
        place, kind = self._address(key, steps, index)
        value = b.load(place, typ=_stored(kind))
        return b.icmp_unsigned("!=", value, ir.Constant(BYTE, 0)) if kind == BIT else value

    def _store(self, value: Value, key: Key, steps: Steps, index: Sequence[Value]) -> None:
        b = self.w.builder
        place, kind = self._address(key, steps, index)
        b.store(b.zext(value, BYTE) if kind == BIT else value, place)


def _stored(kind: Any) -> Any:
    return BYTE if kind == BIT else kind


def _first(kind: str, dtype: Any) -> Value:
    """What a total starts from."""
    if kind == "sum":
        return ir.Constant(dtype, 0 if dtype != F32 else -0.0)
    least = -np.inf if dtype == F32 else -(2**31)
    most = np.inf if dtype == F32 else 2**31 - 1
    return ir.Constant(dtype, least if kind == "max" else most)


def _bounds(dim: int, span: tuple[Value, Value] | None) -> tuple[Value, Value]:
    return (ir.Constant(I64, 0), ir.Constant(I64, dim)) if span is None else span


def _mark_of(nest: Nest, module: Any) -> list[Any]:
    """What LLVM is told of a nest's loops: to translate short ones as they stand."""
    if nest.turns < VECTOR_TURNS:
        no_vectors = ir.MetaDataString(module, "llvm.loop.vectorize.enable"), ir.Constant(BIT, 0)
        no_unrolling = [ir.MetaDataString(module, "llvm.loop.unroll.disable")]
        return [module.add_metadata(no_vectors), module.add_metadata(no_unrolling)]
    if any(op.kind in FUNCTIONS for op in nest.ops):
        name = ir.MetaDataString(module, "llvm.loop.interleave.count")
        return [module.add_metadata([name, ir.Constant(I32, ABREAST)])]
    return []


def _distinct(module: Any, parts: Sequence[Any]) -> Any:
    """A loop's mark, which LLVM takes for one if its first part is itself."""
    mark = ir.MDValue(module, (), str(len(module.metadata)))
    mark.operands = (mark, *parts)
    return mark
