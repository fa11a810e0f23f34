"""Program, Function, Block, Op, Value: a MIL program as plain immutable data.

What the protobuf stores is what these hold, order included, so that reading a package and writing
it again gives equal trees. Names are the identity of values in MIL; a `Value` is also one object
per definition, so walks need no name table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy.typing as npt

from coremlc.mil.types import TensorType, ValueType

Array: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A tensor in a blob file: offset is that of its 64-byte metadata record."""

    path: str
    offset: int


Data: TypeAlias = (
    "Array | str | tuple[Literal, ...] | tuple[tuple[Literal, Literal], ...] | BlobRef"
)


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A typed immediate value.

    data: numpy array of the type's shape for numeric and bool tensors (its dtype is `mil.arrays`'s:
    ml_dtypes for bf16 and fp8 and for int4, uint4, uint2; uint8 for uint1, uint3, uint6; it may be
    a read-only map of a file, or a broadcast view); str, or an object
    array of str, for string tensors; tuple of Literal for lists and tuples; tuple of
    (Literal, Literal) pairs, in stored order, for dicts; or a BlobRef.
    """

    type: ValueType
    data: Data


@dataclass(slots=True, eq=False)
class Value:
    """A named result of an op, or an input of a function or block."""

    name: str
    type: ValueType
    literal: Literal | None = None
    """What it is, if a `const` op made it."""

    @property
    def tensor(self) -> TensorType:
        """The type, known to be a tensor's."""
        assert isinstance(self.type, TensorType), self.type
        return self.type


Arg: TypeAlias = "Value | Literal"


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation: `outputs = kind(inputs)[attributes] blocks`.

    inputs: parameter name -> its bindings (one, or several for a tuple such as concat's `values`).
    attributes: name -> Literal; `name`, and `val` for `const`.
    """

    kind: str
    inputs: Mapping[str, tuple[Arg, ...]]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Literal] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    opset: str = ""
    """An opset of its own (`ios17`), as only optimised texts have."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Ops in order; it sees the values of the blocks around it."""

    ops: tuple[Op, ...]
    outputs: tuple[Value, ...]
    inputs: tuple[Value, ...] = ()
    attributes: Mapping[str, Literal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """An entry point: named inputs, an opset (`CoreML7`), and a block per opset."""

    inputs: tuple[Value, ...]
    opset: str
    blocks: Mapping[str, Block]
    attributes: Mapping[str, Literal] = field(default_factory=dict)

    @property
    def block(self) -> Block:
        """The block of the function's own opset."""
        return self.blocks[self.opset]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Functions by name, and the program's attributes (`buildInfo`)."""

    functions: Mapping[str, Function]
    attributes: Mapping[str, Literal] = field(default_factory=dict)
    version: int = 1
    doc_string: str = ""


def walk(block: Block) -> Iterator[Op]:
    """Every op, an op before those of its blocks."""
    for op in block.ops:
        yield op
        for inner in op.blocks:
            yield from walk(inner)
