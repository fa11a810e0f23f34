"""Small MIL programs by hand: one op, or a few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from coremlc.engine import Executable, Options, load_program
from coremlc.mil.arrays import STORAGE
from coremlc.mil.dialect import infer_op
from coremlc.mil.program import Arg, Block, Function, Literal, Op, Program, Value
from coremlc.mil.types import TensorType

MIL = {row.numpy: name for name, row in STORAGE.items() if row.bits >= 8}
MIL |= {STORAGE[name].numpy: name for name in ("int4", "uint4")}
ENGINES = ("reference", "onnxruntime")


class C:
    """A constant array, where a bare array would be an input."""

    def __init__(self, value: Any, mil: str = "") -> None:
        self.value = np.asarray(value)
        self.mil = mil if mil else MIL[self.value.dtype]


def type_of(x: np.ndarray) -> TensorType:
    return TensorType(MIL[x.dtype], x.shape)


def literal(value: Any, floats: Any = np.float32) -> Literal:
    if isinstance(value, C):
        return Literal(TensorType(value.mil, value.value.shape), value.value)
    if isinstance(value, str):
        return Literal(TensorType("string"), value)
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = array.astype(floats)
    elif array.dtype.kind in "iu":
        array = array.astype(np.int32)
    return Literal(type_of(array), array)


class Maker:
    """Ops one after another, with inferred types."""

    def __init__(self, opset: str = "CoreML8") -> None:
        self.opset = opset
        self.ops: list[Op] = []
        self.inputs: list[Value] = []
        self.constexprs: set[str] = set()

    def input(self, name: str, like: Any) -> Value:
        kind = type_of(like) if isinstance(like, np.ndarray) else like
        self.inputs.append(Value(name, kind))
        return self.inputs[-1]

    def arg(self, x: Any, floats: Any = np.float32) -> Arg:
        return x if isinstance(x, Value | Literal) else literal(x, floats)

    def add(self, kind: str, *, blocks: tuple[Block, ...] = (), floats: Any = np.float32,
            **inputs: Any) -> Value | tuple[Value, ...]:  # fmt: skip
        args: dict[str, tuple[Arg, ...]] = {}
        for name, x in inputs.items():
            many = x if isinstance(x, tuple) else (x,)
            args[name] = tuple(self.arg(item, floats) for item in many)
        draft = Op(kind, args, (), {}, blocks)
        types = infer_op(draft, self.opset, self.constexprs)
        stem = f"v{len(self.ops)}_{id(self) % 9973}"
        outputs = tuple(Value(f"{stem}_{i}", t) for i, t in enumerate(types))
        self.ops.append(Op(kind, args, outputs, {}, blocks))
        if kind.startswith("constexpr_"):
            self.constexprs |= {v.name for v in outputs}
        return outputs[0] if len(outputs) == 1 else outputs

    def block(self, *outputs: Value, inputs: tuple[Value, ...] = ()) -> Block:
        return Block(tuple(self.ops), outputs, inputs)

    def program(self, *outputs: Value) -> Program:
        function = Function(tuple(self.inputs), self.opset, {self.opset: self.block(*outputs)})
        return Program({"main": function})


def one_op(
    kind: str, inputs: Mapping[str, Any], opset: str = "CoreML8"
) -> tuple[Program, dict[str, np.ndarray]]:
    """A program of one op: bare arrays are inputs, all else is constant."""
    maker = Maker(opset)
    features: dict[str, np.ndarray] = {}
    floats: Any = np.float32

    def arg(name: str, x: Any) -> Any:
        nonlocal floats
        if isinstance(x, np.ndarray):
            if x.dtype == np.float16:
                floats = np.float16
            features[name] = x
            return maker.input(name, x)
        return x

    args = {
        name: tuple(arg(f"{name}{i}", item) for i, item in enumerate(x))
        if isinstance(x, tuple)
        else arg(name, x)
        for name, x in inputs.items()
    }
    result = maker.add(kind, floats=floats, **args)
    return maker.program(*(result if isinstance(result, tuple) else (result,))), features


def start(program: Program, engine: str, **options: Any) -> Executable:
    return load_program(program, engine=engine, **options)


def run_all(
    program: Program, features: Mapping[str, np.ndarray], threads: int = 1
) -> list[list[np.ndarray]]:
    results = []
    for engine in ENGINES:
        with start(program, engine, options=Options(threads=threads)) as executable:
            results.append(list(executable.run(features).values()))
    return results


def agree(got: np.ndarray, want: np.ndarray, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    if want.dtype == np.float16:
        rtol, atol = max(rtol, 2e-3), max(atol, 1e-4)
    np.testing.assert_allclose(
        got.astype(np.float64), want.astype(np.float64), rtol=rtol, atol=atol, equal_nan=True
    )
