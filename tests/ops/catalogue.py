"""All samples and rejecting cases."""

from __future__ import annotations

from tests.ops import (
    complex,
    contraction,
    control_flow,
    elementwise,
    fused,
    integers,
    layers,
    movement,
    training,
)

_FAMILIES = (
    training,
    elementwise,
    integers,
    movement,
    contraction,
    layers,
    fused,
    complex,
    control_flow,
)
SAMPLES = [sample for family in _FAMILIES for sample in family.SAMPLES]
REJECTS = [case for family in _FAMILIES for case in family.REJECTS]
