"""How loops run: in threads, on any array, closed, without llvmlite."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from coremlc.engine import Options, fused
from coremlc.engine.fused.kernel import SPLIT_US, Kernel
from coremlc.engine.ort.executable import OrtExecutable
from coremlc.engine.ort.flexible import FlexibleExecutable
from coremlc.engine.ort.parts import PartsExecutable
from coremlc.errors import InputError
from coremlc.mil.program import Program
from coremlc.mil.types import TensorType
from tests.engine.fused.regions import INTS
from tests.engine.fused.test_exact import ALWAYS, check, same_bits
from tests.engine.programs import C, Maker, one_op, start

RNG = np.random.default_rng(7)


def chain(*shape: int) -> tuple[Program, dict[str, np.ndarray]]:
    """Some arithmetic with a row, large enough for threads if the shape is."""
    m = Maker()
    features = {"x": RNG.normal(size=shape).astype(np.float32)}
    y = x = m.input("x", features["x"])
    row = C(RNG.normal(size=shape[-1:]).astype(np.float32))
    for _ in range(8):
        y = m.add("sub", x=m.add("mul", x=y, y=row), y=x)
    return m.program(y), features


def spans(executable: PartsExecutable) -> list[int]:
    kernels: list[Kernel] = executable._kernels.all
    return [len(kernel.spans) for kernel in kernels]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(700, 1000), (3, 500_000), (1_000_003,)])
def test_any_number_of_threads(threads: int, shape: tuple[int, ...]) -> None:
    program, features = chain(*shape)
    (want,) = start(program, "reference").run(features).values()
    with start(program, "onnxruntime", options=Options(threads=threads)) as executable:
        assert isinstance(executable, PartsExecutable)
        assert spans(executable) == [threads]
        same_bits(*executable.run(features).values(), want)


def test_small_regions_have_one_thread() -> None:
    program, _ = chain(10, 10)
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        assert isinstance(executable, PartsExecutable)
        assert spans(executable) == [1], SPLIT_US


def test_runs_from_many_threads() -> None:
    program, features = chain(400, 1000)
    (want,) = start(program, "reference").run(features).values()
    with start(program, "onnxruntime", options=Options(threads=2)) as executable:

        def work(_: int) -> None:
            for _ in range(10):
                same_bits(*executable.run(features).values(), want)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))


@pytest.mark.parametrize("kind", ["real_div", "floor_div", "mod"])
def test_divisions_of_edges(kind: str) -> None:
    check(*one_op(kind, {"x": INTS[:, None].copy(), "y": INTS}))
    for divisor in INTS:
        check(*one_op(kind, {"x": INTS, "y": int(divisor)}))


def test_inputs_may_lie_anyhow() -> None:
    program, features = chain(6, 7)
    x = features["x"]
    (want,) = start(program, "reference").run(features).values()
    memory = np.zeros(x.nbytes + 1, np.uint8)
    crooked = memory[1:].view(np.float32).reshape(x.shape)
    crooked[:] = x
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        for given in (np.asfortranarray(x), crooked, np.repeat(x, 2, 1)[:, ::2]):
            same_bits(*executable.run({"x": given}).values(), want)


def test_results_share_no_memory() -> None:
    m = Maker()
    x = m.input("x", np.ones((2, 3), np.float32))
    y = m.add("add", x=x, y=1.0)
    program = m.program(y, m.add("reshape", x=y, shape=[6]), m.add("reshape", x=x, shape=[6]))
    given = np.ones((2, 3), np.float32)
    with start(program, "onnxruntime", options=ALWAYS) as executable:
        results = list(executable.run({"x": given}).values())
        for result in results:
            result += 1
        assert [r.max() for r in results] == [3, 3, 2]
        assert given.max() == 1


def test_a_closed_one_says_so() -> None:
    program, features = chain(2, 3)
    executable = start(program, "onnxruntime", options=ALWAYS)
    executable.close()
    with pytest.raises(InputError, match="closed"):
        executable.run(features)


def test_without_llvmlite_a_session_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    program, features = chain(700, 1000)
    monkeypatch.setattr(fused, "find_spec", lambda name: None)
    (want,) = start(program, "reference").run(features).values()
    with start(program, "onnxruntime") as executable:
        assert isinstance(executable, OrtExecutable)
        same_bits(*executable.run(features).values(), want)


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    program, _ = chain(700, 1000)
    with start(program, "onnxruntime", options=Options(fuse_from_us=np.inf)) as executable:
        assert isinstance(executable, OrtExecutable)
    monkeypatch.setenv(fused.VARIABLE, "0")
    with start(program, "onnxruntime") as executable:
        assert isinstance(executable, OrtExecutable)


def test_llvm_is_loaded_where_a_loop_is() -> None:
    code = """
import sys
from tests.engine.programs import one_op, start
import numpy as np
program, features = one_op("add", {"x": np.ones(3, np.float32), "y": 1.0})
start(program, "onnxruntime").run(features)
assert "llvmlite" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_flexible_shapes_have_no_loops() -> None:
    """LLVM would be asked anew for each shape."""
    m = Maker()
    x = m.input("x", TensorType("fp32", (None, 1000)))
    y = m.add("select", cond=m.add("less", x=x, y=0.5), a=x, b=1.0)
    with start(m.program(y), "onnxruntime") as executable:
        executable.run({"x": np.ones((2000, 1000), np.float32)})
        assert isinstance(executable, FlexibleExecutable)
        assert [type(e) for e in executable._fixed.values()] == [OrtExecutable]
