"""The ONNX Runtime engine: a session, with buffers bound once per thread for small calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from coremlc.engine.base import Executable, Options, Used, zeros
from coremlc.engine.ort.plan import Array, Plan, output_name, state_names
from coremlc.errors import InputError, MachineError, RefusedError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.types import TensorType

BOUND_BYTES = 64 << 10
"""Calls that move less are copied through buffers bound once; larger arrays go in as they are."""


class OrtExecutable(Executable):
    """CPU only; exact by the recipes, one-threaded where a scatter could race."""

    engine = "onnxruntime"

    def __init__(
        self,
        plan: Plan,
        options: Options,
        used: Used,
        *,
        stops_spinning: bool = False,
        optimized: Path | None = None,
    ) -> None:
        """A session of its own.

        stops_spinning: its threads make room for others when a run ends.
        optimized: where ONNX Runtime shall write the model as its own passes left it.
        """
        super().__init__(plan.inputs, plan.outputs)
        self.used = used
        self.threads = 1 if plan.one_thread else thread_count(options)
        settings = _settings(plan, options, self.threads)
        if stops_spinning:
            settings.add_session_config_entry("session.force_spinning_stop", "1")
        if optimized is not None:
            settings.optimized_model_filepath = str(optimized)
        self._session = _session(plan, settings)
        self._names = [output_name(name) for name in self.outputs]
        self._zeros = {name: zeros(kind) for name, kind in plan.states.items()}
        self._lock = threading.Lock()
        self._local = threading.local()
        self._is_bound = not self._zeros and self._is_small()
        self.reset()

    def reset(self) -> None:
        self._states = {state_names(name)[0]: x for name, x in self._zeros.items()}

    def close(self) -> None:
        self._local = threading.local()
        self._session = None

    def _is_small(self) -> bool:
        kinds = (*self.inputs.values(), *self.outputs.values())
        sizes = [_bytes_of(kind) for kind in kinds]
        return None not in sizes and sum(s for s in sizes if s is not None) <= BOUND_BYTES

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        try:
            if self._is_bound:
                bound = getattr(self._local, "bound", None)
                return (self._bind() if bound is None else bound).run(features)
            if self._zeros:
                return self._run_states(features)
            feed = {name: np.ascontiguousarray(features[name]) for name in self.inputs}
            values = self._live().run(self._names, feed)
        except _ORT_ERRORS as error:
            raise _explained(error) from error
        return dict(zip(self.outputs, values, strict=True))

    def _live(self) -> Any:
        if self._session is None:
            raise InputError("the executable is closed", fix="load the bundle again")
        return self._session

    def _bind(self) -> _Bound:
        """This thread's buffers."""
        bound = self._local.bound = _Bound(self._live(), self.inputs, self.outputs)
        return bound

    def _run_states(self, features: Mapping[str, Array]) -> dict[str, Array]:
        outs = [state_names(name)[1] for name in self._zeros]
        with self._lock:
            feed = {name: np.ascontiguousarray(features[name]) for name in self.inputs}
            values = self._live().run([*self._names, *outs], {**feed, **self._states})
            count = len(self._names)
            self._states = dict(zip(self._states, values[count:], strict=True))
        return dict(zip(self.outputs, values[:count], strict=True))


class _Bound:
    """One thread's buffers, shared with the session for good."""

    def __init__(
        self, session: Any, inputs: Mapping[str, TensorType], outputs: Mapping[str, TensorType]
    ) -> None:
        self._call = session._sess.run_with_iobinding
        binding = session.io_binding()
        self._inputs = {name: zeros(kind) for name, kind in inputs.items()}
        self._outputs = {name: zeros(kind) for name, kind in outputs.items()}
        self._values = []
        for name, array in self._inputs.items():
            self._values.append(ort.OrtValue.ortvalue_from_numpy(array))
            binding.bind_ortvalue_input(name, self._values[-1])
        for name, array in self._outputs.items():
            self._values.append(ort.OrtValue.ortvalue_from_numpy(array))
            binding.bind_ortvalue_output(output_name(name), self._values[-1])
        self._binding = binding
        self._io = binding._iobinding
        # Bound methods, made once: at 3 microseconds a call, each look-up counts.
        self._fills = tuple((name, array.__setitem__) for name, array in self._inputs.items())
        self._copies = tuple((name, array.copy) for name, array in self._outputs.items())

    def run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        for name, fill in self._fills:
            fill(..., features[name])
        self._call(self._io, None)
        return {name: copy() for name, copy in self._copies}


def _bytes_of(kind: TensorType) -> int | None:
    dims = [d for d in kind.shape if isinstance(d, int)]
    if len(dims) != len(kind.shape):
        return None
    return int(np.prod(dims, dtype=np.int64)) * STORAGE[kind.dtype].numpy.itemsize


def thread_count(options: Options) -> int:
    """What was asked for, else the cores that this process may use."""
    if options.threads is not None:
        return options.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _settings(plan: Plan, options: Options, threads: int) -> Any:
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    levels = ort.GraphOptimizationLevel
    settings.graph_optimization_level = (
        levels.ORT_DISABLE_ALL if plan.is_optimized else levels.ORT_ENABLE_ALL
    )
    if not options.spin:
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if plan.weights is not None:
        settings.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(plan.weights)
        )
    if plan.held:
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in plan.held.values()]
        settings.add_external_initializers(list(plan.held), values)
    return settings


INEXACT = ["ConstantSharing", "NoopElimination"]
"""Passes of ONNX Runtime that take 0 and -0 for the same: of constants, and -0 + 0 for -0."""


def _session(plan: Plan, settings: Any) -> Any:
    try:
        return ort.InferenceSession(
            plan.onnx,
            settings,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=INEXACT,
        )
    except MemoryError as error:
        raise MachineError(
            "not enough memory to load the model", fix="use a machine with more memory"
        ) from error
    except _LOAD_ERRORS as error:
        raise RefusedError(
            f"ONNX Runtime refuses the translated model: {error}",
            fix="run with --engine reference, and report this: it is a fault of coremlc",
        ) from error


_LOAD_ERRORS = (
    ort.capi.onnxruntime_pybind11_state.Fail,
    ort.capi.onnxruntime_pybind11_state.InvalidArgument,
    ort.capi.onnxruntime_pybind11_state.InvalidGraph,
    ort.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    ort.capi.onnxruntime_pybind11_state.NotImplemented,
    ort.capi.onnxruntime_pybind11_state.RuntimeException,
)
_ORT_ERRORS = (
    RuntimeError,  # what bound runs raise
    ort.capi.onnxruntime_pybind11_state.InvalidArgument,
    ort.capi.onnxruntime_pybind11_state.Fail,
    ort.capi.onnxruntime_pybind11_state.RuntimeException,
)


def _explained(error: Exception) -> InputError:
    """What a node refused: in a sound model it is an index or begin out of range."""
    text = str(error).split(" : ")[-1].strip()
    return InputError(
        f"the run stopped: {text}",
        fix="check the values of index inputs; --engine reference names the op",
    )
