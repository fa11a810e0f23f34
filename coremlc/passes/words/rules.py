"""What ops mean on words: a rule per op kind, as passes/rules has rows of rewrites."""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.ir.op import Op
from coremlc.ops import binary, bit_counts, bitwise, compare, reduce, selection, shape, shifts
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import matmul
from coremlc.ops.dynamic_slice import DynamicSlice, DynamicUpdateSlice
from coremlc.ops.gather import gather
from coremlc.ops.ordering import gather_along_axis
from coremlc.ops.reduce_bitwise import ReduceBitwiseAnd, ReduceBitwiseOr, ReduceBitwiseXor
from coremlc.passes.words import bits, elementwise, products, reductions
from coremlc.passes.words.case import Rule
from coremlc.passes.words.conversion import convert

RULES: Mapping[type[Op], Rule] = {
    **elementwise.RULES,
    **bits.RULES,
    **reductions.RULES,
    **products.RULES,
    ConvertDType: convert,
}

WORDWISE: Mapping[type[Op], tuple[int, ...] | None] = {
    shape.Reshape: None,
    shape.Transpose: None,
    shape.BroadcastInDim: None,
    shape.Reverse: None,
    shape.Concatenate: None,
    shape.Slice: None,
    selection.Where: (1, 2),
    gather: (0,),
    gather_along_axis: (0,),
    DynamicSlice: (0,),
    DynamicUpdateSlice: (0, 1),
    bitwise.BitwiseAnd: None,
    bitwise.BitwiseOr: None,
    bitwise.BitwiseXor: None,
    bitwise.BitwiseNot: None,
    ReduceBitwiseAnd: None,
    ReduceBitwiseOr: None,
    ReduceBitwiseXor: None,
}
"""Ops that act on each word alone, and which operands are words; None: all."""

OF_WIDTH = frozenset(
    {shifts.ShiftRightLogical, shifts.ShiftRightArithmetic, bit_counts.BitCount, bit_counts.Clz}
)
"""Ops whose result depends on the width of the dtype, not only on the numbers."""

MODULAR = frozenset(
    {
        *WORDWISE,
        *OF_WIDTH,
        *(binary.Add, binary.Sub, binary.Mul, compare.Equal, compare.NotEqual),
        *(compare.EqualTotalOrder, compare.NotEqualTotalOrder, shifts.ShiftLeft),
        *(reduce.ReduceSum, reduce.ReduceProduct, matmul),
    }
)
"""Ops that mean the same on a uint32 and on its bits as int32."""
