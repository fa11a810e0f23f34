"""What patterns are made of: constants, operands in either order, reductions that keep axes.

They look at simplified graphs: broadcasts are implicit, splat constants are scalars.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from coremlc.dtypes import F32, F64
from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ops.leaves import known
from coremlc.ops.reduce import Reduce
from coremlc.ops.shape import Reshape

FUSED = frozenset({F32, F64})
"""Dtypes whose primitives are raised. The 16-bit ones round after each primitive, which the raised
op does not."""
ULPS = 4
"""How far a constant may be from the number that it stands for: it was computed somehow."""

Pair = tuple[Value, Value]


def number(x: Value) -> float | None:
    """The one number that all elements of a constant are, else None."""
    array = known(x)
    if array is None or not array.size or array.dtype.kind not in "fiu":
        return None
    first = array[(0,) * array.ndim]
    same = array.ndim == 0 or bool(np.all(array == first))
    return float(first) if same else None


def is_about(x: Value, wanted: float) -> bool:
    """Whether `x` is a constant that stands for the number `wanted`."""
    found = number(x)
    if found is None:
        return False
    return abs(found - wanted) <= ULPS * float(np.spacing(abs(x.type.dtype.numpy.type(wanted))))


def operands_of(x: Value, kind: type[Op]) -> tuple[Value, ...]:
    """Operands of the op that makes `x`, if it is of this kind; else nothing."""
    return x.operands if isinstance(x.op, kind) else ()


def either(operands: tuple[Value, ...]) -> Iterator[Pair]:
    """Two operands in both orders; nothing of nothing."""
    if operands:
        x, y = operands
        yield x, y
        yield y, x


def kept(x: Value, kind: type[Reduce], rank: int) -> tuple[Value, tuple[int, ...]] | None:
    """(operand, axes) of a reduction whose axes are back as dims of 1; or a scalar, of all axes."""
    reduced = x.operands[0] if isinstance(x.op, Reshape) else x
    if not isinstance(reduced.op, kind):
        return None
    (source,), axes = reduced.operands, reduced.op.axes
    ones = tuple([1 if i in axes else d for i, d in enumerate(source.type.shape)])
    spans = x.type.shape == ones or not x.type.shape
    return (source, axes) if source.type.rank == rank and spans else None
