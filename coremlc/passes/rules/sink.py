"""Transposes move below elementwise ops, where they meet and cancel. Exact: no pair is parted."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.conv_general import inverse
from coremlc.ops.leaves import Constant
from coremlc.ops.shape import Transpose
from coremlc.passes.rules.broadcast import ELEMENTWISE
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]


def transpose_below(g: Builder, op: Op, operands: Operands, out: TensorType) -> Value | None:
    """`f(Transpose(x, p), y) -> Transpose(f(x, Transpose(y, 1/p)), p)`.

    y must be moved for nothing: a transpose by the same p, a constant, a scalar, or all along one
    axis. Where two operands are transposed in different ways nothing is gained.
    """
    found = {x.op.permutation for x in operands if isinstance(x.op, Transpose)}
    if len(found) != 1:
        return None
    (permutation,) = found
    if not all(_moves_freely(x, out.rank) for x in operands):
        return None
    back = Transpose(inverse(permutation))
    moved = [x if not x.type.shape else g.add(back, x) for x in operands]
    return g.add(Transpose(permutation), g.add(op, *moved))


def _moves_freely(x: Value, rank: int) -> bool:
    if not x.type.shape:
        return True
    if x.type.rank != rank:
        return False
    along_one_axis = sum(dim != 1 for dim in x.type.shape) <= 1
    return isinstance(x.op, Transpose | Constant) or along_one_axis


RULES: Rules = ((ELEMENTWISE, transpose_below),)
