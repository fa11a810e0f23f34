"""Constants beside larger tensors, repeated as far as ONNX Runtime is slow to do it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from coremlc.engine.ort.tensor import T

RUN = 128
"""Elements that are computed at a time; each such run costs as much as 128 elements do."""
LIMIT = 1 << 14
"""Elements of a repeated constant."""


def repeated(x: Any, dims: tuple[int, ...]) -> Any:
    """A constant operand of an op whose result has these dims; anything else as it is.

    Runs end where an axis is repeated and the one before it is not, or the other way round: three
    channels beside an image make runs of three. A scalar beside a last axis of 1 makes runs of
    one, though not if it has as many axes.
    """
    if not isinstance(x, T) or not x.is_const or x.value is None:
        return x
    own = (1,) * (len(dims) - x.rank) + x.dims
    if x.size == 1:
        return T(x.dtype, own, value=x.value.reshape(own)) if dims[-1:] == (1,) else x
    if _run(own, dims) >= min(RUN, math.prod(dims)):
        return x
    first = len(dims)
    while math.prod(dims[first:]) < RUN and first:
        first -= 1
    shape = own[:first] + dims[first:]
    if math.prod(shape) > LIMIT:
        return x
    if shape not in x.repeats:
        x.repeats[shape] = T(x.dtype, shape, value=np.broadcast_to(x.value.reshape(own), shape))
    return x.repeats[shape]


def _run(own: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """How many elements at the end are all repeated, or all not."""
    length, is_repeated = 1, None
    for mine, dim in zip(reversed(own), reversed(dims), strict=True):
        if dim == 1:
            continue
        if is_repeated not in (None, mine != dim):
            break
        length, is_repeated = length * dim, mine != dim
    return length
