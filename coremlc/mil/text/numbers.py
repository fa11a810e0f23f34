"""Numbers of MIL text: words to checked numpy arrays."""

from __future__ import annotations

import re

import numpy as np

from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import Array
from coremlc.mil.types import Dim

_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|\d{1,20})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:(0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][-+]?\d+)?)"
    r"|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|nan)",
    re.ASCII,
)
_BOOLS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_ELEMENT = re.compile(r"[^\[\],]+")
_SPACE = re.compile(r"\s+")

MAX_RANK = 32
"""numpy's own bound is 64; MIL's is 5."""


class NumberError(ValueError):
    """A literal isn't one of its dtype; the parser adds the place."""


def numbers(words: list[str], dtype: str) -> Array:
    """Words as a flat array of a numeric or bool dtype; NumberError if one doesn't fit."""
    if dtype == "bool":
        return np.array([_bool(word) for word in words], np.bool_)
    row = STORAGE[dtype]
    if row.maximum:
        ints = [_int(word, dtype) for word in words]
        wide = np.array(ints, np.uint64 if dtype == "uint64" else np.int64)
        return wide.astype(row.numpy)
    return _floats(words, dtype)


def array(text: str, dtype: str, shape: tuple[Dim, ...]) -> Array:
    """A bracketed literal as an array; its nesting must be the shape's, `?` taken from the text."""
    squeezed = _SPACE.sub("", text)
    skeleton = _ELEMENT.sub("0", squeezed)
    sizes = _sizes(skeleton, shape)
    count = skeleton.count("0")
    if not _fits(skeleton, sizes, count):
        raise NumberError(f"brackets are not those of shape {list(sizes)}")
    return numbers(_ELEMENT.findall(squeezed), dtype).reshape(sizes)


def _sizes(skeleton: str, shape: tuple[Dim, ...]) -> tuple[int, ...]:
    if len(shape) > MAX_RANK:
        raise NumberError(f"rank {len(shape)} is more than {MAX_RANK}")
    if all(isinstance(dim, int) for dim in shape):
        return tuple(dim for dim in shape if isinstance(dim, int))
    if ... in shape:
        raise NumberError("a literal of variadic rank")
    sizes: list[int] = []
    inside = skeleton
    for dim in shape:
        if not inside.startswith("[") or not inside.endswith("]"):
            raise NumberError(f"brackets are not nested {len(shape)} deep")
        size, inside = _first(inside[1:-1])
        sizes.append(size if dim is None else int(dim))  # type: ignore[arg-type]
    return tuple(sizes)


def _first(items: str) -> tuple[int, str]:
    """How many items stand side by side, and the text of the first."""
    if not items:
        return 0, "[]"
    depth = count = 0
    end = len(items)
    for found in re.finditer(r"[\[\],]", items):
        mark = found[0]
        depth += (mark == "[") - (mark == "]")
        if mark == "," and depth == 0:
            count += 1
            end = min(end, found.start())
    return count + 1, items[:end]


def _fits(skeleton: str, sizes: tuple[int, ...], count: int) -> bool:
    """Whether the skeleton is that of the sizes; its length is checked before it is built."""
    if int(np.prod([1, *sizes], dtype=object)) != count:
        return False
    length = 1
    for size in reversed(sizes):
        length = 2 + size * length + max(size - 1, 0)
    if length != len(skeleton):
        return False
    expected = "0"
    for size in reversed(sizes):
        expected = f"[{','.join([expected] * size)}]"
    return expected == skeleton


def _bool(word: str) -> bool:
    if word not in _BOOLS:
        raise NumberError(f"{word[:40]!r} is not a bool")
    return _BOOLS[word]


def _int(word: str, dtype: str) -> int:
    if _INT.fullmatch(word) is None:
        raise NumberError(f"{word[:40]!r} is not an integer")
    number = int(word, 16 if "x" in word or "X" in word else 10)
    row = STORAGE[dtype]
    if not row.minimum <= number <= row.maximum:
        raise NumberError(f"{word[:40]} is outside {dtype}")
    return number


def _floats(words: list[str], dtype: str) -> Array:
    wide = np.array([_float(word) for word in words], np.float64)
    with np.errstate(all="ignore"):
        narrow: Array = wide.astype(STORAGE[dtype].numpy)
        back = narrow.astype(np.float64)
    bad = (np.isinf(back) & ~np.isinf(wide)) | ((back == 0) & (wide != 0))
    bad |= np.isnan(back) & ~np.isnan(wide)  # fp8e4m3fn has no infinity
    if bad.any():
        raise NumberError(f"{words[int(np.argmax(bad))][:40]} is outside {dtype}")
    return narrow


def _float(word: str) -> float:
    found = _FLOAT.fullmatch(word)
    if found is None:
        raise NumberError(f"{word[:40]!r} is not a number")
    try:
        return float.fromhex(word) if found[1] else float(word)
    except (OverflowError, ValueError):
        raise NumberError(f"{word[:40]} is too large") from None
