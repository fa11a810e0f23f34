"""The one list of MIL ops: their parameters in each opset, and the types of their results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from coremlc.errors import CompileError
from coremlc.mil.dialect import (
    activation,
    control_flow,
    detection,
    elementwise,
    gather_scatter,
    linear,
    movement,
    norm,
    quant,
    random,
    recurrent,
    reduction,
    resize,
    slicing,
    window,
)
from coremlc.mil.dialect.check import NO_NAMES, infer, signature_of
from coremlc.mil.dialect.opsets import OPSETS, opset_of
from coremlc.mil.dialect.signature import OpDef, Param, Signature
from coremlc.mil.program import Arg, Op
from coremlc.mil.types import ValueType

__all__ = [
    "DIALECT",
    "OPSETS",
    "OpDef",
    "Param",
    "Signature",
    "bindings_of",
    "find",
    "infer",
    "infer_op",
    "opset_of",
    "signature_of",
]

_FAMILIES = (
    elementwise,
    activation,
    reduction,
    movement,
    slicing,
    gather_scatter,
    linear,
    window,
    norm,
    resize,
    recurrent,
    quant,
    random,
    detection,
    control_flow,
)

DIALECT: Mapping[str, OpDef] = MappingProxyType(
    {row.name: row for family in _FAMILIES for row in family.OPS}
)


def find(kind: str) -> OpDef:
    """The row of an op."""
    row = DIALECT.get(kind)
    if row is None:
        raise CompileError(f"MIL has no op {kind!r} that coremlc knows", fix="use one of DIALECT")
    return row


def bindings_of(op: Op) -> Mapping[str, tuple[Arg, ...]]:
    """What is bound to each parameter; constexpr ops of ios16 hold theirs as attributes."""
    if not op.kind.startswith("constexpr_"):
        return op.inputs
    params = {p for row in find(op.kind).signatures for p in row.params}
    held = {name: (value,) for name, value in op.attributes.items() if name in params}
    return {**op.inputs, **held}


def infer_op(op: Op, opset: str, constexprs: Collection[str] = NO_NAMES) -> tuple[ValueType, ...]:
    """The result types of a finished op in an opset (`ios17` or `CoreML7`).

    `constexprs` names the values that constexpr ops before it made.
    """
    row = find(op.kind)
    if op.kind == "const":
        return (op.attributes["val"].type,)
    name = opset_of(opset)
    signature = signature_of(row, name)
    return infer(row, signature, bindings_of(op), name, blocks=op.blocks, constexprs=constexprs)
