"""Dtypes that Core ML lacks become dtypes that it has, or refusals: never a silently other number.

int8 .. uint16 -> int32, wrapped where a result may leave the dtype. int64 and uint64 -> int32 where
the values are proved to fit, else two 32-bit words; uint32 -> its bits as int32 (passes/words).
float64 -> float32 with a warning. All that can't be done is collected, so that a user sees every
refusal of a graph at once.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any, TypeVar

import numpy as np

from coremlc.dtypes import BY_NAME, C128, COMPLEX, F32, F64, I32, I64, DType
from coremlc.errors import CoremlcError, RefusedError, Where
from coremlc.ir.graph import (
    Builder,
    Function,
    Graph,
    Input,
    Node,
    Output,
    Value,
    Word,
    placed,
    walk,
    where,
)
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op, Range
from coremlc.ir.types import TensorType
from coremlc.ir.verify import LOWERABLE
from coremlc.ops.binary import Add, Sub, mod
from coremlc.ops.control_flow import While
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.leaves import Constant, constant
from coremlc.ops.refused import REFUSED, Unsupported
from coremlc.ops.selection import Clamp
from coremlc.passes import ranges, words
from coremlc.passes.loops import of_loop
from coremlc.passes.smart import SmartBuilder
from coremlc.passes.words import Operand, Words

SMALL = frozenset(d for d in BY_NAME.values() if d.is_integer and d.bits <= 16)
"""Integers whose every value an int32 holds."""
FLOAT8 = frozenset(d for d in BY_NAME.values() if d.is_float and d.bits == 8)
"""Floats that only constants are; what follows from them by movement alone is one too."""
NARROWED: dict[DType, DType] = {
    **dict.fromkeys((*words.LONG, words.U32, *SMALL), I32),
    **dict.fromkeys((F64, *FLOAT8), F32),
}
_MOVING = frozenset(
    {"BroadcastInDim", "Concatenate", "Constant", "DynamicSlice", "Gather", "Identity", "Pad"}
    | {"Reshape", "Reverse", "Slice", "Transpose", "Where"}
)
BF16 = BY_NAME["BFloat16"]
"""Widened before (passes/bfloat16)."""
_WHY: dict[str, str] = {
    "int": "Core ML computes in int32; its exact emulation is not built yet",
    "uint": "Core ML has no unsigned arithmetic; its exact emulation is not built yet",
    "float": "Core ML has float16 and float32",
}
Place = Node | Input | Output
"""What a refusal is about."""


class Legalizer:
    """One run over one graph."""

    def __init__(self, *, strict: bool) -> None:
        self.refusals: list[CoremlcError] = []
        self._strict = strict
        self._float64: list[str] = []
        self._wide: dict[Value, str] = {}
        self._mapped: dict[Value, Operand] = {}
        """What the graph's values became."""
        self._known: dict[Value, Range] = {}
        """In which interval integers are."""
        self._unknown: set[Value] = set()
        """Values that follow from a refused op: nothing more is said of them."""

    def check(self, graph: Graph) -> None:
        """Note what no pass can make legal, while ops are still those that the user wrote."""
        for value, given in zip(graph.main.parameters, graph.inputs, strict=True):
            self._check_type(value.type, given)
        for node in walk(graph.main):
            if isinstance(node.op, Unsupported):
                kind = node.op.op
                self._refuse(f"{kind}: {REFUSED[kind]}", "build the model without it", node)
            for result in node.results:
                self._check_type(result.type, node)

    def graph(self, graph: Graph) -> Graph:
        """A checked graph in legal dtypes; what has no form on words is in `refusals`.

        An input or output of two words is two: high, low.
        """
        g = SmartBuilder()
        inputs: list[Input] = []
        outputs: list[Output] = []
        for value, given in zip(graph.main.parameters, graph.inputs, strict=True):
            self._known[value] = _input_range(given, value.type)
            self._mapped[value] = self._parameter(g, value, self._known[value])
            inputs += _named(given, self._mapped[value])
        for node in graph.main.nodes:
            self._node(g, node)
        results: list[Value] = []
        for value, told in zip(graph.main.results, graph.outputs, strict=True):
            result = self._mapped[value]
            outputs += _named(told, result)
            results += (result.high, result.low) if isinstance(result, Words) else (result,)
        main = g.finish(*results, name=graph.main.name)
        legal = dataclasses.replace(graph, main=main, inputs=tuple(inputs), outputs=tuple(outputs))
        return legal.warn(*self._warnings())

    def _parameter(self, g: SmartBuilder, value: Value, interval: Range) -> Operand:
        legal = _legal_type(value.type)
        if value.type.dtype in words.LONG and not words.fits(interval):
            return Words(g.parameter(legal), g.parameter(legal))
        return g.parameter(legal)

    def _warnings(self) -> list[str]:
        said = []
        if self._float64:
            count, first = len(self._float64), self._float64[0]
            said.append(
                f"{count} float64 value{'s' if count > 1 else ''} computed in float32, "
                f"the first at {first}; --strict refuses them"
            )
        if self._wide:
            count, first = len(self._wide), next(iter(self._wide.values()))
            said.append(
                f"{count} int64 value{'s' if count > 1 else ''} computed exactly in two words, "
                f"the first at {first}; --assume ranges of the inputs to make it one"
            )
        return said

    def _node(self, g: SmartBuilder, node: Node) -> None:
        intervals = ranges.of_node(node, self._known)
        if isinstance(node.op, Unsupported) or not self._unknown.isdisjoint(node.operands):
            self._unknown.update(node.results)
        for result, interval in zip(node.results, intervals, strict=True):
            self._known[result] = ranges.wrapped(interval, result.type)
        if node.op.bodies and self._unknown.isdisjoint(node.results):
            self._bodies(g, node)
            return
        if not self._unknown.isdisjoint(node.results) or self._split(g, node):
            for result in node.results:
                self._mapped.setdefault(result, Value(_legal_type(result.type)))
            return
        operands = tuple([_one(self._mapped[o]) for o in node.operands])
        op = self._op(node)
        if op is node.op and operands == node.operands:
            g.append(node)
            self._mapped.update(zip(node.results, node.results, strict=True))
            return
        types = tuple([_legal_type(r.type) for r in node.results])
        fresh = Node(op, operands, types, node.source, node.label)
        g.append(fresh)
        g.source, g.label = node.source, node.label
        for old, new, interval in zip(node.results, fresh.results, intervals, strict=True):
            self._mapped[old] = _wrapped(g, node, old.type.dtype, new, interval)

    def _check_type(self, t: TensorType, place: Place) -> None:
        dtype = t.dtype
        if dtype in LOWERABLE:
            return
        if dtype in (F64, C128):
            self._float64.append(str(_where(place)))
            if self._strict:
                whole = "Complex64" if dtype is C128 else "Float32"
                self._refuse(f"{t}: Core ML has no float64", f"use {whole}", place)
        moves = isinstance(place, Node) and place.op.kind in _MOVING
        computes = dtype in FLOAT8 and not moves
        if computes or (dtype not in LOWERABLE | COMPLEX | {BF16} and dtype not in NARROWED):
            self._refuse(
                f"{t}: {dtype.name} is not supported: {_WHY[dtype.kind]}",
                "use Int32, Float32, Float16 or Bool",
                place,
            )

    def _bodies(self, g: SmartBuilder, node: Node) -> None:
        """A node whose bodies get legalized too, each 64-bit value in the form it has around."""
        op = node.op
        loop = of_loop(node, self._known) if isinstance(op, While) else None
        names = [f.name for f in dataclasses.fields(op) if _is_body(op, f.name)]  # type: ignore[arg-type]
        giving = [name for name in names if loop is None or name == "body"]
        inner = {name: g.inner() for name in names}
        found = {}
        for name in names:
            body: Function = getattr(op, name)
            if loop is not None:
                held = loop.entered if name == "body" else loop.state
                self._known.update(zip(body.parameters, held, strict=True))
                for value, span in zip(body.parameters, loop.state, strict=True):
                    self._mapped[value] = self._parameter(inner[name], value, span)
            found[name] = self._body(inner[name], body)
        if loop is None:
            given = [[self._known[r] for r in getattr(op, name).results] for name in giving]
            results = [_union(list(each)) for each in zip(*given, strict=True)]
        else:
            results = list(loop.state)
        wide = [words.is_wide(r.type, s) for r, s in zip(node.results, results, strict=True)]
        functions = {}
        for name in names:
            flags = wide if name in giving else [False]
            functions[name] = inner[name].finish(*words.shaped(inner[name], found[name], flags))
        operands = [self._mapped[o] for o in node.operands]
        flags = [False] * len(operands) if loop is None else wide
        g.source, g.label = node.source, node.label
        fresh = Node(
            dataclasses.replace(op, **functions),  # type: ignore[type-var]
            words.shaped(g, operands, flags),
            tuple(
                t
                for r, w in zip(node.results, wide, strict=True)
                for t in (_legal_type(r.type),) * (1 + w)
            ),
            node.source,
            node.label,
        )
        g.append(fresh)
        rest = iter(fresh.results)
        for value, span, w in zip(node.results, results, wide, strict=True):
            self._known[value] = span
            self._mapped[value] = Words(next(rest), next(rest)) if w else next(rest)

    def _body(self, g: SmartBuilder, body: Function) -> list[Operand]:
        """Results of a body whose parameters are mapped."""
        for node in body.nodes:
            self._node(g, node)
        return [self._mapped[r] for r in body.results]

    def _split(self, g: SmartBuilder, node: Node) -> bool:
        """Whether the node is one on words; then it is mapped, or refused."""
        if not words.needed(node, self._mapped, self._known):
            return False
        g.source, g.label = node.source, node.label
        op = node.op if isinstance(node.op, Constant) else _retyped(node.op)
        try:
            results = words.split(g, node, op, self._mapped, self._known)
        except RefusedError as error:
            self.refusals.append(placed(error, node))
            self._unknown.update(node.results)
            return True
        self._mapped.update(zip(node.results, results, strict=True))
        for value, result in zip(node.results, results, strict=True):
            if value.type.dtype is I64 and isinstance(result, Words):
                self._wide[value] = str(where(node))
        return True

    def _refuse(self, what: str, fix: str, place: Place) -> None:
        self.refusals.append(RefusedError(what, fix=fix, where=_where(place)))

    def _op(self, node: Node) -> Op:
        op = node.op
        if not isinstance(op, Constant):
            return _retyped(op)
        dtype = op.value.type.dtype
        if dtype not in NARROWED:
            return op
        array = op.value.array
        with np.errstate(over="ignore"):
            narrow = _converted(array, NARROWED[dtype].numpy)
        if dtype is F64 and np.any(np.isinf(narrow) & np.isfinite(array)):
            what = f"a float64 constant of {op.value.type} is beyond float32"
            self._refuse(what, "scale it", node)
        return Constant(TensorData(NARROWED[dtype], narrow))


def _wrapped(g: Builder, node: Node, dtype: DType, x: Value, interval: Range) -> Value:
    """`x`, computed in int32, as a value of the small integer `dtype`."""
    if dtype not in SMALL:
        return x
    low, high = dtype.limits
    if isinstance(node.op, ConvertDType) and node.operands[0].type.dtype.is_float:
        return g.add(Clamp(), g.add(constant(I32, low)), x, g.add(constant(I32, high)))
    if low <= interval[0] and interval[1] <= high:
        return x
    modulus = g.add(constant(I32, high - low + 1))
    if not low:
        return g.add(mod(), x, modulus)
    offset = g.add(constant(I32, -low))
    return g.add(Sub(), g.add(mod(), g.add(Add(), x, offset), modulus), offset)


def _where(place: Place) -> Where:
    if isinstance(place, Node):
        return where(place)
    return Where(f"{'input' if isinstance(place, Input) else 'output'} {place.name!r}")


def _converted(array: Any, dtype: np.dtype[Any]) -> Any:
    """`array` in another dtype; a splat stays one."""
    if array.size and not any(array.strides):
        return np.broadcast_to(array[(0,) * array.ndim].astype(dtype), array.shape)
    return array.astype(dtype)


def _input_range(given: Input, t: TensorType) -> Range:
    """What an input may hold: as stated, else as its features can carry."""
    return words.input_range(given, t) if t.dtype.is_integer else ranges.full(t)


def _one(x: Operand) -> Value:
    assert isinstance(x, Value), "words reach an op that takes none"
    return x


def _is_body(op: Op, name: str) -> bool:
    return isinstance(getattr(op, name), Function)


def _union(spans: list[Range]) -> Range:
    return min(s[0] for s in spans), max(s[1] for s in spans)


Port = TypeVar("Port", Input, Output)


def _named(told: Port, x: Operand) -> list[Port]:
    """What is known of an input or output, for each of its words."""
    if not isinstance(x, Words):
        return [told]
    words_: tuple[Word, Word] = ("high", "low")
    return [dataclasses.replace(told, name=f"{told.name}_{w}", word=w) for w in words_]


def _legal_type(t: TensorType) -> TensorType:
    return t.with_dtype(NARROWED[t.dtype]) if t.dtype in NARROWED else t


@cache
def _typed_fields(kind: str) -> tuple[str, ...]:
    """Attributes that hold a dtype, themselves or inside."""
    holders = ("DType", "TensorType", "DotGeneralConfig")
    fields = dataclasses.fields(REGISTRY[kind])  # type: ignore[arg-type]
    return tuple(f.name for f in fields if f.type in holders)


def _retyped(op: Op) -> Op:
    """The op with its dtype attributes narrowed."""
    names = _typed_fields(op.kind)
    if not names:
        return op
    old = {name: getattr(op, name) for name in names}
    new = {name: _narrow(value) for name, value in old.items()}
    return op if new == old else dataclasses.replace(op, **new)  # type: ignore[type-var]


def _narrow(value: Any) -> Any:
    if isinstance(value, DType):
        return NARROWED.get(value, value)
    if isinstance(value, TensorType):
        return _legal_type(value)
    names = [f.name for f in dataclasses.fields(value)]
    return dataclasses.replace(value, **{n: _narrow(getattr(value, n)) for n in names})
