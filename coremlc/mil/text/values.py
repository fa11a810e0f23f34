"""Types and literal values of MIL text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from coremlc.mil.arrays import DTYPES
from coremlc.mil.program import Array, BlobRef, Data, Literal
from coremlc.mil.text.numbers import MAX_RANK, NumberError, array, numbers
from coremlc.mil.text.tokens import STRING, Tokens
from coremlc.mil.types import (
    BufferType,
    DictType,
    Dim,
    ListType,
    StateType,
    TensorType,
    TupleType,
    ValueType,
)

MAX_DEPTH = 40
"""How deep types, literals and blocks nest: far beyond real programs, far below Python's stack."""

BUFFERS = ("tensor_buffer", "pixel_buffer", "circular_buffer")
TYPE_WORDS = frozenset(("tensor", "list", "tuple", "dict", "state", *BUFFERS))

_PLAIN = re.compile(r"tensor<\w+, \[[0-9, ?]*\]>", re.ASCII)
_BRACKET = re.compile(r"[][(){}\";]")
"""A bracket of a tensor literal, or what can't stand inside one."""


class Values(Tokens):
    """Reads types and literals; types seen before are not read again."""

    def __init__(self, text: str) -> None:
        self.depth = 0
        self.plain: dict[str, TensorType] = {}
        super().__init__(text)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep")
        yield
        self.depth -= 1

    def type(self) -> ValueType:
        found = _PLAIN.match(self.text, self.start)
        if found is not None and found[0] in self.plain:
            self.jump(found.end())
            return self.plain[found[0]]
        with self.deeper():
            type_ = self._type()
        if found is not None and isinstance(type_, TensorType):
            self.plain[found[0]] = type_
        return type_

    def _type(self) -> ValueType:
        start = self.start
        word = self.name("a type")
        if word in DTYPES:
            return TensorType(word)
        if word not in TYPE_WORDS:
            self.fail(f"{word!r} is not a type", at=start)
        self.take("<")
        type_ = self._inside(word)
        self.take(">")
        return type_

    def _inside(self, word: str) -> ValueType:
        """What stands between the angle brackets of a type."""
        match word:
            case "tensor":
                dtype = self.dtype()
                self.take(",")
                return TensorType(dtype, self.shape())
            case "list":
                element = self.type()
                self.take(",")
                return ListType(element, None if self.accept("?") else self.size())
            case "tuple":
                items = [self.type()]
                while self.accept(","):
                    items.append(self.type())
                return TupleType(tuple(items))
            case "dict":
                key = self.type()
                self.take(",")
                return DictType(key, self.type())
            case "state":
                start = self.start
                tensor = self.type()
                if not isinstance(tensor, TensorType):
                    self.fail("a state holds a tensor", at=start)
                return StateType(tensor)
            case _:
                return self.buffer(word)

    def buffer(self, kind: str) -> BufferType:
        dtype = self.dtype()
        fields: list[tuple[str, tuple[int, ...]]] = []
        while self.accept(","):
            name = self.name()
            self.take("=")
            start = self.start
            sizes = [dim for dim in self.shape() if isinstance(dim, int)]
            if "?" in self.text[start : self.start]:
                self.fail("a buffer of unknown size", at=start)
            fields.append((name, tuple(sizes)))
        return BufferType(kind, dtype, tuple(fields))

    def dtype(self) -> str:
        start = self.start
        dtype = self.name("a dtype")
        if dtype not in DTYPES:
            self.fail(f"{dtype!r} is not a dtype", at=start)
        return dtype

    def shape(self) -> tuple[Dim, ...]:
        start = self.start
        dims: list[Dim] = []
        self.take("[")
        while not self.sees("]"):
            if dims:
                self.take(",")
            dims.append(self.dim())
        self.advance()
        if len(dims) > MAX_RANK:
            self.fail(f"rank {len(dims)} is more than {MAX_RANK}", at=start)
        return tuple(dims)

    def dim(self) -> Dim:
        if self.accept("?"):
            return None
        return ... if self.accept("...") else self.size()

    def size(self) -> int:
        start = self.start
        word = self.number()
        if not word.isdecimal() or len(word) > 18:
            self.fail(f"{word[:40]!r} is not a size", at=start)
        return int(word)

    def value(self) -> Literal:
        type_ = self.type()
        self.take("(")
        literal = self.literal(type_)
        self.take(")")
        return literal

    def literal(self, type_: ValueType) -> Literal:
        if self.sees("BLOBFILE"):
            return Literal(type_, self.blob(type_))
        with self.deeper():
            return Literal(type_, self.data(type_))

    def data(self, type_: ValueType) -> Data:
        match type_:
            case TensorType("string", ()):
                return self.string()
            case TensorType("string", shape):
                return self.strings(shape)
            case TensorType():
                return self.tensor(type_)
            case ListType(element, length):
                return self.items("[", "]", [element], length)
            case TupleType(items):
                return self.items("(", ")", list(items), len(items))
            case DictType():
                return self.pairs(type_)
            case _:
                return self.fail("a state or a buffer has no literal")

    def tensor(self, type_: TensorType) -> Array:
        start = self.start
        try:
            if not type_.shape:
                return numbers([self.number()], type_.dtype).reshape(())
            end = self.closing()
            out = array(self.text[start:end], type_.dtype, type_.shape)
        except NumberError as error:
            self.fail(str(error), at=start)
        self.jump(end)
        return out

    def closing(self) -> int:
        """Where the bracket that opens here is closed."""
        if not self.sees("["):
            self.expected("'['")
        depth = 0
        for found in _BRACKET.finditer(self.text, self.start):
            mark = found[0]
            depth += (mark == "[") - (mark == "]")
            if depth == 0:
                return found.end()
            if mark not in "[]":
                break
        return self.fail("a bracket is not closed")

    def strings(self, shape: tuple[Dim, ...]) -> Array:
        """A tensor of strings: its brackets are those of numbers, one for each string."""
        start = self.start
        texts: list[str] = []
        marks: list[str] = []
        depth = 0
        while depth or not marks:
            if self.kind == STRING and depth:
                marks.append("0")
                texts.append(self.string())
                continue
            if self.word not in ("[", "]", ",") or not (depth or self.word == "["):
                self.expected("brackets and strings")
            depth += (self.word == "[") - (self.word == "]")
            marks.append(self.word)
            self.advance()
        try:
            sizes = array("".join(marks), "uint8", shape).shape
        except NumberError as error:
            self.fail(str(error), at=start)
        out = np.empty(len(texts), object)
        out[:] = texts
        return out.reshape(sizes)

    def items(
        self, opens: str, closes: str, types: list[ValueType], length: int | None
    ) -> tuple[Literal, ...]:
        """Members between brackets: each of its own type, or all of the one given."""
        start = self.start
        members: list[Literal] = []
        self.take(opens)
        while not self.sees(closes):
            if members:
                self.take(",")
            if length is not None and len(members) == length:
                self.fail(f"more than {length} members")
            members.append(self.literal(types[len(members) if len(types) > 1 else 0]))
        self.advance()
        if length is not None and len(members) != length:
            self.fail(f"{len(members)} members of {length}", at=start)
        return tuple(members)

    def pairs(self, type_: DictType) -> tuple[tuple[Literal, Literal], ...]:
        pairs: list[tuple[Literal, Literal]] = []
        self.take("{")
        while not self.sees("}"):
            if pairs:
                self.take(",")
            self.take("{")
            key = self.literal(type_.key)
            self.take(",")
            pairs.append((key, self.literal(type_.value)))
            self.take("}")
        self.advance()
        return tuple(pairs)

    def blob(self, type_: ValueType) -> BlobRef:
        start = self.start
        if not isinstance(type_, TensorType) or type_.dtype == "string":
            self.fail("only a tensor of numbers stands in a blob", at=start)
        self.take("BLOBFILE")
        self.take("(")
        path = self.field("path").data
        self.take(",")
        offset = self.field("offset")
        self.take(")")
        if not isinstance(path, str):
            self.fail("the path of a blob is a string", at=start)
        if offset.type != TensorType("uint64") or not isinstance(offset.data, np.ndarray):
            self.fail("the offset of a blob is a uint64", at=start)
        return BlobRef(path, int(offset.data))

    def field(self, name: str) -> Literal:
        self.take(name)
        self.take("=")
        return self.value()
