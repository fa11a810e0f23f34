"""A graph compiled by XLA for the CPU, and called as directly as jax can call it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from coremlc.baseline import trace
from coremlc.baseline.row import Tensor
from coremlc.dtypes import BY_NUMPY
from coremlc.errors import InputError
from coremlc.ir.graph import Function, Graph, Value
from coremlc.ir.op import Array
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import Constant

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

MAX_CONSTANTS = 1 << 30
"""Bytes of constants that a program holds itself: an HLO protobuf ends at 2 GiB."""
THREADS = "NPROC"
"""Environment variable by which XLA sizes its thread pool, once in a process."""


class XlaExecutable:
    """A graph, traced and compiled; `run` may be called from several threads.

    Constants of the graph are constants of the program, as they are when GoMLX compiles it: XLA
    folds what depends on them alone, and a call has fewer arguments. Measured beside weights as
    arguments, calls took the same time on networks above 1 ms (basic-pitch, MiniLM) and less on
    small ones (silero 0.09 ms against 0.19).
    """

    def __init__(self, graph: Graph) -> None:
        self.inputs = tuple(i.name for i in graph.inputs)
        self.outputs = tuple(o.name for o in graph.outputs)
        self._types = tuple(p.type for p in graph.main.parameters)
        weights = _weights(graph.main)
        self._weights = tuple(map(jax.device_put, weights.values()))
        start = time.perf_counter()
        self._compiled = _compile(graph.main, tuple(weights), self._weights)
        self.load_ms = (time.perf_counter() - start) * 1e3
        """Of tracing and compiling."""

    def place(self, arrays: Mapping[str, Array]) -> list[Tensor]:
        """The inputs, given by name, as XLA holds them."""
        given = [arrays[name] for name in self.inputs]
        for name, x, wanted in zip(self.inputs, given, self._types, strict=True):
            got = TensorType(BY_NUMPY[x.dtype], x.shape)
            if got != wanted:
                raise InputError(f"input {name!r} is {got}", fix=f"give {wanted}")
        return [jax.device_put(x) for x in given]

    def run(self, placed: Sequence[Tensor]) -> list[Tensor]:
        """The results, complete, as XLA holds them."""
        results: list[Tensor] = jax.block_until_ready(self._compiled(self._weights, *placed))
        return results

    def __call__(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Arrays in, arrays out, by name."""
        results = map(np.asarray, self.run(self.place(arrays)))
        return dict(zip(self.outputs, results, strict=True))


def set_threads(threads: int | None) -> None:
    """How many threads XLA's pool has, if it has not started yet; None: one for each core."""
    if threads is not None:
        os.environ[THREADS] = str(threads)


def evaluate(function: Function, inputs: Sequence[Array]) -> list[Array]:
    """Results of a function without captured values: what `ir.evaluate.run` gives, by XLA."""
    return [np.asarray(x) for x in _compile(function, (), ())((), *map(jax.device_put, inputs))]


def _weights(function: Function) -> dict[Value, Array]:
    """The constants that are arguments: all, or none if the program can hold them."""
    arrays = {
        node.results[0]: node.op.value.array
        for node in function.nodes
        if isinstance(node.op, Constant)
    }
    return arrays if sum(x.nbytes for x in arrays.values()) > MAX_CONSTANTS else {}


def _compile(function: Function, weights: Sequence[Value], arrays: Sequence[Tensor]) -> Tensor:
    """The compiled function of (one tensor per weight, *one per parameter)."""

    def traced(given: Sequence[Tensor], *inputs: Tensor) -> list[Tensor]:
        return trace.run(function, inputs, dict(zip(weights, given, strict=True)))

    shapes = [jax.ShapeDtypeStruct(p.type.shape, p.type.dtype.numpy) for p in function.parameters]
    return jax.jit(traced, keep_unused=True).lower(tuple(arrays), *shapes).compile()
