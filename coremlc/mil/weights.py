"""Which literals of a program go into weight.bin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from coremlc.mil.blob import BlobPlan
from coremlc.mil.program import Arg, BlobRef, Block, Literal, Op, Program
from coremlc.mil.types import TensorType

WEIGHT_PATH = "@model_path/weights/weight.bin"
SMALLEST = 10
"""Elements; smaller constants stand in the program's text."""

_FLOATS = ("fp16", "fp32", "bf16", "fp8e4m3fn", "fp8e5m2")
_SMALL_INTS = ("int8", "uint8", "int4", "uint1", "uint2", "uint3", "uint4", "uint6")
_ALWAYS = frozenset((*_FLOATS, *_SMALL_INTS))
_SINCE_IOS18 = _ALWAYS | {"int16", "uint16", "int32", "uint32"}


def place_weights(
    program: Program, *, specification_version: int, path: str = WEIGHT_PATH
) -> tuple[Program, BlobPlan]:
    """The program with BlobRefs in place of its large constants, and what the blob must hold.

    The rule is coremltools' `should_use_weight_file`: `const` and the operands of `constexpr_*`, of
    at least ten elements, of a dtype the target's blobs have. Values stay the same objects, and
    keep their arrays in `literal`.
    """
    plan = BlobPlan()
    placer = _Placer(plan, _SINCE_IOS18 if specification_version >= 9 else _ALWAYS, path)
    functions = {}
    for name in sorted(program.functions):
        function = program.functions[name]
        blocks = {opset: placer.block(block) for opset, block in function.blocks.items()}
        functions[name] = replace(function, blocks=blocks)
    in_order = {name: functions[name] for name in program.functions}
    return replace(program, functions=in_order), plan


class _Placer:
    def __init__(self, plan: BlobPlan, dtypes: frozenset[str], path: str) -> None:
        self.plan = plan
        self.dtypes = dtypes
        self.path = path

    def block(self, block: Block) -> Block:
        return replace(block, ops=tuple([self.op(op) for op in block.ops]))

    def op(self, op: Op) -> Op:
        if op.blocks:
            return replace(op, blocks=tuple([self.block(block) for block in op.blocks]))
        if op.kind == "const":
            return replace(op, attributes=self.attributes(op.attributes))
        if not op.kind.startswith("constexpr_"):
            return op
        inputs = {name: self.bindings(op.inputs[name]) for name in sorted(op.inputs)}
        return replace(op, attributes=self.attributes(op.attributes), inputs=inputs)

    def attributes(self, attributes: Mapping[str, Literal]) -> dict[str, Literal]:
        return {name: self.literal(attributes[name]) for name in sorted(attributes)}

    def bindings(self, bindings: tuple[Arg, ...]) -> tuple[Arg, ...]:
        return tuple([self.literal(b) if isinstance(b, Literal) else b for b in bindings])

    def literal(self, literal: Literal) -> Literal:
        type_, data = literal.type, literal.data
        if not isinstance(data, np.ndarray) or not isinstance(type_, TensorType):
            return literal
        if data.size < SMALLEST or type_.dtype not in self.dtypes:
            return literal
        return Literal(type_, BlobRef(self.path, self.plan.place(data, type_.dtype)))
