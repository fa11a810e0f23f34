"""Models of flexible shapes: one session per set of input shapes, the last few kept."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from coremlc.engine.base import Executable, Model, Options, Used, raise_all, unknown_op
from coremlc.engine.ort.parts import load_fixed
from coremlc.engine.ort.recipes import RECIPES
from coremlc.engine.ort.tensor import Array
from coremlc.engine.reference.plan import CONTROL
from coremlc.engine.specialize import specialize
from coremlc.errors import CompileError, InputError
from coremlc.mil.program import Block

KEPT_SESSIONS = 8


class FlexibleExecutable(Executable):
    """Every shape gets the recipes, the folding and the speed of a fixed one."""

    engine = "onnxruntime"

    def __init__(self, model: Model, options: Options, used: Used) -> None:
        super().__init__(model.inputs, model.outputs)
        self.used = used
        self._model = model
        self._options = replace(options, fuse_from_us=math.inf)  # a shape may come but once
        self._fixed: OrderedDict[tuple[tuple[int, ...], ...], Executable] = OrderedDict()
        self._lock = threading.Lock()
        _check_kinds(model.function.block)

    def close(self) -> None:
        with self._lock:
            for executable in self._fixed.values():
                executable.close()
            self._fixed.clear()

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        return self._for({name: features[name].shape for name in self.inputs}).run(features)

    def _for(self, shapes: dict[str, tuple[int, ...]]) -> Executable:
        key = tuple(shapes.values())
        with self._lock:
            found = self._fixed.get(key)
            if found is None:
                found = self._fixed[key] = self._make(shapes)
            self._fixed.move_to_end(key)
            if len(self._fixed) > KEPT_SESSIONS:
                self._fixed.popitem(last=False)
        return found

    def _make(self, shapes: dict[str, tuple[int, ...]]) -> Executable:
        try:
            function = specialize(self._model.function, shapes)
        except CompileError as error:
            given = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
            raise InputError(
                f"the model does not take these shapes together ({given}): {error.what}",
                fix="give shapes that fit each other",
                where=error.where,
            ) from error
        model = Model(function, self._model.array, self._model.root)
        return load_fixed(model, self._options, self.used)


def _check_kinds(block: Block) -> None:
    raise_all(
        unknown_op(op, "ONNX Runtime", "reference")
        for op in block.ops
        if op.kind not in RECIPES
        and op.kind not in CONTROL
        and op.kind != "const"
        and not op.kind.startswith("constexpr_")
    )
