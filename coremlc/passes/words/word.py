"""Arithmetic on 32-bit words: int32 values that wrap, and pairs of them for 64-bit integers.

A word is a bit pattern. `Words` are a 64-bit integer: high * 2^32 + low, low without sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from coremlc.dtypes import BOOL, F32, I32
from coremlc.ir.graph import Builder, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Op
from coremlc.ir.types import TensorType
from coremlc.ops import shifts
from coremlc.ops.binary import Add, Div, LogicalAnd, LogicalOr, Mul, Sub, floor_div, mod
from coremlc.ops.compare import Equal, LessThan, NotEqual
from coremlc.ops.convert_dtype import ConvertDType, to_int32
from coremlc.ops.leaves import Constant, constant, known
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim
from coremlc.ops.unary import Floor, LogicalNot

LEAST = -(2**31)
SHY = 1 - 2.0**-20
"""A quotient times this is never too large, whatever the roundings of float32 on its way."""


@dataclass(frozen=True)
class Words:
    """A 64-bit integer as two int32 values of shapes that broadcast."""

    high: Value
    low: Value
    extended: bool = False
    """high is but the sign of low."""


Operand = Value | Words


def pattern(array: Array) -> Array:
    """The low 32 bits of integers, as int32."""
    result: Array = np.asarray(array).astype(np.uint64).astype(np.uint32).view(np.int32)
    return result


class Calc:
    """Formulas on words, in a builder that folds constants."""

    def __init__(self, g: Builder) -> None:
        self.g = g

    # -- one word ------------------------------------------------------------------------------

    def c(self, number: int) -> Value:
        """A constant word."""
        return self.g.add(constant(I32, (number + 2**31) % 2**32 - 2**31))

    def f(self, number: float) -> Value:
        return self.g.add(constant(F32, number))

    def array(self, x: Array) -> Value:
        return self.g.add(Constant(TensorData(I32, np.asarray(x, np.int32))))

    def is_(self, x: Value, number: int) -> bool:
        """Whether x is known to be `number` everywhere."""
        array = known(x)
        return array is not None and bool(array.size) and bool(np.all(array == number))

    def _of(self, x: Value | int) -> Value:
        return x if isinstance(x, Value) else self.c(x)

    def _op(self, op: Op, x: Value | int, y: Value | int) -> Value:
        return self.g.add(op, self._of(x), self._of(y))

    def add(self, x: Value | int, y: Value | int) -> Value:
        return self._op(Add(), x, y)

    def total(self, *xs: Value) -> Value:
        return reduce(self.add, xs)

    def sub(self, x: Value | int, y: Value | int) -> Value:
        return self._op(Sub(), x, y)

    def mul(self, x: Value | int, y: Value | int) -> Value:
        x, y = self._of(x), self._of(y)
        if self.is_(x, 0) or self.is_(y, 0):
            return self.c(0)
        return self.g.add(Mul(), x, y)

    def div(self, x: Value, y: Value | int) -> Value:
        """Rounded down; y is not 0, not -1."""
        return self._op(floor_div(), x, y)

    def mod(self, x: Value, y: Value | int) -> Value:
        return self._op(mod(), x, y)

    def eq(self, x: Value | int, y: Value | int) -> Value:
        return self._op(Equal(), x, y)

    def ne(self, x: Value | int, y: Value | int) -> Value:
        return self._op(NotEqual(), x, y)

    def lt(self, x: Value | int, y: Value | int) -> Value:
        return self._op(LessThan(), x, y)

    def ge(self, x: Value | int, y: Value | int) -> Value:
        return self.not_(self.lt(x, y))

    def flip(self, x: Value | int) -> Value:
        """Its top bit turned: unsigned order becomes signed order."""
        return self.add(x, LEAST)

    def ult(self, x: Value | int, y: Value | int) -> Value:
        """Less than, unsigned."""
        return self.lt(self.flip(x), self.flip(y))

    def and_(self, x: Value, y: Value) -> Value:
        for a, b in ((x, y), (y, x)):
            if known(a) is not None and np.all(known(a)) and not a.type.shape:
                return b
            if known(a) is not None and not np.any(known(a)) and not a.type.shape:
                return a
        return self.g.add(LogicalAnd(), x, y)

    def or_(self, x: Value, y: Value) -> Value:
        for a, b in ((x, y), (y, x)):
            if known(a) is not None and np.all(known(a)) and not a.type.shape:
                return a
            if known(a) is not None and not np.any(known(a)) and not a.type.shape:
                return b
        return self.g.add(LogicalOr(), x, y)

    def not_(self, x: Value) -> Value:
        return self.g.add(LogicalNot(), x)

    def bit(self, x: Value) -> Value:
        """A bool as 0 or 1."""
        return self.g.add(ConvertDType(I32), x)

    def pick(self, condition: Value, x: Value | int, y: Value | int) -> Value:
        x, y = self._of(x), self._of(y)
        array = known(condition)
        if array is not None and not condition.type.shape:
            return x if array else y
        return self.g.add(Where(), condition, x, y)

    def shl(self, x: Value, k: Value | int) -> Value:
        """Zeros move in; all of them for counts outside of 0..31, as in the next two."""
        return self._op(shifts.ShiftLeft(), x, k)

    def shr(self, x: Value, k: Value | int) -> Value:
        return self._op(shifts.ShiftRightLogical(), x, k)

    def sar(self, x: Value, k: Value | int) -> Value:
        return self._op(shifts.ShiftRightArithmetic(), x, k)

    def fit(self, x: Value, shape: tuple[int, ...]) -> Value:
        """`x` repeated to `shape`."""
        if x.type.shape == shape:
            return x
        axes = tuple(range(len(shape))) if x.type.shape else ()
        return self.g.add(BroadcastInDim(TensorType(x.type.dtype, shape), axes), x)

    # -- two words -----------------------------------------------------------------------------

    def words(self, number: int) -> Words:
        return Words(self.c(number >> 32), self.c(number & 0xFFFFFFFF), -LEAST > number >= LEAST)

    def extend(self, low: Value) -> Words:
        """A signed word."""
        return Words(self.pick(self.lt(low, 0), -1, 0), low, extended=True)

    def zero_extend(self, low: Value) -> Words:
        return Words(self.c(0), low)

    def wide(self, x: Operand) -> Words:
        return x if isinstance(x, Words) else self.extend(x)

    def spread(self, x: Words, shape: tuple[int, ...]) -> Words:
        return Words(self.fit(x.high, shape), self.fit(x.low, shape), x.extended)

    def each(self, f: Callable[[Value, Value], Value], x: Words, y: Words) -> Words:
        return Words(f(x.high, y.high), f(x.low, y.low))

    def add2(self, x: Words, y: Words) -> Words:
        low = self.add(x.low, y.low)
        high = self.add(x.high, y.high)
        if low in (x.low, y.low):
            return Words(high, low)
        return Words(self.add(high, self.bit(self.ult(low, x.low))), low)

    def sub2(self, x: Words, y: Words) -> Words:
        low = self.sub(x.low, y.low)
        high = self.sub(x.high, y.high)
        if self.is_(y.low, 0):
            return Words(high, low)
        return Words(self.sub(high, self.bit(self.ult(x.low, y.low))), low)

    def neg2(self, x: Words) -> Words:
        low = self.mul(x.low, -1)
        return Words(self.sub(self.sub(0, x.high), self.bit(self.ne(x.low, 0))), low)

    def not2(self, x: Words) -> Words:
        return Words(self.sub(-1, x.high), self.sub(-1, x.low))

    def mul_high(self, x: Value, y: Value) -> Value:
        """The high word of the product of two signed words (by half words)."""
        x0, x1 = self.mod(x, 1 << 16), self.div(x, 1 << 16)
        y0, y1 = self.mod(y, 1 << 16), self.div(y, 1 << 16)
        carry = self.shr(self.mul(x0, y0), 16)
        middle = self.add(self.mul(x1, y0), carry)
        other = self.add(self.mul(x0, y1), self.mod(middle, 1 << 16))
        return self.total(self.mul(x1, y1), self.div(middle, 1 << 16), self.div(other, 1 << 16))

    def mul2(self, x: Words, y: Words) -> Words:
        high = self.mul_high(x.low, y.low)
        for a, b in ((x, y), (y, x)):
            if not a.extended:
                excess = self.add(a.high, self.bit(self.lt(a.low, 0)))
                high = self.add(high, self.mul(excess, b.low))
        return Words(high, self.mul(x.low, y.low))

    def eq2(self, x: Words, y: Words) -> Value:
        return self.and_(self.eq(x.high, y.high), self.eq(x.low, y.low))

    def lt2(self, x: Words, y: Words, *, signed: bool) -> Value:
        above = self.lt(x.high, y.high) if signed else self.ult(x.high, y.high)
        below = self.and_(self.eq(x.high, y.high), self.ult(x.low, y.low))
        return self.or_(above, below)

    def pick2(self, condition: Value, x: Words, y: Words) -> Words:
        extended = x.extended and y.extended
        high = self.pick(condition, x.high, y.high)
        return Words(high, self.pick(condition, x.low, y.low), extended)

    def is_zero(self, x: Words) -> Value:
        return self.and_(self.eq(x.high, 0), self.eq(x.low, 0))

    def narrow(self, x: Words, *, signed: bool) -> Value:
        """As a signed word, the nearest there is."""
        fits = self.eq(x.high, self.pick(self.lt(x.low, 0), -1, 0))
        top = self.c(2**31 - 1)
        if not signed:
            return self.pick(self.and_(self.eq(x.high, 0), self.ge(x.low, 0)), x.low, top)
        return self.pick(fits, x.low, self.pick(self.lt(x.high, 0), LEAST, top))

    def magnitude(self, x: Words) -> Words:
        return self.pick2(self.lt(x.high, 0), self.neg2(x), x)

    # -- division ------------------------------------------------------------------------------

    def udiv32(self, x: Value, y: Value) -> Value:
        """Quotient of unsigned words; y is not 0.

        For y < 2^31 twice half the dividend's quotient, or one more; else 0 or 1.
        """
        half = self.mul(self.div(self.shr(x, 1), self.pick(self.lt(y, 0), 1, y)), 2)
        rest = self.sub(x, self.mul(half, y))
        near = self.add(half, self.bit(self.not_(self.ult(rest, y))))
        return self.pick(self.lt(y, 0), self.bit(self.not_(self.ult(x, y))), near)

    def udiv2(self, x: Words, y: Words) -> tuple[Words, Words]:
        """Quotient and remainder, unsigned; y is not 0.

        Four quotients of float32, each a little too small, take 19 bits or more off what is left.
        """
        if self.is_(x.high, 0) and self.is_(y.high, 0):
            low = self.udiv32(x.low, y.low)
            return self.zero_extend(low), self.zero_extend(self.sub(x.low, self.mul(low, y.low)))
        number = self._known_small(y)
        if number:
            return self._udiv_small(x, number)
        divisor = self.to_float(y)
        quotient, rest = self.words(0), x
        for _ in range(4):
            ratio = self._fmul(self.g.add(Div(), self.to_float(rest), divisor), SHY)
            part = self.from_float(self.g.add(Floor(), ratio))
            quotient = self.add2(quotient, part)
            rest = self.sub2(rest, self.mul2(part, y))
        more = self.not_(self.lt2(rest, y, signed=False))
        one = Words(self.c(0), self.bit(more))
        less = self.sub2(rest, y)
        return self.add2(quotient, one), self.pick2(more, less, rest)

    def _known_small(self, y: Words) -> int:
        low = known(y.low)
        if not self.is_(y.high, 0) or low is None or low.size == 0:
            return 0
        first = int(low.flat[0])
        return first if np.all(low == first) and 0 < first < 1 << 15 else 0

    def _udiv_small(self, x: Words, y: int) -> tuple[Words, Words]:
        """By half words, as on paper."""
        rest = self.c(0)
        digits = []
        for word in (x.high, x.low):
            for half in (self.shr(word, 16), self.mod(word, 1 << 16)):
                step = self.add(self.mul(rest, 1 << 16), half)
                digits.append(self.div(step, y))
                rest = self.mod(step, y)
        high = self.add(self.mul(digits[0], 1 << 16), digits[1])
        low = self.add(self.mul(digits[2], 1 << 16), digits[3])
        return Words(high, low), self.zero_extend(rest)

    # -- floats --------------------------------------------------------------------------------

    def _fmul(self, x: Value, y: float) -> Value:
        return self.g.add(Mul(), x, self.f(y))

    def _fadd(self, x: Value, y: Value) -> Value:
        return self.g.add(Add(), x, y)

    def _float(self, x: Value) -> Value:
        return self.g.add(ConvertDType(F32), x)

    def to_float(self, x: Words) -> Value:
        """Near the unsigned number: some roundings."""

        def word(w: Value) -> Value:
            if self.is_(w, 0):
                return self.f(0.0)
            top = self._fmul(self._float(self.lt(w, 0)), 2.0**32)
            return self._fadd(self._float(w), top)

        if self.is_(x.high, 0):
            return word(x.low)
        return self._fadd(self._fmul(word(x.high), 2.0**32), word(x.low))

    def from_float(self, x: Value) -> Words:
        """Of a whole float32 in [0, 2^64)."""
        high = self.g.add(Floor(), self._fmul(x, 2.0**-32))
        low = self.g.add(Sub(), x, self._fmul(high, 2.0**32))
        return Words(self._word(high), self._word(low))

    def _word(self, x: Value) -> Value:
        """Of a whole float32 in [0, 2^32)."""
        large = self.not_(self.g.add(LessThan(), x, self.f(2.0**31)))
        signed = self.g.add(Sub(), x, self._fmul(self._float(large), 2.0**32))
        return self.g.add(to_int32(), signed)

    def round_float(self, x: Words) -> Value:
        """The float32 nearest to the unsigned number, ties to even: a sum of two exact ones.

        From 2^41 on the bits below 2^17 count only as whether there are any.
        """
        tail = self.mod(x.low, 1 << 17)
        small_top = self.add(self.mul(self.mod(x.high, 512), 1 << 15), self.shr(x.low, 17))
        small = self._fadd(self._fmul(self._float(small_top), 2.0**17), self._float(tail))
        if self.is_(x.high, 0):
            return small
        middle = self.add(self.mul(self.mod(x.high, 256), 1 << 15), self.shr(x.low, 17))
        sticky = self.add(self.mul(middle, 2), self.bit(self.ne(tail, 0)))
        top = self._fmul(self._float(self.shr(x.high, 8)), 2.0**40)
        large = self._fadd(top, self._fmul(self._float(sticky), 2.0**16))
        is_small = self.and_(self.ge(x.high, 0), self.lt(x.high, 512))
        return self.g.add(Where(), is_small, small, large)


def is_bool(x: Operand) -> bool:
    """Whether an operand is a bool value."""
    return isinstance(x, Value) and x.type.dtype is BOOL
