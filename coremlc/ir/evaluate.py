"""The oracle: a Graph evaluated with each op's numpy rule.

Floats are computed in float64 and rounded to their dtype after each op; integers wrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from coremlc.dtypes import BY_NUMPY, working
from coremlc.errors import CoremlcError
from coremlc.ir.graph import Function, Value, placed
from coremlc.ir.op import Array, Op
from coremlc.ir.types import TensorType


def run(
    function: Function, inputs: Sequence[Array], outer: Mapping[Value, Array] | None = None
) -> list[Array]:
    """Results of `function` for one array per parameter, of the parameters' dtypes and shapes.

    outer: values of enclosing functions, for a body.
    """
    values: dict[Value, Array] = dict(outer or {})
    values.update(zip(function.parameters, inputs, strict=True))
    for node in function.nodes:
        types = tuple([r.type for r in node.results])
        try:
            results = apply(node.op, [values[o] for o in node.operands], types, values)
        except CoremlcError as error:
            raise placed(error, node) from None
        values.update(zip(node.results, results, strict=True))
    return [values[r] for r in function.results]


def apply(
    op: Op,
    operands: Sequence[Array],
    types: tuple[TensorType, ...],
    outer: Mapping[Value, Array] | None = None,
) -> tuple[Array, ...]:
    """Results of one op, in the dtypes of `types`. outer: values that its bodies may use."""
    with np.errstate(all="ignore"):
        given: list[object] = list(operands if op.native else map(widened, operands))
        if op.bodies:
            given.insert(0, lambda body, *xs: run(body, xs, outer))
        out = op.evaluate(*given)
        results = out if isinstance(out, tuple) else (out,)
        return tuple(
            [
                np.asarray(r).astype(t.dtype.numpy, copy=False)
                for r, t in zip(results, types, strict=True)
            ]
        )


def widened(x: Array) -> Array:
    """`x` in the dtype in which the oracle computes."""
    return x.astype(working(BY_NUMPY[x.dtype]), copy=False)
