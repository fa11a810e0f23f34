"""Constant values of a program, as numpy arrays and Python strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from coremlc.mil.program import Arg, BlobRef, Literal, Value


def literal_of(arg: Arg) -> Literal | None:
    """The literal that an argument is, or that a const op gave it."""
    return arg.literal if isinstance(arg, Value) else arg


def plain(literal: Literal, array: Callable[[Literal], Any]) -> Any:
    """An array, a string, or a list of them."""
    data = literal.data
    if isinstance(data, BlobRef):
        return array(literal)
    if isinstance(data, str):
        return data
    if isinstance(data, tuple):
        return [plain(item, array) if isinstance(item, Literal) else item for item in data]
    value = np.asarray(data)
    return str(value.item()) if value.dtype == object and value.ndim == 0 else value
