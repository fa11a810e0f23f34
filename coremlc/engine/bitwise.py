"""Bitwise and, which MIL has to spell with a table of hexadecimal digits, as one op of the engine.

`bitwise_and(x, y)` of int32 is not MIL: functions that hold it never leave the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from coremlc.engine.literals import alive, value_of
from coremlc.mil.program import Arg, Array, Block, Function, Literal, Op
from coremlc.mil.types import TensorType

TABLE = np.array([i & j for i in range(16) for j in range(16)], np.int32)
"""The and of two digits, at 16 times the first plus the second."""
WEIGHTS = (1 << 4 * np.arange(8, dtype=np.int64)).astype(np.int32)
"""Of the eight digits of an int32."""


def with_bitwise_ands(function: Function, array: Callable[[Literal], Array]) -> Function:
    """The same function, each and by digits (`ops/bitwise.py`) written as one op."""
    if not _looks_up(function.block):
        return function
    block = _Finder(array).block(function.block)
    return replace(function, blocks={function.opset: block})


def _looks_up(block: Block) -> bool:
    return any(op.kind == "gather" or any(map(_looks_up, op.blocks)) for op in block.ops)


class _Finder:
    """A walk that knows which op made a value."""

    def __init__(self, array: Callable[[Literal], Array]) -> None:
        self.array = array
        self.makers: dict[int, Op] = {}

    def block(self, block: Block) -> Block:
        ops = []
        for op in block.ops:
            made = replace(op, blocks=tuple(map(self.block, op.blocks))) if op.blocks else op
            found = self._operands(op) if op.kind == "reduce_sum" else None
            if found is not None:
                x, y = found
                made = Op("bitwise_and", {"x": (x,), "y": (y,)}, op.outputs)
            self.makers.update((id(v), op) for v in op.outputs)
            ops.append(made)
        return replace(block, ops=tuple(alive(ops, block.outputs)))

    def _operands(self, total: Op) -> tuple[Arg, Arg] | None:
        """Of the and that the sum of `TABLE[16 * digits(x) + digits(y)] * WEIGHTS` is."""
        if not self._sums_last_axis(total):
            return None
        looked_up = self._made(self._times(total.inputs["x"][0], WEIGHTS), "gather")
        if looked_up is None or not self._is(looked_up.inputs["x"][0], TABLE):
            return None
        place = self._made(looked_up.inputs["indices"][0], "add")
        if place is None:
            return None
        x, y = self._whole(place.inputs["x"][0], 16), self._whole(place.inputs["y"][0], 1)
        if x is None or y is None:
            return None
        shape = np.broadcast_shapes(_shape(x), _shape(y))
        return (x, y) if shape == _shape(total.outputs[0]) else None

    def _sums_last_axis(self, op: Op) -> bool:
        (x,) = op.inputs["x"]
        axes, kept = (self._known(op.inputs[n][0]) for n in ("axes", "keep_dims"))
        last = len(_shape(x)) - 1
        return axes is not None and list(axes) in ([last], [-1]) and kept is not None and not kept

    def _whole(self, digits: Arg, unit: int) -> Arg | None:
        """The number whose digits, times a unit, these are."""
        known = self._known(digits)
        if known is not None:
            return _number(known, unit)
        rest = self._made(digits if unit == 1 else self._times(digits, np.int32(unit)), "mod")
        if rest is None or not self._is(rest.inputs["y"][0], np.int32(16)):
            return None
        shifted = self._made(rest.inputs["x"][0], "floor_div")
        if shifted is None or not self._is(shifted.inputs["y"][0], WEIGHTS):
            return None
        column = self._made(shifted.inputs["x"][0], "expand_dims")
        if column is None or not self._is_column(column):
            return None
        return column.inputs["x"][0]

    def _is_column(self, op: Op) -> bool:
        (x,) = op.inputs["x"]
        axes = self._known(op.inputs["axes"][0])
        return axes is not None and list(axes) in ([len(_shape(x))], [-1])

    def _times(self, arg: Arg, factor: Any) -> Arg | None:
        """What is multiplied by a constant here."""
        op = self._made(arg, "mul")
        if op is None:
            return None
        (x,), (y,) = op.inputs["x"], op.inputs["y"]
        return x if self._is(y, factor) else y if self._is(x, factor) else None

    def _made(self, arg: Arg | None, kind: str) -> Op | None:
        op = self.makers.get(id(arg))
        return op if op is not None and op.kind == kind else None

    def _known(self, arg: Arg) -> Array | None:
        value = value_of(arg, self.array)
        return None if value is None else np.asarray(value)

    def _is(self, arg: Arg, value: Any) -> bool:
        known = self._known(arg)
        return known is not None and np.array_equal(known, value)


def _number(digits: Array, unit: int) -> Literal | None:
    """A constant of its digits."""
    plain_digits, rest = np.divmod(digits, unit)
    if digits.shape[-1:] != (8,) or rest.any() or not np.isin(plain_digits, range(16)).all():
        return None
    number = (plain_digits * WEIGHTS).sum(-1, dtype=np.int32)
    return Literal(TensorType("int32", number.shape), number)


def _shape(arg: Arg) -> tuple[Any, ...]:
    return tuple(getattr(arg.type, "shape", ()))
