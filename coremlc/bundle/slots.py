"""The order in which a Foundation mutable dictionary gives its keys."""

from __future__ import annotations

from collections.abc import Iterable

_SIZES = ((3, 3), (7, 6), (13, 12), (23, 20), (41, 32), (71, 52))
"""Slots, and how many keys they take. The first three are proven, the rest assumed."""
_MASK = (1 << 64) - 1


def slot_order(keys: Iterable[str]) -> list[str]:
    """Distinct keys, inserted in this order, as such a dictionary lists them."""
    level = 0
    slots: list[str | None] = [None] * _SIZES[0][0]
    for count, key in enumerate(keys):
        if count >= _limit(level):
            level += 1
            grown: list[str | None] = [None] * _size(level)
            for old in slots:
                if old is not None:
                    _insert(grown, old)
            slots = grown
        _insert(slots, key)
    return [key for key in slots if key is not None]


def _size(level: int) -> int:
    return _SIZES[level][0] if level < len(_SIZES) else (_SIZES[-1][0] << (level - 5)) + 1


def _limit(level: int) -> int:
    return _SIZES[level][1] if level < len(_SIZES) else _size(level) * 3 // 4


def _insert(slots: list[str | None], key: str) -> None:
    at = string_hash(key) % len(slots)
    while slots[at] is not None:
        at = (at + 1) % len(slots)
    slots[at] = key


def string_hash(text: str) -> int:
    """CoreFoundation's string hash: over UTF-16 units, long strings by three samples of 32."""
    data = text.encode("utf-16-le", "surrogatepass")
    units = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
    length = len(units)
    if length > 96:
        middle = (length >> 1) - 16
        units = units[:32] + units[middle : middle + 32] + units[-32:]
    code = length
    whole = len(units) & ~3
    for i in range(0, whole, 4):
        a, b, c, d = units[i : i + 4]
        code = (code * 67503105 + a * 16974593 + b * 66049 + c * 257 + d) & _MASK
    for unit in units[whole:]:
        code = (code * 257 + unit) & _MASK
    return (code + (code << (length & 31))) & _MASK
