"""Plan: a function as ONNX Runtime takes it, and what its session needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy.typing as npt

from coremlc.mil.types import TensorType

Array: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True, slots=True)
class Plan:
    """An ONNX model with the features of a function; its weights lie outside."""

    onnx: bytes
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    states: Mapping[str, TensorType]
    one_thread: bool = False
    """A scatter may meet duplicate indices: more than one thread would race."""
    weights: Path | None = None
    """The directory that the model's external files lie under."""
    held: Mapping[str, Array] = field(default_factory=dict)
    """Initializers that are handed to the session as arrays, without a copy."""
    is_optimized: bool = False
    """ONNX Runtime's own passes are done."""


def output_name(name: str) -> str:
    """The ONNX name of an output: it may not be that of an input, as MIL allows."""
    return f"out:{name}"


def state_names(name: str) -> tuple[str, str]:
    """The ONNX input and output that carry a state."""
    return f"state-in:{name}", f"state-out:{name}"
