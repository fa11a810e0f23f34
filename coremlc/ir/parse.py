"""Reads the text form of a Graph that `coremlc.ir.text` prints."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from coremlc.dtypes import BY_SHORT, DType
from coremlc.errors import CoremlcError, FormatError, Where, at
from coremlc.ir.graph import Function, Graph, Input, Node, Output, Value, infer
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.text import quote
from coremlc.ir.types import TensorType

_NUMBER = r"-?(?:\d[\d.]*(?:e[+-]?\d+)?|inf|nan)"
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<comment>\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<digest><[0-9a-f]{64}>)
    | (?P<range>-?\d+\.\.-?\d+)
    | (?P<complex>{number}\+{number}i(?![A-Za-z_0-9]))
    | (?P<number>{number}(?![A-Za-z_0-9]))
    | (?P<value>%\d+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>->|[][(){}=,:+])
    )""".replace("{number}", _NUMBER),
    re.VERBOSE,
)
Tensors = Mapping[str, TensorData]


def parse_graph(text: str, tensors: Tensors | None = None) -> Graph:
    """The graph of a text.

    tensors: large constants by the hexadecimal SHA-256 that stands for them.

    Raises:
        FormatError: the text is not a graph's, with the line.
    """
    parser = _Parser(text, {} if tensors is None else tensors)
    with at(Where("the text of a graph")):
        try:
            return parser.graph()
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise parser.wrong("a graph's text", str(error)) from None
        except CoremlcError as error:
            if error.where is None:
                error.where = parser.line
            raise


class _Parser:
    def __init__(self, text: str, tensors: Tensors) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._tensors = tensors
        self._values: dict[str, Value] = {}
        self._source = ""

    def graph(self) -> Graph:
        self._word("graph")
        name = self._name()
        parameters, inputs = self._inputs()
        nodes = self._nodes()
        results, outputs = self._outputs()
        if self._peek()[1] != "":
            raise self.wrong("output or the end")
        main = Function(tuple(parameters), tuple(nodes), tuple(results))
        return Graph(main, tuple(inputs), tuple(outputs), name)

    def _inputs(self) -> tuple[list[Value], list[Input]]:
        parameters, inputs = [], []
        while self._peek()[1] in ("input", "variable"):
            role = self._next()[1]
            name = self._name()
            self._mark(":")
            value = Value(self._type())
            bounds: tuple[int, int] | None = None
            if self._peek()[1] == "in":
                self._next()
                low, high = self._expect("range").split("..")
                bounds = int(low), int(high)
            self._values[quote(name)] = value
            parameters.append(value)
            inputs.append(Input(name, typing.cast(Any, role), bounds))
        return parameters, inputs

    def _outputs(self) -> tuple[list[Value], list[Output]]:
        results, outputs = [], []
        while self._peek()[1] == "output":
            self._next()
            name = self._name()
            self._mark("=")
            results.append(self._value())
            if self._peek()[1] == "updates":
                self._next()
                outputs.append(Output(name, "variable_update", self._name()))
            else:
                outputs.append(Output(name))
        return results, outputs

    def _nodes(self) -> list[Node]:
        nodes = []
        while self._peek()[0] == "value":
            nodes.append(self._node())
        return nodes

    def _node(self) -> Node:
        names = [self._expect("value")]
        while self._take(","):
            names.append(self._expect("value"))
        self._mark("=")
        kind = self._expect("word")
        if kind not in REGISTRY:
            raise self.wrong("the name of an op", kind)
        self._mark("(")
        operands = self._list(")", self._value)
        given = self._fields(REGISTRY[kind]) if self._take("{") else {}
        self._mark(":")
        types = [self._type()]
        while self._take(","):
            types.append(self._type())
        source = self._comment()
        bodies = [f.name for f in dataclasses.fields(REGISTRY[kind]) if f.type == "Function"]  # type: ignore[arg-type]
        for name in bodies:
            given[name] = self._body()
        op = REGISTRY[kind](**given)
        node = Node(op, tuple(operands), tuple(types), source)
        if infer(op, node.operands) != tuple(types):
            raise self.wrong(f"the types of {kind}", ", ".join(map(str, types)))
        self._values.update(zip(names, node.results, strict=True))
        return node

    def _body(self) -> Function:
        self._mark("(")
        parameters: list[Value] = []
        while not self._take(")"):
            name = self._expect("value")
            self._mark(":")
            value = Value(self._type())
            self._values[name] = value
            parameters.append(value)
            self._take(",")
        self._mark("{")
        nodes = self._nodes()
        self._mark("}")
        self._mark("->")
        results = [self._value()]
        while self._take(","):
            results.append(self._value())
        return Function(tuple(parameters), tuple(nodes), tuple(results))

    def _fields(self, cls: type) -> dict[str, Any]:
        structs = _structs(cls)
        fields: dict[str, Any] = {}
        while not self._take("}"):
            name = self._expect("word")
            self._mark("=")
            fields[name] = self._attribute(structs)
            self._take(",")
        return fields

    def _attribute(self, structs: Mapping[str, type]) -> Any:
        kind, text = self._peek()
        if kind == "string":
            return self._name()
        if kind == "number":
            self._next()
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if self._take("("):
            return tuple(self._list(")", lambda: self._attribute(structs)))
        word = self._expect("word")
        if word in ("true", "false"):
            return word == "true"
        if word in structs:
            return self._struct(structs[word], structs)
        if self._peek()[1] != "[":
            return self._dtype(word)
        return self._typed(word)

    def _struct(self, cls: type, structs: Mapping[str, type]) -> Any:
        self._mark("(")
        fields: dict[str, Any] = {}
        while not self._take(")"):
            name = self._expect("word")
            self._mark("=")
            fields[name] = self._attribute(structs)
            self._take(",")
        return cls(**fields)

    def _typed(self, word: str) -> TensorType | TensorData:
        """A type; or, if elements or a digest follow, a constant."""
        t = TensorType(self._dtype(word), self._dims())
        if self._peek()[0] == "digest":
            digest = self._next()[1][1:-1]
            if digest not in self._tensors:
                raise self.wrong("a constant that was given", digest)
            return self._tensors[digest]
        if not self._take("("):
            return t
        numpy = t.dtype.numpy
        if self._peek()[1] == "splat":
            self._next()
            one = np.array(self._element(t.dtype)).astype(numpy)
            self._mark(")")
            return TensorData(t.dtype, np.broadcast_to(one, t.shape))
        items = self._list(")", lambda: self._element(t.dtype))
        if len(items) != t.size:
            raise self.wrong(f"{t.size} elements", str(len(items)))
        return TensorData(t.dtype, np.array(items).reshape(t.shape).astype(numpy))

    def _element(self, dtype: DType) -> Any:
        kind, text = self._next()
        if dtype.kind == "bool":
            return text == "true"
        wanted = "complex" if dtype.is_complex else "number"
        if kind != wanted:
            raise self.wrong(f"a {wanted} element", text)
        if dtype.is_integer:
            return np.array(int(text), dtype.numpy)
        if not dtype.is_complex:
            return float(text)
        parts = re.fullmatch(f"({_NUMBER})\\+({_NUMBER})i", text)
        assert parts is not None
        return complex(float(parts[1]), float(parts[2]))

    def _type(self) -> TensorType:
        return TensorType(self._dtype(self._expect("word")), self._dims())

    def _dtype(self, word: str) -> DType:
        if word not in BY_SHORT:
            raise self.wrong("a dtype", word)
        return BY_SHORT[word]

    def _dims(self) -> tuple[int, ...]:
        self._mark("[")
        dims = tuple(self._list("]", lambda: int(self._expect("number"))))
        if any(dim < 0 for dim in dims):
            raise self.wrong("dims of 0 and more", str(dims))
        return dims

    def _list(self, end: str, item: typing.Callable[[], Any]) -> list[Any]:
        items: list[Any] = []
        while not self._take(end):
            items.append(item())
            if not self._take(",") and self._peek()[1] != end:
                raise self.wrong(f"',' or {end!r}")
        return items

    def _value(self) -> Value:
        kind, text = self._peek()
        name = quote(_unquote(text)) if kind == "string" else text
        if name not in self._values:
            raise self.wrong("a value that is defined before")
        self._at += 1
        return self._values[name]

    def _name(self) -> str:
        kind, text = self._next()
        if kind not in ("word", "string"):
            raise self.wrong("a name", text)
        return _unquote(text) if kind == "string" else text

    def _comment(self) -> str:
        return self._next()[1].lstrip("# ") if self._peek()[0] == "comment" else ""

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at][:2] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, mark: str) -> bool:
        if self._peek() != ("mark", mark):
            return False
        self._at += 1
        return True

    def _mark(self, mark: str) -> None:
        if not self._take(mark):
            raise self.wrong(repr(mark))

    def _word(self, word: str) -> None:
        if self._peek() != ("word", word):
            raise self.wrong(repr(word))
        self._at += 1

    def _expect(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            self._at -= 1
            raise self.wrong(f"a {kind}")
        return text

    def wrong(self, wanted: str, found: str | None = None) -> FormatError:
        got = self._peek()[1] if found is None else found
        return FormatError(
            f"{wanted} expected, found {got!r}",
            fix="use text that coremlc printed",
            where=self.line,
        )

    @property
    def line(self) -> Where:
        """Where the parser stands."""
        if not self._tokens:
            return Where("line 1")
        return Where(f"line {self._tokens[min(self._at, len(self._tokens) - 1)][2]}")


def _tokens(text: str) -> typing.Iterator[tuple[str, str, int]]:
    """(kind, text, line) of each token."""
    position, line = 0, 1
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise FormatError(
                f"text that is no graph's: {text[position : position + 20].strip()!r}",
                fix="use text that coremlc printed",
                where=Where(f"line {line + _newlines(text, position)}"),
            )
        line += text.count("\n", position, match.start(match.lastgroup))
        yield match.lastgroup, match.group(match.lastgroup), line
        position = match.end()


def _newlines(text: str, position: int) -> int:
    """Line ends before the next token."""
    rest = text[position:]
    return rest[: len(rest) - len(rest.lstrip())].count("\n")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])


@cache
def _structs(cls: Any) -> dict[str, type]:
    """Dataclasses that the attributes of an op kind hold, by name."""
    found: dict[str, type] = {}
    pending = list(typing.get_type_hints(cls).values())
    while pending:
        hint = pending.pop()
        pending += typing.get_args(hint)
        own = isinstance(hint, type) and dataclasses.is_dataclass(hint)
        plain = hint in (DType, TensorType, Function) or (own and issubclass(hint, Op))
        if own and not plain and hint.__name__ not in found:
            found[hint.__name__] = hint
            pending += typing.get_type_hints(hint).values()
    return found
