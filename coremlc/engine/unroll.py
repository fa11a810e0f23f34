"""Loops of few trips, known beforehand, written out; small constants computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coremlc.engine.literals import literal_of, plain
from coremlc.engine.specialize import Walk, no_array
from coremlc.mil.program import Arg, Block, Function, Literal, Op, Value
from coremlc.mil.types import ValueType

MAX_TRIPS = 256
MAX_OPS = 2048
"""What a loop may become: beyond that, loading takes longer than the loop ever did."""


def unrolled(function: Function) -> Function:
    """The same function, with the loops written out whose conditions constants decide."""
    return _walked(function) if _has_loop(function.block) else function


def folded(function: Function) -> Function:
    """The same function, its small constants computed."""
    return _walked(function) if any(map(_is_constant, function.block.ops)) else function


def _walked(function: Function) -> Function:
    block = _Unroll(function.opset).block(function.block)
    return replace(function, blocks={function.opset: block})


def _has_loop(block: Block) -> bool:
    return any(op.kind == "while_loop" or any(map(_has_loop, op.blocks)) for op in block.ops)


def _is_constant(op: Op) -> bool:
    args = (arg for args in op.inputs.values() for arg in args)
    return op.kind != "const" and bool(op.inputs) and all(literal_of(arg) for arg in args)


class _Unroll(Walk):
    """Types stay as they are: nothing is inferred again."""

    def kinds(self, op: Op) -> Sequence[ValueType]:
        return [v.type for v in op.outputs]

    def op(self, op: Op) -> Sequence[Op]:
        if op.kind != "while_loop":
            return super().op(op)
        written = self._written_out(op)
        return super().op(op) if written is None else written

    def _written_out(self, op: Op) -> Sequence[Op] | None:
        """Every trip's ops; None if an input decides how many there are, or they are too many."""
        condition, body = op.blocks
        values: Sequence[Arg] = [self.arg(x) for x in op.inputs["loop_vars"]]
        found: list[Op] = []
        for _ in range(MAX_TRIPS + 1):
            (again,) = self._inlined(condition, values)[1]
            known = literal_of(again)
            if known is None:
                return None
            if not plain(known, no_array):
                return found + self._named(op, values)
            ops, values = self._inlined(body, values)
            found += ops
            if len(found) > MAX_OPS:
                return None
        return None

    def _inlined(self, block: Block, values: Sequence[Arg]) -> tuple[list[Op], Sequence[Arg]]:
        for parameter, value in zip(block.inputs, values, strict=True):
            if isinstance(value, Literal):  # a block may return it, which takes a name
                value = Value(parameter.name, value.type, value)
            self.new[id(parameter)] = value
        ops = [made for op in block.ops for made in self.op(op)]
        return ops, [self.arg(v) for v in block.outputs]

    def _named(self, op: Op, values: Sequence[Arg]) -> list[Op]:
        """The loop's results under their own names, which may be those of features."""
        pairs = zip(op.outputs, values, strict=True)
        moves = [Op("identity", {"x": (value,)}, (output,)) for output, value in pairs]
        return [made for move in moves for made in super(_Unroll, self).op(move)]
