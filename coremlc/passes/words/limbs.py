"""Words cut into limbs of a few bits, whose sums fit in a word, and put together again."""

from __future__ import annotations

from coremlc.ir.graph import Value
from coremlc.passes.words.word import Calc, Words


def limbs(c: Calc, x: Words, bits: int) -> list[Value]:
    """Parts of `bits` bits, lowest first."""
    found = []
    for word in (x.low, x.high):
        for i in range(0, 32, bits):
            top = i + bits == 32
            moved = c.shr(word, i) if top else c.div(word, 1 << i) if i else word
            found.append(moved if top else c.mod(moved, 1 << bits))
    return found


def carried(c: Calc, sums: list[Value], bits: int) -> tuple[list[Value], Value]:
    """(words of sum(sums[i] << bits * i), lowest first; what is carried out of the last).

    Each of the sums is in 0 .. 2^31 - 1 - carry.
    """
    words: list[Value] = []
    carry: Value | None = None
    per = 32 // bits
    for i, part in enumerate(sums):
        value = part if carry is None else c.add(part, carry)
        digit = c.mul(c.mod(value, 1 << bits), 1 << (bits * (i % per)))
        carry = c.div(value, 1 << bits)
        if i % per:
            words[-1] = c.add(words[-1], digit)
        else:
            words.append(digit)
    assert carry is not None
    return words, carry


def joined(c: Calc, sums: list[Value], bits: int) -> Words:
    """The 64-bit integer whose limbs have these sums, modulo 2^64."""
    (low, high), _ = carried(c, sums, bits)
    return Words(high, low)
