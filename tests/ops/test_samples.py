"""On every sample infer, evaluate, decompose and both engines agree; every constraint rejects."""

from __future__ import annotations

import re

import numpy as np
import pytest

from coremlc import dtypes, targets
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load_program
from coremlc.errors import ShapeError
from coremlc.ir import evaluate
from coremlc.ir.op import REGISTRY, Exactness, Op
from coremlc.ir.types import TensorType
from coremlc.passes.decompose import decompose
from coremlc.signature import KEY, Signature
from tests.about import about
from tests.ops import catalogue
from tests.ops.samples import Reject, Sample, expected, graph_of

SAMPLES = catalogue.SAMPLES
KINDS: dict[str, list[Sample]] = {}
for _sample in SAMPLES:
    KINDS.setdefault(_sample.op.kind, []).append(_sample)
ENGINES = ("reference", "onnxruntime")


def agree(sample: Sample, got: list[np.ndarray]) -> None:
    """Results are the oracle's, as close as the op and the sample say."""
    for i, (result, wanted) in enumerate(zip(got, expected(sample), strict=True)):
        assert result.dtype == wanted.dtype
        x, y = in_float32(result), in_float32(wanted)
        found = difference(f"result {i}", x, y, sample.tolerance)
        assert not found.mismatched, (found, x, y)
        if is_exact(sample.op, sample.types):
            assert_identical(x, y)


def is_exact(op: Op, types: tuple[TensorType, ...]) -> bool:
    """Whether the op says that its results, with its operands of `types`, are the oracle's own."""
    rounded = op.exactness is Exactness.ROUNDED and not any(t.dtype.is_complex for t in types)
    return rounded or op.exactness is Exactness.EXACT


def in_float32(x: np.ndarray) -> np.ndarray:
    """float64 as Core ML computes it."""
    with np.errstate(over="ignore"):
        return x.astype({"f8": np.float32, "c16": np.complex64}.get(x.dtype.str[1:], x.dtype))


def assert_identical(x: np.ndarray, y: np.ndarray) -> None:
    """The same numbers, -0 told from 0."""
    for a, b in [(x.real, y.real), (x.imag, y.imag)] if x.dtype.kind == "c" else [(x, y)]:
        if dtypes.BY_NUMPY[a.dtype].is_float:
            a, b = a.astype(np.float32), b.astype(np.float32)
            np.testing.assert_array_equal(np.signbit(a) & (a == a), np.signbit(b) & (b == b))
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_infer_agrees_with_evaluate(kind: str) -> None:
    for sample in KINDS[kind]:
        with about(sample.name):
            infer_agrees(sample)


def infer_agrees(sample: Sample) -> None:
    op = sample.op
    widened: list = list(sample.operands if op.native else map(evaluate.widened, sample.operands))
    if op.bodies:
        widened.insert(0, lambda body, *xs: evaluate.run(body, xs))
    with np.errstate(all="ignore"):
        results = op.evaluate(*widened)
    results = results if isinstance(results, tuple) else (results,)
    types = op.infer(*sample.types)
    types = types if isinstance(types, tuple) else (types,)
    for result, type_ in zip(results, types, strict=True):
        assert result.shape == type_.shape
        if op.native or not (type_.dtype.is_float or type_.dtype.is_complex):
            assert result.dtype == type_.dtype.numpy


@pytest.mark.parametrize("kind", [k for k, of in KINDS.items() if of[0].op.decompose])
def test_decomposition_means_the_same(kind: str) -> None:
    for sample in KINDS[kind]:
        with about(sample.name):
            graph, given = graph_of(sample)
            small = decompose(graph.main)
            assert all(node.op.decompose is None for node in small.nodes)
            agree(sample, evaluate.run(small, list(given.values())))


def runs(sample: Sample) -> bool:
    """Samples of a rank that Core ML lacks have no bundle of their own."""
    return all(x.ndim <= 5 for x in sample.operands)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if runs(s)], ids=lambda s: s.name)
def test_engines_agree(sample: Sample) -> None:
    graph, given = graph_of(sample)
    for target in sample.targets:
        recipe = Recipe(targets.get(target))
        model = build_model(graph, recipe).model
        program = model.program
        signature = Signature.from_json(model.description.metadata.user_defined[KEY])
        for engine in ENGINES:
            with load_program(program, engine=engine) as executable:
                out = signature.decode(executable.run(signature.encode(given)))
            agree(sample, list(out.values()))


@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS17", "iOS26"])
def test_every_op_lowers_for_every_target(target: str) -> None:
    """One sample of each op kind and dtype, whose types the builder checks."""
    seen = set()
    for sample in SAMPLES:
        key = (sample.op.kind, sample.types[0].dtype if sample.types else None)
        if key in seen or not runs(sample):
            continue
        seen.add(key)
        assert build_model(graph_of(sample)[0], Recipe(targets.get(target))).model.program
    assert len(seen) > 100


@pytest.mark.parametrize("case", catalogue.REJECTS, ids=lambda r: f"{r.op.kind}-{r.rule}")
def test_constraint_rejects(case: Reject) -> None:
    with pytest.raises(ShapeError, match=re.escape(case.says)):
        case.op.infer(*case.types)


def test_every_op_has_samples() -> None:
    named = {s.op.kind for s in SAMPLES}
    missing = [k for k, op in REGISTRY.items() if op.gomlx and not op.refused and k not in named]
    assert not missing


def test_every_constraint_has_a_rejecting_case() -> None:
    tested = {(r.op.kind, r.rule) for r in catalogue.REJECTS}
    missing = []
    for kind, op in REGISTRY.items():
        text = " ".join(c.__doc__ or "" for c in op.__mro__ if "coremlc" in c.__module__)
        rules = set(re.findall(r"\bC\d\b", text)) if op.gomlx else set()
        missing += [(kind, rule) for rule in sorted(rules) if (kind, rule) not in tested]
    known = [(k, r) for k, r in missing if not _is_unary(k, r) and not _takes_all(k, r)]
    assert not known


def _is_unary(kind: str, rule: str) -> bool:
    """C2 and C3 of the elementwise contract bind ops of two operands and more."""
    return rule in ("C2", "C3") and getattr(REGISTRY[kind], "arity", 0) == 1


def _takes_all(kind: str, rule: str) -> bool:
    """C1 of the elementwise contract binds ops that do not take every dtype."""
    return rule == "C1" and getattr(REGISTRY[kind], "accepts", None) == dtypes.ANY


def test_every_op_is_complete() -> None:
    for kind, op in REGISTRY.items():
        ways = [op.lower is not None, op.decompose is not None, bool(op.refused)]
        complex_only = op.split is not None and not any(ways)
        assert sum(ways) == 1 or complex_only, kind
        assert op.refused or op.evaluate is not None, kind
        first = (op.__doc__ or "").splitlines()[0]
        assert first.startswith("`(") or kind.startswith("Scatter") or op.refused, kind
