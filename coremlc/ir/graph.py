"""Graph, Function, Node, Value, and the Builder that makes them.

A graph is immutable once built. A pass walks one function and builds the next, and nodes that it
leaves alone are shared between both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from coremlc.errors import CoremlcError, Where
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType


class Value:
    """What a node or a function's parameter defines. Compared by identity."""

    __slots__ = ("index", "node", "type")

    def __init__(self, type_: TensorType, node: Node | None = None, index: int = 0) -> None:
        self.type = type_
        self.node = node
        """None for a parameter."""
        self.index = index

    @property
    def op(self) -> Op | None:
        """The op that makes it; None for a parameter."""
        return None if self.node is None else self.node.op

    @property
    def operands(self) -> tuple[Value, ...]:
        """Operands of the node that makes it; empty for a parameter."""
        return () if self.node is None else self.node.operands


class Node:
    """One op applied to values."""

    __slots__ = ("label", "op", "operands", "results", "source")

    def __init__(
        self,
        op: Op,
        operands: tuple[Value, ...],
        types: tuple[TensorType, ...],
        source: str = "",
        label: str = "",
    ) -> None:
        self.op = op
        self.operands = operands
        self.results = tuple([Value(t, self, i) for i, t in enumerate(types)])
        self.source = source
        """`model.go:57`, the user's line that built it."""
        self.label = label
        """The user's name for it, if any."""


@dataclass(frozen=True, eq=False)
class Function:
    """Parameters, nodes in topological order, results.

    A body may use values of the functions around it.
    """

    parameters: tuple[Value, ...]
    nodes: tuple[Node, ...]
    results: tuple[Value, ...]
    name: str = ""


@dataclass(frozen=True)
class Input:
    """How the user knows a parameter of the main function."""

    name: str
    role: Literal["input", "variable"] = "input"
    range: tuple[int, int] | None = None
    """Integer values lie in it, both ends included; the user's promise, checked at run."""


@dataclass(frozen=True)
class Output:
    """How the user knows a result of the main function."""

    name: str
    role: Literal["output", "variable_update"] = "output"
    variable: str = ""


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole program: its main function and how the user knows what goes in and out."""

    main: Function
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    name: str = "graph"
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def with_main(self, main: Function) -> Graph:
        return replace(self, main=main)

    def warn(self, *warnings: str) -> Graph:
        return replace(self, warnings=(*self.warnings, *warnings))


class Builder:
    """A function under construction: adds nodes, infers their types."""

    def __init__(self) -> None:
        self.parameters: list[Value] = []
        self.nodes: list[Node] = []
        self.source = ""
        """The source line that new nodes get."""
        self.label = ""

    def parameter(self, type_: TensorType) -> Value:
        value = Value(type_)
        self.parameters.append(value)
        return value

    def add(self, op: Op, *operands: Value) -> Value:
        """Append a node that has one result.

        Raises:
            ShapeError: the op's contract does not hold for the operands.
        """
        (result,) = self.add_multi(op, *operands)
        return result

    def add_multi(self, op: Op, *operands: Value) -> tuple[Value, ...]:
        """Append a node that may have several results."""
        node = Node(op, operands, infer(op, operands), self.source, self.label)
        self.nodes.append(node)
        return node.results

    def append(self, node: Node) -> None:
        """Share a node of another function."""
        self.nodes.append(node)

    def finish(self, *results: Value, name: str = "") -> Function:
        return Function(tuple(self.parameters), tuple(self.nodes), results, name)


def infer(op: Op, operands: tuple[Value, ...]) -> tuple[TensorType, ...]:
    """Result types of `op`, always as a tuple."""
    types = op.infer(*[operand.type for operand in operands])
    return (types,) if isinstance(types, TensorType) else types


def placed(error: CoremlcError, node: Node) -> CoremlcError:
    """The error, told where: at `node`, unless it knows a place already."""
    if error.where is None:
        error.where = where(node)
    return error


def where(node: Node) -> Where:
    """Where a node was built, for errors."""
    label = f" '{node.label}'" if node.label else ""
    return Where(f"{node.op.kind}{label}", node.source)


def walk(function: Function) -> Iterator[Node]:
    """Every node, bodies included, in order."""
    for node in function.nodes:
        for body in node.op.bodies:
            yield from walk(body)
        yield node


def collect(errors: Iterable[CoremlcError]) -> tuple[CoremlcError, ...]:
    """Errors in order, each said once."""
    return tuple({str(error): error for error in errors}.values())
