"""compile_graph whole: odd interfaces, checked passes, what is told of a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from coremlc import compiler, passes, targets
from coremlc.cli import cli
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model, compile_graph, graph_text
from coremlc.engine.base import load_program
from coremlc.errors import (
    InternalError,
    RefusalsError,
    UsageError,
)
from coremlc.inspection import inspect
from coremlc.ir.graph import Input, Output
from coremlc.ops import binary, leaves, shape, unary
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.refused import REFUSED
from coremlc.passes.rules import RULES
from coremlc.signature import Signature
from tests.conftest import FIXTURES
from tests.e2e.fixtures import NAMES, SMALL
from tests.frontend.files import File, adding, refusing
from tests.ir.graphs import const, graph, run, t

EINSUM = FIXTURES / "einsum" / "graph.pb"
ADD, NEG = binary.Add(), unary.Neg()


def both_engines(made, given, target="iOS18"):
    """Outputs by name of each engine, as the user gets them; equal to the oracle's."""
    recipe = Recipe(targets.get(target))
    program = build_model(made, recipe).model.program
    signature = Signature.of_graph(made, recipe.target, passes.run(made))
    due = run(made, list(given.values()))
    for engine in ("reference", "onnxruntime"):
        with load_program(program, engine=engine) as executable:
            got = signature.decode(executable.run(signature.encode(given)))
        for (name, x), y in zip(got.items(), due, strict=True):
            assert not difference(name, x, y).mismatched
    return got


def named(made, inputs, outputs):
    return replace(
        made, inputs=tuple(Input(n) for n in inputs), outputs=tuple(Output(n) for n in outputs)
    )


X = np.float32([[1, -2, 3], [4, 5, -6]])


@pytest.mark.parametrize("target", ["iOS15", "iOS18"])
class TestInterfaces:
    """What a main function may take and return."""

    def test_an_input_is_an_output(self, target):
        made = graph(lambda g, a: a, "f32[2,3]")
        both_engines(made, {"a": X}, target)

    def test_an_input_and_an_output_of_one_name(self, target):
        made = named(graph(lambda g, a: g.add(NEG, a), "f32[2,3]"), ["x"], ["x"])
        assert list(both_engines(made, {"x": X}, target)) == ["x"]

    def test_one_value_is_two_outputs(self, target):
        def make(g, a):
            y = g.add(NEG, a)
            return y, y, a, a

        both_engines(graph(make, "f32[2,3]"), {"a": X}, target)

    def test_an_output_is_a_constant(self, target):
        made = graph(lambda g, a: (const(g, X), g.add(NEG, a), const(g, True, "bool")), "f32[2,3]")
        both_engines(made, {"a": X}, target)

    def test_an_output_is_a_large_splat(self, target):
        made = graph(lambda g, a: (a, g.add(leaves.splat(a.type.dtype, 2, (64, 3)))), "f32[2,3]")
        both_engines(made, {"a": X}, target)

    def test_an_input_is_not_used(self, target):
        made = graph(lambda g, a, b: g.add(NEG, a), "f32[2,3]", "i32[4]")
        both_engines(made, {"a": X, "b": np.zeros(4, np.int32)}, target)

    def test_scalars(self, target):
        made = graph(lambda g, a, b: (g.add(ADD, a, a), b), "f32[]", "bool[]")
        got = both_engines(made, {"a": np.float32(2), "b": np.bool_(True)}, target)
        assert [x.shape for x in got.values()] == [(), ()]

    def test_bools(self, target):
        made = graph(lambda g, a: (g.add(unary.LogicalNot(), a), a), "bool[3]")
        both_engines(made, {"a": np.array([True, False, True])}, target)

    def test_float16(self, target):
        made = graph(lambda g, a: (g.add(ADD, a, a), a), "f16[3]")
        both_engines(made, {"a": np.float16([1.5, 60000, -0.0])}, target)

    def test_int64(self, target):
        made = graph(lambda g, a: (a, g.add(ConvertDType(t("f32[]").dtype), a)), "i64[3]")
        both_engines(made, {"a": np.int64([1, -5, 2**31 - 1])}, target)

    def test_float64(self, target):
        made = graph(lambda g, a: g.add(ADD, a, a), "f64[3]")
        both_engines(made, {"a": np.float64([1, 2.5, -3])}, target)

    def test_inputs_and_outputs_without_elements(self, target):
        def make(g, a, b, c):
            both = g.add(shape.Concatenate(0), a, b)
            return c, g.add(NEG, both), g.add(NEG, b)

        made = graph(make, "f32[2,3]", "f32[0,3]", "u64[3,0]")
        given = {"a": X, "b": np.zeros((0, 3), np.float32), "c": np.zeros((3, 0), np.uint64)}
        got = both_engines(made, given, target)
        assert [x.shape for x in got.values()] == [(3, 0), (2, 3), (0, 3)]

    @pytest.mark.parametrize("dtype", ["f32", "f16", "c64", "i64", "bool"])
    def test_no_output_has_elements(self, target, dtype):
        made = graph(lambda g, a: (a, g.add(shape.Transpose((1, 0)), a)), f"{dtype}[0,2]")
        given = {"a": np.zeros((0, 2), t(f"{dtype}[]").dtype.numpy)}
        got = both_engines(made, given, target)
        assert [x.shape for x in got.values()] == [(0, 2), (2, 0)]

    def test_names_that_core_ml_does_not_take(self, target):
        names = ["/dense/weights", "1x", "a b", "a_b", "float", "tensor", "ünï"]
        made = graph(lambda g, *xs: tuple(g.add(NEG, x) for x in xs), *["f32[2]"] * len(names))
        given = {name: np.float32([i, -i]) for i, name in enumerate(names)}
        got = both_engines(named(made, names, names), given, target)
        assert list(got) == names
        assert [x[0] for x in got.values()] == [-i for i in range(len(names))]


@pytest.mark.parametrize(
    "name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
)
def test_passes_keep_the_numbers_of_every_fixture(name):
    report = compile_graph(FIXTURES / name / "graph.pb", check_passes=True)
    assert report.cache == "miss"
    assert compile_graph(FIXTURES / name / "graph.pb", check_passes=True).cache == "hit"


@pytest.mark.parametrize("dtype", ["Int64", "Uint64", "Uint32", "Complex64", "Int8", "Float64"])
def test_passes_keep_the_numbers_of_odd_dtypes(dtype, tmp_path):
    file = File()
    x = file.input("x", dtype, 5)
    file.result(file.node("Mul", (x, x), dtype, 5))
    assert compile_graph(file.save(tmp_path), check_passes=True).cache == "miss"


@pytest.mark.parametrize("dtype", ["Int64", "Complex64", "Float32"])
def test_passes_are_checked_beside_what_has_no_elements(dtype, tmp_path):
    file = File()
    none, x = file.input("none", dtype, 0, 3), file.input("x", dtype, 5)
    file.result(none, "nothing")
    file.result(file.node("Mul", (x, x), dtype, 5))
    assert compile_graph(file.save(tmp_path), check_passes=True).cache == "miss"


def wrong(g, op, operands, out):
    """`a + b -> a`: a rule that lies."""
    return operands[0] if operands[0].type == out else None


def test_a_pass_that_changes_numbers_is_caught(monkeypatch, tmp_path):
    path = adding().save(tmp_path)
    monkeypatch.setitem(RULES, binary.Add, (wrong,))
    with pytest.raises(InternalError) as caught:
        compile_graph(path, check_passes=True)
    assert caught.value.exit_code == 70
    assert "stage simplify changed output 'y': 6 of 6 elements" in str(caught.value)
    result = CliRunner().invoke(cli, ["compile", str(path), "--check-passes"])
    assert result.exit_code == 70
    assert "stage simplify changed output 'y'" in result.stderr
    assert "report it" in result.stderr


def test_unchecked_passes_cost_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(compiler, "_pass_check", lambda: pytest.fail("not asked for"))
    assert compile_graph(adding().save(tmp_path)).cache == "miss"


def test_refusals_come_before_the_check_of_passes(tmp_path, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    path = refusing().save(tmp_path)
    with pytest.raises(RefusalsError, match="Neg: only in this test"):
        compile_graph(path, check_passes=True)


@pytest.mark.parametrize("stage", [*passes.STAGES, None])
def test_the_text_of_each_stage(stage):
    text = graph_text(EINSUM, stage)
    assert text.startswith("graph einsum\n")
    assert ("DotGeneral" in text) == (stage in (None, "read", "simplify", "fuse"))


def test_a_stage_before_the_refusal_is_shown(tmp_path, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    path = refusing().save(tmp_path)
    assert "Unsupported" in graph_text(path, "simplify")
    with pytest.raises(RefusalsError):
        graph_text(path, passes.STAGES[-1])


def test_warnings_are_told_on_a_hit_too(tmp_path):
    path = adding("Float64").save(tmp_path)
    first, second = compile_graph(path), compile_graph(path)
    assert second.cache == "hit"
    assert first.warnings == second.warnings
    assert "float64" in first.warnings[0]


@pytest.mark.parametrize("name", ["einsum", "g2p"])
def test_mil_ops_count_those_of_loops_too(name):
    graph = FIXTURES / name / "graph.pb"
    assert compile_graph(graph).mil_ops == sum(inspect(str(graph)).ops.values())


@pytest.mark.parametrize("precision", ["fp8", "int8"])
def test_no_such_precision(precision):
    with pytest.raises(UsageError):
        compile_graph(EINSUM, precision=precision)
