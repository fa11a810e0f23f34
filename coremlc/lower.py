"""Graph to MIL: walk, call each op's `lower`, check that every MIL type is the GoMLX type."""

from __future__ import annotations

from coremlc.dtypes import BOOL
from coremlc.errors import CoremlcError
from coremlc.ir.graph import Function, Graph, Node, Value, placed
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Program
from coremlc.mil.program import Value as MilValue
from coremlc.mil.types import TensorType as MilType


def lower(graph: Graph, features: Features, opset: str) -> Program:
    """A MIL program of a graph of primitives; features name and type what goes in and out.

    features: (name, MIL dtype) of each parameter and of each result of the main function.
    """
    m = Builder(opset, spell_defaults=True)
    values: dict[Value, MilValue] = {}
    inputs, outputs = features
    for parameter, (name, dtype) in zip(graph.main.parameters, inputs, strict=True):
        given = m.input(name, MilType(dtype, parameter.type.shape or (1,)))
        values[parameter] = _received(m, given, parameter.type)
    for node in graph.main.nodes:
        try:
            _lower_node(m, node, values)
        except CoremlcError as error:
            raise placed(error, node) from None
    sent = [values[result] for result in graph.main.results]
    if not sent:  # all outputs are without elements, but a model must have one
        sent = [m.const([0])]
    results = [
        (name, _sent(m, value, dtype)) for value, (name, dtype) in zip(sent, outputs, strict=True)
    ]
    return Program({"main": m.finish(results)})


Features = tuple[list[tuple[str, str]], list[tuple[str, str]]]


def _lower_node(m: Builder, node: Node, values: dict[Value, MilValue]) -> None:
    given = [values[o] for o in node.operands]
    if node.op.bodies:
        lowered = node.op.lower(m, lambda body, *xs: _lower_body(m, body, xs, values), *given)
    else:
        lowered = node.op.lower(m, *given)
    results: tuple[MilValue, ...] = (lowered,) if isinstance(lowered, MilValue) else lowered
    for value, result in zip(node.results, results, strict=True):
        wanted = MilType(value.type.dtype.mil, value.type.shape)
        assert result.type == wanted, f"{node.op} lowered to {result.type}, not {wanted}"
        values[value] = result


def _lower_body(
    m: Builder, body: Function, given: tuple[MilValue, ...], values: dict[Value, MilValue]
) -> list[MilValue]:
    """The results of a body, its nodes added to the open block; it sees what is around it."""
    values.update(zip(body.parameters, given, strict=True))
    for node in body.nodes:
        try:
            _lower_node(m, node, values)
        except CoremlcError as error:
            raise placed(error, node) from None
    return [values[r] for r in body.results]


def _received(m: Builder, x: MilValue, t: TensorType) -> MilValue:
    """A feature as the graph's value: rank 0 travels as [1], bool as int32."""
    if not t.shape:
        x = m.squeeze(x=x, axes=[0])
    if t.dtype is BOOL:
        return m.not_equal(x=x, y=0)
    return x if x.tensor.dtype == t.dtype.mil else m.cast(x=x, dtype=t.dtype.mil)


def _sent(m: Builder, x: MilValue, dtype: str) -> MilValue:
    """A value of the graph as a feature."""
    if not x.tensor.shape:
        x = m.expand_dims(x=x, axes=[0])
    return x if x.tensor.dtype == dtype else m.cast(x=x, dtype=dtype)
