"""A function for given input shapes: every type inferred again, what became constant folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coremlc.engine.base import where_of
from coremlc.engine.literals import literal_of, plain
from coremlc.engine.reference import KERNELS
from coremlc.engine.reference.registry import VARIADIC
from coremlc.errors import at
from coremlc.mil.arrays import STORAGE
from coremlc.mil.dialect import bindings_of, infer_op
from coremlc.mil.program import Arg, Array, BlobRef, Block, Function, Literal, Op, Value
from coremlc.mil.types import TensorType, ValueType

FOLDED_ELEMENTS = 4096
"""Sizes, begins and masks are small; larger constants are the engine's own business."""


def is_flexible(function: Function) -> bool:
    """Whether a feature has a size that only a run tells."""
    kinds = [v.type for v in function.inputs if isinstance(v.type, TensorType)]
    return any(not isinstance(d, int) for kind in kinds for d in kind.shape)


def specialize(function: Function, shapes: Mapping[str, Sequence[int]]) -> Function:
    """The same function, for features of these shapes."""
    walk = Walk(function.opset)
    inputs = tuple(
        walk.renew(v, _with_shape(v.type, shapes[v.name]) if v.name in shapes else v.type)
        for v in function.inputs
    )
    block = walk.block(function.block)
    return Function(inputs, function.opset, {function.opset: block}, function.attributes)


def _with_shape(kind: ValueType, shape: Sequence[int]) -> ValueType:
    assert isinstance(kind, TensorType)
    return TensorType(kind.dtype, tuple(shape))


class Walk:
    """One pass over the ops, from old values to new ones."""

    def __init__(self, opset: str) -> None:
        self.opset = opset
        self.new: dict[int, Value] = {}
        self.constexprs: set[str] = set()

    def renew(self, value: Value, kind: ValueType, literal: Literal | None = None) -> Value:
        made = Value(value.name, kind, literal)
        self.new[id(value)] = made
        return made

    def arg(self, arg: Arg) -> Arg:
        return self.new.get(id(arg), arg) if isinstance(arg, Value) else arg

    def block(self, block: Block, kinds: Sequence[ValueType] = ()) -> Block:
        inputs = tuple(self.renew(v, k) for v, k in zip(block.inputs, kinds, strict=True))
        ops = [made for op in block.ops for made in self.op(op)]
        outputs = tuple(self.new.get(id(v), v) for v in block.outputs)
        return Block(tuple(ops), outputs, inputs, block.attributes)

    def op(self, op: Op) -> Sequence[Op]:
        """The op again, on new values; nothing where its results are constants now."""
        if op.kind == "const":
            return (op,)
        inputs = {name: tuple(self.arg(a) for a in args) for name, args in op.inputs.items()}
        start = [a.type for a in inputs["loop_vars"]] if op.kind == "while_loop" else []
        with at(where_of(op)):
            blocks = tuple(self.block(b, start) for b in op.blocks)
            draft = Op(op.kind, inputs, op.outputs, op.attributes, blocks)
            kinds = self.kinds(draft)
            literals = self._folded(draft, kinds)
        if literals is not None:
            for value, kind, literal in zip(op.outputs, kinds, literals, strict=True):
                self.renew(value, kind, literal)
            return ()
        outputs = tuple(self.renew(v, k) for v, k in zip(op.outputs, kinds, strict=True))
        if op.kind.startswith("constexpr_"):
            self.constexprs |= {v.name for v in outputs}
        return (Op(op.kind, inputs, outputs, op.attributes, blocks),)

    def kinds(self, op: Op) -> Sequence[ValueType]:
        """The types of an op's results, given its new operands."""
        return infer_op(op, self.opset, self.constexprs)

    def _folded(self, op: Op, kinds: Sequence[ValueType]) -> list[Literal] | None:
        """The results, if they are small and known."""
        kernel = KERNELS.get(op.kind)
        if kernel is None or op.kind.startswith("constexpr_") or not all(map(_is_small, kinds)):
            return None
        given: dict[str, Any] = {}
        for name, args in bindings_of(op).items():
            values = [self._known(op.kind, arg) for arg in args]
            if any(v is None for v in values):
                return None
            given[name] = values if name in VARIADIC else values[0]
        if kernel.is_typed:
            given["out"] = tuple(kinds)
        with np.errstate(all="ignore"):
            result = kernel(**given)
        arrays = result if isinstance(result, tuple) else (result,)
        return [Literal(_type(k, x), np.asarray(x)) for k, x in zip(kinds, arrays, strict=True)]

    def _known(self, kind: str, arg: Arg) -> Array | str | None:
        literal = literal_of(arg)
        if literal is None:
            if kind == "shape" and _is_static(arg.type):
                assert isinstance(arg.type, TensorType)
                dims = [d for d in arg.type.shape if isinstance(d, int)]
                return np.broadcast_to(np.int8(0), dims)
            return None
        if isinstance(literal.data, BlobRef) or not _is_small(literal.type):
            return None
        found: Array | str = plain(literal, no_array)
        return found


def no_array(literal: Literal) -> Array:
    """For constants that are known to lie in no blob."""
    raise AssertionError(literal)


def _is_static(kind: ValueType) -> bool:
    return isinstance(kind, TensorType) and all(isinstance(d, int) for d in kind.shape)


def _is_small(kind: ValueType) -> bool:
    """Static and small, or a size that the values themselves decide (a range, say)."""
    if not isinstance(kind, TensorType) or kind.dtype not in (*STORAGE, "string"):
        return False
    dims = [d for d in kind.shape if isinstance(d, int)]
    return int(np.prod(dims, dtype=np.int64)) <= FOLDED_ELEMENTS


def _type(kind: ValueType, array: Array) -> ValueType:
    assert isinstance(kind, TensorType)
    return TensorType(kind.dtype, np.shape(array))
