"""The Core ML engine: macOS itself runs the bundle, through coremltools' CompiledMLModel.

UNPROVEN ON A DEVICE: written against coremltools 9.0's documentation and source; it has run on
no Mac yet. Tests that need one are marked `coreml`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from coremlc.engine.base import Array, ComputeUnits, Executable, Options, Used, sound_function
from coremlc.errors import InputError, MachineError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import StateType, TensorType

if TYPE_CHECKING:
    from coremlc.bundle import Bundle

_UNITS: dict[ComputeUnits, str] = {
    "all": "ALL",
    "cpu-only": "CPU_ONLY",
    "cpu-and-gpu": "CPU_AND_GPU",
    "cpu-and-ne": "CPU_AND_NE",
}


def load_coreml(bundle: Bundle, options: Options, function: str | None) -> Executable:
    """Load a bundle with Core ML; off the Mac, an error that says what to do."""
    if sys.platform != "darwin":
        raise MachineError(
            "Core ML needs macOS, this is " + sys.platform,
            fix="use --engine onnxruntime, which runs the same bundle anywhere",
        )
    import coremltools as ct

    name = sound_function(bundle, function)
    body = bundle.program.functions[name]
    units = getattr(ct.ComputeUnit, _UNITS[options.compute_units])
    many = len(bundle.program.functions) > 1
    try:
        model = ct.models.CompiledMLModel(
            str(bundle.root), compute_units=units, function_name=name if many else None
        )
    except RuntimeError as error:
        raise MachineError(
            f"Core ML does not load {bundle.root}: {error}",
            fix="check the bundle with `coremlc inspect --verify`; needs the target's macOS",
        ) from error
    inputs = {v.name: v.type for v in body.inputs if isinstance(v.type, TensorType)}
    outputs = {v.name: v.tensor for v in body.block.outputs}
    has_state = any(isinstance(v.type, StateType) for v in body.inputs)
    # The units are what Core ML may use; which ones it chose is in its compute plan.
    return CoremlExecutable(
        model, inputs, outputs, Used(options.compute_units), has_state=has_state
    )


class CoremlExecutable(Executable):
    """A compiled model in this process; calls are made one at a time."""

    engine = "coreml"

    def __init__(
        self,
        model: Any,
        inputs: Mapping[str, TensorType],
        outputs: Mapping[str, TensorType],
        used: Used,
        *,
        has_state: bool,
    ) -> None:
        super().__init__(inputs, outputs)
        self.used = used
        self._model = model
        self._has_state = has_state
        self._lock = threading.Lock()
        self._state: Any = None
        self.reset()

    def reset(self) -> None:
        self._state = self._model.make_state() if self._has_state else None

    def close(self) -> None:
        self._model = None

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        if self._model is None:
            raise InputError("the executable is closed", fix="load the bundle again")
        given = {name: np.ascontiguousarray(x) for name, x in features.items()}
        with self._lock:
            if self._has_state:
                found = self._model.predict(given, state=self._state)
            else:
                found = self._model.predict(given)
        return {
            name: np.asarray(found[name]).astype(STORAGE[kind.dtype].numpy, copy=False)
            for name, kind in self.outputs.items()
        }
