"""exp, log and what is made of them, as arithmetic that LLVM vectorises: within 3.5 ulp.

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
_TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
         -3.33332819422e-1)  # fmt: skip


def _polynomial(w: Writer, x: Value, coefficients: Sequence[float]) -> Value:
    total = w.number(coefficients[0])
    for c in coefficients[1:]:
        total = w.multiply_add(total, x, w.number(c))
    return total


def _power_of_two(w: Writer, n: Value) -> Value:
    """2 ** n for n that a float's exponent can be."""
    b = w.builder
    return w.float_of(b.shl(b.add(n, w.integer(127)), w.integer(23)))


def exp(w: Writer, x: Value) -> Value:
    """Of x: a denormal result is rounded once more, NaN stays NaN."""
    b = w.builder
    low, high = w.number(-104), w.number(89)  # e ** -104 is 0, e ** 89 is infinite
    within = w.choose(w.compare("<", x, low), low, x)
    within = w.choose(w.compare(">", within, high), high, within)
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
    """An odd polynomial near 0, else 1 - 2 / (e ** 2x + 1) with the sign of x."""
    size = w.intrinsic("llvm.fabs", x)
    square = w.mul(x, x)
    near = w.multiply_add(w.mul(_polynomial(w, square, _TANH), square), x, x)
    grown = exp(w, w.add(size, size))
    far = w.sub(w.number(1), w.div(w.number(2), w.add(grown, w.number(1))))
    y = w.choose(w.compare("<", size, w.number(0.625)), near, far)
    return w.intrinsic("llvm.copysign", y, x)


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
