"""Whether floats that differ are as near to the exact result as GoMLX's are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.ir.graph import Function, Graph, Value
from coremlc.ir.op import Array

SLACK = 3.0
"""How many times GoMLX's own error ours may be."""
ROUNDING = 30.0
"""How many times the error of rounding GoMLX's own may be before it counts as another meaning."""

Truth: TypeAlias = tuple[Array, Array, Array]
"""The output in float64; how far from it GoMLX's is, and those that are computed in float32."""


class Truths:
    """The outputs in float64, and how far right computations may be from them."""

    def __init__(
        self, graph: Graph, given: Mapping[str, Array], wanted: Mapping[str, Array]
    ) -> None:
        self._graph = graph
        self._given = list(given.values())
        self._wanted = wanted
        self._known: dict[str, Truth] | None = None

    def of(self, name: str) -> Truth | None:
        """None if the graph can't be evaluated."""
        if self._known is None:
            self._known = {}
            try:
                exact, *narrow = (
                    precise(self._graph.main, self._given, rounded)
                    for rounded in (_as_double, _as_single, _in_single)
                )
            except TimeoutError:
                raise
            except Exception:
                return None
            for output, e, a, b in zip(self._graph.outputs, exact, *narrow, strict=True):
                w = self._wanted[output.name]
                with np.errstate(all="ignore"):
                    rounding = np.fmax(_distance(a, e), _distance(b, e))
                    self._known[output.name] = e, _distance(w, e), rounding
        return self._known.get(name)


def _distance(x: Array, y: Array) -> Array:
    kind = np.complex128 if y.dtype.kind == "c" else np.float64
    out: Array = np.abs(x.astype(kind) - y.astype(kind))
    return out


def _as_double(x: Array, dtype: DType) -> Array:
    if dtype.is_float or dtype.is_complex:
        return x.astype(dtypes.working(dtype), copy=False)
    return x.astype(dtype.numpy, copy=False)


def _as_single(x: Array, dtype: DType) -> Array:
    """Rounded after each op, as the target has floats: float64 as float32."""
    return _as_double(_narrow(x, dtype), dtype)


def _in_single(x: Array, dtype: DType) -> Array:
    """Each op computed by numpy in float32, so that sums and transforms lose what they do there."""
    x = _narrow(x, dtype)
    return x.astype(np.float32) if dtype.is_float and x.dtype.itemsize < 4 else x


def _narrow(x: Array, dtype: DType) -> Array:
    narrow = {"Float64": np.float32, "Complex128": np.complex64}
    return x.astype(narrow.get(dtype.name, dtype.numpy), copy=False)


def precise(
    function: Function,
    inputs: Sequence[Array],
    rounded: Callable[[Array, DType], Array],
    outer: Mapping[Value, Array] | None = None,
) -> list[Array]:
    """`evaluate.run`, with another rounding of the results of each op."""
    values: dict[Value, Array] = dict(outer or {})
    for p, x in zip(function.parameters, inputs, strict=True):
        values[p] = rounded(x, p.type.dtype)
    for node in function.nodes:
        operands = [values[o] for o in node.operands]
        if node.op.kind == "Bitcast":
            operands = [
                x.astype(o.type.dtype.numpy) for x, o in zip(operands, node.operands, strict=True)
            ]
        given: list[object] = list(operands)
        if node.op.bodies:
            given.insert(0, lambda body, *xs: precise(body, xs, rounded, values))
        with np.errstate(all="ignore"):
            out = node.op.evaluate(*given)
            results = out if isinstance(out, tuple) else (out,)
            for r, v in zip(results, node.results, strict=True):
                values[v] = rounded(np.asarray(r), v.type.dtype)
    return [values[r] for r in function.results]


def is_near(x: Array, want: Array, truth: Truth | None) -> bool:
    """Whether floats are as near to the truth as GoMLX's are, up to SLACK.

    No, if GoMLX's are farther from it than rounding explains: then one of the two means another.
    """
    dtype = dtypes.BY_NUMPY[want.dtype]
    if truth is None or x.shape != want.shape or not (dtype.is_float or dtype.is_complex):
        return False
    exact, gomlx, rounding = truth
    if exact.shape != want.shape:
        return False
    relative, absolute = dtype.tolerance
    with np.errstate(all="ignore"):
        wide = dtypes.working(dtype)
        a, b = x.astype(wide), want.astype(wide)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        error = np.maximum(gomlx, rounding)
        allowed = absolute + relative * np.abs(exact) + np.maximum(SLACK * error, _most(error))
        explained = absolute + relative * _most(np.abs(exact)) + _most(rounding)
        if _most(np.where(b == exact, 0.0, gomlx)) > ROUNDING * explained:
            return False
        return bool(np.all(same | (_distance(a, exact) <= allowed)))


def _most(x: Array) -> float:
    return float(np.max(x[np.isfinite(x)], initial=0.0))
