"""What every engine promises: input checks, threads, names, notes, no copies of weights."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from coremlc.engine import Options
from coremlc.errors import InputError, MachineError, RefusalsError, RefusedError, UsageError
from coremlc.mil.program import Block, Function, Op, Program, Value
from coremlc.mil.types import TensorType
from tests.engine.programs import ENGINES, C, Maker, one_op, run_all, start


def add_program() -> tuple[Program, dict[str, np.ndarray]]:
    return one_op("add", {"x": np.ones((2, 3), np.float32), "y": np.ones((2, 3), np.float32)})


@pytest.mark.parametrize("engine", ENGINES)
def test_bad_inputs_are_named(engine: str) -> None:
    program, good = add_program()
    with start(program, engine) as executable:
        for features, message in (
            ({"x": good["x"]}, "input 'y'"),
            ({**good, "z": good["x"]}, "no input 'z'"),
            ({**good, "x": good["x"].astype(np.float64)}, "dtype float64 where float32"),
            ({**good, "x": good["x"][:1]}, "shape [1, 3] where [2, 3]"),
            ({**good, "x": 3.0}, "float is not a numpy array"),
        ):
            with pytest.raises(InputError) as caught:
                executable.run(features)
            assert message in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_are_the_callers_own(engine: str) -> None:
    program, good = add_program()
    with start(program, engine) as executable:
        first = next(iter(executable.run(good).values()))
        second = next(iter(executable.run({**good, "x": good["x"] * 5}).values()))
        assert first[0, 0] == 2
        assert second[0, 0] == 6
        second[:] = 9
        assert next(iter(executable.run(good).values()))[0, 0] == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_an_output_may_be_an_input_or_a_constant(engine: str) -> None:
    m = Maker()
    x = m.input("x", np.ones(3, np.float32))
    program = m.program(x)
    with start(program, engine) as executable:
        given = np.ones(3, np.float32)
        if engine == "reference":
            out = executable.run({"x": given})["x"]
            out[:] = 2
            assert given[0] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_runs_from_many_threads(engine: str) -> None:
    m = Maker()
    x = m.input("x", TensorType("fp32", (64, 64)))
    y = m.add("matmul", x=x, y=C(np.eye(64, dtype=np.float32) * 2))
    program = m.program(m.add("add", x=y, y=1.0))
    with start(program, engine) as executable, ThreadPoolExecutor(4) as pool:

        def work(i: int) -> bool:
            given = np.full((64, 64), i, np.float32)
            return all(
                (next(iter(executable.run({"x": given}).values())) == 2 * i + 1).all()
                for _ in range(20)
            )

        assert all(pool.map(work, range(16)))


@pytest.mark.parametrize("engine", ENGINES)
def test_unknown_ops_are_refused_at_once(engine: str) -> None:
    x = Value("x", TensorType("fp32", (2,)))
    outs = [Value(f"v{i}", x.type) for i in range(2)]
    ops = tuple(Op(f"mystery{i}", {"x": (x,)}, (out,)) for i, out in enumerate(outs))
    function = Function((x,), "CoreML8", {"CoreML8": Block(ops, tuple(outs))})
    with pytest.raises(RefusalsError) as caught:
        start(Program({"main": function}), engine)
    assert "'mystery0'" in str(caught.value)
    assert "MIL op mystery1 -> %v1" in str(caught.value)


def test_units_that_are_not_there() -> None:
    program, good = add_program()
    options = Options(compute_units="cpu-and-ne")
    with start(program, "onnxruntime", options=options) as executable:
        assert executable.used.compute_units == "cpu-only"
        assert "Neural Engine" in executable.used.note
        assert executable.load_ms > 0
        executable.run(good)
    with pytest.raises(MachineError, match="Neural Engine"):
        start(program, "onnxruntime", options=Options("cpu-and-ne", strict_units=True))


def test_functions_by_name() -> None:
    program, _ = add_program()
    with pytest.raises(UsageError, match="no function 'other'"):
        start(program, "reference", function="other")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gather_that_validates_raises(engine: str) -> None:
    indices = np.array([0, -1], np.int32)
    given = {"x": np.ones((3, 2), np.float32), "indices": indices, "validate_indices": True}
    program, features = one_op("gather", given)
    with start(program, engine) as executable, pytest.raises(InputError, match=r"3|-1"):
        executable.run(features)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_minus_zero_plus_zero_is_zero(dtype: type) -> None:
    maker, zero = Maker(), np.array([-0.0], dtype)
    product = maker.add("mul", x=maker.input("x", zero), y=1.5, floats=dtype)
    program = maker.program(maker.add("abs", x=maker.add("add", x=product, y=0.0, floats=dtype)),
                            maker.add("add", x=product, y=0.0, floats=dtype))  # fmt: skip
    for results in run_all(program, {"x": zero}):
        assert not any(np.signbit(x).any() for x in results)


def test_scatter_with_duplicates_is_exact_with_two_threads() -> None:
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 50, (10_000, 1)).astype(np.int32)
    given = {
        "data": np.zeros((50, 128), np.int32),
        "indices": indices,
        "updates": np.ones((10_000, 128), np.int32),
        "mode": "add",
    }
    program, features = one_op("scatter_nd", given)
    want = np.bincount(indices[:, 0], minlength=50)
    with start(program, "onnxruntime", options=Options(threads=2)) as executable:
        assert executable.threads == 1
        for _ in range(10):
            (got,) = executable.run(features).values()
            np.testing.assert_array_equal(got, np.repeat(want[:, None], 128, 1))


def test_a_scatter_proved_unique_keeps_its_threads() -> None:
    given = {"data": np.zeros((4, 2), np.float32), "indices": [2, 0],
             "updates": np.ones((2, 2), np.float32)}  # fmt: skip
    program, _ = one_op("scatter", given)
    with start(program, "onnxruntime", options=Options(threads=2)) as executable:
        assert executable.threads == 2


def test_a_window_that_moves_keeps_its_threads() -> None:
    """As a dynamic update writes it: a grid of places, shifted by a start."""
    grid = np.stack(np.meshgrid(np.arange(2), np.arange(3), indexing="ij"), -1).astype(np.int32)
    m = Maker("CoreML7")
    x = m.input("x", np.zeros((4, 5), np.float32))
    at = m.input("at", np.zeros(2, np.int32))
    places = m.add("add", x=C(grid), y=m.add("reshape", x=at, shape=[1, 1, 2]))
    u = m.input("u", np.zeros((2, 3), np.float32))
    y = m.add("scatter_nd", data=x, indices=places, updates=u, mode="update")
    program = m.program(y)
    with start(program, "onnxruntime", options=Options(threads=2)) as executable:
        assert executable.threads == 2


def test_a_closed_executable_says_so() -> None:
    program, good = add_program()
    executable = start(program, "onnxruntime")
    executable.close()
    with pytest.raises(InputError, match="closed"):
        executable.run(good)


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML is there")
def test_core_ml_needs_a_mac(tmp_path) -> None:
    from coremlc.engine import load

    with pytest.raises(MachineError, match="macOS"):
        load(tmp_path, engine="coreml")


def test_import_is_lazy() -> None:
    code = "import sys, coremlc.engine; print([m for m in ('onnxruntime', 'onnx', 'coremltools') if m in sys.modules])"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_name_the_op() -> None:
    program, features = one_op("gather", {"x": np.ones((3, 2), np.float32),
                                          "indices": np.array([5], np.int32),
                                          "validate_indices": True})  # fmt: skip
    with start(program, "reference") as executable, pytest.raises(InputError) as caught:
        executable.run(features)
    assert "where: MIL op gather -> %" in str(caught.value)
    assert isinstance(caught.value, InputError | RefusedError)
