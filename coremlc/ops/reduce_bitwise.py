"""ReduceBitwiseAnd, Or and Xor: reductions of the 32 bits of each element.

Lowered for int32 and bool only: the legalizer gives other dtypes their meaning (passes/words).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from coremlc.dtypes import BOOL, INTEGER
from coremlc.ir.op import Array
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.bit_patterns import bits, of_bits
from coremlc.ops.bitwise import flat, hull, summed
from coremlc.ops.elementwise import is_bool
from coremlc.ops.reduce import Reduce, all_true, any_true, odd_true, reduction

_POWERS = np.array([1 << min(i, 30) for i in range(32)], np.int32)
_HALVES = np.array([1] * 31 + [2], np.int32)
_WEIGHTS = np.array([1 << i for i in range(32)], np.int64).astype(np.int32)


def _bits(m: Builder, x: Value) -> Value:
    """The 32 bits of each element, along a new last axis."""
    return m.mod(x=m.floor_div(x=m.floor_div(x=flat(m, x), y=_POWERS), y=_HALVES), y=2)


def _over(m: Builder, x: Value, axes: Array, kind: str) -> Value:
    """Bit by bit: the least is And, the greatest Or, the sum's parity Xor."""
    rank, dims = len(x.tensor.shape), x.tensor.shape
    kept = [i for i in range(rank) if i not in axes]
    shape: tuple[int, ...] = tuple([dims[i] for i in kept])  # type: ignore[misc]
    if rank == 5:
        order = [*kept, *axes]
        x = m.transpose(x=x, perm=np.array(order, np.int32))
        count = int(np.prod(shape))
        x = m.reshape(x=x, shape=np.array([count, -1], np.int32))
        axes = np.array([1], np.int32)
    bits = getattr(m, kind)(x=_bits(m, x), axes=axes, keep_dims=False)
    if kind == "reduce_sum":
        bits = m.mod(x=bits, y=2)
    return summed(m, m.mul(x=bits, y=_WEIGHTS), shape)


def _reduce(kind: str, of_bool: Callable[[Builder, Value, Array], Value]) -> Callable[..., Value]:
    def lower(m: Builder, x: Value, axes: Array) -> Value:
        return of_bool(m, x, axes) if is_bool(x) else _over(m, x, axes, kind)

    return lower


def _reduced(
    name: str, doc: str, f: np.ufunc, kind: str, of_bool: Callable[..., Value]
) -> type[Reduce]:
    def evaluate(x: Array, axes: tuple[int, ...]) -> Array:
        whole = x if x.dtype == np.bool_ else bits(x)
        for axis in sorted(axes, reverse=True):
            whole = f.reduce(whole, axis)
        return np.asarray(whole) if x.dtype == np.bool_ else of_bits(whole, x.dtype)

    return reduction(
        name,
        f"`(x: T[..]) -> T[..]`, T integer or bool: {doc}",
        INTEGER | {BOOL},
        evaluate,
        _reduce(kind, of_bool),
        range=lambda self, x: hull(x, (-1, 0)) if kind == "reduce_min" and x[0] < 0 else hull(x),
    )


ReduceBitwiseAnd = _reduced(
    "ReduceBitwiseAnd",
    "And; all bits over no element. MIL `reduce_min` of the bits.",
    np.bitwise_and,
    "reduce_min",
    all_true,
)
ReduceBitwiseOr = _reduced(
    "ReduceBitwiseOr",
    "Or; 0 over no element. MIL `reduce_max` of the bits.",
    np.bitwise_or,
    "reduce_max",
    any_true,
)
ReduceBitwiseXor = _reduced(
    "ReduceBitwiseXor",
    "Xor; 0 over no element. MIL parity of `reduce_sum` of the bits.",
    np.bitwise_xor,
    "reduce_sum",
    odd_true,
)
