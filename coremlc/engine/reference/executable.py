"""The reference engine: a function's steps, run one by one on numpy arrays."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from coremlc.engine.base import Executable, Model, Used, zeros
from coremlc.engine.reference import KERNELS
from coremlc.engine.reference.plan import Planner, Step, Steps
from coremlc.engine.reference.registry import Array
from coremlc.errors import InputError, at


class ReferenceExecutable(Executable):
    """Strict meaning first: each op on its own, half floats rounded after every op."""

    engine = "reference"

    def __init__(self, model: Model, used: Used) -> None:
        super().__init__(model.inputs, model.outputs)
        assert KERNELS
        self.used = used
        self._plan = Planner(model).plan()
        self._lock = threading.Lock()
        self._states: dict[str, Array] = {}
        self.reset()

    def reset(self) -> None:
        self._states = {name: zeros(kind) for name, kind in self._plan.states.items()}

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        if not self._states:
            return self._evaluate(features)
        with self._lock:
            return self._evaluate(features)

    def _evaluate(self, features: Mapping[str, Array]) -> dict[str, Array]:
        env = self._plan.template.copy()
        for name, slot in self._plan.features.items():
            env[slot] = features[name]
        with np.errstate(all="ignore"):
            self._block(self._plan.body, env)
        return {name: _own(env[slot]) for name, slot in self._plan.outputs.items()}

    def _block(self, block: Steps, env: list[Any]) -> None:
        for step in block.steps:
            with at(step.where):
                self._step(step, env)
            for slot in step.frees:
                env[slot] = None

    def _step(self, step: Step, env: list[Any]) -> None:
        if step.kernel is None:
            self._control(step, env)
            return
        inputs: dict[str, Any] = {name: env[slot] for name, slot in step.inputs.items()}
        for name, slots in step.lists.items():
            inputs[name] = [env[slot] for slot in slots]
        if step.kernel.is_typed:
            inputs["out"] = step.out_types
        try:
            result = step.kernel(**inputs)
        except (ValueError, IndexError) as error:  # numpy's: shapes or indices that do not fit
            raise InputError(
                f"{step.kind}: {error}", fix="give inputs whose shapes and indices fit each other"
            ) from error
        results = result if isinstance(result, tuple) else (result,)
        for slot, array in zip(step.outputs, results, strict=True):
            env[slot] = np.asarray(array)

    def _control(self, step: Step, env: list[Any]) -> None:
        match step.kind:
            case "cond":
                block = step.blocks[0 if env[step.inputs["pred"]] else 1]
                self._block(block, env)
                _move(env, block.outputs, step.outputs)
            case "while_loop":
                self._loop(step, env)
            case "read_state":
                env[step.outputs[0]] = self._states[env[step.inputs["input"]]]
            case "write_state":
                name = env[step.inputs["input"]]
                data = env[step.inputs["data"]]
                # A reader may hold the old array: put a new one in place.
                self._states[name] = np.array(data, self._states[name].dtype)

    def _loop(self, step: Step, env: list[Any]) -> None:
        condition, body = step.blocks
        values = [env[slot] for slot in step.lists["loop_vars"]]
        while True:
            _put(env, condition.inputs, values)
            self._block(condition, env)
            if not env[condition.outputs[0]]:
                break
            _put(env, body.inputs, values)
            self._block(body, env)
            values = [env[slot] for slot in body.outputs]
        _put(env, step.outputs, values)


def _put(env: list[Any], slots: list[int], values: list[Any]) -> None:
    for slot, value in zip(slots, values, strict=True):
        env[slot] = value


def _move(env: list[Any], sources: list[int], targets: list[int]) -> None:
    _put(env, targets, [env[slot] for slot in sources])


def _own(x: Array) -> Array:
    """A dense array that shares nothing with the inputs or the weights."""
    return np.array(x, order="C", copy=True)
