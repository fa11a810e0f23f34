"""Whether a program that was read makes sense: every op against the dialect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from coremlc.errors import CoremlcError, FormatError, Where
from coremlc.mil.dialect import DIALECT, infer_op
from coremlc.mil.dialect.args import spell
from coremlc.mil.dialect.control_flow import same_type
from coremlc.mil.program import Arg, Block, Function, Op, Value
from coremlc.mil.types import StateType, TensorType, ValueType

_FIX = "fetch or make the bundle again"
_BLOCKS = {"cond": 2, "while_loop": 2}


def faults(function: Function) -> Iterator[CoremlcError]:
    """What no engine could run as it stands; ops that the dialect lacks are hardly judged.

    Bindings are those of the op, values are defined before they are read, results have the types
    that are written down, where these are known.
    """
    walk = _Walk(function.opset)
    for value in function.inputs:
        if not isinstance(value.type, TensorType | StateType):
            yield _fault(f"{spell(value.type)} is no type of an input", f"input {value.name!r}")
    walk.define(function.inputs)
    yield from walk.block(function.block)
    for value in function.block.outputs:
        if not isinstance(value.type, TensorType):
            yield _fault(f"{spell(value.type)} is no type of an output", f"output {value.name!r}")


@dataclass(slots=True)
class _Walk:
    """What is defined so far."""

    opset: str
    defined: set[int] = field(default_factory=set)
    constexprs: set[str] = field(default_factory=set)

    def define(self, values: tuple[Value, ...]) -> None:
        self.defined.update(map(id, values))

    def block(self, block: Block) -> Iterator[CoremlcError]:
        self.define(block.inputs)
        for op in block.ops:
            place = f"MIL op {op.kind}" + (f" -> %{op.outputs[0].name}" if op.outputs else "")
            yield from self._undefined([a for args in op.inputs.values() for a in args], place)
            for inner in op.blocks:
                yield from self.block(inner)
            yield from self._types(op, place)
            self.define(op.outputs)
            if op.kind.startswith("constexpr_"):
                self.constexprs.update(value.name for value in op.outputs)
        yield from self._undefined(list(block.outputs), "the results of a block")

    def _undefined(self, args: list[Arg], place: str) -> Iterator[CoremlcError]:
        for arg in args:
            if isinstance(arg, Value) and id(arg) not in self.defined:
                yield _fault(f"%{arg.name} is read before it is defined", place)

    def _types(self, op: Op, place: str) -> Iterator[CoremlcError]:
        """The op's own rule, and that what it gives is what is written."""
        if op.kind not in DIALECT:
            args = [arg for bound in op.inputs.values() for arg in bound]
            if any(isinstance(arg.type, StateType) for arg in args):
                yield _fault("an op that coremlc doesn't know takes a state", place)
            return
        if len(op.blocks) != _BLOCKS.get(op.kind, 0):
            yield _fault(f"{len(op.blocks)} blocks", place)
            return
        if op.kind == "const" and "val" not in op.attributes:
            yield _fault("a constant without a value", place)
            return
        try:
            found = infer_op(op, op.opset or self.opset, self.constexprs)
        except CoremlcError as error:
            error.where = Where(what=place)
            yield error
            return
        written = [value.type for value in op.outputs]
        if len(found) != len(written) or not all(map(_agree, found, written)):
            due, told = (", ".join(map(spell, kinds)) for kinds in (found, written))
            yield _fault(f"its result is {due}, the program says {told}", place)


def _agree(found: ValueType, written: ValueType) -> bool:
    """Equal, as far as sizes are known."""
    if isinstance(found, TensorType) and isinstance(written, TensorType):
        if ... in found.shape or ... in written.shape:
            return found.dtype == written.dtype
        if len(found.shape) != len(written.shape):
            return False
    return same_type(found, written)


def _fault(what: str, place: str) -> FormatError:
    return FormatError(what, fix=_FIX, where=Where(what=place))
