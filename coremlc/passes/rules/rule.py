"""What a rewrite rule is."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType


class Rule(Protocol):
    """`(g, op, operands, type of the first result) -> a simpler value, or None`.

    A rule of an op of several results gives all of them.
    """

    def __call__(
        self, g: Builder, op: Any, operands: tuple[Value, ...], out: TensorType, /
    ) -> Value | tuple[Value, ...] | None: ...


Rules: TypeAlias = tuple[tuple[tuple[type[Op], ...], Rule], ...]
"""Op kinds at the root, and the rule."""
