"""Control flow from graph.pb to both engines: captured values, nesting, 64-bit states, sorts."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coremlc import targets
from coremlc.bundle import write_mlmodelc
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load
from coremlc.errors import FormatError
from coremlc.frontend import graph_pb2, read
from coremlc.ir import evaluate, verify
from coremlc.ir.graph import walk
from coremlc.ir.parse import parse_graph
from coremlc.ir.text import print_graph
from coremlc.mil.model import model_to_bytes
from coremlc.ops import sort_pairs
from coremlc.signature import KEY, Signature
from tests.frontend.files import File

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # it warns at import that it cannot run models on Linux
    from coremltools.converters.mil.frontend.milproto.load import load as judge
    from coremltools.proto import Model_pb2

    logging.disable(logging.NOTSET)

ARGUMENT, RETURN = graph_pb2.Parameter.ARGUMENT, graph_pb2.Result.RETURN
ENGINES = ("reference", "onnxruntime")
Type = tuple[Any, ...]
F, INT, LONG, B = ("Float32", 8), ("Int32",), ("Int64",), ("Bool",)


class Made(File):
    """A file with closures."""

    def closure(self, *types: Type, build: Callable[..., tuple[int, ...]]) -> int:
        """Index of a closure of the function that is open; `build(*ids)` gives its results."""
        outside = self.into
        parent = next(i for i, f in enumerate(self.pb.functions) if f is outside)
        index = len(self.pb.functions)
        self.function(f"closure{index}", graph_pb2.Function.CLOSURE).parent_plus_1 = parent + 1
        given = [self.input(f"p{i}", *t, role=ARGUMENT) for i, t in enumerate(types)]
        for value in build(*given):
            self.result(value, "", RETURN)
        self.into = outside
        return index

    def many(self, op: str, operands: tuple[int, ...], functions: tuple[int, ...], *types: Type,
             **attributes: Any) -> list[int]:  # fmt: skip
        """A node of several results."""
        results = [self.node(op, operands, *types[0], functions=functions, **attributes)]
        node = self.into.nodes[-1]
        return results + [self._value(node.results.add(), t[0], t[1:]) for t in types[1:]]

    def loop(
        self, start: tuple[int, ...], types: tuple[Type, ...], cond: Any, body: Any
    ) -> list[int]:
        functions = self.closure(*types, build=cond), self.closure(*types, build=body)
        return self.many("While", start, functions, *types)

    def add(self, a: int, b: int, *t: Any) -> int:
        return self.node("Add", (a, b), *t)

    def less(self, a: int, b: int) -> int:
        return self.node("LessThan", (a, b), *B)


def run(file: Made, tmp_path: Path, **inputs: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """What evaluate gives, as both engines do; and the MIL ops, bodies' too, without const."""
    graph = read(file.save(tmp_path))
    verify.check(graph)
    constants = [n.op.value for n in walk(graph.main) if n.op.kind == "Constant"]
    printed = print_graph(graph)
    assert print_graph(parse_graph(printed, {c.digest.hex(): c for c in constants})) == printed
    given = {i.name: inputs[i.name] for i in graph.inputs}
    expected = evaluate.run(graph.main, list(given.values()))
    model = build_model(graph, Recipe(targets.get("iOS17"))).model
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, model)
    for engine in ENGINES:
        with load(path, engine=engine) as executable:
            out = signature.decode(executable.run(signature.encode(given)))
        for (name, got), wanted in zip(out.items(), expected, strict=True):
            found = difference(name, got, wanted)
            assert not found.mismatched, (engine, found, got, wanted)
    spec = Model_pb2.Model.FromString(model_to_bytes(model))
    assert judge(spec, spec.specificationVersion, "").functions["main"].outputs
    return expected, [k for k in kinds(model.program.functions["main"].block) if k != "const"]


def kinds(block: Any) -> list[str]:
    return [k for op in block.ops for k in (op.kind, *(k for b in op.blocks for k in kinds(b)))]


def weights() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32) / 6


@pytest.mark.parametrize("trips", [0, 1, 5])
def test_a_loop_with_a_branch_that_captures_weights(tmp_path: Path, trips: int) -> None:
    """The branch, two functions deep, uses weights, an input and the loop's own state."""
    f = Made()
    wide = ("Float32", 1, 32)
    x, n = f.input("x", *wide), f.input("n", *INT)
    w = f.constant(weights(), "Float32")
    config = {"accumulator_dtype": "Float32", "output_dtype": "Float32"}
    axes = {"lhs_contracting_axes": [1], "rhs_contracting_axes": [0]}

    def body(i: int, state: int) -> tuple[int, ...]:
        one, two = f.constant(1, "Int32"), f.constant(2, "Int32")
        odd = f.node("Equal", (f.node("Rem", (i, two), *INT), one), *B)

        def dense() -> tuple[int, ...]:
            return (f.node("DotGeneral", (state, w), *wide, config=config, **axes),)

        yes = f.closure(build=dense)
        no = f.closure(build=lambda: (f.add(state, x, *wide),))
        (chosen,) = f.many("If", (odd,), (yes, no), wide)
        return f.add(i, one, *INT), chosen

    zero = f.constant(0, "Int32")
    _, last = f.loop((zero, x), (INT, wide), lambda i, state: (f.less(i, n),), body)
    f.result(last)
    expected, ops = run(f, tmp_path, x=np.ones((1, 32), np.float32), n=np.int32(trips))
    assert ops.count("while_loop") == ops.count("cond") == ops.count("linear") == 1
    y = np.ones((1, 32))
    for i in range(trips):
        y = y @ weights() if i % 2 else y + 1
    np.testing.assert_allclose(expected[0], y, rtol=1e-4, atol=1e-5)


def test_known_trips_are_unrolled_and_cheap_branches_selected(tmp_path: Path) -> None:
    f = Made()
    x, p = f.input("x", *F), f.input("p", *B)
    yes = f.closure(build=lambda: (f.node("Neg", (x,), *F),))
    no = f.closure(build=lambda: (x,))
    (y,) = f.many("If", (p,), (yes, no), F)
    three, one = f.constant(3, "Int32"), f.constant(1, "Int32")
    _, z = f.loop(
        (f.constant(0, "Int32"), y),
        (INT, F),
        lambda i, s: (f.less(i, three),),
        lambda i, s: (f.add(i, one, *INT), f.add(s, s, *F)),
    )
    f.result(z)
    _, ops = run(f, tmp_path, x=np.arange(8, dtype=np.float32), p=np.bool_(True))
    assert [k for k in ops if k in ("while_loop", "cond", "select", "add")] == [
        "select",
        *["add"] * 3,
    ]


def counted(step: str) -> Made:
    """Two int64 states: a counter to n, and one that takes a step in each trip."""
    f = Made()
    n, y = f.input("n", *LONG), f.input("y", *LONG)
    one = f.constant(1, "Int64")
    i, total = f.loop(
        (f.constant(0, "Int64"), y),
        (LONG, LONG),
        lambda i, s: (f.less(i, n),),
        lambda i, s: (f.add(i, one, *LONG), f.node(step, (s, f.constant(3, "Int64")), *LONG)),
    )
    f.result(i, "i")
    f.result(total, "total")
    return f


def test_a_64_bit_counter_is_one_word_and_its_sum_two(tmp_path: Path) -> None:
    expected, ops = run(counted("Add"), tmp_path, n=np.int64(70), y=np.int64(2**31 - 9))
    assert [int(x) for x in expected] == [70, 2**31 - 9 + 210]
    assert ops.count("while_loop") == 1


def test_a_64_bit_state_that_multiplies_wraps(tmp_path: Path) -> None:
    expected, _ = run(counted("Mul"), tmp_path, n=np.int64(50), y=np.int64(7))
    assert int(expected[1]) == (7 * 3**50 + 2**63) % 2**64 - 2**63


def sorting(n: int, comparator: Any, *, rows: int = 2, dtype: str = "Float32", k: int = 0) -> Made:
    """Values and their places, sorted together; the first k, or all."""
    f = Made()
    x = f.input("x", dtype, rows, n)
    places = f.node("Iota", (), "Int32", rows, n, shape=("Int32", (rows, n)), iota_axis=1)
    function = f.closure((dtype,), (dtype,), INT, INT, build=comparator(f))
    types = (dtype, rows, n), ("Int32", rows, n)
    results = f.many("Sort", (x, places), (function,), *types, axis=1, is_stable=True)
    for name, value, t in zip("vp", results, types, strict=True):
        last = value
        if k:
            cut = {"starts": [0, 0], "limits": [rows, k], "strides": [1, 1]}
            last = f.node("Slice", (value,), t[0], rows, k, **cut)
        f.result(last, name)
    return f


def first(kind: str) -> Any:
    return lambda f: lambda a, b, *_: (f.node(kind, (a, b), *B),)


def even_first(f: Made) -> Any:
    """Even places first, whatever the values: no key."""

    def build(a: int, b: int, i: int, j: int) -> tuple[int, ...]:
        two = f.constant(2, "Int32")
        even_i = f.node("Rem", (i, two), *INT)
        even_j = f.node("Rem", (j, two), *INT)
        tie = f.node("Equal", (even_i, even_j), *B)
        least = f.node("LessThan", (even_i, even_j), *B)
        differ = f.node("LogicalNot", (tie,), *B)
        return (f.node("LogicalOr", (f.node("LogicalAnd", (differ, least), *B),
                f.node("LogicalAnd", (tie, f.less(a, b)), *B)), *B),)  # fmt: skip

    return build


def ties(rows: int, n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 9, (rows, n)).astype(np.float32)


def test_top_k(tmp_path: Path) -> None:
    x = ties(2, 100)
    expected, ops = run(sorting(100, first("GreaterThan"), k=5), tmp_path, x=x)
    wanted = np.argsort(-x, 1, kind="stable")[:, :5]
    np.testing.assert_array_equal(expected[1], wanted)
    assert ops.count("argsort") == 2
    assert len(ops) < 35, ops


@pytest.mark.parametrize("kind", ["LessThan", "GreaterThan"])
def test_a_long_axis_goes_by_digits(tmp_path: Path, kind: str) -> None:
    x = ties(1, 70000)
    x[0, ::1000] = np.nan
    x[0, ::999] = np.inf
    expected, ops = run(sorting(70000, first(kind), rows=1), tmp_path, x=x)
    assert ops.count("argsort") == 4
    if kind == "LessThan":
        np.testing.assert_array_equal(expected[1], np.argsort(x, 1, kind="stable"))


@pytest.mark.parametrize(("n", "pairs"), [(9, 81), (9, 80), (50, 99), (64, 99)])
def test_any_comparator_by_pairs_and_by_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int, pairs: int
) -> None:
    monkeypatch.setattr(sort_pairs, "MAX_PAIRS", pairs)
    x = ties(1, n)
    expected, ops = run(sorting(n, even_first, rows=1), tmp_path, x=x)
    places = np.arange(n)
    np.testing.assert_array_equal(expected[1][0], np.lexsort((places, x[0], places % 2)))
    assert ("argsort" in ops) == (pairs == 81)


def wrong(f: Made, tmp_path: Path, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read(f.save(tmp_path))


def test_a_closure_sees_only_what_is_around_it(tmp_path: Path) -> None:
    f = Made()
    x, p = f.input("x", *F), f.input("p", *B)
    inner: list[int] = []

    def build() -> tuple[int, ...]:
        inner.append(f.node("Neg", (x,), *F))
        return (inner[0],)

    yes = f.closure(build=build)
    no = f.closure(build=lambda: (inner[0],))
    (y,) = f.many("If", (p,), (yes, no), F)
    f.result(y)
    wrong(f, tmp_path, "is not defined before")


def test_a_closure_belongs_to_a_function(tmp_path: Path) -> None:
    f = Made()
    p = f.input("p", *B)
    yes = f.closure(build=lambda: (p,))
    f.pb.functions[yes].parent_plus_1 = 7
    (y,) = f.many("If", (p,), (yes, yes), B)
    f.result(y)
    wrong(f, tmp_path, "outside the function that it belongs to")


@pytest.mark.parametrize("depth", [32, 33])
def test_closures_nest_as_deep_as_model_mil(tmp_path: Path, depth: int) -> None:
    f = Made()
    x, p = f.input("x", *F), f.input("p", *B)

    def nest(levels: int) -> tuple[int, ...]:
        if not levels:
            return (f.node("ReduceSum", (x,), "Float32", axes=[0]),)
        no = f.closure(build=lambda: (f.constant(2, "Float32"),))
        yes = f.closure(build=lambda: nest(levels - 1))
        return tuple(f.many("If", (p,), (yes, no), ("Float32",)))

    f.result(nest(depth)[0])
    if depth > 32:
        wrong(f, tmp_path, "closures nest deeper than 32")
        return
    expected, ops = run(f, tmp_path, x=np.ones(8, np.float32), p=np.bool_(True))
    assert expected[0] == 8
    assert ops.count("cond") == depth


def test_functions_are_counted(tmp_path: Path) -> None:
    f = Made()
    p = f.input("p", *B)
    yes = f.closure(build=lambda: (p,))
    (y,) = f.many("If", (p,), (yes,), B)
    f.result(y)
    wrong(f, tmp_path, "If of 1 function$|If of 1 function\n")
