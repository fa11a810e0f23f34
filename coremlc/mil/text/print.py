"""A Program as the text of `model.mil`, byte for byte as Apple's compiler prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np

from coremlc.errors import FormatError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import Arg, Array, BlobRef, Block, Function, Literal, Op, Program, Value
from coremlc.mil.text.words import DIALECTS, NAME, OPSETS
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

_TRAILING_ZEROS = re.compile(r"\.?0*p")
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def print_program(program: Program, *, dialect: str) -> str:
    """The text of a program in dialect `1.0` (spec 6 to 8) or `1.3` (spec 9 and later)."""
    if dialect not in DIALECTS:
        raise FormatError(f"MIL dialect {dialect!r}", fix=f"use one of {', '.join(DIALECTS)}")
    return _Printer(dialect).program(program)


class _Printer:
    """One walk over a program; types and repeated scalars are printed once and remembered."""

    def __init__(self, dialect: str) -> None:
        self.is_typed_scalar = dialect == "1.0"
        self.dialect = dialect
        self.types: dict[ValueType, str] = {}

    def program(self, program: Program) -> str:
        functions = "\n".join(
            self.function(name, program.functions[name]) for name in sorted(program.functions)
        )
        attributes = self.attributes(program.attributes)
        return f"program({self.dialect})\n{attributes and attributes + chr(10)}{{\n{functions}\n}}"

    def function(self, name: str, function: Function) -> str:
        tag = OPSETS.get(function.opset, function.opset)
        inputs = self.declarations(sorted(function.inputs, key=lambda value: value.name))
        attributes = self.attributes(function.attributes)
        lines = [f"    func {_name(name)}<{tag}>({inputs}) {attributes and attributes + ' '}"]
        lines[0] += "".join(self.block(function.block, 8))
        for opset in sorted(function.blocks):
            if opset == function.opset:
                continue
            other = "".join(self.block(function.blocks[opset], 8))
            lines.append(f"        <{OPSETS.get(opset, opset)}> {other}")
        return "\n".join(lines) + ";"

    def block(self, block: Block, indent: int) -> Iterator[str]:
        if block.inputs:
            yield f"({self.declarations(block.inputs)}) "
        if block.attributes:
            yield f"{self.attributes(block.attributes)} "
        yield "{"
        if block.ops:
            yield "\n"
        for op in block.ops:
            yield from self.op(op, indent + 4)
        if block.ops:
            yield " " * indent
        yield f"}} -> ({', '.join([value.name for value in block.outputs])})"

    def op(self, op: Op, indent: int) -> Iterator[str]:
        yield " " * indent
        if op.outputs:
            yield f"{self.declarations(op.outputs)} = "
        yield f"{_name(op.kind)}<{op.opset}>(" if op.opset else f"{_name(op.kind)}("
        yield ", ".join(
            [f"{_name(name)} = {self.argument(op.inputs[name])}" for name in sorted(op.inputs)]
        )
        yield ")"
        yield self.attributes(op.attributes)
        inner = indent + 4
        for block in op.blocks:
            yield "\n" + " " * inner
            yield from self.block(block, inner)
        yield ";\n"

    def declarations(self, values: list[Value] | tuple[Value, ...]) -> str:
        return ", ".join([f"{self.type(value.type)} {_name(value.name)}" for value in values])

    def attributes(self, attributes: Mapping[str, Literal]) -> str:
        if not attributes:
            return ""
        items = [f"{_name(name)} = {self.value(attributes[name])}" for name in sorted(attributes)]
        return f"[{', '.join(items)}]"

    def argument(self, bindings: tuple[Arg, ...]) -> str:
        texts = [b.name if isinstance(b, Value) else self.value(b) for b in bindings]
        return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"

    def value(self, literal: Literal) -> str:
        return f"{self.type(literal.type)}({self.literal(literal)})"

    def type(self, type_: ValueType) -> str:
        text = self.types.get(type_)
        if text is None:
            text = self.types[type_] = self._type(type_)
        return text

    def _type(self, type_: ValueType) -> str:
        match type_:
            case TensorType(dtype, ()) if not self.is_typed_scalar:
                return dtype
            case TensorType(dtype, shape):
                return f"tensor<{dtype}, [{', '.join([_dim(dim) for dim in shape])}]>"
            case ListType(element, length):
                return f"list<{self.type(element)}, {_dim(length)}>"
            case TupleType(items):
                return f"tuple<{', '.join([self.type(item) for item in items])}>"
            case DictType(key, value):
                return f"dict<{self.type(key)}, {self.type(value)}>"
            case StateType() if self.dialect != "1.3":
                raise FormatError(
                    f"a state in MIL dialect {self.dialect}", fix="write for iOS18 or later"
                )
            case StateType(tensor):
                return f"state<{self.type(tensor)}>"
            case BufferType(kind, dtype, fields):
                ends = [f"{name}=[{', '.join(map(str, sizes))}]" for name, sizes in fields]
                return f"{kind}<{', '.join([dtype, *ends])}>"

    def literal(self, literal: Literal, *, is_decimal: bool = False) -> str:
        data = literal.data
        if isinstance(data, BlobRef):
            path = self.value(Literal(TensorType("string"), data.path))
            offset = f"{self.type(TensorType('uint64'))}({data.offset})"
            return f"BLOBFILE(path = {path}, offset = {offset})"
        if isinstance(data, str):
            return _string(data)
        if isinstance(data, np.ndarray):
            assert isinstance(literal.type, TensorType), literal.type
            return _array(data, literal.type.dtype, is_decimal=is_decimal)
        return self.collection(literal)

    def collection(self, literal: Literal) -> str:
        match literal.type:
            case DictType():
                pairs = cast("tuple[tuple[Literal, Literal], ...]", literal.data)
                items = [
                    f"{{{self.literal(key, is_decimal=True)}, "
                    f"{self.literal(value, is_decimal=True)}}}"
                    for key, value in pairs
                ]
                return f"{{{', '.join(sorted(items))}}}"
            case ListType():
                members = cast("tuple[Literal, ...]", literal.data)
                return f"[{', '.join([self.literal(member) for member in members])}]"
            case _:
                members = cast("tuple[Literal, ...]", literal.data)
                return f"({', '.join([self.literal(member) for member in members])})"


def _name(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise FormatError(
            f"the name {name!r} can't stand in MIL text",
            fix="use letters, digits and _ , beginning with a letter or _",
        )
    return name


def _dim(dim: Dim) -> str:
    if dim is None:
        return "?"
    return "..." if dim is ... else str(dim)


def _string(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _array(data: Array, dtype: str, *, is_decimal: bool) -> str:
    """Nested brackets in row-major order; linear, and without a Python call per float."""
    texts = _elements(data, dtype, is_decimal=is_decimal)
    count = len(texts)
    for axis in range(data.ndim - 1, -1, -1):
        size = data.shape[axis]
        count = int(np.prod(data.shape[:axis], dtype=np.int64))
        texts = [f"[{', '.join(texts[i * size : (i + 1) * size])}]" for i in range(count)]
    return texts[0]


def _elements(data: Array, dtype: str, *, is_decimal: bool) -> list[str]:
    flat = data.reshape(-1)
    if dtype == "string":
        return [_string(str(text)) for text in flat.tolist()]
    if dtype == "bool":
        return ["true" if bit else "false" for bit in flat.tolist()]
    if STORAGE[dtype].maximum:
        ints = flat if flat.dtype.kind in "iu" else flat.astype(np.int64)
        return list(map(str, ints.tolist()))
    with np.errstate(invalid="ignore"):  # a signaling NaN
        floats: list[float] = flat.astype(np.float64).tolist()
    if is_decimal:
        return [f"{number:.17g}" for number in floats]
    if dtype == "fp64":
        return [_TRAILING_ZEROS.sub("p", _hex64(number)) for number in floats]
    if not floats:
        return []
    return _TRAILING_ZEROS.sub("p", " ".join(map(float.hex, floats))).split(" ")


def _hex64(number: float) -> str:
    """Hex of an fp64, subnormals normalised as for the narrower dtypes."""
    if number == 0 or abs(number) >= 2.0**-1022 or number != number:
        return number.hex()
    mantissa, exponent = (number * 2.0**128).hex().split("p")
    return f"{mantissa}p{int(exponent) - 128}"
