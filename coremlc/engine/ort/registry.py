"""RECIPES: the table of ONNX recipes, one per MIL op, filled by the family modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Result: TypeAlias = "str | list[str]"
Function: TypeAlias = Callable[..., Result]
F = TypeVar("F", bound=Function)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A function from an Emitter and operands, named as MIL names them, to ONNX names.

    Operands are T, lists of T for tuples, str for words; absent ones keep the function's default.
    """

    call: Function
    is_wide: bool
    """Half floats arrive in their float32 form; fp16 results are rounded from float32 ones."""
    is_typed: bool
    """It takes `out`, the tuple of its result types."""


RECIPES: dict[str, Recipe] = {}


def recipe(*names: str, wide: bool = False) -> Callable[[F], F]:
    """Register a function as the recipe of the MIL ops `names`."""

    def register(function: F) -> F:
        typed = "out" in inspect.signature(function).parameters
        for name in names:
            assert name not in RECIPES, name
            RECIPES[name] = Recipe(function, wide, typed)
        return function

    return register
