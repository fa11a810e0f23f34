"""Random integer graphs: the oracle and both engines give the same numbers, whatever the dtype."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import BY_NUMPY, BY_SHORT, I64
from coremlc.engine.base import load_program
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output, Value
from coremlc.ir.literal import TensorData
from coremlc.ir.types import TensorType
from coremlc.ops import (
    binary,
    bit_counts,
    bitwise,
    compare,
    convert_dtype,
    reduce,
    reduce_bitwise,
    selection,
    shifts,
    unary,
)
from coremlc.ops.control_flow import If, While
from coremlc.ops.leaves import Constant, constant
from coremlc.ops.shape import Reverse
from coremlc.ops.sort import Sort
from coremlc.signature import KEY, Signature
from tests.ops.integers import edges

DTYPES = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
COUNT = 6
BINARY = (
    *(binary.Add, binary.Sub, binary.Mul, binary.Div, binary.Rem, binary.Max, binary.Min),
    *(bitwise.BitwiseAnd, bitwise.BitwiseOr, bitwise.BitwiseXor, shifts.ShiftLeft),
    *(shifts.ShiftRightLogical, shifts.ShiftRightArithmetic),
)
UNARY = (unary.Abs, unary.Sign, bitwise.BitwiseNot, bit_counts.BitCount, bit_counts.Clz)
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
    op = draw(
        st.sampled_from((reduce.ReduceSum, reduce.ReduceMax, reduce_bitwise.ReduceBitwiseXor))
    )
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


def stated(*types: TensorType) -> tuple[Input, ...]:
    """Inputs that may be all of their dtype."""
    return tuple(
        Input(f"x{i}", range=t.dtype.limits if t.dtype.is_integer else None)
        for i, t in enumerate(types)
    )


def of(make: Callable[..., tuple[Value, ...]], *arrays: np.ndarray) -> None:
    """Checks the graph that `make` builds of inputs like the arrays."""
    g = Builder()
    types = [TensorType(BY_NUMPY[x.dtype], x.shape) for x in arrays]
    results = make(g, *[g.parameter(t) for t in types])
    outputs = tuple(Output(f"y{i}") for i in range(len(results)))
    graph = Graph(g.finish(*results), stated(*types), outputs)
    check(graph, {f"x{i}": x for i, x in enumerate(arrays)})


def test_a_loop_of_64_bit_states() -> None:
    """A linear congruential generator, with an int64 for a count."""

    def make(g: Builder, seed: Value, turns: Value) -> tuple[Value, ...]:
        cond, body = Builder(), Builder()
        cond.parameter(seed.type)
        go_on = cond.add(compare.LessThan(), cond.parameter(turns.type), turns)
        state, turn = body.parameter(seed.type), body.parameter(turns.type)
        factor = body.add(constant(BY_SHORT["u64"], 6364136223846793005))
        state = body.add(binary.Add(), body.add(binary.Mul(), state, factor), seed)
        turn = body.add(binary.Add(), turn, body.add(constant(I64, 1)))
        start = g.add(constant(I64, 0))
        op = While(cond.finish(go_on), body.finish(state, turn))
        return g.add_multi(op, seed, start)

    of(make, np.array(12345678901234567890, np.uint64), np.array(9))


@pytest.mark.parametrize("taken", [True, False])
def test_branches_of_which_one_is_wide(taken: bool) -> None:
    def make(g: Builder, pred: Value, x: Value) -> tuple[Value, ...]:
        wide, narrow = Builder(), Builder()
        square = wide.add(binary.Mul(), x, x)
        few = narrow.add(constant(I64, [1, -2, 3, 4]))
        return g.add_multi(If(wide.finish(square), narrow.finish(few)), pred)

    of(make, np.array(taken), np.array([2**40, -3, 2**62, 5]))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("dtype", "count"), [("i64", 1500), ("u64", 60), ("u32", 60)])
def test_sort_with_a_payload(dtype: str, count: int, descending: bool) -> None:
    def make(g: Builder, x: Value, payload: Value) -> tuple[Value, ...]:
        c = Builder()
        scalars = [TensorType(v.type.dtype) for v in (x, x, payload, payload)]
        left, right, *_ = (c.parameter(t) for t in scalars)
        compared = compare.GreaterThan() if descending else compare.LessThan()
        comparator = c.finish(c.add(compared, left, right))
        return g.add_multi(Sort(0, is_stable=True, comparator=comparator), x, payload)

    x = np.resize(edges(dtype), count)
    np.random.default_rng(0).shuffle(x)
    of(make, x, np.arange(count) * 2**33)


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
