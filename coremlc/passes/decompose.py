"""Composite ops become smaller ops, until only primitives are left."""

from __future__ import annotations

from coremlc.dtypes import F32, HALF
from coremlc.ir.graph import Function, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.passes.smart import SmartBuilder, rebuild

MAX_DEPTH = 32


class Decomposer(SmartBuilder):
    """Adds a composite as what it decomposes to, at once and all the way down."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def emit(
        self, op: Op, operands: tuple[Value, ...], types: tuple[TensorType, ...]
    ) -> tuple[Value, ...]:
        if op.decompose is None:
            return super().emit(op, operands, types)
        if operands and operands[0].type.dtype in op.rounds_once:
            return self._rounded_once(op, operands, types)
        self._depth += 1
        assert self._depth <= MAX_DEPTH, f"{op.kind} decomposes without end"
        result = op.decompose(self, *operands)
        self._depth -= 1
        results: tuple[Value, ...] = (result,) if isinstance(result, Value) else result
        assert tuple([r.type for r in results]) == types, (op, types, [r.type for r in results])
        return results

    def _rounded_once(
        self, op: Op, operands: tuple[Value, ...], types: tuple[TensorType, ...]
    ) -> tuple[Value, ...]:
        """The op of float32 operands, its results in their own dtypes."""
        wide = [self.add(ConvertDType(F32), x) if x.type.dtype in HALF else x for x in operands]
        results = self.add_multi(op, *wide)
        pairs = zip(results, types, strict=True)
        return tuple([self.add(ConvertDType(t.dtype), r) for r, t in pairs])


def decompose(function: Function) -> Function:
    """`function` with primitives only, simplified."""
    return rebuild(function, Decomposer())
