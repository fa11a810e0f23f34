"""Dtypes that Core ML lacks: int64 in proven ranges, float64 with a warning, all refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coremlc import passes, targets
from coremlc.compiler import Recipe, build_model, load
from coremlc.dtypes import ALL, F32, I32, I64
from coremlc.engine.base import load_program
from coremlc.errors import RefusalsError, UsageError
from coremlc.frontend import read
from coremlc.ir import verify
from coremlc.ir.graph import Graph
from coremlc.ops import binary, convert_dtype, iota, leaves, shape, unary
from coremlc.ops.gather import Gather
from coremlc.ops.refused import REFUSED
from coremlc.passes import legalize
from coremlc.signature import Signature
from tests.frontend.files import File
from tests.ir.graphs import const, graph, ops, run, same, t

ADD, MUL, NEG = binary.Add(), binary.Mul(), unary.Neg()
LEGAL = {"bool", "i32", "f16", "f32"}
TABLE = np.arange(20, dtype=np.float32).reshape(10, 2)
ROWS = Gather(1, (1,), (0,), (0,), (1, 2), indices_are_sorted=False)


def ranged(made: Graph, **ranges: tuple[int, int]) -> Graph:
    """The graph with stated ranges of its inputs."""
    inputs = tuple(replace(i, range=ranges.get(i.name)) for i in made.inputs)
    return replace(made, inputs=inputs)


def legal(made: Graph, **options) -> Graph:
    """After all passes: verified, in legal dtypes only."""
    after = passes.run(made, **options)
    verify.check(after)
    for node in after.main.nodes:
        assert all(r.type.dtype.short in LEGAL for r in node.results)
    return after


def told(made: Graph, **options) -> list[str]:
    """The refusals, one text each."""
    with pytest.raises(RefusalsError) as caught:
        passes.run(made, **options)
    assert caught.value.exit_code == 1
    return [str(refusal) for refusal in caught.value.refusals]


def lookup(g, ids):
    """Embeddings: ids and positions, as language models have them."""
    g.source = "model.go:7"
    positions = g.add(iota.Iota(t("i64[4,1]"), 0))
    g.source = "model.go:8"
    rows = g.add(ADD, ids, positions)
    g.source = "model.go:9"
    return g.add(ROWS, const(g, TABLE), rows)


def test_ids_and_positions_are_int32_where_their_sum_is_proved():
    made = ranged(graph(lookup, "i64[4,1]"), a=(0, 5))
    after = legal(made)
    assert str(after.main.parameters[0].type) == "i32[4,1]"
    ids = np.array([[5], [0], [3], [2]])
    (y,) = run(after, [ids.astype(np.int32)])
    np.testing.assert_array_equal(y, TABLE[(ids + np.arange(4)[:, None])[:, 0]])
    assert after.warnings == ()


def test_ids_alone_need_no_range():
    """What the feature can carry is int32 anyway."""
    made = graph(lambda g, ids: g.add(ROWS, const(g, TABLE), ids), "i64[4,1]")
    (y,) = run(legal(made), [np.int32([[3], [-7], [1], [99]])])
    np.testing.assert_array_equal(y, TABLE[[3, 0, 1, 9]])


def exact(made: Graph, given: list[np.ndarray]) -> None:
    """The finished program gives the oracle's 64-bit numbers; or the graph was refused, well."""
    try:
        program = build_model(made, Recipe()).model.program
    except RefusalsError as error:
        refusal = error
    else:
        signature = Signature.of_graph(made, targets.DEFAULT, passes.run(made))
        features = signature.encode({i.name: x for i, x in zip(made.inputs, given, strict=True)})
        with load_program(program, engine="reference") as executable:
            got = signature.decode(executable.run(features))
        same(list(got.values()), run(made, given))
        return
    assert "model.go:" in str(refusal)
    assert "--assume ids=0..30521" in str(refusal)


def narrow(made: Graph) -> bool:
    """Whether int64 became int32, value by value."""
    try:
        after = legal(made)
    except RefusalsError:
        return False
    return len(after.main.parameters) == len(made.main.parameters)


def test_a_sum_that_may_leave_int32_is_not_computed_in_it():
    made = graph(lookup, "i64[4,1]")
    exact(made, [np.int64([[2**31 - 1], [2**31 - 2], [0], [-(2**31)]])])


@pytest.mark.parametrize(
    ("bounds", "fits"),
    [((0, 2**31 - 4), True), ((0, 2**31 - 3), False), ((-(2**31), 0), True), ((-5, 5), True)],
)
def test_the_bound_is_exact(bounds, fits):
    """Positions reach 3."""

    def make(g, a):
        g.source = "model.go:8"
        return g.add(ADD, a, g.add(iota.Iota(t("i64[4,1]"), 0)))

    made = ranged(graph(make, "i64[4,1]"), a=bounds)
    exact(made, [np.full((4, 1), bounds[1])])
    exact(made, [np.full((4, 1), bounds[0])])
    if fits:
        assert narrow(made)


MAKERS = {
    "product": (lambda g, a: g.add(MUL, a, a), (-46340, 46340), (-46341, 46341)),
    "negation": (lambda g, a: g.add(NEG, a), (-(2**31) + 1, 0), (-(2**31), 0)),
    "constant": (
        lambda g, a: g.add(ADD, a, const(g, 2**31 - 11, "i64")), (0, 10), (0, 11),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MAKERS)
def test_ranges_of_arithmetic(kind):
    make, fits, too_far = MAKERS[kind]

    def placed(g, a):
        g.source = "model.go:2"
        return make(g, a)

    made = graph(placed, "i64[3]")
    assert narrow(ranged(made, a=fits))
    for bounds in (fits, too_far):
        for value in bounds:
            exact(ranged(made, a=bounds), [np.full(3, value)])


def test_a_constant_beyond_int32_keeps_its_value():
    def make(g, a):
        g.source = "model.go:2"
        return g.add(MUL, a, const(g, [2**40, 1], "i64"))

    exact(graph(make, "i64[2]"), [np.int64([-3, 2**31 - 1])])


def test_what_folds_needs_no_range():
    def make(g, a):
        far = g.add(MUL, const(g, 2**40, "i64"), const(g, 2, "i64"))
        near = g.add(binary.Div(), far, const(g, 2**35, "i64"))
        return g.add(ADD, a, near)

    after = legal(ranged(graph(make, "i64[2]"), a=(0, 9)))
    assert run(after, [np.int32([1, 2])])[0].tolist() == [65, 66]


def test_compile_reads_assumptions(tmp_path):
    file = File()
    ids = file.input("ids", "Int64", 3)
    file.result(file.node("Mul", (ids, ids), "Int64", 3))
    path = file.save(tmp_path)
    assert narrow(load(path, Recipe(assume={"ids": (-3, 3)})))
    assert load(path, Recipe(assume={"ids": (-3, 3)})).inputs[0].range == (-3, 3)
    exact(load(path, Recipe()), [np.int64([46341, -3, 2**31 - 1])])
    with pytest.raises(UsageError, match="no input 'idz'"):
        load(path, Recipe(assume={"idz": (0, 1)}))
    with pytest.raises(UsageError, match="is empty"):
        load(path, Recipe(assume={"ids": (1, 0)}))


def test_ranges_of_floats_make_no_sense(tmp_path):
    file = File()
    file.result(file.input("x", "Float32", 3))
    with pytest.raises(UsageError, match=r"input 'x' is f32\[3\]"):
        load(file.save(tmp_path), Recipe(assume={"x": (0, 1)}))


def doubles(g, a):
    g.source = "model.go:3"
    x = g.add(convert_dtype.ConvertDType(t("f64[]").dtype), a)
    g.source = "model.go:4"
    y = g.add(ADD, x, g.add(NEG, x))
    return g.add(convert_dtype.ConvertDType(F32), g.add(MUL, y, x))


def test_float64_warns_once_with_its_count():
    after = legal(graph(doubles, "f32[3]"))
    (warning,) = after.warnings
    assert warning.startswith("4 float64 values computed in float32, the first at ")
    assert "model.go:3" in warning
    assert "--strict" in warning


def test_a_float64_input_warns_too():
    after = legal(graph(lambda g, a: g.add(NEG, a), "f64[3]"))
    (warning,) = after.warnings
    assert "input 'a'" in warning
    assert str(after.main.parameters[0].type) == "f32[3]"


def test_strict_refuses_float64():
    texts = told(graph(doubles, "f32[3]"), strict=True)
    assert all("Core ML has no float64" in text and "fix:   use Float32" in text for text in texts)
    assert any("model.go:3" in text for text in texts)
    assert any("model.go:4" in text for text in texts)


def test_strict_says_nothing_of_others():
    assert legal(graph(lambda g, a: g.add(NEG, a), "f32[3]"), strict=True).warnings == ()


def test_a_float64_constant_beyond_float32_is_refused():
    made = graph(lambda g, a: g.add(MUL, a, const(g, [1e300, 1.0], "f64")), "f64[2]")
    assert any("is beyond float32" in text for text in told(made))


def test_infinities_of_float64_are_infinities():
    made = graph(lambda g, a: g.add(MUL, a, const(g, [np.inf, 1.0], "f64")), "f64[2]")
    assert run(legal(made), [np.float32([2, 3])])[0].tolist() == [np.inf, 3]


def test_a_large_splat_stays_one():
    wide = (1 << 13, 1 << 13)
    made = graph(lambda g, a: (a, g.add(leaves.splat(I64, 3, wide))), "i64[2]")
    (node,) = [n for n in legal(made).main.nodes if n.op.kind == "Constant"]
    assert node.op.value.type.dtype is I32
    if not node.op.value.is_splat:
        pytest.xfail("reported: legalizing spreads splats")


WITHOUT = [d.short for d in ALL if d not in verify.LOWERABLE and d not in legalize.NARROWED]


@pytest.mark.parametrize("dtype", [d for d in WITHOUT if d[0] in "fiu"])
def test_dtypes_without_a_form_are_refused(dtype):
    made = graph(lambda g, a: g.add(leaves.Identity(), a), f"{dtype}[2]")
    texts = told(made)
    assert any(f"{dtype}[2]: {t(f'{dtype}[]').dtype.name} is not supported" in x for x in texts)
    assert any("where: input 'a'" in text for text in texts)
    assert all("\n  fix:   " in text for text in texts)


SMALL = {"i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16}


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("op", [ADD, binary.Sub(), MUL, binary.Max()], ids=lambda op: op.kind)
def test_small_integers_wrap_in_int32(dtype, op):
    made = graph(lambda g, a, b: g.add(op, a, b), f"{dtype}[2601]", f"{dtype}[2601]")
    after = legal(made)
    low, high = t(f"{dtype}[]").dtype.limits
    values = np.unique([low, low + 1, high, high - 1, *np.linspace(low, high, 47).astype(int)])
    x, y = (m.ravel().astype(SMALL[dtype]) for m in np.meshgrid(values, values))
    x, y = np.resize(x, 2601), np.resize(y, 2601)
    (got,) = run(after, [x.astype(np.int32), y.astype(np.int32)])
    (due,) = run(made, [x, y])
    np.testing.assert_array_equal(got, due.astype(np.int32))


def test_rank_6_that_vanishes_is_no_matter():
    def make(g, a):
        return g.add(NEG, g.add(shape.Reshape((2, 3)), g.add(shape.Reshape((1, 1, 2, 1, 1, 3)), a)))

    assert ops(legal(graph(make, "f32[2,3]"))) == ["Neg"]


def test_empty_values_inside_are_no_matter():
    def make(g, a):
        none = g.add(shape.Slice((1,), (1,), (1,)), a)
        return g.add(shape.Concatenate(0), g.add(NEG, none), a)

    assert ops(legal(graph(make, "f32[3]"))) == []


def problems() -> File:
    """Four lines, four problems."""
    file = File()
    x = file.input("x", "Float32", 4)
    first = file.node("Neg", (x,), "Float32", 4)
    second = file.node("ConvertDType", (x,), "Float64", 4, dtype="Float64")
    third = file.node("ConvertDType", (x,), "F8E5M2", 4, dtype="F8E5M2")
    fourth = file.node("ConvertDType", (x,), "F8E4M3FN", 4, dtype="F8E4M3FN")
    for i, value in enumerate((first, second, third, fourth)):
        file.result(value, f"y{i}")
    return file


def test_all_refusals_come_at_once_each_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    made = read(problems().save(tmp_path))
    texts = told(made, strict=True)
    assert len(texts) == 4, texts
    says = ("Neg: only in this test", "no float64", "f8e5m2[4]", "f8e4m3fn[4]")
    for line, said in enumerate(says, 1):
        (found,) = [text for text in texts if f"model.go:{line}\n" in text]
        assert said in found
        assert "\n  fix:   " in found
    with pytest.raises(RefusalsError) as caught:
        passes.run(made, strict=True)
    assert str(caught.value) == "\n".join(texts)


def test_values_after_a_refused_op_are_not_blamed(tmp_path, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    file = File()
    x = file.input("x", "Int64", 4)
    y = file.node("Neg", (x,), "Int64", 4)
    file.result(file.node("Add", (y, y), "Int64", 4))
    texts = told(read(file.save(tmp_path)))
    assert len(texts) == 1
    assert "Neg" in texts[0]


def test_equal_refusals_are_told_once():
    def make(g, a):
        g.source = "model.go:2"
        g.label = "wide"
        x = g.add(convert_dtype.ConvertDType(t("f8e5m2[]").dtype), a)
        return g.add(NEG, x), g.add(MUL, x, x)

    texts = told(graph(make, "f32[2]"))
    assert len(texts) == len(set(texts))
    assert all("'wide'" in text for text in texts)


def test_a_refused_graph_is_not_changed():
    made = graph(doubles, "f32[3]")
    nodes = made.main.nodes
    told(made, strict=True)
    assert made.main.nodes is nodes
    assert made.warnings == ()
