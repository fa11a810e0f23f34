"""Fused regions as machine code, and how they are called."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from coremlc.engine.fused.costs import time_us
from coremlc.engine.fused.emit import Function
from coremlc.engine.fused.loops import dims_of
from coremlc.engine.fused.nests import Resolver, routine
from coremlc.engine.fused.partition import Part, Partition
from coremlc.engine.literals import plain
from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import Array, Literal

SPLIT_US = 150.0
"""Time on one thread from which a second one earns more than it takes to wake."""


class Kernels:
    """The machine code of all fused parts of a model; kernels live as long as it does."""

    def __init__(self, partition: Partition, array: Resolver, threads: int) -> None:
        module = ir.Module()
        parts = [part for part in partition.parts if part.kind == "fused"]
        routines = [
            routine(part.ops, part.inputs, part.outputs, partition.roots, array) for part in parts
        ]
        functions = [Function(module, f"part{i}", r) for i, r in enumerate(routines)]
        self._engine = _compiled(str(module))
        self.all = [
            Kernel(part, function, self._engine, array, threads)
            for part, function in zip(parts, functions, strict=True)
        ]


class Kernel:
    """A fused part, ready to run."""

    def __init__(
        self, part: Part, function: Function, engine: Any, array: Resolver, threads: int
    ) -> None:
        kinds = [v.tensor for v in part.outputs]
        self._outputs = [(dims_of(kind.shape), STORAGE[kind.dtype].numpy) for kind in kinds]
        inputs = {id(v): i for i, v in enumerate(part.inputs)}
        sources = [b.source for b in function.routine.buffers if b.source is not None]
        self._places = [inputs.get(id(source)) for source in sources]
        self._held = [
            _dense(plain(source, array)) if isinstance(source, Literal) else None
            for source in sources
        ]
        pointers = [ctypes.c_void_p] * (len(sources) + len(kinds))
        address = engine.get_function_address(function.function.name)
        self._call = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64, ctypes.c_int64)(address)
        self.spans = _spans(function.turns, time_us(part.ops, part.inputs, part.outputs), threads)

    def run(self, inputs: Sequence[Array], pool: ThreadPoolExecutor | None) -> list[Array]:
        """New arrays."""
        dense = [_dense(x) for x in inputs]
        outputs = [np.empty(shape, dtype) for shape, dtype in self._outputs]
        read = [
            held if place is None else dense[place]
            for place, held in zip(self._places, self._held, strict=True)
        ]
        pointers = [x.ctypes.data for x in (*read, *outputs)]  # type: ignore[union-attr]
        first, *others = self.spans
        if pool is None or not others:
            self._call(*pointers, first[0], self.spans[-1][1])
            return outputs
        waiting = [pool.submit(self._call, *pointers, *span) for span in others]
        self._call(*pointers, *first)
        for done in waiting:
            done.result()
        return outputs


def _dense(x: Array) -> Array:
    return x if x.flags.c_contiguous and x.flags.aligned else np.require(x, None, ["C", "A"])


def _spans(turns: int, us: float, threads: int) -> list[tuple[int, int]]:
    """Of the outer loop's turns, one for each thread that it is worth."""
    pieces = min(threads, turns) if us >= SPLIT_US else 1
    edges = [turns * k // pieces for k in range(pieces + 1)]
    return list(pairwise(edges))


def _compiled(text: str) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
