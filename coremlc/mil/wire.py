"""Programs as protobuf bytes in one order that depends on nothing but the program.

Protobuf gives no order to maps (functions, arguments, attributes), and its deterministic mode has
not the same order in each of its implementations. Bundles hold a hash of these bytes, so they are
laid out here: fields by number, maps by key. Types and literals, which hold no maps, are left to
protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coremlc.mil.pb2 import classes
from coremlc.mil.program import Arg, Block, Function, Literal, Op, Program, Value
from coremlc.mil.proto import set_type, set_value
from coremlc.mil.types import ValueType


def program_to_bytes(program: Program) -> bytes:
    """A serialized `MILSpec.Program`."""
    return _Writer().program(program)


def varint(number: int) -> bytes:
    """A non-negative integer, seven bits a byte."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, data: bytes) -> bytes:
    """A string or submessage with its tag and length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """A non-negative integer with its tag; nothing for the default, 0."""
    return varint(number << 3) + varint(value) if value else b""


def text(number: int, value: str) -> bytes:
    """A string with its tag; nothing for the default, empty."""
    return field(number, value.encode()) if value else b""


def entry(number: int, key: str, value: bytes) -> bytes:
    """One entry of a map field."""
    return field(number, field(1, key.encode()) + field(2, value))


class _Writer:
    """One program; types seen before are not serialized again."""

    def __init__(self) -> None:
        self.types: dict[ValueType, bytes] = {}

    def program(self, program: Program) -> bytes:
        functions = [
            entry(2, name, self.function(program.functions[name]))
            for name in sorted(program.functions)
        ]
        parts = [integer(1, program.version), *functions, text(3, program.doc_string)]
        return b"".join([*parts, *self.attributes(4, program.attributes)])

    def function(self, function: Function) -> bytes:
        blocks = [
            entry(3, opset, self.block(function.blocks[opset])) for opset in sorted(function.blocks)
        ]
        parts = [*self.named(1, function.inputs), text(2, function.opset), *blocks]
        return b"".join([*parts, *self.attributes(4, function.attributes)])

    def block(self, block: Block) -> bytes:
        outputs = [field(2, value.name.encode()) for value in block.outputs]
        ops = [field(3, self.op(op)) for op in block.ops]
        parts = [*self.named(1, block.inputs), *outputs, *ops]
        return b"".join([*parts, *self.attributes(4, block.attributes)])

    def op(self, op: Op) -> bytes:
        inputs = [entry(2, name, self.argument(op.inputs[name])) for name in sorted(op.inputs)]
        blocks = [field(4, self.block(block)) for block in op.blocks]
        parts = [text(1, op.kind), *inputs, *self.named(3, op.outputs), *blocks]
        return b"".join([*parts, *self.attributes(5, op.attributes)])

    def argument(self, bindings: tuple[Arg, ...]) -> bytes:
        return b"".join([field(1, self.binding(binding)) for binding in bindings])

    def binding(self, binding: Arg) -> bytes:
        if isinstance(binding, Value):
            return field(1, binding.name.encode())
        return field(2, self.literal(binding))

    def named(self, number: int, values: Iterable[Value]) -> list[bytes]:
        return [
            field(number, text(1, value.name) + field(2, self.type(value.type))) for value in values
        ]

    def attributes(self, number: int, attributes: Mapping[str, Literal]) -> list[bytes]:
        return [entry(number, name, self.literal(attributes[name])) for name in sorted(attributes)]

    def type(self, type_: ValueType) -> bytes:
        known = self.types.get(type_)
        if known is None:
            spec = classes().mil.ValueType()
            set_type(spec, type_)
            known = self.types[type_] = spec.SerializeToString()
        return known

    def literal(self, literal: Literal) -> bytes:
        spec = classes().mil.Value()
        set_value(spec, literal)
        out: bytes = spec.SerializeToString()
        return out
