"""Integers of 64 bits, and uint32, on the 32-bit words that Core ML has."""

from coremlc.passes.words.split import (
    LONG,
    U32,
    U64,
    fits,
    input_range,
    is_wide,
    needed,
    shaped,
    split,
)
from coremlc.passes.words.word import Operand, Words

__all__ = [
    "LONG",
    "U32",
    "U64",
    "Operand",
    "Words",
    "fits",
    "input_range",
    "is_wide",
    "needed",
    "shaped",
    "split",
]
