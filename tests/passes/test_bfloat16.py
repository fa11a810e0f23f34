"""bfloat16: float32 inside, rounded after each op as ml_dtypes and XLA round."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from coremlc import targets
from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import BOOL, BY_NAME, F32, I32, DType
from coremlc.engine.base import load_program
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops import binary, norm, reduce, selection, shape, unary
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.leaves import constant
from coremlc.passes.bfloat16 import widen_bfloat16
from coremlc.signature import Signature

BF16 = BY_NAME["BFloat16"]
bfloat16 = ml_dtypes.bfloat16
ENGINES = ("reference", "onnxruntime")


def graph(op: Op, *operands: np.ndarray) -> Graph:
    """The op alone; operands are inputs."""
    g = Builder()
    dtypes = [BF16 if x.dtype == bfloat16 else DType_of(x) for x in operands]
    values = [g.parameter(TensorType(d, x.shape)) for d, x in zip(dtypes, operands, strict=True)]
    return finished(g, *g.add_multi(op, *values))


def finished(g: Builder, *results: Value) -> Graph:
    inputs = tuple(Input(f"x{i}") for i in range(len(g.parameters)))
    outputs = tuple(Output(f"y{i}") for i in range(len(results)))
    return Graph(g.finish(*results), inputs, outputs)


def DType_of(x: np.ndarray) -> DType:  # noqa: N802
    return {"f": F32, "i": I32, "b": BOOL}[x.dtype.kind]


def run(made: Graph, engine: str, *arrays: np.ndarray) -> list[np.ndarray]:
    recipe = Recipe(targets.DEFAULT)
    program = build_model(made, recipe).model.program
    signature = Signature.of_graph(made, recipe.target)
    given = {f"x{i}": x for i, x in enumerate(arrays)}
    with load_program(program, engine=engine) as executable:
        return list(signature.decode(executable.run(signature.encode(given))).values())


def same(got: np.ndarray, expected: np.ndarray) -> None:
    """Bit for bit, but for the bits of a NaN."""
    assert got.dtype == expected.dtype == bfloat16
    bits, wanted = got.view(np.uint16), expected.view(np.uint16)
    differ = (bits != wanted) & ~(np.isnan(got) & np.isnan(expected))
    assert not differ.any(), list(zip(got[differ], expected[differ], strict=True))[:5]


def hard() -> np.ndarray:
    """float32 about every bfloat16: the number, the tie above it, and both sides of each."""
    top = np.arange(1 << 16, dtype=np.uint32)[:, None] << 16
    low = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x4321], np.uint32)
    return (top | low).reshape(-1).view(np.float32)


@pytest.mark.parametrize("engine", ENGINES)
def test_rounds_every_number_as_ml_dtypes(engine: str) -> None:
    x = hard()
    (got,) = run(graph(ConvertDType(BF16), x), engine, x)
    with np.errstate(all="ignore"):
        same(got, x.astype(bfloat16))


def randoms(*dims: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=dims).astype(bfloat16)


SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3.0e38, -3.0e38, 1e-40, -1e-40, 1.0078125]
).astype(bfloat16)
BIG = np.array([2**31 - 1, 257, -259, 0, 65537, -(2**31)], np.int32)
CASES = {
    "add": (binary.Add(), SPECIAL[:, None], SPECIAL[None, :]),
    "mul": (binary.Mul(), SPECIAL[:, None], SPECIAL[None, :]),
    "div": (binary.Div(), randoms(50), randoms(50, seed=1)),
    "max": (binary.Max(), SPECIAL[5:, None], SPECIAL[None, :4]),
    "neg": (unary.Neg(), SPECIAL),
    "floor": (unary.Floor(), randoms(50)),
    "transpose": (shape.Transpose((1, 0)), randoms(3, 4)),
    "where": (selection.Where(), np.array([True, False, True]), randoms(3), randoms(3, seed=1)),
    "int": (ConvertDType(BF16), BIG),
    "bool": (ConvertDType(BF16), np.array([True, False])),
    "max4": (reduce.ReduceMax((0,)), randoms(4, 3)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_ops_round_exactly(name: str, engine: str) -> None:
    op, *arrays = CASES[name]
    made = graph(op, *arrays)
    (expected,) = evaluate.run(made.main, arrays)
    (got,) = run(made, engine, *arrays)
    same(got, expected)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("op", "dims"),
    [
        (unary.Exp(), (40,)),
        (unary.Tanh(), (40,)),
        (norm.FusedSoftmax(1), (4, 9)),
        (reduce.ReduceSum((0,)), (300, 2)),
    ],
)
def test_functions_are_within_a_unit(op: Op, dims: tuple[int, ...], engine: str) -> None:
    x = randoms(*dims)
    made = graph(op, x)
    (expected,) = evaluate.run(made.main, [x])
    (got,) = run(made, engine, x)
    assert got.dtype == bfloat16
    np.testing.assert_allclose(got.astype(np.float32), expected.astype(np.float32), rtol=2**-8)


@pytest.mark.parametrize("accumulator", [BF16, F32])
def test_products_accumulate_in_float32(accumulator: DType) -> None:
    x, y = randoms(3, 400), randoms(400, 2, seed=1)
    op = DotGeneral((1,), (), (0,), (), DotGeneralConfig(accumulator, BF16))
    (got,) = run(graph(op, x, y), "onnxruntime", x, y)
    expected = (x.astype(np.float64) @ y.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(got.astype(np.float32), expected, rtol=2**-8, atol=1e-6)


def test_movement_and_choice_do_not_round() -> None:
    g = Builder()
    x = g.parameter(TensorType(BF16, (2, 3)))
    y = g.add(binary.Max(), g.add(shape.Reshape((3, 2)), x), g.add(constant(BF16, 0.5)))
    kinds = [n.op.kind for n in widen_bfloat16(finished(g, y)).main.nodes]
    assert kinds == ["Reshape", "Constant", "Max"]


def test_a_graph_without_bfloat16_stays() -> None:
    x = np.zeros(3, np.float32)
    made = graph(unary.Exp(), x)
    assert widen_bfloat16(made) is made
