"""Value ranges: the interval in which each integer value lies."""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.ir.graph import Node, Value
from coremlc.ir.op import Op, Range
from coremlc.ir.types import TensorType

_UNBOUNDED = (-(1 << 1100), 1 << 1100)
"""What a float may be."""


def full(t: TensorType) -> Range:
    """Every value of a dtype."""
    return t.dtype.limits if t.dtype.kind in ("bool", "int", "uint") else _UNBOUNDED


def of_node(node: Node, ranges: Mapping[Value, Range]) -> list[Range]:
    """Intervals of a node's results before they wrap into their dtype; any, if nothing is known."""
    op = node.op
    has_rule = op.range is not None or type(op).range_of is not Op.range_of
    if not has_rule or len(node.results) != 1 or not node.results[0].type.dtype.is_integer:
        return [_UNBOUNDED if r.type.dtype.is_integer else full(r.type) for r in node.results]
    types = tuple([o.type for o in node.operands])
    return [op.range_of(types, *[ranges.get(o) or full(o.type) for o in node.operands])]


def wrapped(interval: Range, t: TensorType) -> Range:
    """The interval after wrapping into the dtype."""
    low, high = full(t)
    return interval if low <= interval[0] and interval[1] <= high else (low, high)
