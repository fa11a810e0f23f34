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

from coremlc.engine.fused.costs import ADDITION_US, COSTS
from coremlc.engine.fused.emit import Array, Body, Resolver
from coremlc.engine.fused.loops import Loops, dims_of
from coremlc.engine.fused.partition import Partition
from coremlc.engine.literals import literal_of, plain
from coremlc.mil.arrays import STORAGE

SPLIT_US = 150.0
"""Time on one thread from which a second one earns more than it takes to wake."""


class Kernels:
    """The machine code of all fused regions of a model; kernels live as long as it does."""

    def __init__(self, partition: Partition, array: Resolver, threads: int) -> None:
        module = ir.Module()
        parts = [part for part in partition.parts if part.kind == "fused"]
        bodies = [
            Body(module, f"region{i}", part, partition.roots, array) for i, part in enumerate(parts)
        ]
        self._engine = _compiled(str(module))
        self.all = [
            Kernel(body, self._engine.get_function_address(body.function.name), threads)
            for body in bodies
        ]


class Kernel:
    """A fused region, ready to run."""

    def __init__(self, body: Body, address: int, threads: int) -> None:
        outputs = [v.tensor for v in body.part.outputs]
        self._outputs = [(dims_of(kind.shape), STORAGE[kind.dtype].numpy) for kind in outputs]
        sources = list(body.sources.values())
        self._places = [s.place for s in sources]
        self._held = [
            None if s.place is not None else _dense(plain(literal_of(s.arg), body.array))  # type: ignore[arg-type]
            for s in sources
        ]
        pointers = [ctypes.c_void_p] * (len(sources) + len(outputs))
        self._call = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64, ctypes.c_int64)(address)
        self._spans = _spans(body.loops, _us(body), threads)

    def run(self, inputs: Sequence[Array], pool: ThreadPoolExecutor | None) -> list[Array]:
        """New arrays."""
        dense = [_dense(x) for x in inputs]
        outputs = [np.empty(shape, dtype) for shape, dtype in self._outputs]
        read = [
            held if place is None else dense[place]
            for place, held in zip(self._places, self._held, strict=True)
        ]
        pointers = [x.ctypes.data for x in (*read, *outputs)]  # type: ignore[union-attr]
        first, *others = self._spans
        if pool is None or not others:
            self._call(*pointers, first[0], self._spans[-1][1])
            return outputs
        waiting = [pool.submit(self._call, *pointers, *span) for span in others]
        self._call(*pointers, *first)
        for done in waiting:
            done.result()
        return outputs


def _dense(x: Array) -> Array:
    return x if x.flags.c_contiguous and x.flags.aligned else np.require(x, None, ["C", "A"])


def _us(body: Body) -> float:
    """A run's time on one thread, by estimate."""
    size = body.loops.rows * body.loops.dims[-1]
    work = sum(COSTS[op.kind].ours for op in body.part.ops) + len(body.loops.steps) / 3
    return 2 * ADDITION_US * size * work


def _spans(loops: Loops, us: float, threads: int) -> list[tuple[int, int]]:
    """Spans of rows (of elements, if there is one row), one per thread."""
    count = loops.rows if len(loops.dims) > 1 else loops.dims[-1]
    pieces = min(threads, count) if us >= SPLIT_US else 1
    edges = [count * k // pieces for k in range(pieces + 1)]
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
