"""What a fusion rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from coremlc.ir.graph import Builder, Value
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType


@dataclass(frozen=True)
class Miss:
    """Why a value that begins like a rule's pattern is not one."""

    reason: str


Found: TypeAlias = Value | Miss | None
"""The fused value; a Miss; None if the value does not even begin like the pattern."""


class FuseRule(Protocol):
    """`(g, op, operands, type of the result) -> Found`, for a value `op(*operands)` to be added.

    Pure but for the nodes that it adds to `g` when it matches. It looks at the few nodes of its
    pattern only, so that all rules together are linear in the size of the graph. Who else uses
    those nodes does not matter: what nobody uses is dead.
    """

    __name__: str

    def __call__(
        self, g: Builder, op: Any, operands: tuple[Value, ...], out: TensorType, /
    ) -> Found: ...


FuseRules: TypeAlias = tuple[tuple[tuple[type[Op], ...], FuseRule], ...]
"""Op kinds at the root, and the rule."""
