"""Nodes whose integers do not fit in int32, as nodes on words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from coremlc.dtypes import BY_NAME, I32, I64, DType
from coremlc.errors import RefusedError
from coremlc.ir.graph import Builder, Input, Node, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Op, Range
from coremlc.ir.types import TensorType
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.leaves import Constant
from coremlc.ops.shifts import ShiftRightArithmetic
from coremlc.passes.words.case import Case
from coremlc.passes.words.rules import MODULAR, OF_WIDTH, RULES, WORDWISE
from coremlc.passes.words.word import Calc, Operand, Words, pattern

U32, U64 = BY_NAME["Uint32"], BY_NAME["Uint64"]
LONG = frozenset({I64, U64})
"""Dtypes of two words, unless their values fit in one."""

Mapped = Mapping[Value, Operand]


def fits(interval: Range) -> bool:
    """Whether int32 holds the interval."""
    return I32.limits[0] <= interval[0] and interval[1] <= I32.limits[1]


def input_range(given: Input, t: TensorType) -> Range:
    """What an integer input may hold.

    An int64 is an int32 unless its user states more; the others are all that their dtype holds.
    """
    low, high = t.dtype.limits
    if given.range is not None:
        return max(low, given.range[0]), min(high, given.range[1])
    return I32.limits if t.dtype is I64 else (low, high)


def needed(node: Node, mapped: Mapped, known: Mapping[Value, Range]) -> bool:
    """Whether int32 alone gives other numbers than the node."""
    if node.op.bodies:
        return False
    if any(isinstance(mapped.get(o), Words) for o in node.operands):
        return True
    if any(r.type.dtype in LONG and not fits(known[r]) for r in node.results):
        return True
    if isinstance(node.op, Constant):
        return node.op.value.type.dtype in (U32, *LONG)
    kind = type(node.op)
    data = _data(node)
    for i, operand in enumerate(node.operands):
        if operand.type.dtype is not U32 or fits(known[operand]):
            continue
        if kind not in MODULAR or i not in data:
            return not (isinstance(node.op, ConvertDType) and node.op.dtype in (U32, I32))
    if kind is ConvertDType and node.results[0].type.dtype is U32:
        return node.operands[0].type.dtype.is_float
    return kind in OF_WIDTH and _by_width(node, known)


def _by_width(node: Node, known: Mapping[Value, Range]) -> bool:
    dtype = node.operands[0].type.dtype
    if dtype in LONG:
        return not isinstance(node.op, ShiftRightArithmetic)
    return dtype not in (I32, U32)


def _data(node: Node) -> range | tuple[int, ...]:
    """Positions of the operands that are not indices or conditions."""
    positions = WORDWISE.get(type(node.op))
    return range(len(node.operands)) if positions is None else positions


def split(
    g: Builder, node: Node, op: Op, mapped: Mapped, known: Mapping[Value, Range]
) -> list[Operand]:
    """Results of `node`, whose dtype attributes are legal in `op`.

    Raises:
        RefusedError: the op has no form on words.
    """
    c = Calc(g)
    if isinstance(node.op, Constant):
        return [_constant(g, node.op.value, known[node.results[0]])]
    operands = [_operand(c, o, mapped[o], known[o]) for o in node.operands]
    kind = type(node.op)
    (result,) = node.results if len(node.results) == 1 else (None,)
    if result is None or (kind not in WORDWISE and kind not in RULES):
        types = ", ".join(str(o.type) for o in node.operands)
        raise RefusedError(
            f"{node.op.kind} of {types}: it has no form for integers beyond int32",
            fix="state the ranges of the integer inputs (--assume ids=0..30521), or use Int32",
        )
    if kind in WORDWISE:
        made: Operand = _wordwise(c, node, op, operands)
    else:
        first = node.operands[0].type.dtype
        dtype = first if first.is_integer else result.type.dtype
        types_ = tuple([o.type for o in node.operands])
        spans = tuple([known[o] for o in node.operands])
        made = RULES[kind](c, Case(node.op, dtype, types_, result.type, spans), *operands)
    return [_result(c, made, result.type, known[result])]


def _constant(g: Builder, data: TensorData, interval: Range) -> Operand:
    array = data.array[(0,) * data.array.ndim] if data.is_splat else data.array

    def word(bits: Array) -> Value:
        return g.add(Constant(TensorData(I32, np.broadcast_to(pattern(bits), data.type.shape))))

    low = word(array)
    if data.type.dtype is U32 or fits(interval):
        return low
    return Words(word(array >> array.dtype.type(32)), low)


def _operand(c: Calc, value: Value, x: Operand, interval: Range) -> Operand:
    """Integers of 64 bits, and uint32, as Words."""
    dtype: DType = value.type.dtype
    if isinstance(x, Words) or dtype not in (U32, *LONG):
        return x
    if fits(interval) and interval[0] < 0:
        return c.extend(x)
    return Words(c.c(0), x, extended=fits(interval))


def _wordwise(c: Calc, node: Node, op: Op, operands: list[Operand]) -> Words:
    data = _data(node)
    given: list[Operand] = []
    for i, (operand, x) in enumerate(zip(node.operands, operands, strict=True)):
        if not isinstance(x, Words):
            given.append(x)
        elif i in data:
            given.append(c.spread(x, operand.type.shape))
        else:
            given.append(c.narrow(x, signed=operand.type.dtype.kind == "int"))
    high = c.g.add(op, *[x.high if isinstance(x, Words) else x for x in given])
    low = c.g.add(op, *[x.low if isinstance(x, Words) else x for x in given])
    return Words(high, low)


def _result(c: Calc, made: Operand, t: TensorType, interval: Range) -> Operand:
    if t.dtype in LONG and not fits(interval):
        return c.spread(c.wide(made), t.shape)
    return c.fit(made.low if isinstance(made, Words) else made, t.shape)


def is_wide(t: TensorType, interval: Range) -> bool:
    """Whether a value is two words."""
    return t.dtype in LONG and not fits(interval)


def shaped(g: Builder, operands: Iterable[Operand], wide: Iterable[bool]) -> tuple[Value, ...]:
    """The values of operands, two for those that shall be wide; others are known to fit in one."""
    c = Calc(g)
    found: list[Value] = []
    for x, is_long in zip(operands, wide, strict=True):
        if not is_long:
            found.append(c.fit(x.low, x.low.type.shape) if isinstance(x, Words) else x)
            continue
        pair = x if isinstance(x, Words) else c.extend(x)
        found += [c.fit(word, pair.low.type.shape) for word in (pair.high, pair.low)]
    return tuple(found)
