"""What a rule of the dialect reads: the bindings of one op, typed, and the values of constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from coremlc.errors import ShapeError
from coremlc.mil.dialect.signature import Signature
from coremlc.mil.program import Arg, Array, Block, Literal, Value
from coremlc.mil.types import BufferType, ListType, StateType, TensorType, ValueType

Shape: TypeAlias = "tuple[int | None, ...]"


def spell(kind: ValueType) -> str:
    """A type as messages print it: `fp32[1, ?, 3]`."""
    if isinstance(kind, StateType):
        return f"state<{spell(kind.tensor)}>"
    if isinstance(kind, ListType):
        return f"list<{spell(kind.element)}>"
    if isinstance(kind, BufferType):
        return kind.kind
    if not isinstance(kind, TensorType):
        return str(kind)
    return f"{kind.dtype}{spell_shape(kind.shape)}"


def spell_shape(shape: Sequence[object]) -> str:
    """A shape as messages print it: `[1, ?, 3]`."""
    words = ("?" if d is None else "..." if d is ... else str(d) for d in shape)
    return f"[{', '.join(words)}]"


def literal_of(arg: Arg) -> Literal | None:
    """The constant that is bound, if it is one."""
    return arg.literal if isinstance(arg, Value) else arg


class Args:
    """The bindings of one op; checked against its signature before a rule sees them."""

    __slots__ = ("blocks", "constexprs", "inputs", "kind", "opset", "signature")

    def __init__(
        self,
        kind: str,
        signature: Signature,
        inputs: Mapping[str, tuple[Arg, ...]],
        opset: str,
        blocks: tuple[Block, ...] = (),
        constexprs: Collection[str] = frozenset(),
    ) -> None:
        self.kind = kind
        self.signature = signature
        self.inputs = inputs
        self.opset = opset
        self.blocks = blocks
        self.constexprs = constexprs

    def error(self, what: str, *, fix: str) -> ShapeError:
        """The error of a rule; it names the op."""
        return ShapeError(f"{self.kind}: {what}", fix=fix)

    def __contains__(self, name: str) -> bool:
        return name in self.inputs

    def type(self, name: str = "x") -> TensorType:
        """The type of a tensor operand."""
        kind = self.inputs[name][0].type
        assert isinstance(kind, TensorType), kind
        return kind

    def types(self, name: str) -> list[TensorType]:
        """The types of a variadic operand."""
        return [arg.type for arg in self.inputs[name] if isinstance(arg.type, TensorType)]

    def shape(self, name: str = "x") -> Shape:
        """The shape of a tensor operand."""
        return sizes(self.type(name))

    def spell(self, name: str) -> str:
        """An operand's type as messages print it."""
        return ", ".join(spell(arg.type) for arg in self.inputs[name])

    def is_constant(self, name: str) -> bool:
        """Whether an operand is a constant, or made from constants alone."""
        return all(
            literal_of(arg) is not None or (isinstance(arg, Value) and arg.name in self.constexprs)
            for arg in self.inputs[name]
        )

    def literal(self, name: str) -> Literal | None:
        """The constant that is bound, if it is one."""
        return literal_of(self.inputs[name][0])

    def item(self, name: str, index: int, count: int) -> int:
        """The value of one of the constants of a variadic operand of `count` values."""
        bindings = self.inputs[name]
        literal = literal_of(bindings[index]) if len(bindings) == count else None
        if literal is None or not isinstance(literal.data, np.ndarray):
            raise self.error(f"{name} has {len(bindings)} values", fix=f"give {count} constants")
        return int(literal.data)

    def data(self, name: str) -> Array | None:
        """The array of a constant operand; None when it is not known."""
        literal = literal_of(self.inputs[name][0])
        if literal is None or not isinstance(literal.data, np.ndarray):
            return None
        return literal.data

    def ints(self, name: str) -> list[int] | None:
        """The value of a constant rank-1 operand; None when absent or not known."""
        if name not in self.inputs:
            return None
        data = self.data(name)
        if data is None:
            return None
        values: list[int] = data.reshape(-1).tolist()
        return values

    def integer(self, name: str) -> int:
        """The value of a constant scalar, or its default."""
        value = self.scalar(name)
        assert isinstance(value, int), (self.kind, name)
        return value

    def flag(self, name: str) -> bool:
        """The value of a constant bool, or its default."""
        if name in self.inputs:
            return bool(self.data(name))
        return bool(self.signature.params[name].default)

    def scalar(self, name: str) -> bool | int | float | None:
        """The value of a scalar operand; None when it is not known."""
        if name not in self.inputs:
            default = self.signature.params[name].default
            assert default is None or isinstance(default, bool | int | float)
            return default
        data = self.data(name)
        if data is None:
            return None
        value: bool | int | float = data.reshape(-1)[0].item() if data.size else 0
        return value

    def text(self, name: str, allowed: Sequence[str]) -> str:
        """The value of a constant string, or its default; one of `allowed`."""
        value: object = self.signature.params[name].default
        if name in self.inputs:
            literal = literal_of(self.inputs[name][0])
            value = None if literal is None else literal.data
        if isinstance(value, str) and value in allowed:
            return value
        raise self.error(f"{name} is {value!r}", fix=f"use one of {', '.join(allowed)}")

    def axis(self, name: str, rank: int, *, low: int | None = None) -> int:
        """The value of a constant axis, counted from the front."""
        return self.check_axis(name, self.integer(name), rank, low=low)

    def check_axis(self, name: str, axis: int, rank: int, *, low: int | None = None) -> int:
        """An axis counted from the front; `low` is the least one allowed."""
        least = -rank if low is None else low
        if least <= axis < rank:
            return axis + rank if axis < 0 else axis
        raise self.error(
            f"{name} is {axis}, for rank {rank}", fix=f"use an axis in {least}..{rank - 1}"
        )

    def axes(self, name: str, rank: int) -> list[int] | None:
        """The values of constant axes, counted from the front, all different; None when absent."""
        given = self.ints(name)
        if given is None:
            return None
        axes = [self.check_axis(name, axis, rank) for axis in given]
        if len(set(axes)) != len(axes):
            raise self.error(f"{name} {given} repeats an axis", fix="name each axis once")
        return axes

    def rank(self, name: str, *ranks: int) -> Shape:
        """The shape of an operand whose rank is one of `ranks`."""
        shape = self.shape(name)
        if len(shape) in ranks:
            return shape
        wanted = " or ".join(map(str, ranks))
        raise self.error(
            f"{name} is {self.spell(name)}, of rank {len(shape)}", fix=f"give it rank {wanted}"
        )

    def expect(self, name: str, shape: Shape, because: str) -> None:
        """Check an operand's shape; unknown dims fit any."""
        if not fits(self.shape(name), shape):
            raise self.error(
                f"{name} is {self.spell(name)}, for {because}",
                fix=f"give {name} the shape {spell_shape(shape)}",
            )


def sizes(kind: TensorType) -> Shape:
    """A tensor type's shape, without a variadic tail."""
    if ... in kind.shape:
        raise ShapeError(
            f"a type of unknown rank, {spell(kind)}, has no shape to infer from",
            fix="give it a rank",
        )
    return kind.shape  # type: ignore[return-value]  # checked in the line above


def fits(a: Sequence[int | None], b: Sequence[int | None]) -> bool:
    """Whether two shapes may be equal."""
    return len(a) == len(b) and all(
        x == y or x is None or y is None for x, y in zip(a, b, strict=True)
    )


def product(dims: Sequence[int | None]) -> int | None:
    """How many elements a shape has; None when that is not known."""
    total = 1
    for dim in dims:
        if dim is None:
            return None
        total *= dim
    return total


def broadcast(args: Args, *shapes: Shape) -> Shape:
    """The shape that numpy's rule gives operands of these shapes."""
    first = shapes[0]
    if all(shape == first for shape in shapes[1:]):
        return first
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(_broadcast_dims(args, dims, shapes) for dims in zip(*padded, strict=True))


def _broadcast_dims(
    args: Args, dims: tuple[int | None, ...], shapes: tuple[Shape, ...]
) -> int | None:
    known = {dim for dim in dims if dim is not None and dim != 1}
    if len(known) > 1:
        raise args.error(
            f"shapes {' and '.join(map(spell_shape, shapes))} do not broadcast",
            fix="make each pair of dims, counted from the last, equal or one of them 1",
        )
    if known:
        return known.pop()
    return None if None in dims else 1
