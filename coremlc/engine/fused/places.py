"""Where values lie: buffers, and the offset and steps by which an array is read in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coremlc.engine.reference import KERNELS

Steps = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An array in a buffer: element (i, j ..) lies at offset + i * steps[0] + j * steps[1] .."""

    buffer: int
    offset: int
    steps: Steps


@dataclass(frozen=True, slots=True)
class Key:
    """What an element of a loop is: where its array lies, in steps of loops of dims above 1."""

    buffer: int
    offset: int
    steps: Steps


def dense(buffer: int, shape: Sequence[int]) -> Place:
    """Elements one after another."""
    steps, stride = [], 1
    for dim in reversed(shape):
        steps.append(stride)
        stride *= dim
    return Place(buffer, 0, tuple(reversed(steps)))


def moved(place: Place, shape: Sequence[int], kind: str, given: Mapping[str, Any]) -> Place | None:
    """The place of what an op that only moves elements makes of an array; None if there is none.

    The reference engine's kernel moves the positions themselves; they may still be in steps then.
    """
    result = np.asarray(KERNELS[kind](x=_positions(place, shape), **given))
    first = result.flat[0]
    steps = [
        int(result[tuple(int(a == axis) for a in range(result.ndim))] - first) if dim > 1 else 0
        for axis, dim in enumerate(result.shape)
    ]
    found = Place(place.buffer, int(first), tuple(steps))
    return found if np.array_equal(_positions(found, result.shape), result) else None


def _positions(place: Place, shape: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = np.full(shape, place.offset, np.int64)
    for axis, (dim, step) in enumerate(zip(shape, place.steps, strict=True)):
        found += (np.arange(dim) * step).reshape(-1, *(1,) * (len(shape) - axis - 1))
    return found


def key_of(place: Place, shape: Sequence[int], to: Sequence[int]) -> Key:
    """How loops over a shape that an array is broadcast to read it."""
    own = [0 if dim == 1 else step for step, dim in zip(place.steps, shape, strict=True)]
    own = [0] * (len(to) - len(own)) + own
    steps = tuple(step for step, dim in zip(own, to, strict=True) if dim != 1)
    return Key(place.buffer, place.offset, steps)
