"""Reductions of 64-bit integers, and of uint32; their least, greatest and order along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from coremlc.dtypes import I32
from coremlc.errors import RefusedError
from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops import reduce, shape
from coremlc.ops.arg_min_max import ArgMinMax
from coremlc.ops.comparator import Key
from coremlc.ops.ordering import argsort
from coremlc.ops.sort_keys import stable_order, take
from coremlc.passes.words.case import Case, Rule
from coremlc.passes.words.limbs import carried, limbs
from coremlc.passes.words.word import LEAST, Calc, Words


def _reduce_sum(c: Calc, case: Case, x: Words) -> Words:
    count = math.prod(case.operands[0].shape[a] for a in case.op.axes)
    x = c.spread(x, case.operands[0].shape)
    if not case.op.axes or count == 1:
        return Words(c.g.add(case.op, x.high), c.g.add(case.op, x.low))
    bits = next((b for b in (16, 8, 4) if count << b < 2**31 - 2**16), 0)
    if not bits:
        raise RefusedError(
            f"a sum of {count} elements of {case.dtype.name}", fix="sum in parts, or use Float32"
        )
    low = [c.g.add(case.op, limb) for limb in limbs(c, x, bits)[: 32 // bits]]
    (word,), carry = carried(c, low, bits)
    return Words(c.add(c.g.add(case.op, x.high), carry), word)


def _reduce_product(c: Calc, case: Case, x: Words) -> Words:
    """Halves multiplied with each other until one is left."""
    t = case.operands[0]
    x = c.spread(x, t.shape)
    kept = tuple(i for i in range(t.rank) if i not in case.op.axes)
    order = shape.Transpose((*kept, *case.op.axes))
    dims = tuple(t.shape[i] for i in kept)
    count = math.prod(t.shape[i] for i in case.op.axes)
    lines = (math.prod(dims), count)

    def each(f: Callable[[Value], Value], w: Words) -> Words:
        return Words(f(w.high), f(w.low), w.extended)

    x = each(lambda v: c.g.add(shape.Reshape(lines), c.g.add(order, v)), x)
    while count > 1:
        half = count // 2
        parts = [
            each(lambda v, a=a, b=b: _columns(c, v, a, b), x)  # type: ignore[misc]
            for a, b in ((0, half), (half, 2 * half), (2 * half, count))
            if a < b
        ]
        x = c.mul2(parts[0], parts[1])
        if len(parts) > 2:
            x = c.each(partial(_joined, c), x, parts[2])
        count -= half
    return each(lambda v: c.g.add(shape.Reshape(dims), v), x)


def _columns(c: Calc, x: Value, start: int, limit: int) -> Value:
    return c.g.add(shape.Slice((0, start), (x.type.shape[0], limit), (1, 1)), x)


def _joined(c: Calc, x: Value, y: Value) -> Value:
    return c.g.add(shape.Concatenate(1), x, y)


def _reduce_extreme(least: bool) -> Rule:
    def rule(c: Calc, case: Case, x: Words) -> Words:
        axes: tuple[int, ...] = case.op.axes
        return _extreme_of(c, case, c.spread(x, case.operands[0].shape), axes, least)

    return rule


def _extreme_of(c: Calc, case: Case, x: Words, axes: tuple[int, ...], least: bool) -> Words:
    """The extreme high word, and the extreme low word beside it."""
    op: Op = (reduce.ReduceMin if least else reduce.ReduceMax)(axes)
    worst = c.c(2**31 - 1) if least else c.c(LEAST)
    low = c.flip(x.low)
    if c.is_(x.high, 0):
        return Words(c.c(0), c.flip(c.g.add(op, low)))
    high = x.high if case.signed else c.flip(x.high)
    found = c.g.add(op, high)
    beside = c.eq(high, _kept(c, found, case.operands[0], axes))
    bottom = c.g.add(op, c.pick(beside, low, worst))
    return Words(found if case.signed else c.flip(found), c.flip(bottom))


def _kept(c: Calc, x: Value, t: TensorType, axes: tuple[int, ...]) -> Value:
    """A reduction's result with dims of 1 where axes disappeared."""
    return c.g.add(shape.Reshape(tuple(1 if i in axes else d for i, d in enumerate(t.shape))), x)


def _arg_min_max(c: Calc, case: Case, x: Words) -> Value:
    t, op = case.operands[0], case.op
    x = c.spread(x, t.shape)
    if c.is_(x.high, 0):
        return c.g.add(ArgMinMax(op.axis, I32, op.is_min), c.flip(x.low))
    best = _extreme_of(c, case, x, (op.axis,), op.is_min)
    hit = c.and_(
        c.eq(x.high, _kept(c, best.high, t, (op.axis,))),
        c.eq(x.low, _kept(c, best.low, t, (op.axis,))),
    )
    dims = [1] * t.rank
    dims[op.axis] = t.shape[op.axis]
    places = c.fit(c.array(np.arange(t.shape[op.axis]).reshape(dims)), t.shape)
    return c.g.add(reduce.ReduceMin((op.axis,)), c.pick(hit, places, t.shape[op.axis]))


def _argsort(c: Calc, case: Case, x: Words) -> Value:
    """Stable by the low words, then by the high ones."""
    op: argsort = case.op
    x = c.spread(x, case.operands[0].shape)
    if c.is_(x.high, 0):
        return c.g.add(op, c.flip(x.low))
    high = x.high if case.signed else c.flip(x.high)
    first, last = (Key(v, descending=not op.ascending, total=False) for v in (x.low, high))
    order = stable_order(c.g, c.flip(x.low), first, op.axis)
    step = stable_order(c.g, take(c.g, high, order, op.axis), last, op.axis)
    return take(c.g, order, step, op.axis)


RULES: Mapping[type[Op], Rule] = {
    reduce.ReduceSum: _reduce_sum,
    reduce.ReduceProduct: _reduce_product,
    reduce.ReduceMax: _reduce_extreme(False),
    reduce.ReduceMin: _reduce_extreme(True),
    ArgMinMax: _arg_min_max,
    argsort: _argsort,
}
