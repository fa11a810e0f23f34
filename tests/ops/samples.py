"""What a sample is, and the values at the edges. Each op family has its samples in a file beside.

A sample is one op on given arrays. It is the ground on which infer, evaluate, decompose, lower and
both engines must agree (test_samples.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coremlc import dtypes
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import Constant

INF, NAN = np.inf, np.nan
FLOATS = np.array(
    [
        *(NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.0, -7.0),
        *(1e-3, -1e-3, 1e-6, 1e-40, -1e-40, 0.1, -0.1, 9.75, -9.75, 100.0, -100.0, 1e4, 65504.0),
    ]
)
INTS = np.array(
    [0, 1, -1, 2, -2, 3, -3, 7, -8, 10, 255, 1 << 16, 2**31 - 1, -(2**31), -(2**31) + 1]
)
BOOLS = np.array([False, True])
REAL = ("f32", "f16", "i32")


@dataclass(frozen=True)
class Sample:
    """One op on operands."""

    op: Op
    operands: tuple[np.ndarray, ...]
    constants: frozenset[int] = frozenset()
    """Operands that the graph holds as constants; the others are its inputs."""
    tolerance: tuple[float, float] | None = None
    """(relative, absolute), if wider than the dtype's."""
    why: str = ""
    """Why it is wider."""
    note: str = ""
    targets: tuple[str, ...] = field(default=("iOS18",))

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(TensorType(dtypes.BY_NUMPY[x.dtype], x.shape) for x in self.operands)

    @property
    def name(self) -> str:
        kinds = ",".join(map(str, self.types))
        return f"{self.op.kind}({kinds}){self.note and '-' + self.note}".replace(" ", "")


@dataclass(frozen=True)
class Reject:
    """Operand types that break constraint `rule` of an op, and what the error says."""

    rule: str
    op: Op
    types: tuple[TensorType, ...]
    says: str


def expected(sample: Sample) -> tuple[np.ndarray, ...]:
    """What the op's numpy rule gives, rounded to the result dtypes."""
    types = sample.op.infer(*sample.types)
    types = types if isinstance(types, tuple) else (types,)
    return evaluate.apply(sample.op, sample.operands, types)


def stated(x: np.ndarray) -> tuple[int, int] | None:
    """The range that an int64 input needs which does not fit in int32."""
    if x.dtype != np.int64 or not x.size or np.array_equal(x, x.astype(np.int32)):
        return None
    return dtypes.BY_NUMPY[x.dtype].limits


def graph_of(sample: Sample) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of the op alone, and its inputs."""
    g = Builder()
    values, inputs, given = [], [], {}
    for i, (x, type_) in enumerate(zip(sample.operands, sample.types, strict=True)):
        if i in sample.constants:
            values.append(g.add(Constant(TensorData(type_.dtype, x))))
            continue
        values.append(g.parameter(type_))
        inputs.append(Input(f"x{i}", range=stated(x)))
        given[f"x{i}"] = x
    results = g.add_multi(sample.op, *values)
    outputs = tuple(Output(f"y{i}") for i in range(len(results)))
    return Graph(g.finish(*results), tuple(inputs), outputs), given


def array(dtype: str, values: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """An array of a dtype that prints as `dtype`."""
    with np.errstate(all="ignore"):
        x = np.asarray(values).astype(dtypes.BY_SHORT[dtype].numpy)
    return x if shape is None else x.reshape(shape)


def t(dtype: str, *shape: int) -> TensorType:
    return TensorType(dtypes.BY_SHORT[dtype], shape)


def edges(dtype: str) -> np.ndarray:
    """Values at which ops of a dtype go wrong."""
    kind = dtypes.BY_SHORT[dtype].kind
    return array(dtype, {"bool": BOOLS, "int": INTS, "uint": INTS}.get(kind, FLOATS))


def pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every element of x with every element of y."""
    a, b = np.broadcast_arrays(x[:, None], y[None, :])
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def randoms(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Ordinary values: normal floats, small integers, coin tosses."""
    rng = np.random.default_rng([seed, len(shape), *shape])
    kind = dtypes.BY_SHORT[dtype].kind
    if kind == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in ("int", "uint"):
        low = -9 if kind == "int" else 0
        return array(dtype, rng.integers(low, 10, shape))
    return array(dtype, rng.normal(size=shape))
