"""And, Or, Xor and Not. MIL has none of them: they are arithmetic there.

Source of the meanings: GoMLX `compute.StandardOps` and XLA; docs/semantics.md where they differ.
Lowered for int32 only: the legalizer gives other widths their meaning (passes/words).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coremlc.dtypes import INTEGER
from coremlc.ir.op import Array, Range
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.mil.types import Dim
from coremlc.ops.bit_patterns import bits, of_bits
from coremlc.ops.elementwise import constant, row, select
from coremlc.ops.shape import reshape

LEAST = -(2**31)
_DIGITS = np.array([1 << (4 * i) for i in range(8)], np.int64).astype(np.int32)
_AND = np.array([i & j for i in range(16) for j in range(16)], np.int32)


def _on_bits(f: np.ufunc) -> Callable[..., Array]:
    """Numpy's op on the bits: it has none of packed dtypes."""

    def evaluate(*xs: Array) -> Array:
        return of_bits(f(*map(bits, xs)), xs[0].dtype)

    return evaluate


def flat(m: Builder, x: Value) -> Value:
    """`x` with an axis of dim 1 at its end; rank 5 is flattened first."""
    rank = len(x.tensor.shape)
    if rank < 5:
        return m.expand_dims(x=x, axes=[rank])
    return m.reshape(x=x, shape=np.array([-1, 1], np.int32))


def summed(m: Builder, parts: Value, shape: tuple[Dim, ...]) -> Value:
    """Sums over the last axis, which `flat` made, in the shape that was before."""
    total = m.reduce_sum(x=parts, axes=[-1], keep_dims=False)
    return reshape(m, total, shape)  # type: ignore[arg-type]


def _spanning(m: Builder, x: Value, y: Value) -> tuple[Value, Value, tuple[int, ...]]:
    """Both with equal rank, and of one shape if that has rank 5; the shape of the result."""
    shape: tuple[int, ...] = np.broadcast_shapes(x.tensor.shape, y.tensor.shape)  # type: ignore[arg-type]
    if len(shape) < 5:
        operands = [
            m.expand_dims(x=v, axes=list(range(len(shape)))) if shape and not v.tensor.shape else v
            for v in (x, y)
        ]
        return operands[0], operands[1], shape
    return spread(m, x, y), spread(m, y, x), shape


def _nibbles(m: Builder, x: Value) -> Value:
    return m.mod(x=m.floor_div(x=flat(m, x), y=_DIGITS), y=16)


def _and_digits(m: Builder, x: Value, y: Value) -> Value:
    """By eight digits of 4 bits and a table."""
    x, y, shape = _spanning(m, x, y)
    index = m.add(x=m.mul(x=_nibbles(m, x), y=16), y=_nibbles(m, y))
    digits = m.gather(x=_AND, indices=index, axis=0)
    return summed(m, m.mul(x=digits, y=_DIGITS), shape)


def spread(m: Builder, x: Value, y: Value) -> Value:
    """`x` in the shape that it has with y."""
    shape = np.broadcast_shapes(x.tensor.shape, y.tensor.shape)  # type: ignore[arg-type]
    return x if shape == x.tensor.shape else m.add(x=x, y=np.zeros(shape, np.int32))


def single(x: Value) -> int | None:
    """The one integer that all elements of a known MIL value are."""
    known = constant(x)
    if known is None or not known.size or np.any(known != known.flat[0]):
        return None
    return int(known.flat[0])


def runs(mask: int) -> list[tuple[int, int]]:
    """(first, end) of each run of set bits of a 32-bit mask."""
    found, at = [], 0
    while at < 32:
        if not mask >> at & 1:
            at += 1
            continue
        end = at
        while end < 32 and mask >> end & 1:
            end += 1
        found.append((at, end))
        at = end
    return found


def low_bits(m: Builder, x: Value, count: int) -> Value:
    """The lowest `count` bits of x, 0 < count <= 32."""
    if count == 32:
        return x
    if count < 31:
        return m.mod(x=x, y=1 << count)
    return m.add(x=x, y=select(m, cond=m.less(x=x, y=0), a=m.const(np.array(LEAST, np.int32)), b=0))


def _and_known(m: Builder, x: Value, mask: int) -> Value:
    total: Value | None = None
    for first, end in reversed(runs(mask & 0xFFFFFFFF)):
        part = low_bits(m, x, end)
        total = part if total is None else m.add(x=total, y=part)
        if first:
            total = m.sub(x=total, y=low_bits(m, x, first))
    return m.mul(x=x, y=0) if total is None else total


def _and(m: Builder, x: Value, y: Value) -> Value:
    for value, mask in ((x, y), (y, x)):
        number = single(mask)
        if number is not None and len(runs(number & 0xFFFFFFFF)) <= 3:
            return _and_known(m, spread(m, value, mask), number)
    return _and_digits(m, x, y)


def _lower_or(m: Builder, x: Value, y: Value) -> Value:
    return m.sub(x=m.add(x=x, y=y), y=_and(m, x, y))


def _lower_xor(m: Builder, x: Value, y: Value) -> Value:
    for value, mask in ((x, y), (y, x)):
        if single(mask) == LEAST:
            return m.add(x=value, y=mask)
        if single(mask) == -1:
            return m.sub(x=mask, y=value)
    return m.sub(x=m.add(x=x, y=y), y=m.mul(x=_and(m, x, y), y=2))


def _lower_not(m: Builder, x: Value) -> Value:
    return m.sub(x=-1, y=x)


def hull(*ranges: Range) -> Range:
    """What bitwise ops of such operands may give: all of the narrowest width that holds them."""
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    bits = max(high.bit_length() if high >= 0 else (~high).bit_length(), (~low).bit_length(), 0)
    if low >= 0:
        return 0, (1 << high.bit_length()) - 1
    return -(1 << bits), (1 << bits) - 1


def _and_range(x: Range, y: Range) -> Range:
    bounds = [r[1] for r in (x, y) if r[0] >= 0]
    return (0, min(bounds)) if bounds else hull(x, y)


BitwiseAnd = row(
    "BitwiseAnd",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL `mod` for masks of few runs, else digits of 4 bits "
    "and a table (`gather`).",
    2,
    INTEGER,
    _on_bits(np.bitwise_and),
    _and,
    interval=_and_range,
)
BitwiseOr = row(
    "BitwiseOr",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL: the sum less the And.",
    2,
    INTEGER,
    _on_bits(np.bitwise_or),
    _lower_or,
    interval=hull,
)
BitwiseXor = row(
    "BitwiseXor",
    "`(lhs: I[..], rhs: I[..]) -> I[..]`. MIL: the sum less twice the And.",
    2,
    INTEGER,
    _on_bits(np.bitwise_xor),
    _lower_xor,
    interval=hull,
)
BitwiseNot = row(
    "BitwiseNot",
    "`(x: I[..]) -> I[..]`. MIL `sub` from -1.",
    1,
    INTEGER,
    _on_bits(np.bitwise_not),
    _lower_not,
    interval=lambda x: (-1 - x[1], -1 - x[0]),
)
