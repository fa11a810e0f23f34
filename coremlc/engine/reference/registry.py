"""KERNELS: the table of numpy kernels, one per MIL op, filled by the family modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from coremlc.errors import InputError
from coremlc.mil.dialect import DIALECT

Array: TypeAlias = "npt.NDArray[Any]"
Result: TypeAlias = "Array | tuple[Array, ...]"
Function: TypeAlias = Callable[..., Result]
F = TypeVar("F", bound=Function)

VARIADIC = frozenset(
    name
    for row in DIALECT.values()
    for signature in row.signatures
    for name, parameter in signature.params.items()
    if parameter.is_variadic
)
"""Parameters that take a tuple of values, also when it has one item."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A numpy function whose keyword parameters are the MIL op's own, with MIL's defaults.

    Strings arrive as str, tuples as lists, everything else as numpy arrays.
    """

    call: Function
    is_wide: bool
    """Half floats are computed in float32 and the results rounded once."""
    is_typed: bool
    """It takes `out`, the tuple of its result types."""

    def __call__(self, **inputs: Any) -> Result:
        if not self.is_wide:
            return self.call(**inputs)
        wide = {name: _widen(x) for name, x in inputs.items()}
        if all(wide[name] is inputs[name] for name in inputs):
            return self.call(**inputs)
        result = self.call(**wide)
        if isinstance(result, tuple):
            return tuple(_narrow(x) for x in result)
        return _narrow(result)


KERNELS: dict[str, Kernel] = {}


def kernel(*names: str, wide: bool = False) -> Callable[[F], F]:
    """Register a function as the kernel of the MIL ops `names`."""

    def register(function: F) -> F:
        typed = "out" in inspect.signature(function).parameters
        for name in names:
            assert name not in KERNELS, name
            KERNELS[name] = Kernel(function, wide, typed)
        return function

    return register


def _widen(x: Any) -> Any:
    if isinstance(x, list):
        wide = [_widen(item) for item in x]
        return x if all(a is b for a, b in zip(x, wide, strict=True)) else wide
    if isinstance(x, np.ndarray) and x.dtype == np.float16:
        return x.astype(np.float32)
    return x


def _narrow(x: Array) -> Array:
    return x.astype(np.float16) if x.dtype == np.float32 else x


def axis_of(axis: Any, rank: int) -> int:
    """A non-negative axis."""
    index = int(axis)
    return index + rank if index < 0 else index


def axes_of(axes: Array | None, rank: int) -> tuple[int, ...]:
    """Non-negative axes; all of them when None."""
    if axes is None:
        return tuple(range(rank))
    return tuple(axis_of(a, rank) for a in np.atleast_1d(axes))


def text(word: str | None, default: str) -> str:
    """A MIL enumeration word, in lower case."""
    return default if word is None else str(word).lower()


def indices_in(
    indices: Array, dim: int, validate: Any, *, must_fit: bool = False
) -> npt.NDArray[np.int64]:
    """Indices into an axis of size `dim`.

    Without validation a negative index counts from the end and what is still outside is clamped;
    with it (or for scatter, `must_fit`) a bad index is an error.
    """
    index = indices.astype(np.int64)
    if index.size and index.min() >= 0 and index.max() < dim:
        return index
    low = 0 if validate else -dim
    if validate or must_fit or dim == 0:
        bad = (index < low) | (index >= dim)
        if bad.any():
            raise InputError(
                f"index {index[bad].flat[0]} is outside {low}..{dim - 1}",
                fix="clamp the indices, or give ones that exist",
            )
    index = np.where(index < 0, index + dim, index)
    return np.clip(index, 0, max(dim - 1, 0))
