"""Texts that Apple's optimiser printed, made runnable: its buffers are tensors in another guise."""

from __future__ import annotations

from dataclasses import replace

from coremlc.mil.program import Arg, Block, Function, Op, Program, Value
from coremlc.mil.types import BufferType, TensorType, ValueType

_SAME = ("tensor_buffer_to_tensor", "tensor_to_tensor_buffer")


def has_buffers(program: Program) -> bool:
    """Whether any function takes or gives a buffer."""
    return any(
        isinstance(value.type, BufferType)
        for function in program.functions.values()
        for value in (*function.inputs, *function.block.outputs)
    )


def without_buffers(program: Program) -> Program:
    """The same meaning on tensors: strides are layout, and conversions between the two vanish."""
    functions = {name: _Walk().function(f) for name, f in program.functions.items()}
    return replace(program, functions=functions)


class _Walk:
    """One pass over a function, from old values to new ones."""

    def __init__(self) -> None:
        self.new: dict[int, Value] = {}

    def function(self, function: Function) -> Function:
        inputs = tuple(map(self.value, function.inputs))
        names = {value.name for value in function.block.outputs}
        block = self.block(function.block)
        shared = [value.name for value in block.outputs]
        if set(shared) != names:  # a result keeps its name, whatever it now is
            extra = tuple(
                Op("identity", {"x": (new,)}, (Value(old.name, new.type),))
                for old, new in zip(function.block.outputs, block.outputs, strict=True)
                if old.name != new.name
            )
            made = {op.outputs[0].name: op.outputs[0] for op in extra}
            outputs = tuple(
                made.get(old.name, new)
                for old, new in zip(function.block.outputs, block.outputs, strict=True)
            )
            block = replace(block, ops=(*block.ops, *extra), outputs=outputs)
        return replace(function, inputs=inputs, blocks={function.opset: block})

    def block(self, block: Block) -> Block:
        inputs = tuple(map(self.value, block.inputs))
        ops = tuple(made for op in block.ops if (made := self.op(op)) is not None)
        return replace(
            block, ops=ops, inputs=inputs, outputs=tuple(self.new[id(v)] for v in block.outputs)
        )

    def op(self, op: Op) -> Op | None:
        inputs = {name: tuple(map(self.arg, args)) for name, args in op.inputs.items()}
        if op.kind in _SAME and len(op.outputs) == 1 and len(inputs.get("input", ())) == 1:
            (source,) = inputs["input"]
            if isinstance(source, Value):
                self.new[id(op.outputs[0])] = source
                return None
        blocks = tuple(map(self.block, op.blocks))
        outputs = tuple(map(self.value, op.outputs))
        return replace(op, inputs=inputs, outputs=outputs, blocks=blocks)

    def arg(self, arg: Arg) -> Arg:
        return self.new.get(id(arg), arg) if isinstance(arg, Value) else arg

    def value(self, old: Value) -> Value:
        kind = _plain(old.type)
        self.new[id(old)] = new = old if kind is old.type else Value(old.name, kind, old.literal)
        return new


def _plain(kind: ValueType) -> ValueType:
    """`tensor_buffer<fp16, shape=[1, 64], strides=..>` -> `fp16[1, 64]`; images stay."""
    if isinstance(kind, BufferType) and kind.kind == "tensor_buffer":
        shape = dict(kind.fields).get("shape")
        if shape is not None:
            return TensorType(kind.dtype, shape)
    return kind
