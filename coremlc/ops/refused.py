"""GoMLX ops without a form here: each with the reason that its user is told.

A graph that holds one is read whole, so that all its refusals are listed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.ir.op import Op, register
from coremlc.ir.types import TensorType

REFUSED = {
    "FusedScaledDotProductAttentionVJP": "it takes a back end's own state, which has no meaning "
    "in a file; our recorder declines it, and GoMLX records attention's gradient as plain ops",
}


@register
@dataclass(frozen=True)
class Unsupported(Op):
    """A node of an op in REFUSED: only its name and the types that the file states."""

    gomlx = False
    refused = "the op has no lowering"
    op: str
    types: tuple[TensorType, ...]

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return self.types
