"""Builder: one Function of MIL ops, typed as it grows.

    m = Builder("ios17")
    x = m.input("x", TensorType("fp32", (1, 3)))
    function = m.finish([("y", m.add(x=m.relu(x=x), y=1.0))])

Any op of the dialect is a method that takes its parameters by keyword. Data becomes `const` ops.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias, cast

import numpy as np

from coremlc.errors import CompileError, ShapeError
from coremlc.mil.dialect import DIALECT, OPSETS, infer, opset_of, signature_of
from coremlc.mil.dialect.args import spell
from coremlc.mil.dialect.defaults import check_explicit, left_out
from coremlc.mil.dialect.literals import (
    NUMPY,
    Plain,
    bound_dtypes,
    dtype_for,
    identity_of,
    of_array,
    of_plain,
    text,
)
from coremlc.mil.dialect.opsets import MAX_RANK, ORDER
from coremlc.mil.dialect.signature import OpDef, Param, Signature
from coremlc.mil.program import Arg, Array, Block, Function, Literal, Op, Value
from coremlc.mil.types import StateType, TensorType, ValueType

Given: TypeAlias = "Value | Literal | Array | np.generic | Plain | Sequence[Value] | None"
"""What a parameter may be given; None leaves it out."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*")
_NOT_NAME = re.compile(r"[^A-Za-z0-9_@]")


class Emit(Protocol):
    """An op of one result as a method of the builder."""

    def __call__(self, *, name: str | None = None, **inputs: Given) -> Value: ...


class EmitMany(Protocol):
    """An op of several results, or none, as a method of the builder."""

    def __call__(self, *, name: str | None = None, **inputs: Given) -> tuple[Value, ...]: ...


_MANY = frozenset({"split", "topk", "lstm", "gru", "rnn", "write_state"})


class Builder:
    """Builds one Function for an opset; MIL's defaults are left out unless `spell_defaults`."""

    split: EmitMany
    topk: EmitMany
    lstm: EmitMany
    gru: EmitMany
    rnn: EmitMany
    write_state: EmitMany

    def __init__(self, opset: str = "ios17", *, spell_defaults: bool = False) -> None:
        self.opset = opset_of(opset)
        self._spells_defaults = spell_defaults
        self._names: dict[str, Value] = {}
        self._hidden: set[int] = set()
        """Ids of the values of closed blocks."""
        self._counts: dict[str, int] = {}
        self._inputs: list[Value] = []
        self._root: list[Op] = []
        self._ops = self._root
        """Those of the innermost open block."""
        self._consts: dict[tuple[object, ...], Value] = {}
        self._plain: dict[tuple[str, str], Value] = {}
        """Constants by the text of the data they were given as; so that 0.0 is not -0.0, nor 1."""
        self._constexprs: set[str] = set()
        self._rows: dict[str, tuple[OpDef, Signature]] = {}

    def input(self, name: str, kind: TensorType | StateType) -> Value:
        """A new input of the function; its name is kept as it is."""
        if not _NAME.fullmatch(name) or name in self._names:
            raise CompileError(
                f"input name {name!r} is {'taken' if name in self._names else 'not a MIL name'}",
                fix="use an unused name of letters, digits, _ and @, not starting with a digit",
            )
        tensor = kind.tensor if isinstance(kind, StateType) else kind
        if len(tensor.shape) > MAX_RANK:
            raise ShapeError(
                f"input {name} is {spell(kind)}, of rank {len(tensor.shape)}",
                fix=f"Core ML has tensors of rank 0..{MAX_RANK}",
            )
        value = Value(name, kind)
        self._names[name] = value
        self._inputs.append(value)
        return value

    def __getattr__(self, kind: str) -> Emit:
        if kind not in DIALECT:
            raise AttributeError(f"MIL has no op {kind!r} that coremlc knows")
        emit = self._emit_many if kind in _MANY else self._emit_one
        method = self.__dict__[kind] = cast("Emit", partial(emit, kind))
        return method

    def _emit_one(self, kind: str, *, name: str | None = None, **inputs: Given) -> Value:
        results = self.emit(kind, inputs, name)
        assert len(results) == 1, f"{kind} has {len(results)} results: call emit"
        return results[0]

    def _emit_many(
        self, kind: str, *, name: str | None = None, **inputs: Given
    ) -> tuple[Value, ...]:
        return self.emit(kind, inputs, name)

    def const(self, given: Array | Plain, dtype: str = "", name: str | None = None) -> Value:
        """A constant: an array as it is, or plain data as `dtype` (else fp32, int32, bool, string).

        Equal small constants are one op, named as the first of them.
        """
        if isinstance(given, NUMPY):
            literal = of_array(np.asanyarray(given), dtype)
        else:
            literal = of_plain(given, dtype or dtype_for(_ANY, given, {}))
        return self._const(literal, name)

    def emit(
        self, kind: str, inputs: Mapping[str, Given], name: str | None = None
    ) -> tuple[Value, ...]:
        """Add an op of any kind, with as many results as it has."""
        definition, signature = self._row(kind)
        if self._spells_defaults:
            inputs = {**inputs, **left_out(kind, signature, inputs)}
        bindings = self._bind(kind, signature, inputs)
        check_explicit(kind, signature, bindings)
        return self._add(definition, signature, bindings, name=name)

    def cond(
        self,
        *,
        pred: Given,
        true: Callable[[], Sequence[Value]],
        false: Callable[[], Sequence[Value]],
        name: str | None = None,
    ) -> tuple[Value, ...]:
        """MIL `cond`: the results of one of two blocks, which see the values around them."""
        definition, signature = self._row("cond")
        bindings = self._bind("cond", signature, {"pred": pred})
        blocks = (self._block((), "", true), self._block((), "", false))
        return self._add(definition, signature, bindings, name=name, blocks=blocks)

    def while_loop(
        self,
        *,
        cond: Callable[..., Value],
        body: Callable[..., Sequence[Value]],
        loop_vars: Sequence[Given],
        name: str | None = None,
    ) -> tuple[Value, ...]:
        """MIL `while_loop`: `body(*vars)` while `cond(*vars)`; both get one value per loop_var."""
        definition, signature = self._row("while_loop")
        param = signature.params["loop_vars"]
        start = tuple(self._arg("while_loop", param, given, {}) for given in loop_vars)
        types = [value.type for value in start]
        blocks = (
            self._block(types, "while_cond", lambda *values: (cond(*values),)),
            self._block(types, "while_body", body),
        )
        return self._add(definition, signature, {"loop_vars": start}, name=name, blocks=blocks)

    def finish(
        self,
        outputs: Sequence[tuple[str, Value]],
        attributes: Mapping[str, Literal] | None = None,
    ) -> Function:
        """The function, with its results named as given."""
        results: list[Value] = []
        seen = {id(value) for value in self._inputs}
        for name, value in outputs:
            self._check_output(name, value, results)
            is_plain = id(value) not in seen and not self._is_constant(value)
            result = value if is_plain else self.identity(x=value)
            self._rename(result, name)
            seen.add(id(result))
            results.append(result)
        if not results:
            raise CompileError("a function without outputs", fix="give one output or more")
        opset = OPSETS[self.opset]
        block = Block(tuple(_named(self._root)), tuple(results))
        return Function(tuple(self._inputs), opset, {opset: block}, dict(attributes or {}))

    def _check_output(self, name: str, value: Value, before: list[Value]) -> None:
        if not _NAME.fullmatch(name):
            raise CompileError(
                f"output name {name!r} is not a MIL name",
                fix="use letters, digits, _ and @, not starting with a digit",
            )
        if any(name == other.name for other in (*self._inputs, *before)):
            raise CompileError(
                f"output name {name!r} is an input's or another output's", fix="rename the output"
            )
        self._check_visible(value)

    def _rename(self, value: Value, name: str) -> None:
        other = self._names.get(name)
        if other is not None and other is not value:
            self._rename(other, self._unique(name))
        self._names.pop(value.name, None)
        if value.name in self._constexprs:
            self._constexprs.discard(value.name)
            self._constexprs.add(name)
        self._names[name] = value
        value.name = name

    def _is_constant(self, value: Value) -> bool:
        return value.literal is not None or value.name in self._constexprs

    def _row(self, kind: str) -> tuple[OpDef, Signature]:
        row = self._rows.get(kind)
        if row is None:
            definition = DIALECT[kind]
            row = definition, signature_of(definition, self.opset)
            self._rows[kind] = row
        return row

    def _bind(
        self, kind: str, signature: Signature, inputs: Mapping[str, Given]
    ) -> dict[str, tuple[Arg, ...]]:
        """Values as they are; data as constants of the dtype that the values ask for."""
        bindings: dict[str, tuple[Arg, ...]] = {}
        params = signature.params
        bound: dict[str, str] | None = None
        for name, given in inputs.items():
            if isinstance(given, Value):
                self._check_visible(given)
                bindings[name] = (given,)
                continue
            if given is None:
                continue
            param = params.get(name)
            if param is None:
                raise ShapeError(
                    f"{kind}: no parameter {name} in {self.opset}",
                    fix=f"it has {', '.join(params)}",
                )
            if bound is None and (param.variable or param.is_variadic):
                bound = bound_dtypes(params, inputs)
            items = cast("Sequence[Given]", given) if param.is_variadic else (given,)
            bindings[name] = tuple(
                self._arg(kind, param, item, bound or _UNBOUND) for item in items
            )
        return bindings

    def _arg(self, kind: str, param: Param, given: Given, bound: Mapping[str, str]) -> Arg:
        if isinstance(given, Value):
            self._check_visible(given)
            return given
        try:
            if isinstance(given, Literal):
                literal = given
            elif isinstance(given, NUMPY):
                literal = of_array(np.asanyarray(given), param.sub_byte)
            elif kind not in _INLINE:
                return self._plain_const(cast("Plain", given), dtype_for(param, given, bound))
            else:
                literal = of_plain(cast("Plain", given), dtype_for(param, given, bound))
        except ShapeError as error:
            raise ShapeError(f"{kind}: {param.name}: {error.what}", fix=error.fix) from None
        return literal if kind in _INLINE else self._const(literal)

    def _plain_const(self, given: Plain, dtype: str) -> Value:
        key = dtype, repr(given)
        known = self._plain.get(key)
        if known is None:
            known = self._plain[key] = self._const(of_plain(given, dtype))
        return known

    def _const(self, literal: Literal, name: str | None = None) -> Value:
        """The value of a `const` op of the outermost block; equal literals are one."""
        key = identity_of(literal)
        known = self._consts.get(key)
        if known is not None:
            return known
        value = Value(self._unique(name, "const"), literal.type, literal)
        self._names[value.name] = value
        self._consts[key] = value
        attributes = {"name": text(value.name), "val": literal}
        self._root.append(Op("const", {}, (value,), attributes))
        return value

    def _add(
        self,
        definition: OpDef,
        signature: Signature,
        bindings: Mapping[str, tuple[Arg, ...]],
        *,
        name: str | None,
        blocks: tuple[Block, ...] = (),
    ) -> tuple[Value, ...]:
        kind = definition.name
        types = infer(
            definition, signature, bindings, self.opset, blocks=blocks, constexprs=self._constexprs
        )
        label = self._unique(name, kind)
        attributes = {"name": text(label)}
        ops = self._ops
        if len(types) == 1:
            results: tuple[Value, ...] = (Value(label, types[0]),)
        else:
            results = tuple(
                Value(self._unique(f"{label}_{i}"), each) for i, each in enumerate(types)
            )
        for value in results:
            self._names[value.name] = value
        if kind.startswith("constexpr_"):
            ops = self._root
            self._constexprs.update(value.name for value in results)
            if ORDER[signature.since] < ORDER["ios18"]:
                held = {key: cast("Literal", value[0]) for key, value in bindings.items()}
                attributes, bindings = {**attributes, **held}, {}
        ops.append(Op(kind, bindings, results, attributes, blocks))
        return results

    def _block(
        self, types: Iterable[ValueType], hint: str, build: Callable[..., Sequence[Value]]
    ) -> Block:
        """A nested block; results it does not compute itself pass through `identity`."""
        inputs = []
        for kind in types:
            value = Value(self._unique(None, hint), kind)
            self._names[value.name] = value
            inputs.append(value)
        outside, self._ops = self._ops, []
        try:
            given = build(*inputs)
            made = {id(value) for op in self._ops for value in op.outputs}
            outputs = []
            for value in given:
                result = value if id(value) in made else self.identity(x=value)
                made.discard(id(result))
                outputs.append(result)
            ops = self._ops
        finally:
            self._ops = outside
        self._hidden.update(map(id, inputs), (id(value) for op in ops for value in op.outputs))
        return Block(tuple(ops), tuple(outputs), tuple(inputs))

    def _check_visible(self, value: Value) -> None:
        if self._names.get(value.name) is not value or id(value) in self._hidden:
            raise CompileError(
                f"%{value.name} is not visible here",
                fix="use values of this builder, from this block or one around it",
            )

    def _unique(self, hint: str | None, kind: str = "") -> str:
        """An unused name: the hint itself, or `<kind>_<n>`."""
        if hint is not None:
            stem = _NOT_NAME.sub("_", hint)
            if not stem or stem[0].isdigit():
                stem = "_" + stem
            if stem not in self._names:
                return stem
        else:
            stem = kind
        count = self._counts.get(stem, 0)
        while (name := f"{stem}_{count}") in self._names:
            count += 1
        self._counts[stem] = count + 1
        return name


_UNBOUND: Mapping[str, str] = {}
_ANY = Param("value", "", frozenset({"bool", "int32", "fp32", "string"}))
_INLINE = frozenset(kind for kind in DIALECT if kind.startswith("constexpr_")) | {"reshape_like"}
"""Ops whose constants stand in the op itself."""


def _named(ops: Iterable[Op]) -> Iterable[Op]:
    """The ops; one whose only result was renamed takes its name."""
    for op in ops:
        blocks = tuple(_named_block(block) for block in op.blocks) if op.blocks else ()
        attributes = op.attributes
        if len(op.outputs) == 1 and attributes["name"].data != op.outputs[0].name:
            attributes = {**attributes, "name": text(op.outputs[0].name)}
        elif not blocks:
            yield op
            continue
        yield Op(op.kind, op.inputs, op.outputs, attributes, blocks)


def _named_block(block: Block) -> Block:
    return Block(tuple(_named(block.ops)), block.outputs, block.inputs, block.attributes)
