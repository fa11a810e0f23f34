"""Shapes of loops: as few axes as all that is read and written allows."""

from __future__ import annotations

from collections.abc import Sequence

from coremlc.engine.fused.places import Steps


def dims_of(shape: Sequence[object]) -> tuple[int, ...]:
    """A shape that is known."""
    return tuple(d for d in shape if isinstance(d, int))


def squeezed(shape: Sequence[object]) -> tuple[object, ...]:
    """A shape without its axes of dim 1: loops do not tell those apart that are equal then."""
    return tuple(d for d in shape if d != 1)


def merged(dims: Sequence[int], arrays: Sequence[Steps]) -> tuple[tuple[int, ...], list[Steps]]:
    """Axes joined where the elements of every array follow on across both."""
    found: list[int] = []
    steps: list[list[int]] = [[] for _ in arrays]
    for axis, dim in enumerate(dims):
        here = [array[axis] for array in arrays]
        if found and all(s[-1] == h * dim for s, h in zip(steps, here, strict=True)):
            found[-1] *= dim
            for s, h in zip(steps, here, strict=True):
                s[-1] = h
            continue
        found.append(dim)
        for s, h in zip(steps, here, strict=True):
            s.append(h)
    return tuple(found), list(map(tuple, steps))
