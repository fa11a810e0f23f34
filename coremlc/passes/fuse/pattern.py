"""What patterns are made of: constants, products, operands in either order, reductions.

They look at simplified graphs: broadcasts are implicit, splat constants are scalars, equal values
are one. All of them look at a bounded number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from coremlc.dtypes import F32, F64
from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ops.binary import Add, Div, Mul, Pow
from coremlc.ops.leaves import known
from coremlc.ops.reduce import Reduce
from coremlc.ops.shape import Reshape

FUSED = frozenset({F32, F64})
"""Dtypes whose primitives are raised. The 16-bit ones round after each primitive, which the raised
op does not."""
ULPS = 4
"""How far a constant may be from the number that it stands for: it was computed somehow."""
DEPTH = 4
"""Products nested deeper are not looked into."""

Pair = tuple[Value, Value]


def number(x: Value) -> float | None:
    """The one number that all elements of a constant are, else None."""
    array = known(x)
    if array is None or not array.size or array.dtype.kind not in "fiu":
        return None
    first = array[(0,) * array.ndim]
    same = array.ndim == 0 or bool(np.all(array == first))
    return float(first) if same else None


def near(found: float | None, wanted: float, x: Value) -> bool:
    """Whether a number, computed in the dtype of `x`, stands for `wanted`."""
    if found is None:
        return False
    one = x.type.dtype.numpy.type
    return abs(found - wanted) <= ULPS * float(np.spacing(abs(one(wanted))))


def operands_of(x: Value, kind: type[Op]) -> tuple[Value, ...]:
    """Operands of the op that makes `x`, if it is of this kind; else nothing."""
    return x.operands if isinstance(x.op, kind) else ()


def pair(x: Value, kind: type[Op]) -> Iterator[Pair]:
    """The two operands of the op that makes `x`, once if it is of this kind, else not at all."""
    if isinstance(x.op, kind):
        left, right = x.operands
        yield left, right


def either(operands: tuple[Value, ...]) -> Iterator[Pair]:
    """Two operands in both orders; nothing of nothing."""
    if operands:
        x, y = operands
        yield x, y
        yield y, x


def plus_number(x: Value) -> Iterator[tuple[Value, float]]:
    """(y, c) where `x` is y + c."""
    for y, c in either(operands_of(x, Add)):
        found = number(c)
        if found is not None:
            yield y, found


def factor(x: Value, factors: tuple[Value, ...], depth: int = DEPTH) -> float | None:
    """The number c by which `x` is c times the product of `factors`; None if it is not."""
    if factors == (x,):
        return 1.0
    return factor_of(x.op, x.operands, factors, depth) if factors else number(x)


def factor_of(
    op: Op | None, operands: tuple[Value, ...], factors: tuple[Value, ...], depth: int = DEPTH
) -> float | None:
    """The same of a value `op(*operands)` that is not there yet."""
    if depth and isinstance(op, Div):
        dividend, divisor = factor(operands[0], factors, depth - 1), number(operands[1])
        return dividend / divisor if dividend is not None and divisor else None
    if depth and isinstance(op, Mul):
        for left, right in _splits(factors):
            a, b = factor(operands[0], left, depth - 1), factor(operands[1], right, depth - 1)
            if a is not None and b is not None:
                return a * b
    return None


def _splits(factors: tuple[Value, ...]) -> Iterator[tuple[tuple[Value, ...], tuple[Value, ...]]]:
    for sides in product((True, False), repeat=len(factors)):
        pairs = list(zip(factors, sides, strict=True))
        yield tuple([x for x, left in pairs if left]), tuple([x for x, left in pairs if not left])


def power(x: Value, base: Value, exponent: int) -> float | None:
    """The number c by which `x` is `c * base ** exponent`; None if it is not."""
    found = factor(x, (base,) * exponent)
    for leaf in leaves(x) if found is None else ():
        for y, n in pair(leaf, Pow):
            if y is base and number(n) == exponent:
                return factor(x, (leaf,))
    return found


def leaves(x: Value, depth: int = DEPTH) -> Iterator[Value]:
    """`x`, and the factors that it is a product of."""
    yield x
    if depth:
        for kind in (Mul, Div):
            for y in operands_of(x, kind):
                yield from leaves(y, depth - 1)


def unshaped(x: Value) -> Value:
    """`x` before a `Reshape`: as reductions are, before their axes are back as dims of 1."""
    return x.operands[0] if isinstance(x.op, Reshape) else x


def kept(x: Value, kind: type[Reduce], rank: int) -> tuple[Value, tuple[int, ...]] | None:
    """(operand, axes) of a reduction whose axes are back as dims of 1; or a scalar, of all axes."""
    reduced = unshaped(x)
    if not isinstance(reduced.op, kind):
        return None
    (source,), axes = reduced.operands, reduced.op.axes
    fits = source.type.rank == rank and spans(x, source, axes)
    return (source, axes) if fits else None


def spans(x: Value, source: Value, axes: tuple[int, ...]) -> bool:
    """Whether `x`, of the elements of a reduction of `source`, broadcasts over it."""
    ones = tuple([1 if i in axes else d for i, d in enumerate(source.type.shape)])
    return x.type.shape == ones or not x.type.shape
