"""The words of a GGUF file's tokenizer."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

STRING, ARRAY = 8, 9
FORMATS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))


def tokens(path: Path) -> list[str]:
    """What each token stands for, as text."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is no GGUF file")
        _, _, entries = _unpack(file, "IQQ")
        for _ in range(entries):
            key = _value(file, STRING)
            value = _value(file, *_unpack(file, "I"))
            if key == "tokenizer.ggml.tokens":
                return [_plain(word) for word in value]
    raise ValueError(f"{path} has no tokens")


def _unpack(file: BinaryIO, kinds: str) -> tuple[Any, ...]:
    return struct.unpack("<" + kinds, file.read(struct.calcsize("<" + kinds)))


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == STRING:
        return file.read(*_unpack(file, "Q")).decode("utf-8", "replace")
    if kind == ARRAY:
        inner, count = _unpack(file, "IQ")
        return [_value(file, inner) for _ in range(count)]
    return _unpack(file, FORMATS[kind])[0]


def _plain(word: str) -> str:
    """GPT-2 writes bytes that are no letters as letters: a space and a line's end, of those."""
    return word.replace("Ġ", " ").replace("Ċ", "\n")
