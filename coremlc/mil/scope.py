"""Names in scope while a program is read: a block sees what the blocks around it define."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coremlc.mil.program import Value


class Scope:
    """Value by name; leaving a block undoes its definitions in time proportional to them."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._undo: list[tuple[str, Value | None]] = []
        self._own: set[str] = set()

    def get(self, name: str) -> Value | None:
        return self._values.get(name)

    def define(self, value: Value) -> bool:
        """Whether the name was free in this block; it may hide one of a block around it."""
        if value.name in self._own:
            return False
        self._own.add(value.name)
        self._undo.append((value.name, self._values.get(value.name)))
        self._values[value.name] = value
        return True

    @contextmanager
    def nested(self) -> Iterator[None]:
        own, mark = self._own, len(self._undo)
        self._own = set()
        yield
        while len(self._undo) > mark:
            name, before = self._undo.pop()
            if before is None:
                del self._values[name]
            else:
                self._values[name] = before
        self._own = own
