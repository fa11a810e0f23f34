"""Between what ints lie, as far as the ops that made them tell: indices in range need no clamp."""

from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.ort.tensor import T
from coremlc.mil.arrays import STORAGE

LIMIT = 1 << 16
"""Constants above this many elements are not looked at."""
MOVES = frozenset({
    "expand_dims", "gather", "identity", "reshape", "slice_by_index", "squeeze", "transpose",
})  # fmt: skip


def bounds_of(x: T) -> tuple[int, int]:
    """The least and the greatest that an int may be."""
    if x.bounds is not None:
        return x.bounds
    if x.is_const and x.is_static and 0 < x.size <= LIMIT and x.value is not None:
        return int(x.value.min()), int(x.value.max())
    row = STORAGE[x.dtype]
    return row.minimum, row.maximum


def carry(kind: str, arguments: dict[str, Any], result: T) -> None:
    """What an op tells of its result."""
    if STORAGE[result.dtype].numpy.kind not in "iu":
        return
    if kind in ("maximum", "minimum"):
        choose = max if kind == "maximum" else min
        sides = zip(bounds_of(arguments["x"]), bounds_of(arguments["y"]), strict=True)
        low, high = (choose(side) for side in sides)
        result.bounds = low, high
    elif kind in MOVES:
        result.bounds = bounds_of(arguments["x"])
    elif kind == "select":
        ends = np.array([bounds_of(arguments[name]) for name in ("a", "b")])
        result.bounds = int(ends[:, 0].min()), int(ends[:, 1].max())
