"""Random programs of exact ops: no optimisation of ONNX Runtime may change a bit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from coremlc.mil.program import Value
from tests.engine.cases import EDGE, EDGE16, INTS, seeded
from tests.engine.programs import C, Maker, run_all

DTYPES = ("fp16", "fp32", "int32", "bool", "int8", "uint16")
WILD = np.concatenate([EDGE, np.array([65519, 65520, 2**24 + 1, 1e-7, 3e9], np.float32)])


def same(got: np.ndarray, want: np.ndarray, note: str) -> None:
    assert got.dtype == want.dtype, note
    np.testing.assert_array_equal(got, want, err_msg=note)
    if want.dtype.kind == "f":
        signs = [np.signbit(x[~np.isnan(x)]) for x in (got, want)]
        np.testing.assert_array_equal(*signs, err_msg=note)


@pytest.mark.parametrize("source", [WILD, EDGE16, np.append(INTS, 2**24 + 1).astype(np.int32)])
def test_chains_of_casts_keep_every_rounding(source: np.ndarray) -> None:
    m = Maker()
    x = m.input("x", source)
    results, notes = [], []
    for chain in itertools.product(DTYPES, repeat=3):
        y: Any = x
        for dtype in chain:
            y = m.add("cast", x=y, dtype=dtype)
        results.append(m.add("cast", x=y, dtype="fp32"))
        notes.append("->".join(chain))
    for want, got, note in zip(*run_all(m.program(*results), {"x": source}), notes, strict=True):
        same(got, want, note)


BINARY = {
    "fp32": ["add", "sub", "mul", "maximum", "minimum", "real_div"],
    "fp16": ["add", "sub", "mul", "maximum", "minimum", "real_div"],
    "int32": ["add", "sub", "mul", "maximum", "minimum", "real_div", "floor_div", "mod"],
    "bool": ["logical_and", "logical_or", "logical_xor"],
}
UNARY = {
    "fp32": ["abs", "relu", "floor", "ceil", "round", "sign", "square", "sqrt"],
    "fp16": ["abs", "relu", "floor", "ceil", "round", "sign", "square", "sqrt"],
    "int32": ["abs", "sign", "square"],
    "bool": ["logical_not"],
}
COMPARE = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]


class Fuzz:
    """A growing program over [rows, columns] values of four dtypes."""

    def __init__(self, seed: int, shape: tuple[int, int]) -> None:
        self.rng = np.random.default_rng(seed)
        self.m = Maker()
        self.shape = shape
        self.pool: dict[str, list[Value]] = {k: [] for k in BINARY}
        self.features: dict[str, np.ndarray] = {}
        for dtype, special in (("fp32", EDGE), ("fp16", EDGE16), ("int32", INTS)):
            for i in range(2):
                x = seeded(*shape, seed=seed + i, dtype=special.dtype)
                spots = self.rng.integers(0, x.size, 12)
                x.reshape(-1)[spots] = self.rng.choice(special, 12)
                self.given(f"{dtype}_{i}", dtype, x)
        self.given("flag", "bool", seeded(*shape, seed=seed, dtype=np.bool_))

    def given(self, name: str, dtype: str, x: np.ndarray) -> None:
        self.features[name] = x
        self.pool[dtype].append(self.m.input(name, x))

    def pick(self, dtype: str) -> Value:
        return self.pool[dtype][int(self.rng.integers(len(self.pool[dtype])))]

    def step(self) -> None:
        dtype = str(self.rng.choice(list(BINARY)))
        rows, columns = self.shape
        x, y = self.pick(dtype), self.pick(dtype)
        match int(self.rng.integers(8)):
            case 0 | 1:
                out = self.m.add(str(self.rng.choice(BINARY[dtype])), x=x, y=y)
            case 2:
                out = self.m.add(str(self.rng.choice(UNARY[dtype])), x=x)
            case 3 if dtype != "bool":
                out = self.m.add(str(self.rng.choice(COMPARE)), x=x, y=y)
                dtype = "bool"
            case 4:
                out = self.m.add("select", cond=self.pick("bool"), a=x, b=y)
            case 5:
                target = str(self.rng.choice(list(BINARY)))
                out, dtype = self.m.add("cast", x=x, dtype=target), target
            case 6:
                halves = self.m.add("split", x=x, num_splits=2, axis=1)
                out = self.m.add("concat", values=(halves[1], halves[0]), axis=1)
            case _:
                turned = self.m.add("transpose", x=x, perm=[1, 0])
                out = self.m.add("reshape", x=turned, shape=[rows, columns])
        self.pool[dtype].append(out)


@pytest.mark.parametrize("shape", [(4, 6), (64, 80)])
@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed: int, shape: tuple[int, int]) -> None:
    fuzz = Fuzz(seed, shape)
    for _ in range(40):
        fuzz.step()
    outputs = [v for pool in fuzz.pool.values() for v in pool if v.name not in fuzz.features]
    reference, other = run_all(fuzz.m.program(*outputs), fuzz.features, threads=2)
    for value, want, got in zip(outputs, reference, other, strict=True):
        same(got, want, f"seed {seed}: %{value.name}")


def test_constants_that_are_infinite_or_nan() -> None:
    m = Maker()
    x = m.input("x", EDGE)
    values = [C(np.array(v, np.float32)) for v in (np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0)]
    outs = [m.add(kind, x=x, y=v) for kind in BINARY["fp32"] for v in values]
    for want, got in zip(*run_all(m.program(*outs), {"x": EDGE}), strict=True):
        same(got, want, "")
