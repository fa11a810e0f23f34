"""Complex values become two real ones: parameters, results, constants, bodies; what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coremlc import dtypes, passes
from coremlc.check import PassCheck
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load_program
from coremlc.errors import RefusalsError
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import Builder, Graph, Node
from coremlc.ir.text import print_graph
from coremlc.ir.types import TensorType
from coremlc.ops import binary, compare, convert_dtype, leaves, reduce, shape, unary
from coremlc.ops.call import Call
from coremlc.ops.complex import Complex, Conj, Imag, Real
from coremlc.ops.control_flow import If, While
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.fft import FFT, RADIX, stage
from coremlc.ops.refused import REFUSED, Unsupported
from coremlc.ops.sort import Sort
from coremlc.passes.decompose import decompose
from coremlc.passes.split_complex import split_complex
from coremlc.signature import KEY, Signature
from coremlc.targets import DEFAULT
from tests.engine.programs import ENGINES
from tests.ir.graphs import const, graph, ops, t


def split(made: Graph) -> Graph:
    after = split_complex(made.with_main(decompose(made.main)))
    verify.check(after)
    for node in after.main.nodes:
        assert not any(r.type.dtype.is_complex for r in node.results)
    return after


def numbers(*dims: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=dims) + 1j * rng.normal(size=dims)).astype(np.complex64)


def parts(*arrays: np.ndarray) -> list[np.ndarray]:
    return [p for x in arrays for p in ((x.real, x.imag) if np.iscomplexobj(x) else (x,))]


def same(made: Graph, *given: np.ndarray) -> Graph:
    """The split graph gives the parts of what the graph gives."""
    after = split(made)
    wanted = parts(*evaluate.run(made.main, list(given)))
    for got, part in zip(evaluate.run(after.main, parts(*given)), wanted, strict=True):
        assert got.dtype == part.dtype
        np.testing.assert_allclose(got, part, rtol=1e-5, atol=1e-6)
    return after


def test_a_graph_without_complex_values_is_the_same():
    made = graph(lambda g, x: g.add(binary.Add(), x, x), "f32[3]")
    assert split_complex(made) is made


def test_parameters_and_results_are_two_in_order():
    made = graph(lambda g, x, s, y: (g.add(binary.Mul(), x, y), s), "c64[2]", "f32[]", "c64[2]")
    after = same(made, numbers(2), np.float32(3), numbers(2, seed=1))
    assert [i.name for i in after.inputs] == ["a_re", "a_im", "b", "c_re", "c_im"]
    assert [o.name for o in after.outputs] == ["y0_re", "y0_im", "y1"]


def test_text(golden):
    def make(g: Builder, x, y):
        g.source = "model.go:3"
        product = g.add(binary.Mul(), x, const(g, [1 + 2j, 3 - 4j], "c64"))
        g.source = "model.go:4"
        moved = g.add(shape.Reverse((0,)), product)
        g.source = "model.go:5"
        return g.add(Conj(), moved), g.add(unary.Abs(), y)

    after = same(graph(make, "c64[2]", "c64[]"), numbers(2), numbers())
    golden("split/complex.gir", print_graph(after))


def test_parts_of_what_was_just_made_cost_nothing():
    def make(g, a, b):
        z = g.add(Complex(), a, b)
        return g.add(Real(), z), g.add(Imag(), g.add(shape.Transpose((1, 0)), z))

    assert ops(split(graph(make, "f32[2,3]", "f32[2,3]"))) == ["Transpose"]


def test_complex128_has_float64_parts_that_warn():
    made = graph(lambda g, x: g.add(binary.Add(), x, x), "c128[2]")
    assert [str(p.type) for p in split(made).main.parameters] == ["f64[2]", "f64[2]"]
    after = passes.run(made)
    assert [str(p.type) for p in after.main.parameters] == ["f32[2]", "f32[2]"]
    assert after.warnings == (
        "2 float64 values computed in float32, the first at input 'a'; --strict refuses them",
    )
    with pytest.raises(RefusalsError, match="Core ML has no float64"):
        passes.run(made, strict=True)


def test_bodies_are_split_with_what_they_capture():
    b = Builder()
    z = b.parameter(t("c64[2]"))
    body = b.finish(b.add(binary.Mul(), z, z), b.add(unary.Abs(), z), name="square")

    def make(g, x):
        return g.add_multi(Call(body), g.add(Conj(), x))

    after = same(graph(make, "c64[2]"), numbers(2))
    assert len(after.main.results) == 3


def loop(g: Builder, z, n):
    """A loop with a complex state and a captured one, and a branch of complex results."""
    two, captured = g.add(leaves.constant(dtypes.C64, 0.5 + 0.5j)), g.add(Conj(), z)
    c = Builder()
    _, ci = c.parameter(z.type), c.parameter(n.type)
    cond = c.finish(c.add(compare.LessThan(), ci, n))
    b = Builder()
    bz, bi = b.parameter(z.type), b.parameter(n.type)
    turned = b.add(binary.Add(), b.add(binary.Mul(), bz, two), captured)
    body = b.finish(turned, b.add(binary.Add(), bi, b.add(leaves.constant(dtypes.I32, 1))))
    start = g.add(leaves.constant(dtypes.I32, 0))
    state, count = g.add_multi(While(cond, body), z, start)
    yes, no = Builder(), Builder()
    transformed = yes.finish(yes.add(FFT("Forward", z.type.shape), state))
    branch = If(transformed, no.finish(no.add(unary.Sqrt(), state)))
    return g.add(branch, g.add(compare.Equal(), count, n)), state


def test_loop_states_and_branches_are_split():
    same(graph(loop, "c64[3]", "i32[]"), numbers(3), np.int32(4))


def sort_by_abs(g: Builder, z):
    b = Builder()
    sizes = [b.add(unary.Abs(), b.parameter(t("c64[]"))) for _ in range(2)]
    less = b.add(compare.LessThan(), *sizes)
    return g.add(Sort(0, True, b.finish(less)), z)


def sort_with_payload(g: Builder, key, z):
    b = Builder()
    left, right, *_ = [b.parameter(t(f"{d}[]")) for d in ("f32", "f32", "c64", "c64")]
    return g.add_multi(Sort(0, True, b.finish(b.add(compare.LessThan(), left, right))), key, z)


PROGRAMS = {
    "loop": (loop, (numbers(300), np.int32(5))),
    "sort_by_abs": (sort_by_abs, (numbers(9),)),
    "sort_with_payload": (sort_with_payload, (numbers(9, seed=2).real.copy(), numbers(9))),
    "rank6": (lambda g, x: g.add(binary.Mul(), x, x), (numbers(1, 2, 1, 2, 1, 3),)),
    "rank6_fft": (lambda g, x: g.add(FFT("Forward", (2, 3, 4)), x), (numbers(2, 1, 2, 2, 3, 4),)),
    "passed_through": (lambda g, x: (x, x, g.add(Real(), x)), (numbers(3),)),
    "from_long": (
        lambda g, x: g.add(convert_dtype.ConvertDType(dtypes.C64), x),
        (np.array([1, -2, 3]),),
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run(name, engine):
    make, given = PROGRAMS[name]
    kinds = [str(TensorType(dtypes.BY_NUMPY[x.dtype], x.shape)) for x in given]
    made = graph(make, *kinds)
    model = build_model(made, Recipe(), check_passes=True).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    with load_program(model.program, engine=engine) as executable:
        features = signature.encode(dict(zip("ab", given, strict=False)))
        got = signature.decode(executable.run(features))
    for x, wanted in zip(got.values(), evaluate.run(made.main, list(given)), strict=True):
        assert x.dtype == wanted.dtype
        np.testing.assert_allclose(x, wanted, rtol=2e-5, atol=2e-5)


def test_a_refused_op_of_complex_is_told_and_nothing_else(monkeypatch):
    monkeypatch.setitem(REFUSED, "Later", "it is not built yet")

    def make(g, x):
        types = (t("c64[2]"),)
        node = Node(Unsupported("Later", types), (x,), types, "model.go:9")
        g.append(node)
        return g.add(Conj(), node.results[0])

    with pytest.raises(RefusalsError) as caught:
        passes.run(graph(make, "c64[2]"))
    (refusal,) = caught.value.refusals
    assert "Later" in str(refusal)
    assert "model.go:9" in str(refusal)


def test_passes_are_checked_on_complex_graphs():
    def make(g, x):
        y = g.add(unary.Exp(), g.add(FFT("Forward", (6,)), x))
        return y, g.add(reduce.ReduceProduct((0,)), g.add(unary.Sqrt(), x))

    made = graph(make, "c64[6]")
    observed = []
    check = PassCheck()
    passes.run(made, after=lambda stage, g: (observed.append(stage), check(stage, g)))
    assert observed == list(passes.STAGES)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_as_a_user_writes_it(engine):
    """Low pass: FFT, a mask, inverse FFT, the real part; complex weights in between."""
    config = DotGeneralConfig(dtypes.C64, dtypes.C64)

    def make(g, x, w):
        spectrum = g.add(FFT("ForwardReal", (30,)), x)
        mixed = g.add(DotGeneral((1,), (), (0,), (), config), spectrum, w)
        scaled = g.add(binary.Div(), mixed, g.add(leaves.constant(dtypes.C64, 2)))
        flat = g.add(convert_dtype.ConvertDType(dtypes.BOOL), scaled)
        return scaled, g.add(FFT("InverseReal", (30,)), scaled), flat

    made = graph(make, "f32[4,30]", "c64[16,16]")
    given = [np.random.default_rng(1).normal(size=(4, 30)).astype(np.float32), numbers(16, 16)]
    wanted = evaluate.run(made.main, given)
    model = build_model(made, Recipe()).model
    signature = Signature.of_graph(made, DEFAULT)
    with load_program(model.program, engine=engine) as executable:
        features = signature.encode(dict(zip("ab", given, strict=True)))
        got = signature.decode(executable.run(features))
    assert {f for p in signature.inputs for f in p.features} == {"a", "b_re", "b_im"}
    for x, y in zip(got.values(), wanted, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4)


def test_fft_costs(golden):
    """MIL ops by length: stages of at most RADIX, a convolution for a great prime."""
    counts = {}
    for kind in ("Forward", "ForwardReal", "InverseReal"):
        for n in (8, 128, 1024, 4099, 65536):
            half = n // 2 + 1
            given = {"Forward": f"c64[{n}]", "ForwardReal": f"f32[{n}]"}
            operand = given.get(kind, f"c64[{half}]")
            transform = FFT(kind, (n,))
            made = graph(lambda g, x, f=transform: g.add(f, x), operand)
            info = build_model(made, Recipe()).info
            counts[f"{kind} {n}"] = {"mil_ops": info["mil_ops"], "bytes": info["weights_bytes"]}
            assert info["weights_bytes"] < 160 * n + (1 << 18), "a matrix of the whole length?"
    golden("split/fft.json", json.dumps(counts, indent=2))


def test_stages_of_a_length():
    for n in range(RADIX + 1, 5000):
        a = stage(n)
        assert n % a == 0
        assert a <= RADIX
    assert [stage(n) for n in (1024, 1000, 65536, 131, 4099)] == [32, 25, 32, 1, 1]
