"""A random case: one op on operands, what the oracle says of it, and the graph of several."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.fuzz_draws import SAMPLES, drawer, sampled
from benchmarks.fuzz_values import MOST, PACKED, Array, Fixed, Operand, chance
from coremlc import dtypes
from coremlc.errors import CoremlcError, ShapeError
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import MAX_RANK, TensorType
from coremlc.ops.leaves import Constant

KINDS = sorted(k for k, op in REGISTRY.items() if op.gomlx and not op.refused)
_STEPS = """
    BatchNormForInference BatchNormForTraining BatchNormGradient FusedLayerNorm
    FusedScaledDotProductAttention
"""
STEPS = frozenset(_STEPS.split())
"""Composites whose steps overflow where the whole does not."""
BOUND = 2.0**20
"""Magnitude of what they are given, infinities apart."""
TURNS = 8
"""Rounds of values for each op, attributes and types."""
TRIES = 50
"""Draws that break the contract before a sample is taken."""


class OracleError(Exception):
    """The oracle failed on operands that the op's contract allows."""


@dataclass(frozen=True)
class Case:
    """One op on random operands, with other elements in each of TURNS rounds."""

    name: str
    """What makes it again: `seed=7`."""
    op: Op
    operands: tuple[Operand | Fixed, ...]
    constants: frozenset[int]
    """Operands that the graph holds."""
    results: tuple[TensorType, ...]
    ranges: tuple[tuple[int, int] | None, ...] = ()
    """What the user states of integers."""

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(x.type for x in self.operands)

    def arrays(self, turn: int) -> list[Array]:
        """The operands of a round."""
        found = [x.array(0 if i in self.constants else turn) for i, x in enumerate(self.operands)]
        if self.op.kind in STEPS:
            found = [_bounded(x) for x in found]
        return [np.ascontiguousarray(x).reshape(x.shape) for x in found]

    def expected(self, turn: int) -> tuple[Array, ...]:
        """What the oracle says of a round; OracleError if it fails."""
        try:
            return evaluate.apply(self.op, self.arrays(turn), self.results)
        except CoremlcError:
            raise
        except Exception as error:
            given = ",".join(t.dtype.short for t in self.types)
            raise OracleError(f"{self.op.kind}({given}): {place(error)}") from error


def draw(rng: random.Random, only: str = "", name: str = "") -> Case:
    """A case of any kind, or of kind `only`."""
    kind = REGISTRY[only or rng.choice(KINDS)]
    op, operands, results = _allowed(kind, rng)
    constants = {
        i
        for i, x in enumerate(operands)
        if chance(rng, 0.25) or x.type.dtype in PACKED or not x.type.size  # such are no inputs
    }
    for sample in SAMPLES[kind.kind]:
        if sample.op is op:
            constants |= sample.constants
    case = Case(name, op, tuple(operands), frozenset(constants), results)
    ranges = tuple(_range(rng, case, i) for i in range(len(operands)))
    return replace(case, ranges=ranges)


def of_seed(seed: int, only: str = "") -> Case:
    """The case of a seed."""
    return draw(random.Random(seed), only, f"seed={seed}")


def _allowed(
    kind: type[Op], rng: random.Random
) -> tuple[Op, list[Operand | Fixed], tuple[TensorType, ...]]:
    """A draw within the op's contract whose results are neither empty nor large."""
    for attempt in range(10 * TRIES):
        op, operands = (drawer(kind) if attempt < TRIES else sampled)(kind, rng)
        types = [x.type for x in operands]
        try:
            found = op.infer(*types)
        except ShapeError:
            continue
        results = found if isinstance(found, tuple) else (found,)
        fits = all(t.rank <= MAX_RANK and t.size <= MOST for t in (*results, *types))
        if fits and all(r.size for r in results):
            return op, operands, results
    raise AssertionError(f"{kind.kind}: no draw is allowed")


def _bounded(x: Array) -> Array:
    if x.dtype == bool or not dtypes.BY_NUMPY[x.dtype].is_float:
        return x
    return np.where(np.isfinite(x), x.astype(float).clip(-BOUND, BOUND), x).astype(x.dtype)


def _range(rng: random.Random, case: Case, i: int) -> tuple[int, int] | None:
    """What is stated of an integer input: nothing, what it is, or all that its dtype holds."""
    t = case.types[i]
    if not t.dtype.is_integer or i in case.constants:
        return None
    found = np.concatenate([case.operands[i].array(turn).ravel() for turn in range(TURNS)])
    low, high = int(found.min()), int(found.max())
    if chance(rng, 0.2):
        return low, high
    wide = low < dtypes.I32.limits[0] or high > dtypes.I32.limits[1] or chance(rng, 0.3)
    return t.dtype.limits if t.dtype is dtypes.I64 and wide else None


def graph_of(cases: Sequence[Case]) -> Graph:
    """All the cases side by side."""
    g = Builder()
    results, inputs, outputs = [], [], []
    for n, case in enumerate(cases):
        values = []
        for i, (x, t) in enumerate(zip(case.arrays(0), case.types, strict=True)):
            if i in case.constants:
                values.append(g.add(Constant(TensorData(t.dtype, x))))
                continue
            values.append(g.parameter(t))
            inputs.append(Input(f"x{n}_{i}", range=case.ranges[i]))
        results += g.add_multi(case.op, *values)
        outputs += [Output(f"y{n}_{i}") for i in range(len(case.results))]
    return Graph(g.finish(*results), tuple(inputs), tuple(outputs))


def inputs_of(cases: Sequence[Case], turn: int) -> dict[str, Array]:
    """The inputs of that graph in a round."""
    return {
        f"x{n}_{i}": x
        for n, case in enumerate(cases)
        for i, x in enumerate(case.arrays(turn))
        if i not in case.constants
    }


def place(error: BaseException) -> str:
    """Where an error was raised, and what it says."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:80]}"
