"""Core ML's generated protobuf classes, without importing coremltools."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from coremlc.errors import MachineError

Message = Any
"""A protobuf message; coremltools ships no types for them."""

_ALIAS = "_coremlc_coreml_proto"
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Classes:
    """The generated modules of Core ML's protobuf, which coremltools ships."""

    model: Any
    mil: Any
    features: Any
    code_of: Mapping[str, int]
    dtype_of: Mapping[int, str]


@cache
def classes() -> Classes:
    """Core ML's message classes, without importing coremltools itself (0.08 s instead of 1 s).

    Its `proto` directory is imported under a name of ours. Protobuf keeps one class per message,
    so a real `import coremltools`, before or after, gives the same classes.
    """
    found = importlib.util.find_spec("coremltools")
    if found is None or not found.submodule_search_locations:
        raise MachineError("coremltools is not installed", fix="pip install 'coremltools>=9,<10'")
    with _LOCK:
        if _ALIAS not in sys.modules:
            alias = ModuleType(_ALIAS)
            alias.__path__ = [f"{place}/proto" for place in found.submodule_search_locations]
            sys.modules[_ALIAS] = alias
        model = importlib.import_module(f"{_ALIAS}.Model_pb2")
        mil = importlib.import_module(f"{_ALIAS}.MIL_pb2")
        features = importlib.import_module(f"{_ALIAS}.FeatureTypes_pb2")
    code_of = {_dtype_word(word): code for word, code in mil.DataType.items() if code}
    return Classes(model, mil, features, code_of, {code: word for word, code in code_of.items()})


def _dtype_word(word: str) -> str:
    """`FLOAT8E4M3FN` -> `fp8e4m3fn`, `BFLOAT16` -> `bf16`, the rest by lower case."""
    return word.lower().replace("bfloat", "bf").replace("float", "fp")
