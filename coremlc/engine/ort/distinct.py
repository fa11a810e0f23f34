"""Which indices are proved to differ: a scatter to them can't race."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from coremlc.engine.ort.tensor import T

LIMIT = 1 << 22
"""Constants above this many elements are not looked at."""
MOVES = frozenset({"reshape", "expand_dims", "squeeze", "identity"})


def has_distinct_items(x: T) -> bool:
    """No two elements are equal."""
    if x.items_differ is None:
        x.items_differ = _const_differs(x, 1)
    return x.items_differ


def has_distinct_rows(x: T) -> bool:
    """No two vectors along the last axis are equal."""
    if x.rows_differ is None:
        x.rows_differ = x.rank > 0 and _const_differs(x, x.dims[-1])
    return x.rows_differ


def _const_differs(x: T, width: int) -> bool:
    """Negative indices could name the same place as others: they prove nothing."""
    value = x.value if x.is_const and x.is_static and 0 < x.size <= LIMIT else None
    if value is None or width == 0 or value.dtype.kind not in "iu" or (value < 0).any():
        return False
    rows = value.reshape(-1, width)
    x.extent = int(value.max()) + 1
    return len(np.unique(rows, axis=0)) == len(rows)


def reaches(x: T, dims: Sequence[int]) -> bool:
    """Whether a negative index could meet another one from the other end."""
    return x.extent is None or x.extent > min(dims, default=0)


def carry(kind: str, arguments: dict[str, Any], result: T) -> None:
    """What an op keeps: shifting all places by the same amount, and moves."""
    if not result.is_static or result.is_float or result.dtype == "bool":
        return
    if kind in ("add", "sub"):
        x, y = arguments["x"], arguments["y"]
        _shifted(x, y, result)
        if kind == "add":
            _shifted(y, x, result)
    elif kind in MOVES:
        x = arguments["x"]
        if x.is_static:
            result.items_differ = has_distinct_items(x)
            result.extent = x.extent
            same_rows = x.rank > 0 and result.rank > 0 and x.dims[-1] == result.dims[-1]
            result.rows_differ = same_rows and has_distinct_rows(x)


def _shifted(x: T, by: T, result: T) -> None:
    if not (x.is_static and by.is_static) or x.dims != result.dims:
        return
    if by.size == 1 and has_distinct_items(x):
        result.items_differ, result.extent = True, x.extent
    if x.rank and all(d == 1 for d in by.dims[:-1]) and has_distinct_rows(x):
        result.rows_differ, result.extent = True, x.extent
