"""The text form: what is printed is read back as it was; what is not, is told with its line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coremlc import dtypes, passes
from coremlc.dtypes import ALL
from coremlc.errors import FormatError
from coremlc.frontend import read
from coremlc.ir import verify
from coremlc.ir.graph import Builder, Function, Graph, Input, Output, walk
from coremlc.ir.literal import TensorData
from coremlc.ir.parse import parse_graph
from coremlc.ir.text import INLINE, print_graph
from coremlc.ops import binary, leaves, shape
from coremlc.ops.call import Call
from coremlc.ops.leaves import Constant
from tests.conftest import FIXTURES
from tests.ir.graphs import Random, arrays, const, graph, run, same, t
from tests.ops.catalogue import SAMPLES

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/graph.pb"))


def tensors(graph: Graph) -> dict[str, TensorData]:
    """Large constants by their digest."""
    found = [node.op.value for node in walk(graph.main) if isinstance(node.op, Constant)]
    return {value.digest.hex(): value for value in found}


def back(graph: Graph) -> Graph:
    """The graph, printed and read; its text is the same."""
    text = print_graph(graph)
    parsed = parse_graph(text, tensors(graph))
    assert print_graph(parsed) == text
    verify.check(parsed)
    assert parsed.inputs == graph.inputs
    assert parsed.outputs == graph.outputs
    assert parsed.name == graph.name
    return parsed


def plain(graph: Graph) -> list[tuple]:
    """Every node, in bodies too; ops with bodies by kind, since bodies are compared by identity."""
    return [(n.op.kind if n.op.bodies else n.op, n.source) for n in walk(graph.main)]


@pytest.mark.parametrize("name", NAMES)
def test_fixtures_before_and_after_passes(name):
    read_graph = read(FIXTURES / name / "graph.pb")
    stages = {}
    passes.run(read_graph, after=stages.__setitem__)
    assert {*stages} == {*passes.STAGES}
    for stage in stages.values():
        parsed = back(stage)
        assert plain(parsed) == plain(stage)


def test_every_op_of_the_catalogue():
    for sample in SAMPLES:
        g = Builder()
        values = [g.parameter(type_) for type_ in sample.types]
        results = g.add_multi(sample.op, *values)
        made = Graph(
            g.finish(*results),
            tuple(Input(f"x{i}") for i in range(len(values))),
            tuple(Output(f"y{i}") for i in range(len(results))),
        )
        parsed = back(made)
        if not sample.op.bodies:
            assert parsed.main.nodes[-1].op == sample.op, sample.name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 25))
def test_random_graphs(seed, nodes):
    made = Random(seed, nodes).graph()
    parsed = back(made)
    x = arrays(made)
    same(run(parsed, x), run(made, x))


@pytest.mark.parametrize(
    "name",
    ["x", "a b", 'say "x"', "back\\slash", "new\nline", "%2", "%3", "1x", "ünïcode", "inf", "nan",
     "nan1", "infinite", "in", "input", "output", "graph", "true", "/dense/weights", "\r", "a\\n"],
)  # fmt: skip
def test_names_of_any_kind(name):
    g = Builder()
    x, z = g.parameter(t("f32[2]")), g.parameter(t("f32[2]"))
    y = g.add(binary.Sub(), x, z)
    w = g.add(binary.Sub(), x, y)
    made = Graph(
        g.finish(y, w),
        (Input(name), Input("other", "variable")),
        (Output(name), Output("other", "variable_update", name)),
        name,
    )
    parsed = back(made)
    given = [np.float32([1, 2]), np.float32([7, 5])]
    same(run(parsed, given), [np.float32([-6, -3]), np.float32([7, 5])])


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_names_of_any_text(first, second):
    made = Graph(
        (lambda g: g.finish(g.add(binary.Add(), *(g.parameter(t("i32[]")) for _ in range(2)))))(
            Builder()
        ),
        (Input(first), Input(second + "'")),
        (Output(second),),
        first,
    )
    if first != second + "'":
        back(made)


def test_ranges_and_updates():
    g = Builder()
    x = g.parameter(t("i32[3]"))
    made = Graph(
        g.finish(x), (Input("ids", "input", (-5, 30521)),), (Output("y", "variable_update", "/v"),)
    )
    assert "input ids : i32[3] in -5..30521\n" in print_graph(made)
    assert 'output y = ids updates "/v"' in print_graph(made)
    back(made)


VALUES = {
    "bool": [True, False],
    "int": [0, 1, -1, -2],
    "uint": [0, 1, 3],
    "float": [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan],
    "complex": [0, 1 + 2j, -1.5 - 0.5j, complex(np.nan, np.inf)],
}


@pytest.mark.parametrize("dtype", ALL, ids=str)
@pytest.mark.parametrize("form", ["elements", "scalar", "empty", "splat"])
def test_constants(dtype, form):
    with np.errstate(all="ignore"):
        array = np.array(VALUES[dtype.kind]).astype(dtype.numpy)
    array = {
        "elements": array,
        "scalar": array[1].reshape(()),
        "empty": array[:0].reshape(0, 3),
        "splat": np.broadcast_to(array[1], (4, 5)),
    }[form]
    made = graph(lambda g: g.add(Constant(TensorData(dtype, array))))
    value = back(made).main.nodes[0].op.value
    assert value.type.dtype is dtype
    assert value.is_splat == made.main.nodes[0].op.value.is_splat
    wide = dtypes.working(dtype)
    got, due = value.array.astype(wide), array.astype(wide)
    np.testing.assert_array_equal(got, due)
    if dtype.is_float:
        known = ~np.isnan(due)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(due)[known])


def test_limits_of_integers():
    for dtype in ALL:
        if dtype.is_integer:
            low, high = dtype.limits
            array = np.array([low, high, 0], dtype=dtype.numpy)
            parsed = back(graph(lambda g, d=dtype, a=array: g.add(Constant(TensorData(d, a)))))
            assert [int(x) for x in parsed.main.nodes[0].op.value.array] == [low, high, 0]


def test_large_constants_stand_as_their_digest():
    array = np.arange(INLINE + 1, dtype=np.float32)
    made = graph(lambda g: const(g, array))
    text = print_graph(made)
    assert f"f32[65]<{tensors(made).popitem()[0]}>" in text
    assert back(made).main.nodes[0].op.value.array is made.main.nodes[0].op.value.array
    with pytest.raises(FormatError, match="a constant that was given expected"):
        parse_graph(text)
    assert "<" not in print_graph(graph(lambda g: const(g, array[:INLINE])))


def body_of(make) -> Function:
    g = Builder()
    x = g.parameter(t("f32[2]"))
    return g.finish(make(g, x), name="f")


def test_bodies_and_captured_values():
    g = Builder()
    x = g.parameter(t("f32[2]"))
    inner = body_of(lambda b, p: b.add(binary.Mul(), p, x))
    outer = body_of(lambda b, p: b.add(Call(inner), b.add(binary.Add(), p, p)))
    y = g.add(Call(outer), x)
    made = Graph(g.finish(y), (Input("x"),), (Output("y"),))
    parsed = back(made)
    assert run(parsed, [np.float32([2, 3])])[0].tolist() == [8, 18]


ERRORS = {
    "": (1, "expected"),
    "grph g": (1, "'graph' expected, found 'grph'"),
    "graph g\ninput x : f33[2]": (2, "a dtype expected, found 'f33'"),
    "graph g\ninput x : f32[-2]": (2, "dims of 0 and more"),
    "graph g\ninput x : f32[1.5]": (2, "invalid literal"),
    "graph g\n\n\n%0 = Addd(x) : f32[2]": (4, "the name of an op expected, found 'Addd'"),
    "graph g\n%0 = Add(x, x) : f32[2]": (2, "a value that is defined before expected, found 'x'"),
    "graph g\ninput x : f32[2]\n%1 = Add(x, x) : f32[3]": (3, "the types of Add expected"),
    "graph g\ninput x : f32[2]\n%1 = Add(x) : f32[2]": (3, "Add of 1 operands"),
    "graph g\ninput x : f32[2]\n%1 = Transpose(x) : f32[2]": (3, "permutation"),
    "graph g\ninput x : f32[2]\n%1 = Reverse(x) {axs=(0)} : f32[2]": (3, "axs"),
    "graph g\ninput x : f32[2]\n%1 = Reverse(x) {axes=(5)} : f32[2]": (3, "5"),
    "graph g\n%0 = Constant() {value=f32[2](1.0)} : f32[2]": (2, "2 elements expected, found '1'"),
    "graph g\n%0 = Constant() {value=i8[1](300)} : i8[1]": (2, "300"),
    "graph g\n%0 = Constant() {value=f32[1](true)} : f32[1]": (2, "a number element expected"),
    "graph g\ninput x : f32[2]\noutput y = z": (3, "defined before expected, found 'z'"),
    "graph g\ninput x : f32[2]\noutput y = x\n%%": (4, "text that is no graph's: '%%'"),
    "graph g\ninput x : f32[2]\noutput y = x\ninput z : f32[2]": (4, "output or the end"),
    'graph "g': (1, "text that is no graph's"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors_tell_the_line(text):
    line, says = ERRORS[text]
    with pytest.raises(FormatError) as caught:
        _compile(text)
    assert says in str(caught.value)
    assert f"where: line {line}\n" in str(caught.value)


def _compile(text: str) -> Graph:
    from coremlc.errors import ShapeError

    try:
        return parse_graph(text)
    except ShapeError as error:
        raise FormatError(error.what, fix=error.fix, where=error.where) from None


def test_printing_is_deterministic():
    made = Random(7, 20).graph()
    assert print_graph(made) == print_graph(Random(7, 20).graph())


def test_the_form(golden):
    def make(g: Builder, x, ids):
        g.source = "model.go:57"
        wide = g.add(leaves.splat(x.type.dtype, 0.5, (2, 3)))
        y = g.add(binary.Add(), x, wide)
        return g.add(shape.Transpose((1, 0)), y), ids

    made = graph(make, "f32[2,3]", "i64[4]")
    golden("decompose/text_form.gir", print_graph(made))
    back(made)
