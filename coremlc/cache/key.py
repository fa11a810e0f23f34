r"""Key: what a bundle depends on, and its digest.

Grammar of what is hashed, so that no two lists of parts give the same bytes:

    hashed := "coremlc-key-1\n" part*          parts sorted by tag
    part   := length(tag) tag length(value) value
    length := 8 bytes, little-endian

A value is text. Bytes stand as their SHA-256 and size, so that the parts alone give the key again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Part: TypeAlias = "str | bytes | int | bool | Mapping[str, Part] | tuple[Part, ...]"
_MAGIC = b"coremlc-key-1\n"


@dataclass(frozen=True, slots=True)
class Key:
    """The parts, by tag, in the form in which they are hashed."""

    parts: Mapping[str, str]

    @staticmethod
    def of(parts: Mapping[str, Part]) -> Key:
        """Never give it a time, a path, a host or anything of the environment."""
        return Key(dict(sorted(_flat("", parts))))

    @property
    def digest(self) -> str:
        """64 hexadecimal digits: the entry's name."""
        out = hashlib.sha256(_MAGIC)
        for tag, value in sorted(self.parts.items()):
            for text in (tag, value):
                data = text.encode()
                out.update(len(data).to_bytes(8, "little"))
                out.update(data)
        return out.hexdigest()

    def explain(self) -> str:
        """The parts as JSON, for people and for comparing two keys."""
        return json.dumps(dict(sorted(self.parts.items())), indent=2, ensure_ascii=False)

    def difference(self, other: Key) -> tuple[str, str | None, str | None] | None:
        """The first part that differs: its tag and both values; None if the keys are equal."""
        for tag in sorted({*self.parts, *other.parts}):
            mine, theirs = self.parts.get(tag), other.parts.get(tag)
            if mine != theirs:
                return tag, mine, theirs
        return None

    def __str__(self) -> str:
        return self.digest


def _flat(tag: str, value: Part) -> Iterator[tuple[str, str]]:
    """Tags and texts of a value; the text begins with its kind, so that 1 and "1" differ."""
    match value:
        case Mapping():
            for name in sorted(value):
                escaped = name.replace("~", "~0").replace(".", "~1")
                yield from _flat(f"{tag}.{escaped}" if tag else escaped, value[name])
        case tuple():
            yield tag, f"list:{len(value)}"
            for i, item in enumerate(value):
                yield from _flat(f"{tag}.{i}", item)
        case bytes():
            yield tag, f"sha256:{hashlib.sha256(value).hexdigest()}:{len(value)}"
        case bool():
            yield tag, f"bool:{str(value).lower()}"
        case int():
            yield tag, f"int:{value}"
        case str():
            yield tag, f"str:{value}"
