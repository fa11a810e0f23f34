"""compile_graph whole: odd interfaces, checked passes, bad input, and that nothing half is left."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from coremlc import compiler, passes, targets
from coremlc.bundle import read_bundle, write
from coremlc.cli import cli
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model, compile_graph, graph_text
from coremlc.engine.base import load_program
from coremlc.errors import (
    CoremlcError,
    FormatError,
    InternalError,
    MachineError,
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
from tests.frontend.files import File, adding, refusing, weighted
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


def left(directory: Path) -> list[str]:
    """All files below, locks left out."""
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


FILES = {
    "garbage": (lambda path: path.write_bytes(b"garbage" * 9), FormatError, "not a graph.pb"),
    "empty": (lambda path: path.write_bytes(b""), FormatError, "not a graph.pb"),
    "cut": (lambda path: path.write_bytes(cut(path.read_bytes())), CoremlcError, "error: "),
    "missing": (lambda path: path.unlink(), FormatError, "graph.pb"),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), FormatError, "graph.pb"),
    "no weights": (
        lambda path: path.with_suffix(".safetensors").unlink(), FormatError, "is missing",
    ),
    "cut weights": (
        lambda path: path.with_suffix(".safetensors").write_bytes(b"x"), FormatError, "1 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_bad_files(case, tmp_path, cache_dir):
    damage, kind, says = FILES[case]
    path = weighted().save(tmp_path)
    damage(path)
    output = tmp_path / "model.mlmodelc"
    with pytest.raises(kind) as caught:
        compile_graph(path, output=output)
    assert says in str(caught.value)
    assert "\n  where: " in str(caught.value)
    assert "\n  fix:   " in str(caught.value)
    assert not output.exists()
    assert left(cache_dir) == []
    result = CliRunner().invoke(cli, ["compile", str(path)])
    assert result.exit_code == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_refused_graph_leaves_nothing(tmp_path, cache_dir, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    path = refusing().save(tmp_path)
    for name in ("a.mlmodelc", "a.mlpackage"):
        with pytest.raises(RefusalsError):
            compile_graph(path, output=tmp_path / name)
        assert not (tmp_path / name).exists()
    assert left(cache_dir) == []
    assert left(tmp_path) == ["graph.pb"]


class TestOutputs:
    """-o: what is in the way, and what is left when writing fails."""

    def test_a_bundle_is_replaced(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        compile_graph(adding().save(tmp_path), output=output)
        before = (output / "model.mil").read_bytes()
        compile_graph(adding("Float32", 5).save(tmp_path), output=output)
        assert (output / "model.mil").read_bytes() != before
        assert "5" in str(read_bundle(output).description.inputs[0])

    def test_a_directory_that_is_no_bundle_stays(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        output.mkdir()
        (output / "thesis.txt").write_text("mine")
        with pytest.raises(CoremlcError) as caught:
            compile_graph(adding().save(tmp_path), output=output)
        assert str(output) in str(caught.value)
        assert (output / "thesis.txt").read_text() == "mine"

    def test_a_file_stays(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        output.write_text("mine")
        with pytest.raises(CoremlcError):
            compile_graph(adding().save(tmp_path), output=output)
        assert output.read_text() == "mine"

    def test_no_directory(self, tmp_path):
        path = adding().save(tmp_path)
        output = tmp_path / "nowhere" / "m.mlmodelc"
        with pytest.raises(CoremlcError) as caught:
            compile_graph(path, output=output)
        assert "nowhere" in str(caught.value)
        assert caught.value.exit_code in (2, 3)
        result = CliRunner().invoke(cli, ["compile", str(path), "-o", str(output)])
        assert result.exit_code == caught.value.exit_code
        assert "Traceback" not in result.stderr

    @pytest.mark.parametrize("suffix", [".mlmodelc", ".mlpackage"])
    def test_what_was_there_stays_if_writing_fails(self, suffix, tmp_path, monkeypatch):
        output = tmp_path / "out" / f"m{suffix}"
        output.parent.mkdir()
        path = adding().save(tmp_path)
        compile_graph(path, output=output)
        before = {name: (output / name).read_bytes() for name in left(output)}

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(write, "model_to_bytes", full)
        with pytest.raises(MachineError, match="No space left"):
            compile_graph(path, output=output, use_cache=False)
        assert {name: (output / name).read_bytes() for name in left(output)} == before
        assert os.listdir(output.parent) == [output.name]

    def test_another_suffix(self, tmp_path):
        with pytest.raises(UsageError, match="names no bundle"):
            compile_graph(adding().save(tmp_path), output=tmp_path / "model.onnx")
        assert left(tmp_path) == ["graph.pb"]


class TestCaches:
    """A cache that can't be written is told of; the bundle is there all the same."""

    def compiled(self, tmp_path):
        report = compile_graph(adding().save(tmp_path))
        assert report.cache == "miss"
        assert read_bundle(Path(report.bundle)).text
        shutil.rmtree(Path(report.bundle).parent)
        return report.warnings

    def test_a_file_in_its_place(self, tmp_path, monkeypatch):
        (tmp_path / "cache").write_text("not a directory")
        monkeypatch.setenv("COREMLC_CACHE", str(tmp_path / "cache"))
        (warning,) = self.compiled(tmp_path)
        assert str(tmp_path / "cache") in warning
        assert (tmp_path / "cache").read_text() == "not a directory"

    def test_no_permission(self, tmp_path, cache_dir):
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        cache_dir.chmod(0o500)
        assert self.compiled(tmp_path)
        assert os.listdir(cache_dir) == []

    def test_no_space(self, tmp_path, cache_dir, monkeypatch):
        def full(directory):
            if cache_dir in Path(directory).parents:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("coremlc.bundle.files.sync_directory", full)
        (warning,) = self.compiled(tmp_path)
        assert "No space left" in warning
        assert left(cache_dir) == []

    def test_no_space_anywhere(self, tmp_path):
        """Every file over 2000 bytes fails, as on a full disk."""
        path = weighted().save(tmp_path)
        script = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700));"
            "from coremlc.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "compile", str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        assert "error: " in done.stderr
        assert "fix:" in done.stderr
        assert left(tmp_path) == ["graph.pb", "graph.safetensors"]

    def test_a_broken_off_compile_leaves_nothing(self, tmp_path, cache_dir, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(write, "model_mil", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compile_graph(adding().save(tmp_path))
        assert left(cache_dir) == []
        monkeypatch.undo()


def coremlc(*args: object, code: int, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "coremlc", *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_process_tells_errors_and_codes(tmp_path):
    """Once for real: stdout is empty, stderr has three parts, the code is right."""
    (tmp_path / "bad.pb").write_bytes(b"garbage")
    done = coremlc("compile", tmp_path / "bad.pb", code=1)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "error: not a graph.pb: the protobuf does not parse"
    assert lines[1] == f"  where: in {tmp_path / 'bad.pb'}"
    assert lines[2].startswith("  fix:   ")
    assert len(lines) == 3
    coremlc("compile", code=2)
    report = json.loads(coremlc("compile", EINSUM, "--json", code=0).stdout)
    assert report["cache"] == "miss"


INPUTS = {
    "a wrong shape": ({"x": np.zeros((3, 2), np.float32)}, "[3, 2]", "f32[2,3]"),
    "a wrong dtype": ({"x": np.zeros((2, 3), np.float64)}, "float64", "f32[2,3]"),
    "a wrong rank": ({"x": np.zeros(6, np.float32)}, "[6]", "f32[2,3]"),
    "a wrong name": ({"X": np.zeros((2, 3), np.float32)}, "'X'", "'x' f32[2,3]"),
    "one too many": (
        {"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, "no input 'z'", "give 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INPUTS)
def test_wrong_inputs(case, tmp_path):
    arrays, found, wanted = INPUTS[case]
    path = adding().save(tmp_path)
    np.savez(tmp_path / "in.npz", **arrays)
    result = CliRunner().invoke(cli, ["run", str(path), "-i", str(tmp_path / "in.npz")])
    assert result.exit_code == 1, result.stderr
    assert found in result.stderr
    assert wanted in result.stderr
    assert "fix:" in result.stderr
    assert "Traceback" not in result.stderr


def test_integers_beyond_the_stated_range_are_refused(tmp_path):
    file = File()
    ids = file.input("ids", "Int64", 3)
    file.result(file.node("Mul", (ids, ids), "Int64", 3))
    path = file.save(tmp_path)
    assume = ["--assume", "ids=0..46340"]
    for values, code in (([0, 3, 46340], 0), ([0, 3, 46341], 1), ([-1, 0, 0], 1)):
        np.save(tmp_path / "ids.npy", np.int64(values))
        args = ["run", str(path), *assume, "-i", f"ids={tmp_path / 'ids.npy'}"]
        result = CliRunner().invoke(cli, [*args, "-o", str(tmp_path / "out.npz")])
        assert result.exit_code == code, result.stderr
        assert code == 0 or "0..46340" in result.stderr
    with np.load(tmp_path / "out.npz") as out:
        assert out["y"].dtype == np.int64
        assert out["y"].tolist() == [0, 9, 46340**2]


def test_named_axes_on_the_command_line(tmp_path):
    file = File()
    file.pb.axes.add(name="batch", min=1, max=8)
    x = file.input("x", "Float32", "batch", 2)
    file.result(file.node("Neg", (x,), "Float32", "batch", 2))
    path = file.save(tmp_path)
    result = CliRunner().invoke(cli, ["compile", str(path)])
    assert result.exit_code == 2
    assert "--dim batch=N" in result.stderr
    for size in (1, 8):
        args = ["run", str(path), "--dim", f"batch={size}", "--random", "0", "--json"]
        result = CliRunner().invoke(cli, args)
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["outputs"][0]["shape"] == [size, 2]
    result = CliRunner().invoke(cli, ["compile", str(path), "--dim", "batch=9"])
    assert result.exit_code == 2
    assert "use 1..8" in result.stderr
