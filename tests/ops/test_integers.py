"""Random integer graphs: the oracle and both engines give the same numbers, whatever the dtype."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import BY_SHORT
from coremlc.engine.base import load_program
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output, Value
from coremlc.ir.literal import TensorData
from coremlc.ops import binary, bitwise, compare, convert_dtype, reduce, selection, unary
from coremlc.ops.leaves import Constant
from coremlc.ops.shape import Reverse
from coremlc.signature import KEY, Signature
from tests.ops.integers import edges

DTYPES = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
COUNT = 6
BINARY = (
    *(binary.Add, binary.Sub, binary.Mul, binary.Div, binary.Rem, binary.Max, binary.Min),
    *(bitwise.BitwiseAnd, bitwise.BitwiseOr, bitwise.BitwiseXor, bitwise.ShiftLeft),
    *(bitwise.ShiftRightLogical, bitwise.ShiftRightArithmetic),
)
UNARY = (unary.Abs, unary.Sign, bitwise.BitwiseNot, bitwise.BitCount, bitwise.Clz)
COMPARED = (compare.Equal, compare.LessThan, compare.GreaterOrEqual)
KINDS = ("binary", "unary", "choose", "clamp", "convert", "sum", "join", "constant")


def numbers(draw: st.DrawFn, dtype: str) -> np.ndarray:
    table = edges(dtype)
    low, high = BY_SHORT[dtype].limits
    one = st.one_of(st.sampled_from(table.tolist()), st.integers(low, high), st.integers(0, 70))
    values = draw(st.lists(one, min_size=COUNT, max_size=COUNT))
    return np.array([min(v, high) for v in values], BY_SHORT[dtype].numpy)


def step(draw: st.DrawFn, g: Builder, values: list[Value]) -> Value:
    """One more value, of the last ones."""
    kind = draw(st.sampled_from(KINDS))
    x = draw(st.sampled_from(values[-4:]))
    alike = [v for v in values if v.type == x.type]
    y, z = draw(st.sampled_from(alike)), draw(st.sampled_from(alike))
    if kind == "constant":
        array = numbers(draw, x.type.dtype.short)
        y = g.add(Constant(TensorData(x.type.dtype, array[:1] if draw(st.booleans()) else array)))
    if kind in ("binary", "constant"):
        return g.add(draw(st.sampled_from(BINARY))(), x, y)
    if kind == "unary":
        return g.add(draw(st.sampled_from(UNARY))(), x)
    if kind == "choose":
        return g.add(selection.Where(), g.add(draw(st.sampled_from(COMPARED))(), x, y), y, z)
    if kind == "clamp":
        return g.add(selection.Clamp(), x, y, z)
    if kind == "convert":
        return g.add(convert_dtype.ConvertDType(BY_SHORT[draw(st.sampled_from(DTYPES))]), x)
    if kind == "join":
        return g.add(Reverse((0,)), x)
    op = draw(st.sampled_from((reduce.ReduceSum, reduce.ReduceMax, bitwise.ReduceBitwiseXor)))
    total = g.add(op((0,)), x)
    return g.add(binary.Sub(), x, total)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict[str, np.ndarray]]:
    g = Builder()
    values, inputs, arrays = [], [], {}
    for i in range(draw(st.integers(1, 2))):
        dtype = draw(st.sampled_from(DTYPES))
        array = numbers(draw, dtype)
        values.append(g.parameter(TensorData(BY_SHORT[dtype], array).type))
        narrow = draw(st.booleans()) or dtype not in ("i64", "u64")
        limits = (int(array.min()), int(array.max())) if narrow else BY_SHORT[dtype].limits
        inputs.append(Input(f"x{i}", range=limits))
        arrays[f"x{i}"] = array
    for _ in range(draw(st.integers(3, 6))):
        values.append(step(draw, g, values))
    used = values[-2:]
    main = g.finish(*used)
    outputs = tuple(Output(f"y{i}") for i in range(len(used)))
    return Graph(main, tuple(inputs), outputs), arrays


def check(graph: Graph, arrays: dict[str, np.ndarray]) -> None:
    due = evaluate.run(graph.main, list(arrays.values()))
    model = build_model(graph, Recipe()).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    for engine in ("reference", "onnxruntime"):
        with load_program(model.program, engine=engine) as executable:
            got = signature.decode(executable.run(signature.encode(arrays)))
        for wanted, found in zip(due, got.values(), strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=engine)


QUIET = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@given(graphs())
@settings(max_examples=40, **QUIET)
def test_random_integer_graphs(made: tuple[Graph, dict[str, np.ndarray]]) -> None:
    check(*made)


@pytest.mark.slow
@given(graphs())
@settings(max_examples=1500, **QUIET)
def test_many_random_integer_graphs(made: tuple[Graph, dict[str, np.ndarray]]) -> None:
    check(*made)
