"""The text of `model.mil` as a Program: liberal in white space, strict in meaning."""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.mil.program import Arg, Block, Function, Literal, Op, Program, Value
from coremlc.mil.scope import Scope
from coremlc.mil.text.tokens import END, WORD
from coremlc.mil.text.values import TYPE_WORDS, Values
from coremlc.mil.text.words import DIALECTS, OPSET_OF_TAG


def parse_program(text: str) -> Program:
    """The program a `model.mil` holds, whoever wrote it; FormatError with line and column."""
    return _Parser(text).program()


def dialect_of(text: str) -> str:
    """The dialect that the text's first line names."""
    return _Parser(text).dialect()


class _Parser(Values):
    def __init__(self, text: str) -> None:
        self.scope = Scope()
        super().__init__(text)

    def dialect(self) -> str:
        self.take("program")
        self.take("(")
        start = self.start
        dialect = self.number()
        self.take(")")
        if dialect not in DIALECTS:
            self.fail(f"MIL dialect {dialect!r} is none of {', '.join(DIALECTS)}", at=start)
        return dialect

    def program(self) -> Program:
        self.dialect()
        attributes = self.attributes()
        functions: dict[str, Function] = {}
        self.take("{")
        while not self.accept("}"):
            self.take("func")
            start = self.start
            name = self.name("a function's name")
            if name in functions:
                self.fail(f"function {name!r} is defined twice", at=start)
            functions[name] = self.function()
        if self.kind != END:
            self.expected("the end of the file")
        return Program(functions, attributes)

    def function(self) -> Function:
        opset = self.opset()
        self.scope = Scope()
        inputs = self.inputs()
        attributes = self.attributes()
        blocks = {opset: self.block()}
        while self.sees("<"):
            other = self.opset()
            if other in blocks:
                self.fail(f"two blocks for {other}")
            blocks[other] = self.block()
        self.take(";")
        return Function(inputs, opset, blocks, attributes)

    def opset(self) -> str:
        self.take("<")
        tag = self.name("an opset")
        self.take(">")
        return OPSET_OF_TAG.get(tag, tag)

    def inputs(self) -> tuple[Value, ...]:
        self.take("(")
        if self.accept(")"):
            return ()
        start = self.start
        values = self.declarations()
        self.define(values, start)
        self.take(")")
        return values

    def declarations(self) -> tuple[Value, ...]:
        values: list[Value] = []
        while True:
            type_ = self.type()
            values.append(Value(self.name("a value's name"), type_))
            if not self.accept(","):
                return tuple(values)

    def define(self, values: tuple[Value, ...], start: int) -> None:
        for value in values:
            if not self.scope.define(value):
                self.fail(f"{value.name!r} is defined twice", at=start)

    def attributes(self) -> Mapping[str, Literal]:
        attributes: dict[str, Literal] = {}
        if not self.accept("["):
            return attributes
        while not self.accept("]"):
            if attributes:
                self.take(",")
            start = self.start
            name = self.name("an attribute's name")
            if name in attributes:
                self.fail(f"attribute {name!r} is given twice", at=start)
            self.take("=")
            attributes[name] = self.value()
        return attributes

    def block(self) -> Block:
        with self.deeper(), self.scope.nested():
            inputs = self.inputs() if self.sees("(") else ()
            attributes = self.attributes()
            ops: list[Op] = []
            self.take("{")
            while not self.accept("}"):
                ops.append(self.op())
            self.take("->")
            self.take("(")
            outputs: list[Value] = []
            while not self.accept(")"):
                if outputs:
                    self.take(",")
                outputs.append(self.known())
        return Block(tuple(ops), tuple(outputs), inputs, attributes)

    def op(self) -> Op:
        start = self.start
        outputs = self.results()
        kind = self.name("an op")
        opset = ""
        if self.accept("<"):
            opset = self.name("an opset")
            self.take(">")
        inputs = self.arguments()
        attributes = self.attributes()
        blocks: list[Block] = []
        while not self.accept(";"):
            if self.word not in ("(", "[", "{"):
                self.expected("';' or a block")
            blocks.append(self.block())
        self.define(outputs, start)
        if kind == "const" and len(outputs) == 1:
            outputs[0].literal = attributes.get("val")
        return Op(kind, inputs, outputs, attributes, tuple(blocks), opset)

    def results(self) -> tuple[Value, ...]:
        """What stands before ` = `: nothing for an op without results."""
        if self.kind == WORD and self.word not in TYPE_WORDS and self.follows() in ("(", "<"):
            return ()
        is_wrapped = self.accept("(")
        values = self.declarations()
        if is_wrapped:
            self.take(")")
        self.take("=")
        return values

    def arguments(self) -> Mapping[str, tuple[Arg, ...]]:
        arguments: dict[str, tuple[Arg, ...]] = {}
        self.take("(")
        while not self.accept(")"):
            if arguments:
                self.take(",")
            start = self.start
            name = self.name("a parameter's name")
            if name in arguments:
                self.fail(f"parameter {name!r} is given twice", at=start)
            self.take("=")
            arguments[name] = self.argument()
        return arguments

    def argument(self) -> tuple[Arg, ...]:
        if not self.accept("("):
            return (self.binding(),)
        bindings: list[Arg] = []
        while not self.accept(")"):
            if bindings:
                self.take(",")
            bindings.append(self.binding())
        return tuple(bindings)

    def binding(self) -> Arg:
        if self.kind == WORD and self.follows() in ("(", "<"):
            return self.value()
        return self.known()

    def known(self) -> Value:
        start = self.start
        name = self.name("a value")
        value = self.scope.get(name)
        if value is None:
            self.fail(f"{name!r} is not defined before its use", at=start)
        return value
