"""Random small graphs, and graphs in one line."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from coremlc import dtypes
from coremlc.dtypes import BOOL, F32, I32
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Node, Output, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops import arg_min_max, binary, compare, convert_dtype, leaves, reduce, shape, unary
from coremlc.ops.leaves import Constant
from coremlc.ops.selection import Where
from tests.ops.samples import FLOATS, INTS

DIMS = (1, 2, 3)


def t(text: str) -> TensorType:
    """The type that prints so."""
    dtype, dims = text.rstrip("]").split("[")
    return TensorType(dtypes.BY_SHORT[dtype], tuple(int(d) for d in dims.split(",") if d))


def graph(make: Callable[..., Value | tuple[Value, ...]], *types: str) -> Graph:
    """The graph whose results `make(g, *parameters)` gives; inputs a, b .., outputs y0, y1 .."""
    g = Builder()
    parameters = [g.parameter(t(text)) for text in types]
    made = make(g, *parameters)
    results = (made,) if isinstance(made, Value) else made
    return Graph(
        g.finish(*results),
        tuple(Input("abcdefgh"[i]) for i in range(len(types))),
        tuple(Output(f"y{i}") for i in range(len(results))),
    )


def const(g: Builder, array: object, dtype: str = "f32") -> Value:
    """A constant; not a splat unless numpy says so."""
    known = dtypes.BY_SHORT[dtype]
    return g.add(Constant(TensorData(known, np.array(array).astype(known.numpy))))


def ops(graph: Graph) -> list[str]:
    """Kinds of the nodes, constants left out."""
    return [node.op.kind for node in graph.main.nodes if node.op.kind != "Constant"]


def arrays(graph: Graph, seed: int = 0) -> list[np.ndarray]:
    """Values for the inputs in which the edges of their dtypes are."""
    rng = np.random.default_rng(seed)
    return [_array(p.type, rng) for p in graph.main.parameters]


def _array(type_: TensorType, rng: np.random.Generator) -> np.ndarray:
    kind = type_.dtype.kind
    if kind == "bool":
        return rng.integers(0, 2, type_.shape).astype(bool)
    odd = FLOATS if kind == "float" else INTS
    usual = rng.normal(size=type_.shape) * 3
    with np.errstate(all="ignore"):
        picked = rng.choice(odd, type_.shape).astype(type_.dtype.numpy)
        return np.where(rng.random(type_.shape) < 0.5, picked, usual.astype(type_.dtype.numpy))


def run(graph: Graph, given: list[np.ndarray]) -> list[np.ndarray]:
    return evaluate.run(graph.main, given)


def same(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Equal to the bit, but for the bits of a NaN."""
    assert len(got) == len(expected)
    for x, y in zip(got, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
        if x.dtype.kind == "f":
            known = ~np.isnan(x)
            np.testing.assert_array_equal(np.signbit(x)[known], np.signbit(y)[known])


class Random:
    """Builds a graph of exact ops: whatever is rewritten, no bit may change."""

    def __init__(self, seed: int, nodes: int) -> None:
        self.rng = random.Random(seed)
        self.g = Builder()
        self.inputs: list[Input] = []
        self.values: list[Value] = []
        for _ in range(self.rng.randint(1, 3)):
            self._parameter()
        for _ in range(nodes):
            self.rng.choice(self.menu)(self)

    def graph(self) -> Graph:
        results = self.rng.sample(self.values, min(3, len(self.values)))
        outputs = tuple(Output(f"y{i}") for i in range(len(results)))
        return Graph(self.g.finish(*results), tuple(self.inputs), outputs)

    def _shape(self) -> tuple[int, ...]:
        return tuple(self.rng.choice(DIMS) for _ in range(self.rng.randint(0, 3)))

    def _parameter(self) -> None:
        kind = TensorType(self.rng.choice((F32, I32, BOOL)), self._shape())
        self.values.append(self.g.parameter(kind))
        self.inputs.append(Input(f"x{len(self.inputs)}"))

    def _add(self, op: Op, *operands: Value) -> Value:
        self.values.append(self.g.add(op, *operands))
        return self.values[-1]

    def _pick(self, kind: str = "") -> Value:
        known = [v for v in self.values if not kind or v.type.dtype.kind == kind]
        if known:
            return self.rng.choice(known)
        dtype = {"bool": BOOL, "int": I32, "float": F32}[kind]
        return self._constant_of(TensorType(dtype, self._shape()))

    def _constant_of(self, type_: TensorType) -> Value:
        value = self.rng.choice((0, 1, -0.0, -1, 2.5))
        if self.rng.random() < 0.5:
            return self._add(leaves.splat(type_.dtype, value, type_.shape))
        array = _array(type_, np.random.default_rng(self.rng.randrange(1000)))
        return self._add(Constant(TensorData(type_.dtype, np.asarray(array))))

    def _like(self, x: Value) -> Value:
        """A value that an elementwise op takes beside x."""
        known = [v for v in self.values if v.type == x.type]
        way = self.rng.random()
        if way < 0.4:
            return self.rng.choice(known)
        if way < 0.7:
            return self._constant_of(x.type)
        if way < 0.8:
            return self._constant_of(x.type.with_shape(()))
        dims = tuple(self.rng.choice((1, d)) for d in x.type.shape)
        small = self._constant_of(x.type.with_shape(dims))
        return self._add(shape.BroadcastInDim(x.type, tuple(range(x.type.rank))), small)

    def constant(self) -> None:
        self._constant_of(TensorType(self.rng.choice((F32, I32, BOOL)), self._shape()))

    def arithmetic(self) -> None:
        x = self._pick(self.rng.choice(("int", "float")))
        kinds = [binary.Add, binary.Sub, binary.Mul, binary.Max, binary.Min]
        op = self.rng.choice([*kinds, binary.Div] if x.type.dtype is F32 else kinds)()
        pair = (x, self._like(x))
        self._add(op, *(pair if self.rng.random() < 0.5 else pair[::-1]))

    def negated(self) -> None:
        x = self._pick(self.rng.choice(("int", "float")))
        self._add(self.rng.choice((unary.Neg, unary.Abs, leaves.Identity))(), x)

    def compared(self) -> None:
        x = self._pick(self.rng.choice(("int", "float")))
        self._add(self.rng.choice((compare.LessThan, compare.Equal))(), x, self._like(x))

    def chosen(self) -> None:
        x = self._pick()
        condition = self._like(self._constant_of(TensorType(BOOL, x.type.shape)))
        y = self._like(x)
        self._add(Where(), condition, x, y)

    def converted(self) -> None:
        self._add(convert_dtype.ConvertDType(self.rng.choice((F32, BOOL))), self._pick("int"))

    def shaped(self) -> None:
        x = self._pick()
        dims = [d for d in x.type.shape if d != 1 or self.rng.random() < 0.5]
        self.rng.shuffle(dims)
        if len(dims) < 3:
            dims.insert(self.rng.randint(0, len(dims)), 1)
        self._add(shape.Reshape(tuple(dims)), x)

    def turned(self) -> None:
        x = self._pick()
        order = list(range(x.type.rank))
        self.rng.shuffle(order)
        self._add(shape.Transpose(tuple(order)), x)

    def reversed(self) -> None:
        x = self._pick()
        axes = [a for a in range(x.type.rank) if self.rng.random() < 0.5]
        self.rng.shuffle(axes)
        self._add(shape.Reverse(tuple(axes)), x)

    def cut(self) -> None:
        x = self._pick()
        bounds = [sorted(self.rng.choices(range(d + 1), k=2)) for d in x.type.shape]
        bounds = [(a, b) if a < b else (0, d) for (a, b), d in zip(bounds, x.type.shape)]  # noqa: B905
        starts, limits = [a for a, _ in bounds], [b for _, b in bounds]
        strides = tuple(self.rng.choice((1, 1, 2)) for _ in bounds)
        self._add(shape.Slice(tuple(starts), tuple(limits), strides), x)

    def joined(self) -> None:
        x = self._pick()
        if x.type.rank:
            axis = self.rng.randrange(x.type.rank)
            self._add(shape.Concatenate(axis), *([x] * self.rng.randint(1, 2)))

    def reduced(self) -> None:
        x = self._pick(self.rng.choice(("int", "float")))
        axes = tuple(a for a in range(x.type.rank) if self.rng.random() < 0.5)
        if axes:
            self._add(reduce.ReduceMax(axes), x)
            self._add(arg_min_max.ArgMinMax(axes[0], I32, is_min=False), x)

    menu = (
        constant, arithmetic, arithmetic, negated, compared, chosen, converted, shaped, turned,
        reversed, cut, joined, reduced,
    )  # fmt: skip


def sources(graph: Graph) -> list[str]:
    return [node.source for node in graph.main.nodes]


def node_of(value: Value) -> Node:
    assert value.node is not None
    return value.node
