"""Ranks above 5: each op on what it tells apart, the same elements on both engines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from coremlc import passes, targets
from coremlc.compiler import Recipe, build_model
from coremlc.dtypes import F32, I32
from coremlc.engine.base import load_program
from coremlc.errors import RefusalsError
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import Builder, Graph, Value
from coremlc.ops import arg_min_max, binary, dynamic_slice, norm, pad, reduce, selection, shape
from coremlc.ops.compare import LessThan
from coremlc.ops.conv_general import conv
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.iota import Iota
from coremlc.ops.leaves import constant, splat
from coremlc.ops.reduce_window import ReduceWindow
from coremlc.passes.rank_forms import transpose
from coremlc.passes.smart import SmartBuilder
from coremlc.signature import Signature
from tests.ir.graphs import graph, t
from tests.ops.control_flow import loop

WIDE = (2, 3, 1, 2, 3, 2, 2)
FLAT = (144,)
Make = Callable[[Builder, Value], Value]


def wide(op: object, *more: tuple[int, ...] | Value) -> Make:
    """The op of a wide value, and of others that are cut from it; the result as a row."""

    def make(g: Builder, x: Value) -> Value:
        first = g.add(shape.Reshape(WIDE), x)
        others = []
        for dims in more:
            size = int(np.prod(dims))
            others.append(g.add(shape.Reshape(dims), g.add(shape.Slice((0,), (size,), (1,)), x)))
        return flat(g, g.add(op, first, *others))

    return make


def flat(g: Builder, x: Value) -> Value:
    return g.add(shape.Reshape((x.type.size,)), x)


def resize(g: Builder, x: Value) -> Value:
    """GoMLX's nearest Interpolate: every pixel 2 x 3 times."""
    x = g.add(shape.Reshape((2, 3, 4, 1, 6, 1)), x)
    x = g.add(shape.BroadcastInDim(t("f32[2,3,4,2,6,3]"), tuple(range(6))), x)
    return g.add(shape.Reshape((2, 3, 8, 18)), x)


def iota(axis: int) -> Make:
    def make(g: Builder, x: Value) -> Value:
        count = g.add(ConvertDType(F32), g.add(Iota(t("i32[2,3,1,2,3,2,2]"), axis)))
        return flat(g, g.add(binary.Mul(), g.add(shape.Reshape(WIDE), x), count))

    return make


def clamp(g: Builder, x: Value) -> Value:
    wide_ = g.add(shape.Reshape(WIDE), x)
    held = g.add(constant(F32, np.linspace(-1, 1, 144).reshape(WIDE)))
    same = g.add(splat(F32, 0.25, WIDE))
    return flat(g, g.add(selection.Clamp(), g.add(constant(F32, -0.5)), wide_, held)), flat(
        g, g.add(binary.Max(), wide_, same)
    )


def dynamic(update: bool) -> Make:
    def make(g: Builder, x: Value) -> Value:
        first = g.add(shape.Reshape(WIDE), x)
        starts = [g.add(constant(I32, v)) for v in (1, 2, 0, 0, -5, 1, 9)]
        window = (1, 2, 1, 2, 2, 1, 1)
        if not update:
            return flat(g, g.add(dynamic_slice.DynamicSlice(window), first, *starts))
        part = g.add(shape.Reshape(window), g.add(shape.Slice((5,), (13,), (1,)), x))
        return flat(g, g.add(dynamic_slice.DynamicUpdateSlice(), first, part, *starts))

    return make


def padded(g: Builder, x: Value) -> Value:
    axes = [pad.PadAxis(*p) for p in ((1, 0), (0, 2), (1, 1), (0, 0), (-1, 1), (1, 0, 1), (0, 1))]
    first = g.add(shape.Reshape(WIDE), x)
    return flat(g, g.add(pad.Pad(tuple(axes)), first, g.add(constant(F32, 7.0))))


def windows(g: Builder, x: Value) -> Value:
    ones, sizes = (1,) * 7, (1, 2, 1, 2, 2, 1, 2)
    pads = (pad_pair(0, 0),) * 7
    op = ReduceWindow("Max", sizes, ones, ones, ones, pads)
    return flat(g, g.add(op, g.add(shape.Reshape(WIDE), x)))


def pad_pair(low: int, high: int):
    from coremlc.ops.conv_general import Pair

    return Pair(low, high)


CASES: dict[str, Make] = {
    "resize": resize,
    "add": wide(binary.Add(), WIDE),
    "broadcasting": wide(binary.Add(), (2, 1, 1, 2, 1, 2, 1)),
    "alternating": wide(binary.Mul(), (1, 3, 1, 1, 3, 1, 2)),
    "reversed": wide(shape.Transpose((6, 5, 4, 3, 2, 1, 0))),
    "mixed": wide(shape.Transpose((4, 0, 6, 2, 1, 5, 3))),
    "swapped": wide(shape.Transpose((3, 4, 5, 6, 0, 1, 2))),
    "spread": wide(shape.BroadcastInDim(t("f32[2,3,2,2,3,2,2]"), tuple(range(7)))),
    "unsorted": wide(shape.BroadcastInDim(t("f32[2,4,2,3,5,2,3,2,1]"), (0, 6, 8, 7, 3, 5, 2))),
    "sum": wide(reduce.ReduceSum((0, 3, 5))),
    "sumall": wide(reduce.ReduceSum(tuple(range(7)))),
    "max": wide(reduce.ReduceMax((1, 2, 4, 6))),
    "maxone": wide(reduce.ReduceMax((2,))),
    "concat": wide(shape.Concatenate(4), (2, 3, 1, 2, 1, 2, 2)),
    "slice": wide(shape.Slice((0, 1, 0, 0, 0, 1, 0), (2, 3, 1, 1, 3, 2, 2), (1, 1, 1, 1, 2, 1, 1))),
    "slicemany": wide(
        shape.Slice((1, 1, 0, 1, 1, 1, 1), (2, 3, 1, 2, 3, 2, 2), (1, 1, 1, 1, 2, 1, 1))
    ),
    "reverse": wide(shape.Reverse((0, 2, 5))),
    "reversemany": wide(shape.Reverse((0, 1, 3, 4, 5, 6))),
    "softmax": wide(norm.FusedSoftmax(4)),
    "layernorm": wide(norm.FusedLayerNorm((4, 5, 6), 1e-5, False, False)),
    "argmax": wide(arg_min_max.ArgMinMax(4, I32, False)),
    "iota0": iota(0),
    "iota4": iota(4),
    "clamp": clamp,
    "dynamicslice": dynamic(False),
    "dynamicupdate": dynamic(True),
    "pad": padded,
    "windows": windows,
}


def case(name: str) -> tuple[Graph, np.ndarray]:
    text = "f32[2,3,4,6]" if name == "resize" else "f32[144]"
    made = graph(CASES[name], text)
    dims = made.main.parameters[0].type.shape
    return made, np.random.default_rng(0).normal(size=dims).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_no_rank_above_5_and_the_same_numbers(name: str) -> None:
    made, x = case(name)
    after = passes.run(made)
    verify.check(after)
    expected = evaluate.run(made.main, [x])
    for got, due in zip(evaluate.run(after.main, [x]), expected, strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-6)
    recipe = Recipe(targets.DEFAULT)
    program = build_model(made, recipe).model.program
    signature = Signature.of_graph(made, recipe.target)
    for engine in ("reference", "onnxruntime"):
        with load_program(program, engine=engine) as executable:
            out = signature.decode(executable.run(signature.encode({"a": x})))
        for got, due in zip(out.values(), expected, strict=True):
            np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-6)


def test_resize_is_one_tile() -> None:
    kinds = [n.op.kind for n in passes.run(case("resize")[0]).main.nodes]
    assert kinds == ["Reshape", "BroadcastInDim", "Reshape"]


@pytest.mark.parametrize("seed", range(20))
def test_any_transpose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dims = tuple(rng.integers(1, 3, 9).tolist())
    order = tuple(rng.permutation(9).tolist())
    x = np.arange(np.prod(dims), dtype=np.float32)
    g = SmartBuilder()
    value = g.parameter(t(f"f32[{x.size}]"))
    made = g.finish(transpose(g, value, dims, order))
    assert all(r.type.rank <= 5 for n in made.nodes for r in n.results)
    (got,) = evaluate.run(made, [x])
    np.testing.assert_array_equal(got.ravel(), x.reshape(dims).transpose(order).ravel())


def test_inputs_and_outputs_travel_in_rank_5() -> None:
    made = graph(lambda g, a: g.add(shape.Transpose((5, 4, 3, 2, 1, 0)), a), "f32[1,2,1,3,2,2]")
    after = passes.run(made)
    assert str(after.main.parameters[0].type) == "f32[1,2,1,3,4]"
    assert str(after.main.results[0].type) == "f32[2,2,3,1,2]"
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 1, 3, 2, 2)
    recipe = Recipe(targets.DEFAULT)
    program = build_model(made, recipe, check_passes=True).model.program
    signature = Signature.of_graph(made, recipe.target)
    assert signature.inputs[0].feature_shape == (1, 2, 1, 3, 4)
    for engine in ("reference", "onnxruntime"):
        with load_program(program, engine=engine) as executable:
            (out,) = signature.decode(executable.run(signature.encode({"a": x}))).values()
        np.testing.assert_array_equal(out, x.transpose())


def test_what_tells_six_axes_apart_is_refused() -> None:
    dims = (1, 1, 3, 3, 3, 3)
    op = conv((1,) * 4, (0,) * 8, (1,) * 4, 1)

    def make(g: Builder, x: Value) -> Value:
        g.source = "model.go:7"
        kernel = g.add(constant(F32, np.ones((1, 1, 2, 2, 2, 2))))
        return g.add(op, g.add(shape.Reshape(dims), x), kernel)

    with pytest.raises(RefusalsError, match="has rank 6, Core ML stops at 5") as caught:
        passes.run(graph(make, "f32[81]"))
    assert "model.go:7" in str(caught.value)


def test_a_graph_of_low_rank_stays() -> None:
    from coremlc.passes.rank import merge_ranks

    made = graph(lambda g, a: g.add(binary.Add(), a, a), "f32[2]")
    assert merge_ranks(made) == (made, [])


@pytest.mark.parametrize("engine", ["reference", "onnxruntime"])
def test_a_loop_keeps_a_state_of_rank_6_in_bfloat16(engine: str) -> None:
    dims = (1, 2, 1, 2, 1, 3)
    states = [t("i32[]"), t("bf16[1,2,1,2,1,3]")]

    def cond(g: Builder, n: Value, x: Value) -> Value:
        return g.add(LessThan(), n, g.add(constant(I32, 5)))

    def step(g: Builder, n: Value, x: Value) -> list[Value]:
        more = g.add(binary.Mul(), x, g.add(constant(x.type.dtype, 1.1)))
        turned = g.add(shape.Reverse((1, 5)), more)
        return [g.add(binary.Add(), n, g.add(constant(I32, 1))), turned]

    def make(g: Builder, n: Value, a: Value) -> Value:
        x = g.add(shape.Reshape(dims), g.add(ConvertDType(states[1].dtype), a))
        result = g.add_multi(loop(states, cond, step), n, x)[1]
        return g.add(ConvertDType(F32), g.add(shape.Reshape((12,)), result))

    made = graph(make, "i32[]", "f32[12]")
    given = {"a": np.int32(2), "b": np.linspace(-2, 3, 12, dtype=np.float32)}
    (due,) = evaluate.run(made.main, [np.asarray(v) for v in given.values()])
    program = build_model(made, Recipe(targets.DEFAULT)).model.program
    signature = Signature.of_graph(made, targets.DEFAULT)
    with load_program(program, engine=engine) as executable:
        (got,) = signature.decode(executable.run(signature.encode(given))).values()
    np.testing.assert_array_equal(got, due)
