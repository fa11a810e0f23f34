"""Cases that have no exact form, though the ops' contracts allow them: the compiler refuses."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.ir.graph import Builder, Graph, Input, Output, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.compare import LessThan
from coremlc.ops.gather import Gather
from coremlc.ops.leaves import constant
from coremlc.ops.quantized import FusedQuantizedDense, Quantization, QuantizedEmbeddingLookup
from coremlc.ops.reduce import ReduceSum
from coremlc.ops.scatter import ScatterMax, ScatterMin, ScatterSum
from coremlc.ops.select_and_scatter import (
    Pair,
    SelectAndScatter,
    SelectAndScatterMax,
    SelectAndScatterMin,
)
from coremlc.ops.shape import Concatenate, Reshape
from coremlc.ops.static import AllReduce, DynamicDimensionSpec, DynamicReshape, Ints
from tests.ops.control_flow import sort
from tests.ops.samples import t


@dataclass(frozen=True)
class Refused:
    """One op on inputs of some types, refused."""

    case: str
    """As the table of ops says it."""
    op: Op
    types: tuple[TensorType, ...]
    known: tuple[int, ...] = ()
    """Operands after the inputs: int32 constants."""

    def graph(self) -> Graph:
        """The graph of the op alone; integers may be any."""
        g = Builder()
        operands = [g.parameter(type_) for type_ in self.types]
        operands += [g.add(constant(t("i32").dtype, value)) for value in self.known]
        results = g.add_multi(self.op, *operands)
        whole = [type_.dtype.limits if type_.dtype.is_integer else None for type_ in self.types]
        inputs = tuple(Input(f"x{i}", range=span) for i, span in enumerate(whole))
        outputs = tuple(Output(f"y{i}") for i in range(len(results)))
        return Graph(g.finish(*results), inputs, outputs)


def _paired(g: Builder, a: Value, b: Value) -> Value:
    pair = g.add(Concatenate(0), g.add(Reshape((1,)), a), g.add(Reshape((1,)), b))
    return g.add(LessThan(), g.add(ReduceSum((0,)), pair), b)


def _rows(kind: type[Op], rows: int, dtype: str = "f32", updates: int = 1) -> Refused:
    """A scatter of rows of one element."""
    types = t(dtype, rows, 1), t("i32", updates), t(dtype, updates, 1)
    case = "2^31 rows or more" if updates == 1 else "int64 and uint64, 2^23 updates or more"
    return Refused(case, kind(1, (1,), (0,), (0,), False, False), types)  # type: ignore[call-arg]


def _pool(kind: type[SelectAndScatter]) -> Refused:
    op = kind((33, 32), (1, 1), (Pair(0, 0), Pair(0, 0)))
    return Refused("windows of more than 1024 elements", op, (t("f32", 40, 40), t("f32", 8, 9)))


_SIZES = (DynamicDimensionSpec(6, "n"), DynamicDimensionSpec(2, ""))
_Q8 = Quantization("GGML", 0, 0, "Q8_0")
_LIVE = "GGML weights that are known at run time only"
CASES = [
    Refused("several replicas", AllReduce("Sum", (Ints((0, 1)),)), (t("f32", 2),)),
    Refused("dims from values", DynamicReshape(_SIZES), (t("f32", 3, 4), t("i32"))),
    Refused("dims that the axes contradict", DynamicReshape(_SIZES), (t("f32", 3, 4),), (5,)),
    _pool(SelectAndScatterMax),
    _pool(SelectAndScatterMin),
    Refused("a comparator that moves data", sort(0, ("f32",), _paired), (t("f32", 4),)),
    Refused(
        "2^31 rows or more",
        Gather(1, (1,), (0,), (0,), (1, 1), False),
        (t("f32", 2**31, 1), t("i32", 3)),
    ),
    *(_rows(kind, 2**31) for kind in (ScatterSum, ScatterMax, ScatterMin)),
    _rows(ScatterSum, 4, "i64", 2**23),
    Refused(
        "int64 and uint64, 2^27 - 2^12 terms or more", ReduceSum((0,)), (t("i64", 2**27 - 2**12),)
    ),
    Refused(
        _LIVE,
        FusedQuantizedDense(_Q8, "none", False, False, False),
        (t("f32", 2, 32), t("u8", 3, 34)),
    ),
    Refused(_LIVE, QuantizedEmbeddingLookup(_Q8, False, False), (t("u8", 5, 34), t("i32", 3, 1))),
]
