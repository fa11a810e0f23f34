"""Scatters that MIL gives a spare row for what they drop: a copy less on the way in and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from coremlc.engine.literals import alive, used_by, value_of
from coremlc.mil.program import Arg, Array, Block, Function, Literal, Op, Value
from coremlc.mil.types import TensorType

INT, BOOL = TensorType("int32"), TensorType("bool")


def without_spare_rows(function: Function, array: Callable[[Literal], Array]) -> Function:
    """The same function: rows are appended, scattered to and cut off only where an index needs it.

    `slice(scatter(concat(x, spare), i, u))[:len(x)]` becomes a cond, whose usual branch is
    `scatter(x, i, u)`.
    """
    if not any(op.kind == "scatter" for op in function.block.ops):
        return function
    block = _Finder(function.block, array).block()
    return replace(function, blocks={function.opset: block})


@dataclass(frozen=True, slots=True)
class _Detour:
    """Three ops around the rows that count."""

    concat: Op
    scatter: Op
    cut: Op

    @property
    def data(self) -> Value:
        (data, *_) = self.concat.inputs["values"]
        assert isinstance(data, Value)
        return data


class _Finder:
    """Which op made a value, and how many use it."""

    def __init__(self, block: Block, array: Callable[[Literal], Array]) -> None:
        self.whole = block
        self.array = array
        self.makers = {id(v): op for op in block.ops for v in op.outputs}
        self.uses = Counter(id(v) for op in block.ops for v in used_by(op))
        self.uses.update(id(v) for v in block.outputs)

    def block(self) -> Block:
        ops: list[Op] = []
        for op in self.whole.ops:
            found = self._detour(op) if op.kind == "slice_by_index" else None
            ops += [op] if found is None else _branches(found)
        return replace(self.whole, ops=tuple(alive(ops, self.whole.outputs)))

    def _detour(self, cut: Op) -> _Detour | None:
        scatter = self._made(cut.inputs["x"][0], "scatter")
        if scatter is None or self._known(scatter, "axis") != 0:
            return None
        concat = self._made(scatter.inputs["data"][0], "concat")
        if (
            concat is None
            or self._known(concat, "axis") != 0
            or self._is_true(concat, "interleave")
        ):
            return None
        data = concat.inputs["values"][0]
        if not isinstance(data, Value) or data.type != cut.outputs[0].type:
            return None
        return _Detour(concat, scatter, cut) if self._starts_at_zero(cut) else None

    def _made(self, arg: Arg, kind: str) -> Op | None:
        """The op of that kind whose result is used here only."""
        op = self.makers.get(id(arg))
        return op if op is not None and op.kind == kind and self.uses[id(arg)] == 1 else None

    def _starts_at_zero(self, cut: Op) -> bool:
        """With steps of one: what it keeps are the first rows."""
        begin, stride = self._known(cut, "begin"), self._known(cut, "stride")
        if begin is None or np.any(begin) or (stride is not None and np.any(stride != 1)):
            return False
        return not self._is_true(cut, "squeeze_mask")

    def _known(self, op: Op, name: str) -> Array | None:
        value = value_of(op.inputs[name][0], self.array) if name in op.inputs else None
        return None if value is None else np.asarray(value)

    def _is_true(self, op: Op, name: str) -> bool:
        return name in op.inputs and bool(np.any(self._known(op, name)))


def _branches(found: _Detour) -> list[Op]:
    """Whether all indices are of rows that count; then the cond."""
    (indices,) = found.scatter.inputs["indices"]
    (out,) = found.cut.outputs
    rows = out.tensor.shape[0]
    low, high = (Value(f"{out.name}_{end}", INT) for end in ("first", "last"))
    above, below, inside = (Value(f"{out.name}_{k}", BOOL) for k in ("above", "below", "inside"))
    usual, rare = (Value(f"{out.name}_{way}", out.type) for way in ("straight", "cut"))
    straight = Op("scatter", {**found.scatter.inputs, "data": (found.data,)}, (usual,))
    last = Op("slice_by_index", found.cut.inputs, (rare,))
    ways = (Block((straight,), (usual,)), Block((found.concat, found.scatter, last), (rare,)))
    return [
        Op("reduce_min", {"x": (indices,)}, (low,)),
        Op("reduce_max", {"x": (indices,)}, (high,)),
        Op("greater_equal", {"x": (low,), "y": (_int(0),)}, (above,)),
        Op("less", {"x": (high,), "y": (_int(rows),)}, (below,)),
        Op("logical_and", {"x": (above,), "y": (below,)}, (inside,)),
        Op("cond", {"pred": (inside,)}, (out,), {}, ways),
    ]


def _int(value: object) -> Literal:
    return Literal(INT, np.asarray(value, np.int32))
