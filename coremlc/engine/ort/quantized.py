"""Recipes of quantize and dequantize; the constexpr ops are folded before they reach ORT."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from coremlc.engine.ort.elementwise import float_to_int
from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, axis_of


def _along(g: Emitter, x: T, axis: T | None, rank: int) -> Name:
    """A float scalar, or a float vector laid along an axis."""
    floats: Name = x if x.dtype == "fp32" else g.cast(x, "fp32")
    if x.rank == 0:
        return floats
    at = axis_of(axis, rank, 0)
    return g.reshape(floats, [-1 if i == at else 1 for i in range(rank)])


@recipe("quantize", wide=True)
def quantize(
    g: Emitter,
    input: T,
    scale: T,
    output_dtype: str,
    zero_point: T | None = None,
    axis: T | None = None,
) -> str:
    level = g.node("Round", g.node("Div", input, _along(g, scale, axis, input.rank)))
    if zero_point is not None:
        level = g.node("Add", level, _along(g, zero_point, axis, input.rank))
    return float_to_int(g, level, output_dtype)


@recipe("dequantize", wide=True)
def dequantize(
    g: Emitter,
    input: T,
    scale: T,
    zero_point: T | None = None,
    axis: T | None = None,
) -> str:
    level: Name = g.cast(input, "fp32")
    if zero_point is not None:
        level = g.node("Sub", level, _along(g, zero_point, axis, input.rank))
    return g.node("Mul", level, _along(g, scale, axis, input.rank))
