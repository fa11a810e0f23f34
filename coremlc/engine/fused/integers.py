"""Division of int32: x / 0 is -1, x mod 0 is x, INT_MIN / -1 wraps."""

from __future__ import annotations

from coremlc.engine.fused.writer import F64, I32, Value, Writer


def quotient(w: Writer, x: Value, y: Value) -> Value:
    """Towards zero."""
    known = _constant(y)
    if known is not None and known not in (0, -1):
        return w.builder.sdiv(x, y)
    return _guarded(w, x, y, _truncated(w, x, _safe(w, y)))


def floor_quotient(w: Writer, x: Value, y: Value) -> Value:
    """Towards minus infinity."""
    known = _constant(y)
    if known is not None and known > 0 and known & (known - 1) == 0:
        return w.builder.ashr(x, w.integer(known.bit_length() - 1))
    if known is not None and known not in (0, -1):
        return _floored(w, x, y, w.builder.sdiv(x, y))[0]
    divisor = _safe(w, y)
    return _guarded(w, x, y, _floored(w, x, divisor, _truncated(w, x, divisor))[0])


def floor_rest(w: Writer, x: Value, y: Value) -> Value:
    """The sign of the divisor."""
    known = _constant(y)
    if known is not None and known > 0 and known & (known - 1) == 0:
        return w.builder.and_(x, w.integer(known - 1))
    if known is not None and known not in (0, -1):
        return _floored(w, x, y, w.builder.sdiv(x, y))[1]
    divisor = _safe(w, y)
    rest = _floored(w, x, divisor, _truncated(w, x, divisor))[1]
    return w.choose(w.compare("==", y, w.integer(0)), x, rest)


def _constant(y: Value) -> int | None:
    found = getattr(y, "constant", None)
    return found if isinstance(found, int) else None


def _safe(w: Writer, y: Value) -> Value:
    """A divisor that is neither 0 nor -1: 1 in their place."""
    bad = w.builder.icmp_unsigned("<=", w.builder.add(y, w.integer(1)), w.integer(1))
    return w.choose(bad, w.integer(1), y)


def _truncated(w: Writer, x: Value, y: Value) -> Value:
    """By float64, which has vectors: an error of 2^-53 can't reach the next whole number."""
    b = w.builder
    return b.fptosi(b.fdiv(b.sitofp(x, F64), b.sitofp(y, F64)), I32)


def _floored(w: Writer, x: Value, y: Value, towards_zero: Value) -> tuple[Value, Value]:
    """(quotient, rest) of a division towards minus infinity."""
    rest = w.sub(x, w.mul(towards_zero, y))
    differ = w.compare("<", w.builder.xor(rest, y), w.integer(0))
    wrong = w.builder.and_(differ, w.compare("!=", rest, w.integer(0)))
    down = w.sub(towards_zero, w.builder.zext(wrong, I32))
    return down, w.choose(wrong, w.add(rest, y), rest)


def _guarded(w: Writer, x: Value, y: Value, found: Value) -> Value:
    minus = w.integer(-1)
    negated = w.choose(w.compare("==", y, minus), w.builder.neg(x), found)
    return w.choose(w.compare("==", y, w.integer(0)), minus, negated)
