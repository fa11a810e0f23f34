"""The opsets of MIL, oldest first, and the dtypes that families of ops accept."""

from __future__ import annotations

from coremlc.errors import UsageError

OPSETS = {
    "ios15": "CoreML5",
    "ios16": "CoreML6",
    "ios17": "CoreML7",
    "ios18": "CoreML8",
    "ios26": "CoreML9",
}
"""Our name of an opset -> the protobuf's. (The text prints its own: `mil/text`.)"""

ORDER = {name: index for index, name in enumerate(OPSETS)}

BY_COREML = {coreml: name for name, coreml in OPSETS.items()}

MAX_RANK = 5

FLOAT = frozenset({"fp16", "fp32"})
NUMBER = FLOAT | {"int32"}
NUMBER_BOOL = NUMBER | {"bool"}
SMALL_INT = frozenset({"int8", "uint8", "int16", "uint16"})
TENSOR = NUMBER_BOOL | SMALL_INT
"""Every dtype a tensor has at run time, from ios17."""
BOOL = frozenset({"bool"})
INT_INDEX = frozenset({"int8", "int16", "int32"})


def opset_of(name: str) -> str:
    """Our name of an opset, given that or the protobuf's."""
    if name in OPSETS:
        return name
    if name in BY_COREML:
        return BY_COREML[name]
    raise UsageError(f"unknown opset {name!r}", fix=f"use one of {', '.join(OPSETS)}")
