"""Writer: LLVM instructions on one element; dtypes are fp32, int32 and bool (one bit)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir

F32, F64, I32, I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
BIT, BYTE, POINTER = ir.IntType(1), ir.IntType(8), ir.PointerType()
TYPES = {"fp32": F32, "int32": I32, "bool": BIT}
Value: TypeAlias = Any
"""An LLVM value: llvmlite has no types for mypy."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Instructions that mean the same for float and int, and short names for what is common."""

    module: Any
    builder: Any

    def number(self, value: float) -> Value:
        return ir.Constant(F32, float(np.float32(value)))

    def integer(self, value: int) -> Value:
        return ir.Constant(I32, value)

    def like(self, x: Value, value: int) -> Value:
        """A number of the type that x has."""
        return self.number(value) if x.type == F32 else ir.Constant(x.type, value)

    def constant(self, value: Any) -> Value:
        """The one element of an array."""
        item = np.asarray(value).reshape(()).item()
        if isinstance(item, bool):
            return ir.Constant(BIT, int(item))
        return self.integer(item) if isinstance(item, int) else self.number(item)

    def add(self, x: Value, y: Value) -> Value:
        return self.builder.fadd(x, y) if x.type == F32 else self.builder.add(x, y)

    def sub(self, x: Value, y: Value) -> Value:
        return self.builder.fsub(x, y) if x.type == F32 else self.builder.sub(x, y)

    def mul(self, x: Value, y: Value) -> Value:
        return self.builder.fmul(x, y) if x.type == F32 else self.builder.mul(x, y)

    def div(self, x: Value, y: Value) -> Value:
        """Of floats."""
        return self.builder.fdiv(x, y)

    def choose(self, condition: Value, x: Value, y: Value) -> Value:
        return self.builder.select(condition, x, y)

    def compare(self, word: str, x: Value, y: Value) -> Value:
        """False where one is NaN, but for `!=`."""
        if x.type != F32:
            signed = self.builder.icmp_unsigned if x.type == BIT else self.builder.icmp_signed
            return signed(word, x, y)
        if word == "!=":
            return self.builder.fcmp_unordered(word, x, y)
        return self.builder.fcmp_ordered(word, x, y)

    def is_nan(self, x: Value) -> Value:
        return self.builder.fcmp_unordered("uno", x, x)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """Of operands of one type, which is the result's too."""
        kind = ir.FunctionType(operands[0].type, [x.type for x in operands])
        function = self.module.declare_intrinsic(name, [operands[0].type], kind)
        return self.builder.call(function, operands)

    def to_int(self, x: Value) -> Value:
        """Truncates, saturates; NaN is 0."""
        kind = ir.FunctionType(I32, [F32])
        function = self.module.declare_intrinsic("llvm.fptosi.sat", [I32, F32], kind)
        return self.builder.call(function, [x])

    def extreme(self, word: str, x: Value, y: Value) -> Value:
        """Max (`>`) or min (`<`): NaN wins, and y where both are equal (0 and -0)."""
        if x.type != F32 or _is_number(x):
            return self.choose(self.compare(word, x, y), x, y)
        if _is_number(y):
            other = {">": "<", "<": ">"}[word]
            either = "" if y.constant else "="  # which zero it is, if x is one too
            return self.choose(self.compare(other + either, x, y), y, x)
        wins = self.builder.or_(self.compare(word, x, y), self.is_nan(x))
        return self.choose(wins, x, y)

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """X * y + z, rounded once or twice, as is fast here: for approximations only."""
        return self.intrinsic("llvm.fmuladd", x, y, z)

    def bits(self, x: Value) -> Value:
        return self.builder.bitcast(x, I32)

    def float_of(self, bits: Value) -> Value:
        return self.builder.bitcast(bits, F32)


def _is_number(x: Value) -> bool:
    """A constant other than NaN."""
    known = getattr(x, "constant", None)
    return isinstance(known, float) and known == known
