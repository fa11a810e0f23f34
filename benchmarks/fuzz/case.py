"""A random case: one op on operands, what the oracle says of it, and the graph of several."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.fuzz.draws import SAMPLES, drawer, sampled
from benchmarks.fuzz.values import MOST, PACKED, PLAIN, WAYS, Array, Fixed, Operand, chance
from coremlc import dtypes
from coremlc.errors import CoremlcError, ShapeError
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.literal import TensorData
from coremlc.ir.op import REGISTRY, Op
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import Constant

KINDS = sorted(k for k, op in REGISTRY.items() if op.gomlx and not op.refused)
_STEPS = """
    BatchNormForInference BatchNormForTraining BatchNormGradient FusedLayerNorm
    FusedScaledDotProductAttention
"""
STEPS = frozenset(_STEPS.split())
"""Composites whose steps overflow where the whole does not."""
BOUND = {dtypes.F16: 2.0**6}
"""Magnitude of what they are given, infinities apart; in the other dtypes 2**20."""
TURNS = WAYS
"""Rounds of values for each op, attributes and types: each mixture once."""
TRIES = 50
"""Draws that break the contract before a sample is taken."""
SAMPLED = 0.1
"""How often one is taken anyway."""


class OracleError(Exception):
    """The oracle failed on operands that the op's contract allows."""


@dataclass(frozen=True)
class Case:
    """One op on random operands, with other elements in each of up to TURNS rounds."""

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

    @cached_property
    def rounds(self) -> tuple[Sequence[Array], ...]:
        """The operands in each round; no two have the same inputs."""
        found: dict[tuple[bytes, ...], Sequence[Array]] = {}
        for turn in range(TURNS):
            given = self._arrays(turn)
            inputs = [x for i, x in enumerate(given) if i not in self.constants]
            found.setdefault(tuple(x.tobytes() for x in inputs), given)
        return tuple(found.values())

    def _arrays(self, turn: int) -> list[Array]:
        found = [x.array(0 if i in self.constants else turn) for i, x in enumerate(self.operands)]
        if self.op.kind in STEPS:
            found = [_bounded(x) for x in found]
        return [np.ascontiguousarray(x).reshape(x.shape) for x in found]

    def plain(self) -> Case:
        """The same on ordinary numbers alone, in one round."""
        made = [
            Fixed(replace(x, way=PLAIN).array(0)) if isinstance(x, Operand) else x
            for x in self.operands
        ]
        return replace(self, operands=tuple(made), ranges=())

    def expected(self, given: Sequence[Array]) -> tuple[Array, ...]:
        """What the oracle says of a round; OracleError if it fails."""
        try:
            return evaluate.apply(self.op, given, self.results)
        except CoremlcError:
            raise
        except Exception as error:
            kinds = ",".join(t.dtype.short for t in self.types)
            raise OracleError(f"{self.op.kind}({kinds}): {place(error)}") from error


def draw(rng: random.Random, only: str = "", name: str = "") -> Case:
    """A case of any kind, or of kind `only`."""
    kind = REGISTRY[only or rng.choice(KINDS)]
    op, operands, results = _allowed(kind, rng)
    constants = {
        i
        for i, x in enumerate(operands)
        if chance(rng, 0.25) or x.type.dtype in PACKED  # which no input has
    }
    samples = [sample for sample in SAMPLES[kind.kind] if sample.op is op]
    for sample in samples:
        constants |= sample.constants
    if not samples:
        constants |= {i for i, x in enumerate(operands) if isinstance(x, Fixed)}
    case = Case(name, op, tuple(operands), frozenset(constants), results)
    ranges = tuple(_range(rng, case, i) for i in range(len(operands)))
    return replace(case, ranges=ranges)


def of_seed(seed: int, only: str = "") -> Case:
    """The case of a seed."""
    return draw(random.Random(seed), only, f"seed={seed}")


def _allowed(
    kind: type[Op], rng: random.Random
) -> tuple[Op, list[Operand | Fixed], tuple[TensorType, ...]]:
    """A draw within the op's contract whose results are not large."""
    seldom = bool(SAMPLES[kind.kind]) and chance(rng, SAMPLED)
    for attempt in range(10 * TRIES):
        op, operands = (sampled if seldom or attempt >= TRIES else drawer(kind))(kind, rng)
        types = [x.type for x in operands]
        try:
            found = op.infer(*types)
        except ShapeError:
            continue
        results = found if isinstance(found, tuple) else (found,)
        if all(t.size <= MOST for t in (*results, *types)):
            return op, list(operands), results
    raise AssertionError(f"{kind.kind}: no draw is allowed")


def _bounded(x: Array) -> Array:
    if x.dtype == bool or not dtypes.BY_NUMPY[x.dtype].is_float:
        return x
    most = BOUND.get(dtypes.BY_NUMPY[x.dtype], 2.0**20)
    return np.where(np.isfinite(x), x.astype(float).clip(-most, most), x).astype(x.dtype)


def _range(rng: random.Random, case: Case, i: int) -> tuple[int, int] | None:
    """What is stated of an integer input: nothing, what it is, or all that its dtype holds."""
    t = case.types[i]
    if not t.dtype.is_integer or i in case.constants:
        return None
    found = np.concatenate([given[i].ravel() for given in case.rounds])
    if not found.size:
        return None
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
        for i, (x, t) in enumerate(zip(case.rounds[0], case.types, strict=True)):
            if i in case.constants:
                values.append(g.add(Constant(TensorData(t.dtype, x))))
                continue
            values.append(g.parameter(t))
            inputs.append(Input(f"x{n}_{i}", range=case.ranges[i] if case.ranges else None))
        results += g.add_multi(case.op, *values)
        outputs += [Output(f"y{n}_{i}") for i in range(len(case.results))]
    return Graph(g.finish(*results), tuple(inputs), tuple(outputs))


def inputs_of(cases: Sequence[Case], turn: int) -> dict[str, Array]:
    """The inputs of that graph in a round; of cases with fewer rounds, of one of theirs."""
    return {
        f"x{n}_{i}": x
        for n, case in enumerate(cases)
        for i, x in enumerate(case.rounds[turn % len(case.rounds)])
        if i not in case.constants
    }


def place(error: BaseException) -> str:
    """Where an error was raised, and what it says."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:80]}"
