"""A node whose operands are words, as rules see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coremlc.dtypes import DType
from coremlc.ir.op import Range
from coremlc.ir.types import TensorType
from coremlc.passes.words.word import Operand


@dataclass(frozen=True)
class Case:
    """One node."""

    op: Any
    dtype: DType
    """Of its integer operands; of the result for a conversion to integers."""
    operands: tuple[TensorType, ...]
    result: TensorType
    """As the graph has them, before legalizing."""
    ranges: tuple[Range, ...]

    @property
    def signed(self) -> bool:
        return self.dtype.kind == "int"


Rule = Callable[..., Operand]
"""(calc, case, *operands) -> result.

Operands are values of legal dtypes, but integers of 64 bits, and uint32, are Words. The result is
Words, or a plain value: a bool, a float, or an integer that is one signed word.
"""
