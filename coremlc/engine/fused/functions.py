"""exp, log and what is made of them, as arithmetic that LLVM vectorises: within 5 ulp.

The polynomials are those of Cephes (netlib.org/cephes, single precision).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coremlc.engine.fused.writer import F32, Value, Writer

LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
"""ln 2 in two parts: n times the first is exact."""
ROOT_BITS = int(np.float32(np.sqrt(0.5)).view(np.int32))
SHIFT = 1.5 * 2**23
"""A float32 of this size has no bits below 1: what is added to it is rounded half to even."""
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
        5.0000001201e-1)  # fmt: skip
_LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)  # fmt: skip
_TANH_OVER = (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11,
              5.12229709037114e-08, 1.48572235717979e-05, 6.37261928875436e-04,
              4.89352455891786e-03)  # fmt: skip
_TANH_UNDER = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03,
               4.89352518554385e-03)  # fmt: skip
LAST_TANH = 9.0
FUNCTIONS = frozenset({"exp", "log", "tanh", "sigmoid", "silu", "softplus"})
"""Ops that are long chains of steps."""


def _polynomial(w: Writer, x: Value, coefficients: Sequence[float]) -> Value:
    total = w.number(coefficients[0])
    for c in coefficients[1:]:
        total = w.multiply_add(total, x, w.number(c))
    return total


def _clipped(w: Writer, x: Value, least: float, most: float) -> Value:
    """NaN stays."""
    low, high = w.number(least), w.number(most)
    x = w.choose(w.compare("<", x, low), low, x)
    return w.choose(w.compare(">", x, high), high, x)


def _power_of_two(w: Writer, n: Value) -> Value:
    """2 ** n for n that a float's exponent can be."""
    b = w.builder
    return w.float_of(b.shl(b.add(n, w.integer(127)), w.integer(23)))


def exp(w: Writer, x: Value) -> Value:
    """Of x: a denormal result is rounded once more, NaN stays NaN."""
    b = w.builder
    within = _clipped(w, x, -104, 89)  # e ** -104 is 0, e ** 89 is infinite
    shifted = w.multiply_add(within, w.number(1.44269504088896341), w.number(SHIFT))
    n = w.sub(shifted, w.number(SHIFT))
    rest = w.multiply_add(n, w.number(-LN2_HIGH), within)
    rest = w.multiply_add(n, w.number(-LN2_LOW), rest)
    above = w.multiply_add(_polynomial(w, rest, _EXP), w.mul(rest, rest), rest)
    y = w.add(above, w.number(1))
    whole = b.sub(w.bits(shifted), w.integer(int(np.float32(SHIFT).view(np.int32))))
    half = b.ashr(whole, w.integer(1))
    scaled = w.mul(y, _power_of_two(w, half))
    return w.mul(scaled, _power_of_two(w, b.sub(whole, half)))


def log(w: Writer, x: Value) -> Value:
    """Natural; of 0 it is -inf, of a negative number NaN, of inf inf."""
    b = w.builder
    tiny = w.compare("<", x, w.number(float(np.finfo(np.float32).tiny)))
    bits = w.bits(w.choose(tiny, w.mul(x, w.number(2.0**23)), x))
    above = b.sub(bits, w.integer(ROOT_BITS))
    e = w.sub(
        b.sitofp(b.ashr(above, w.integer(23)), F32), w.choose(tiny, w.number(23), w.number(0))
    )
    fraction = b.add(b.and_(above, w.integer(0x007FFFFF)), w.integer(ROOT_BITS))
    m = w.sub(w.float_of(fraction), w.number(1))  # of a fraction from sqrt(0.5) to sqrt(2)
    square = w.mul(m, m)
    y = w.mul(w.mul(_polynomial(w, m, _LOG), m), square)
    y = w.multiply_add(e, w.number(LN2_LOW), y)
    y = w.multiply_add(w.number(-0.5), square, y)
    y = w.multiply_add(e, w.number(LN2_HIGH), w.add(m, y))
    y = w.choose(w.compare("<", x, w.number(np.inf)), y, x)  # inf and NaN
    y = w.choose(w.compare("==", x, w.number(0)), w.number(-np.inf), y)
    return w.choose(w.compare("<", x, w.number(0)), w.number(np.nan), y)


def log_of_one_plus(w: Writer, x: Value) -> Value:
    """Log of 1 + x for x of at least 0: what the sum 1 + x lost is put back as a factor."""
    total = w.add(x, w.number(1))
    lost = w.sub(total, w.number(1))
    y = w.mul(log(w, total), w.div(x, lost))
    y = w.choose(w.compare("==", lost, w.number(0)), x, y)
    return w.choose(w.compare("==", x, w.number(np.inf)), x, y)


def tanh(w: Writer, x: Value) -> Value:
    """A quotient of polynomials (Eigen's); from 9 on it is 1, near 0 it is x."""
    within = _clipped(w, x, -LAST_TANH, LAST_TANH)
    square = w.mul(within, within)
    over = w.mul(_polynomial(w, square, _TANH_OVER), within)
    y = _clipped(w, w.div(over, _polynomial(w, square, _TANH_UNDER)), -1, 1)
    near = w.compare("<", w.intrinsic("llvm.fabs", x), w.number(0.0004))
    return w.choose(near, x, y)


def sigmoid(w: Writer, x: Value) -> Value:
    """1 / (1 + e ** -x), by a power that can't overflow."""
    small = exp(w, w.builder.fneg(w.intrinsic("llvm.fabs", x)))
    part = w.div(w.number(1), w.add(small, w.number(1)))
    return w.choose(w.compare("<", x, w.number(0)), w.mul(small, part), part)


def softplus(w: Writer, x: Value) -> Value:
    """max(x, 0) + log(1 + e ** -|x|)."""
    small = exp(w, w.builder.fneg(w.intrinsic("llvm.fabs", x)))
    positive = w.choose(w.compare("<", x, w.number(0)), w.number(0), x)
    return w.add(log_of_one_plus(w, small), positive)
