"""Products of matrices, and scatters, of 64-bit integers, and of uint32."""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.errors import RefusedError
from coremlc.ir.graph import Value
from coremlc.ir.op import Op
from coremlc.ops import shape
from coremlc.ops.dot_general import matmul
from coremlc.ops.gather import gather
from coremlc.ops.scatter import scatter
from coremlc.passes.words.case import Case, Rule
from coremlc.passes.words.limbs import joined, limbs
from coremlc.passes.words.word import LEAST, Calc, Words

MAX_PARTS = 1 << 23
"""Elements up to which sums of bytes fit in a word."""


def _matmul(c: Calc, case: Case, x: Words, y: Words) -> Words:
    """By bytes: 36 products of matrices of bytes, whose sums fit in a word."""
    op: matmul = case.op
    a, b = case.operands
    inner = a.shape[-2 if op.transpose_x else -1]
    x, y = c.spread(x, a.shape), c.spread(y, b.shape)
    total: Words | None = None
    step = 4096
    for start in range(0, inner, step):
        axes = a.rank - (2 if op.transpose_x else 1), b.rank - (1 if op.transpose_y else 2)
        left, right = (
            Words(_part(c, w.high, axis, start, step), _part(c, w.low, axis, start, step))
            for axis, w in zip(axes, (x, y), strict=True)
        )
        part = _bytes_product(c, op, left, right)
        total = part if total is None else c.add2(total, part)
    assert total is not None
    return total


def _part(c: Calc, x: Value, axis: int, start: int, step: int) -> Value:
    dims = x.type.shape
    if dims[axis] <= step:
        return x
    starts = tuple(start if i == axis else 0 for i in range(len(dims)))
    limits = tuple(min(start + step, d) if i == axis else d for i, d in enumerate(dims))
    return c.g.add(shape.Slice(starts, limits, (1,) * len(dims)), x)


def _bytes_product(c: Calc, op: matmul, x: Words, y: Words) -> Words:
    left, right = limbs(c, x, 8), limbs(c, y, 8)
    sums = []
    for place in range(8):
        terms = [c.g.add(op, left[i], right[place - i]) for i in range(place + 1)]
        sums.append(c.total(*terms))
    return joined(c, sums, 8)


def _scatter(c: Calc, case: Case, data: Words, indices: Value, updates: Words) -> Words:
    op: scatter = case.op
    data = c.spread(data, case.operands[0].shape)
    updates = c.spread(updates, case.operands[2].shape)
    if op.mode == "add":
        count = case.operands[2].shape[0] + 1
        bits = 16 if count << 16 < 2**31 - 2**16 else 8
        if count > MAX_PARTS:
            raise RefusedError(f"{count} updates of {case.dtype.name}", fix="scatter in parts")
        pairs = zip(limbs(c, data, bits), limbs(c, updates, bits), strict=True)
        return joined(c, [c.g.add(op, a, indices, b) for a, b in pairs], bits)
    worst = c.c(2**31 - 1) if op.mode == "min" else c.c(LEAST)
    high = [v if case.signed else c.flip(v) for v in (data.high, updates.high)]
    low = [c.flip(v) for v in (data.low, updates.low)]
    found = c.g.add(op, high[0], indices, high[1])
    beside = [c.eq(high[0], found), c.eq(high[1], c.g.add(gather(), found, indices))]
    given = [c.pick(b, v, worst) for b, v in zip(beside, low, strict=True)]
    bottom = c.g.add(op, given[0], indices, given[1])
    return Words(found if case.signed else c.flip(found), c.flip(bottom))


RULES: Mapping[type[Op], Rule] = {matmul: _matmul, scatter: _scatter}
