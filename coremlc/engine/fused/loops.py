"""The loops of a region: its shape with as few axes as its operands' broadcasts allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

Steps = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Loops:
    """Axes from outer to inner, and each operand's step along them, in elements."""

    dims: tuple[int, ...]
    steps: tuple[Steps, ...]

    @property
    def rows(self) -> int:
        """Turns of all loops but the innermost."""
        return prod(self.dims[:-1])


def dims_of(shape: Sequence[object]) -> tuple[int, ...]:
    """A shape that is known."""
    return tuple(d for d in shape if isinstance(d, int))


def squeezed(shape: Sequence[object]) -> tuple[object, ...]:
    """A shape without its axes of dim 1: regions do not tell those apart that are equal then."""
    return tuple(d for d in shape if d != 1)


def steps_of(operand: Sequence[int], shape: Sequence[int]) -> Steps:
    """Steps of a dense operand broadcast to the shape, squeezed: 0 where it repeats."""
    found, stride = [], 1
    for dim in reversed(operand):
        found.append(0 if dim == 1 else stride)
        stride *= dim
    found += [0] * (len(shape) - len(operand))
    return tuple(step for step, dim in zip(reversed(found), shape, strict=True) if dim != 1)


def loops_of(shape: Sequence[int], operands: Sequence[Steps]) -> Loops:
    """Axes of a squeezed shape, merged where all operands' elements follow on across both."""
    dims: list[int] = []
    steps: list[list[int]] = [[] for _ in operands]
    for axis, dim in enumerate(shape):
        here = [e[axis] for e in operands]
        if dims and all(s[-1] == h * dim for s, h in zip(steps, here, strict=True)):
            dims[-1] *= dim
            for s, h in zip(steps, here, strict=True):
                s[-1] = h
            continue
        dims.append(dim)
        for s, h in zip(steps, here, strict=True):
            s.append(h)
    if not dims:
        return Loops((1,), tuple((0,) for _ in operands))
    return Loops(tuple(dims), tuple(map(tuple, steps)))
