"""The plainest sample of each op, and its samples in other dtypes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from functools import cache

from benchmarks import retyped
from coremlc.dtypes import BOOL, BY_SHORT, DType
from coremlc.errors import ShapeError
from tests.ops import catalogue
from tests.ops.samples import Sample, array

_PLAIN = [BY_SHORT[short] for short in ("f32", "i32", "bool", "c64")]


@cache
def by_kind() -> dict[str, list[Sample]]:
    """The samples of each op kind, plainest first."""
    found = defaultdict(list)
    for sample in sorted(catalogue.SAMPLES, key=_fanciness):
        found[sample.op.kind].append(sample)
    return dict(found)


def in_dtype(kind: str, dtype: DType) -> Sample:
    """The plainest sample of an op in a dtype, or one of another dtype turned into it.

    Raises:
        ShapeError: the op's contract allows none; what it says of the plainest one.
    """
    refusals = []
    for sample in sorted(by_kind()[kind], key=lambda s: _strangeness(s, dtype)):
        try:
            return _retyped(sample, dtype)
        except ShapeError as error:
            refusals.append(error)
    raise refusals[0]


def subject(sample: Sample) -> DType:
    """The dtype T of `(x: T[..]) -> ..`: the first operand's, or what a condition chooses."""
    results = sample.op.infer(*sample.types)
    first = results[0] if isinstance(results, tuple) else results
    given = sample.types[0].dtype if sample.types else BOOL
    return first.dtype if given is BOOL else given


def _fanciness(sample: Sample) -> tuple[int, ...]:
    """Least in float32, of dims above 1, with int32 indices."""
    ranked = [
        _PLAIN.index(d) if d in _PLAIN else len(_PLAIN)
        for d in (subject(sample), *(t.dtype for t in sample.types))
    ]
    least = min(sample.types[0].shape, default=0) if sample.types else 2
    return ranked[0], least < 2, max(ranked)


def _strangeness(sample: Sample, dtype: DType) -> int:
    """0 if the sample is in that dtype, 1 if it is as complex or real, else 2."""
    found = subject(sample)
    return 0 if found is dtype else 1 + (found.is_complex != dtype.is_complex)


def _retyped(sample: Sample, new: DType) -> Sample:
    """The sample with another subject: in its operands, its op's attributes and bodies."""
    old = subject(sample)
    if old is new:
        return sample
    op = retyped.op_in(sample.op, old, new)
    op.infer(*(retyped.of(t, old, new) for t in sample.types))
    arrays = zip(sample.operands, sample.types, strict=True)
    operands = tuple(array(new.short, x) if t.dtype is old else x for x, t in arrays)
    return dataclasses.replace(sample, op=op, operands=operands, tolerance=None)
