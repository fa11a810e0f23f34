"""Non-maximum suppression."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType


def _suppression(args: Args) -> tuple[TensorType, ...]:
    """Boxes and scores that were kept, their indices, and until ios16 their number."""
    count = args.integer("max_boxes")
    dtype = args.type("boxes").dtype
    batch, second, third = args.rank("scores", 3)
    boxes = args.rank("boxes", 3)
    indices = TensorType("int32", (batch, count))
    if "score_threshold" in args.signature.params:
        args.expect("boxes", (batch, second, 4), f"scores {args.spell('scores')}")
        return (
            TensorType(dtype, (batch, count, 4)),
            TensorType(dtype, (batch, count, third)),
            indices,
            TensorType("int32", (batch,)),
        )
    args.expect("boxes", (batch, *boxes[1:]), f"scores {args.spell('scores')}")
    return (
        TensorType(dtype, (batch, 4, count)),
        TensorType(dtype, (batch, second, count)),
        indices,
    )


_LIMITS = "max_boxes: const int32(); per_class_suppression: const bool() = False"
_BOXES = "boxes: T; scores: T; iou_threshold: const T(); "

OPS: tuple[OpDef, ...] = (
    op(
        "non_maximum_suppression",
        _suppression,
        sig(_BOXES + "score_threshold: const T(); " + _LIMITS, T=FLOAT),
        sig(_BOXES + _LIMITS, "ios17", T=FLOAT),
    ),
)
