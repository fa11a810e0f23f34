"""How a fusion rule is tested: what it makes of a graph, why not, and that the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load_program
from coremlc.ir import verify
from coremlc.ir.graph import Builder, Value
from coremlc.ops.shape import Reshape
from coremlc.passes.fuse import fuse_with_notes
from coremlc.passes.pipeline import simplify
from tests.ir.graphs import graph, ops, run

TYPES = ("f32[16,6]",)
NAN, INF = np.nan, np.inf
ODD = (NAN, INF, -INF, 0.0, -0.0, 1e-40, -1e-30, 1e4, -65504.0, 100.0, -100.0, -18.5, -4.0)
"""What stands once in a row of usual numbers."""


@dataclass(frozen=True)
class Fused:
    """A graph of primitives, and the ops that it becomes, constants left out."""

    name: str
    make: Callable[..., Value]
    ops: str
    types: tuple[str, ...] = TYPES

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class NearMiss:
    """A graph that begins like a rule's pattern, and a part of the reason why it is not one."""

    name: str
    make: Callable[..., Value]
    rule: str
    reason: str
    types: tuple[str, ...] = TYPES

    def __str__(self) -> str:
        return self.name


def check_fused(case: Fused) -> None:
    """The ops are those, and the numbers what they were: of the graph, and of both engines."""
    before = graph(case.make, *case.types)
    after, notes = fuse_with_notes(simplify(before))
    verify.check(after)
    assert " ".join(ops(after)) == case.ops, [str(n) for n in notes]
    program = build_model(before, Recipe()).model.program
    given = [
        rows(p.type.shape, p.type.dtype.numpy, i) for i, p in enumerate(before.main.parameters)
    ]
    expected = run(before, given)
    close(run(after, given), expected)
    named = {i.name: feature(x) for i, x in zip(before.inputs, given, strict=True)}
    for engine in ("reference", "onnxruntime"):
        with load_program(program, engine=engine) as executable:
            out = executable.run(named)
        close([out[o.name] for o in before.outputs], [y.astype(np.float32) for y in expected])


def check_missed(case: NearMiss) -> None:
    """The rule leaves the graph alone, and its note says why."""
    before = simplify(graph(case.make, *case.types))
    after, notes = fuse_with_notes(before)
    assert case.rule not in [n.rule for n in notes if not n.missed]
    reasons = [n.missed for n in notes if n.rule == case.rule]
    assert any(case.reason in reason for reason in reasons), reasons
    verify.check(after)


def feature(x: np.ndarray) -> np.ndarray:
    """As engines take it."""
    return x.astype(np.int32 if x.dtype == np.bool_ else np.float32)


def rows(shape: tuple[int, ...], dtype: np.dtype, seed: int) -> np.ndarray:
    """Usual numbers, with an odd one in most rows; one row of -inf, one of equal numbers.

    Of bools one row is false.
    """
    rng = np.random.default_rng(seed)
    if dtype == np.bool_:
        return (rng.random(shape) < 0.6) & (np.arange(shape[0]) != 1).reshape(-1, 1)
    x = rng.normal(size=shape).astype(dtype) * 3
    if seed or x.ndim < 2:
        return x
    flat = x.reshape(shape[0], -1)
    for row, odd in zip(flat, ODD, strict=False):
        row[rng.integers(row.size)] = odd
    flat[-1], flat[-2] = -INF, 0.5
    return x


def close(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Equal within the tolerance of the dtype; NaN and infinities in the same places."""
    for x, y in zip(got, expected, strict=True):
        found = difference("y", x, y)
        assert not found.mismatched, (found, x, y)


def kept(g: Builder, kind: type, x: Value, *axes: int) -> Value:
    """A reduction with its axes as dims of 1."""
    dims = tuple(1 if i in axes else d for i, d in enumerate(x.type.shape))
    return g.add(Reshape(dims), g.add(kind(axes), x))
