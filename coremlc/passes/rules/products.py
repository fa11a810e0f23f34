"""Matrix products of transposed operands. Exact: the same products, in the same sums."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.types import TensorType
from coremlc.ops.dot_general import matmul
from coremlc.ops.leaves import Constant
from coremlc.ops.shape import Transpose
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]


def transposed_operand(g: Builder, op: matmul, operands: Operands, out: TensorType) -> Value | None:
    """`matmul(Transpose(x), y) -> matmul(x, y, transpose_x)`, and so for y, of the last two axes.

    A constant that is the transposed view of stored elements is used as it is stored: it is written
    without a copy, and once, whoever else uses it. What is multiplied by a constant is not: that
    becomes `linear`, which transposes nothing.
    """
    y = _untransposed(g, operands[1])
    x = None if isinstance(operands[1].op, Constant) else _untransposed(g, operands[0])
    if x is None and y is None:
        return None
    left = operands[0] if x is None else x
    right = operands[1] if y is None else y
    turned = matmul(op.transpose_x != (x is not None), op.transpose_y != (y is not None))
    return g.add(turned, left, right)


def _untransposed(g: Builder, x: Value) -> Value | None:
    """What `x` is the transpose of."""
    if isinstance(x.op, Transpose):
        rank = x.type.rank
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        return x.operands[0] if x.op.permutation == swapped else None
    if isinstance(x.op, Constant) and not x.op.value.is_splat:
        array = x.op.value.array
        stored = array.swapaxes(-1, -2)
        if stored.flags.c_contiguous and not array.flags.c_contiguous:
            turned = g.add(Constant(TensorData(x.type.dtype, stored)))
            return turned if _is_stored(turned) else None  # a symmetric one is joined with `x`
    return None


def _is_stored(x: Value) -> bool:
    assert isinstance(x.op, Constant)
    return bool(x.op.value.array.flags.c_contiguous)


RULES: Rules = (((matmul,), transposed_operand),)
