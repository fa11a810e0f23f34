"""Tokens of MIL text, with line and column in every error."""

from __future__ import annotations

import re
from typing import NoReturn

from coremlc.errors import FormatError, Where
from coremlc.mil.text.words import NAME

_TOKEN = re.compile(
    r'\s*(?:(->|[()\[\]{}<>,;=?])|([-+.\w@]+)|("[^"\\]*(?:\\.[^"\\]*)*")|(\Z))',
    re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}

PUNCTUATION, WORD, STRING, END = 1, 2, 3, 4


class Tokens:
    """A cursor on one token; white space separates tokens and means nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = END
        self.word = ""
        self.start = self.end = 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.end)
        if found is None:
            rest = re.compile(r"\S").search(self.text, self.end)
            at = self.end if rest is None else rest.start()
            self.fail(f"unexpected {self.text[at : at + 1]!r}", at=at)
        kind = found.lastindex
        assert kind is not None
        self.kind = kind
        self.word = found[kind]
        self.start, self.end = found.span(kind)

    def jump(self, end: int) -> None:
        """Go on with the token that starts at or after `end`."""
        self.end = end
        self.advance()

    def follows(self) -> str:
        """The character after this token's white space, without moving."""
        end = self.end
        while end < len(self.text) and self.text[end].isspace():
            end += 1
        return self.text[end : end + 1]

    def sees(self, word: str) -> bool:
        return self.word == word and self.kind <= WORD

    def accept(self, word: str) -> bool:
        if not self.sees(word):
            return False
        self.advance()
        return True

    def take(self, word: str) -> None:
        if not self.accept(word):
            self.expected(f"'{word}'")

    def name(self, what: str = "a name") -> str:
        if self.kind != WORD or NAME.fullmatch(self.word) is None:
            self.expected(what)
        word = self.word
        self.advance()
        return word

    def string(self) -> str:
        if self.kind != STRING:
            self.expected("a string")
        inner = self.word[1:-1]
        self.advance()
        if "\\" not in inner:
            return inner
        return _ESCAPE.sub(lambda found: _UNESCAPED.get(found[1], found[1]), inner)

    def number(self) -> str:
        if self.kind != WORD:
            self.expected("a number")
        word = self.word
        self.advance()
        return word

    def expected(self, what: str) -> NoReturn:
        seen = "the end of the file" if self.kind == END else repr(self.word[:40])
        self.fail(f"expected {what}, found {seen}")

    def fail(self, what: str, *, at: int | None = None) -> NoReturn:
        offset = self.start if at is None else at
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        raise FormatError(
            what,
            fix="give the file as its compiler wrote it; it may be cut short or changed",
            where=Where(what=f"line {line}, column {column}"),
        )
