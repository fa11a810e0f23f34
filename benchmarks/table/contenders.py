"""Who runs a model, each loaded and fed: engines of a bundle, XLA, ONNX Runtime on an ONNX file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.table import handwritten
from benchmarks.table.cases import Case
from coremlc.bench.contender import Contender
from coremlc.bench.host import cores
from coremlc.engine import EngineName
from coremlc.frontend import read
from coremlc.runner import EngineOptions, load
from zoo.inputs import Array, Arrays
from zoo.models import BY_NAME, ZOO, OnnxModel

THREADS = cores()


@dataclass(frozen=True)
class Entrant:
    """Who may race, if what it computes is right: `outputs` computes and fetches it."""

    contender: Contender
    outputs: Callable[[], Mapping[str, Array]]


def of_bundle(engine: EngineName, bundle: Path, inputs: Arrays) -> Entrant:
    """An engine of ours."""
    model = load(bundle, EngineOptions(engine, threads=THREADS))
    features = model.signature.encode(inputs)
    contender = _contender(
        engine, model.load_ms, lambda: model.executable.run(features), model.close
    )
    return Entrant(contender, lambda: model(inputs))


def of_xla(case: Case, inputs: Arrays) -> Entrant:
    """What GoMLX runs on the CPU today."""
    from coremlc.baseline import load_xla

    executable = load_xla(read(case.graph), THREADS)
    placed = executable.place(inputs)
    contender = _contender("xla", executable.load_ms, lambda: executable.run(placed))
    return Entrant(contender, lambda: executable(inputs))


def of_expert(case: Case, inputs: Arrays) -> Entrant | None:
    """ONNX Runtime on the model as an expert wrote it, or as the zoo's model was shipped."""
    shipped = BY_NAME.get(case.model) if case.kind == "zoo" else None
    if isinstance(shipped, OnnxModel):
        names = shipped.rename
        feed = {old: inputs[names.get(old, old)] for old in shipped.inputs()}
        feed |= {name: np.array(value) for name, value in shipped.constants.items()}
        return _of_onnx("shipped", str(shipped.file.within(ZOO)), feed, names)
    if case.name in handwritten.ENCODERS:
        return _of_onnx("handwritten", handwritten.encoder(read(case.graph)), inputs, {})
    return None


def _of_onnx(name: str, model: str | bytes, inputs: Arrays, names: Mapping[str, str]) -> Entrant:
    """ONNX Runtime at its best: all optimizations, and buffers bound once.

    Args:
        name: of the contender.
        model: the file, or what it holds.
        inputs: by their names in the model.
        names: of outputs, in the model and in GoMLX's graph.
    """
    start = time.perf_counter()
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    load_ms = (time.perf_counter() - start) * 1e3
    outputs = [o.name for o in session.get_outputs()]
    known = [names.get(o, o) for o in outputs]
    binding = session.io_binding()
    for key, array in inputs.items():
        binding.bind_ortvalue_input(key, ort.OrtValue.ortvalue_from_numpy(array))
    for key in outputs:
        binding.bind_output(key)
    session.run_with_iobinding(binding)
    values = binding.get_outputs()  # of the right size: the next runs fill them again
    for key, value in zip(outputs, values, strict=True):
        binding.bind_ortvalue_output(key, value)
    contender = _contender(name, load_ms, lambda: session.run_with_iobinding(binding))
    return Entrant(contender, lambda: dict(zip(known, session.run(outputs, inputs), strict=True)))


def _contender(
    name: str,
    load_ms: float,
    run: Callable[[], object],
    close: Callable[[], None] = lambda: None,
) -> Contender:
    return Contender("", name, "cpu-only", load_ms, run, close)
