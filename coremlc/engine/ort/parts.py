"""A function of known shapes: one session, or sessions and fused loops in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from coremlc.engine import fused
from coremlc.engine.base import Executable, Model, Options, Used
from coremlc.engine.bitwise import with_bitwise_ands
from coremlc.engine.fused.loops import dims_of
from coremlc.engine.fused.partition import Part, Partition, partition
from coremlc.engine.ort.executable import OrtExecutable, thread_count
from coremlc.engine.ort.kept import Shelf
from coremlc.engine.ort.tensor import Array
from coremlc.engine.ort.translate import planned
from coremlc.engine.spare import without_spare_rows
from coremlc.engine.unroll import unrolled
from coremlc.errors import InputError
from coremlc.mil.program import Block, Function
from coremlc.mil.types import StateType

Step = Callable[[Sequence[Array]], Sequence[Array]]
Shape = tuple[int, ...]


def load_fixed(
    model: Model, options: Options, used: Used, shelf: Shelf | None = None
) -> Executable:
    """Loops of few trips are written out; regions that gain by it become fused loops.

    shelf: where the plan is kept if one session does it all.
    """
    function = with_bitwise_ands(unrolled(model.function), model.array)
    function = without_spare_rows(function, model.array)
    model = replace(model, function=function)
    cut = partition(function, options.fuse_from_us) if _may_fuse(function) else None
    if cut is None or not cut.parts:
        made = OrtExecutable if shelf is None else shelf.keep
        return made(planned(model), options, used)
    return PartsExecutable(replace(model, function=cut.function), options, used, cut)


def _may_fuse(function: Function) -> bool:
    """States are a session's own."""
    has_state = any(isinstance(v.type, StateType) for v in function.inputs)
    return not has_state and fused.is_available()


class PartsExecutable(Executable):
    """Values travel between parts as arrays, each in a slot; results are the caller's own."""

    engine = "onnxruntime"

    def __init__(self, model: Model, options: Options, used: Used, cut: Partition) -> None:
        from coremlc.engine.fused.kernel import Kernels  # LLVM is loaded where it is needed

        super().__init__(model.inputs, model.outputs)
        self.used = used
        self.threads = thread_count(options)
        self._pool = ThreadPoolExecutor(self.threads - 1, "coremlc") if self.threads > 1 else None
        self._kernels = Kernels(cut, model.array, self.threads)
        kernels = iter(self._kernels.all)
        self._sessions: list[OrtExecutable] = []
        slots = {id(v): slot for slot, v in enumerate(model.function.inputs)}
        self._steps: list[tuple[Step, list[int]]] = []
        for part in cut.parts:
            step = (
                partial(next(kernels).run, pool=self._pool)
                if part.kind == "fused"
                else self._session(part, model, options)
            )
            self._steps.append((step, [slots[id(v)] for v in part.inputs]))
            slots |= {id(v): len(slots) + i for i, v in enumerate(part.outputs)}
        self._results: list[tuple[str, int, Shape, bool]] = []
        taken = set(range(len(model.function.inputs)))
        for value in model.function.block.outputs:
            slot, shape = slots[id(cut.root(value))], dims_of(value.tensor.shape)
            self._results.append((value.name, slot, shape, slot in taken))
            taken.add(slot)
        self._is_closed = False

    def _session(self, part: Part, model: Model, options: Options) -> Step:
        function = model.function
        block = Block(tuple(part.ops), tuple(part.outputs))
        inner = Function(tuple(part.inputs), function.opset, {function.opset: block})
        plan = planned(replace(model, function=inner))
        session = OrtExecutable(plan, options, self.used, stops_spinning=True)
        self._sessions.append(session)
        names = [v.name for v in part.inputs]

        def run(inputs: Sequence[Array]) -> Sequence[Array]:
            return list(session.run(dict(zip(names, inputs, strict=True))).values())

        return run

    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        if self._is_closed:
            raise InputError("the executable is closed", fix="load the bundle again")
        values = [features[name] for name in self.inputs]
        for step, slots in self._steps:
            values += step([values[slot] for slot in slots])
        return {
            name: (np.array(values[slot]) if is_taken else values[slot]).reshape(shape)
            for name, slot, shape, is_taken in self._results
        }

    def close(self) -> None:
        self._is_closed = True
        for session in self._sessions:
            session.close()
        if self._pool is not None:
            self._pool.shutdown()
