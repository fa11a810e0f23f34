"""Regions of elementwise ops, and whole small functions, as loops that LLVM compiles.

ONNX Runtime takes each op through memory, and each node costs it some of a microsecond. Only
`kernel` and what it imports need llvmlite (`coremlc[jit]`); `partition` says what to compile.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

VARIABLE = "COREMLC_FUSE"


def is_available() -> bool:
    """Whether llvmlite is installed, and `COREMLC_FUSE` is not 0."""
    return os.environ.get(VARIABLE) != "0" and find_spec("llvmlite") is not None
