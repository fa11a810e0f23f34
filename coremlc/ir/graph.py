"""Graph, Function, Node, Value, and the Builder that makes them.

A graph is immutable once built. A pass walks one function and builds the next, and nodes that it
leaves alone are shared between both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from coremlc.errors import CoremlcError, Where
from coremlc.ir.literal import TensorData
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


Word = Literal["", "high", "low"]
"""Which half of a 64-bit integer a legalized parameter or result is; empty: it is whole."""


@dataclass(frozen=True)
class Input:
    """How the user knows a parameter of the main function."""

    name: str
    role: Literal["input", "variable"] = "input"
    range: tuple[int, int] | None = None
    """Integer values lie in it, both ends included; the user's promise, checked at run."""
    default: TensorData | None = None
    """What it is if nobody gives it: the value that a variable was saved with."""
    word: Word = ""


@dataclass(frozen=True)
class Output:
    """How the user knows a result of the main function."""

    name: str
    role: Literal["output", "variable_update"] = "output"
    variable: str = ""
    word: Word = ""


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

    def existing(self, op: Op, *operands: Value) -> tuple[Value, ...] | None:
        """Results of an equal node that is there, of a builder that knows."""
        return None

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


def map_bodies(op: Op, change: Callable[[Function], Function]) -> Op:
    """`op` with each of its bodies changed; `op` itself if none does.

    A pass that rebuilds a function calls it for every node whose op has bodies, and rebuilds each
    body as it rebuilds the function itself: in a builder of its own, with what the enclosing
    functions have mapped so far still in force (`{**outer, **own}`), since a body may capture
    values of every function around it. A body's parameters have no operands: the op's contract
    (While: the states; Sort: pairs of elements; If: none) says what their types follow.
    """
    if not op.bodies:
        return op
    names = [f.name for f in fields(op) if isinstance(getattr(op, f.name), Function)]  # type: ignore[arg-type]
    new = {name: change(getattr(op, name)) for name in names}
    if all(new[name] is getattr(op, name) for name in names):
        return op
    return replace(op, **new)  # type: ignore[type-var]


def substitute(function: Function, mapped: Mapping[Value, Value]) -> Function:
    """A body with the outer values that it captures replaced; itself if none is in `mapped`.

    Its parameters, and the nodes that do not depend on what is replaced, are shared.
    """
    inner = dict(mapped)
    changed = False
    nodes = []
    for node in function.nodes:
        fresh = substitute_node(node, inner)
        nodes.append(fresh)
        if fresh is not node:
            changed = True
            inner.update(zip(node.results, fresh.results, strict=True))
    results = tuple([inner.get(r, r) for r in function.results])
    if not changed and results == function.results:
        return function
    return Function(function.parameters, tuple(nodes), results, function.name)


def substitute_node(node: Node, mapped: Mapping[Value, Value]) -> Node:
    """A node with its operands, and what its bodies capture, replaced; itself if nothing is."""
    operands = tuple([mapped.get(o, o) for o in node.operands])
    op = map_bodies(node.op, lambda body: substitute(body, mapped))
    if op is node.op and operands == node.operands:
        return node
    types = tuple([r.type for r in node.results])
    return Node(op, operands, types, node.source, node.label)


def captured(body: Function) -> set[Value]:
    """Values of enclosing functions that a body uses, or that a body inside it uses."""
    own = set(body.parameters)
    used = set(body.results)
    for node in body.nodes:
        own.update(node.results)
        used.update(node.operands)
        for inner in node.op.bodies:
            used |= captured(inner)
    return used - own


def collect(errors: Iterable[CoremlcError]) -> tuple[CoremlcError, ...]:
    """Errors in order, each said once."""
    return tuple({str(error): error for error in errors}.values())
