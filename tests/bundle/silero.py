"""The Silero VAD on a minute of speech: the reference model, bundles, and bundles changed.

Samples lie beside the repository; the model and the speech come by `make silero`.
"""

import functools
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from coremlc.bundle import read_bundle
from coremlc.engine import Options, load_program
from coremlc.mil.program import BlobRef, Block, Function, Literal, Op, Program, Value
from coremlc.mil.types import TensorType
from tests.samples import MOBIUS

OUT = Path(__file__).parents[2] / "out" / "silero"
MODEL, SPEECH = OUT / "silero_vad.onnx", OUT / "speech.wav"
FLOAT = "silero-vad-unified-v6.0.0"
COMPRESSED = (
    "unified_int8",
    "unified_palette_2bit",
    "unified_palette_4bit",
    "unified_pruned_int8",
)
RATE, FRAME, CONTEXT = 16_000, 512, 64
SECONDS = 60
EPSILON = 2.0**-24
"""What the bundle adds under the root of the spectrum: its 1e-8, as the least half float."""


@functools.cache
def frames():
    """[1875, 1, 576]: a minute in frames of 32 ms, each with the end of the one before."""
    with wave.open(str(SPEECH)) as file:
        rate = file.getframerate()
        data = np.frombuffer(file.readframes(SECONDS * rate), np.int16) / 32768
    at = np.arange(SECONDS * RATE) * (rate / RATE)
    sound = np.interp(at, np.arange(data.size), data).astype(np.float32)
    sound = np.concatenate([np.zeros(CONTEXT, np.float32), sound])
    starts = range(0, SECONDS * RATE - FRAME + 1, FRAME)
    return np.stack([sound[None, i : i + CONTEXT + FRAME] for i in starts])


@functools.cache
def reference(*, half_weights=False, epsilon=0.0):
    """Probabilities by the model of the package; by it with what the bundle has otherwise."""
    content = onnx.load(MODEL)
    if half_weights:
        for tensor in content.graph.initializer:
            _halve(tensor)
    if epsilon:
        (root,) = (node for node in content.graph.node if node.op_type == "Sqrt")
        held = numpy_helper.from_array(np.array(epsilon, np.float32), "epsilon")
        content.graph.initializer.append(held)
        more = onnx.helper.make_node("Add", [root.input[0], "epsilon"], ["under_root"])
        content.graph.node.insert([*content.graph.node].index(root), more)
        root.input[0] = "under_root"
    session = onnxruntime.InferenceSession(content.SerializeToString())
    state, found = np.zeros((2, 1, 128), np.float32), []
    rate = np.array(RATE, np.int64)
    for frame in frames():
        out, state = session.run(None, {"input": frame, "state": state, "sr": rate})
        found.append(out.item())
    return np.array(found)


def _halve(tensor):
    """The bundle's weights are half floats, but for those of the LSTM."""
    array = numpy_helper.to_array(tensor)
    if array.dtype == np.float32 and "rnn" not in tensor.name:
        half = array.astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))


def program(name):
    """The program of a bundle, every constant an array of its own."""
    bundle = read_bundle(MOBIUS / f"{name}.mlmodelc")
    return renewed(bundle.program, lambda _, literal: array_literal(bundle, literal))


def array_literal(bundle, literal):
    if isinstance(literal.data, BlobRef):
        return Literal(literal.type, bundle.array(literal))
    return literal


def run(content, engine):
    """Probabilities, the states handed on from frame to frame."""
    found = []
    hidden = cell = np.zeros((1, 128), np.float32)
    with load_program(content, engine=engine, options=Options(threads=1)) as executable:
        for frame in frames():
            out = executable.run({"audio_input": frame, "hidden_state": hidden, "cell_state": cell})
            hidden, cell = out["new_hidden_state"], out["new_cell_state"]
            found.append(out["vad_output"].item())
    return np.array(found)


def widened(content, arrays=None, epsilon=None):
    """The same program in float32: what is left of it without the roundings to half floats.

    arrays: constants to take instead, by value name; epsilon: what is added under the root.
    """

    def widen(name, literal):
        data = literal.data
        if name is not None and name in (arrays or {}):
            data = arrays[name].reshape(np.shape(data))
        if epsilon is not None and name == "var_36_to_fp16":
            data = np.array(epsilon)
        if isinstance(data, str):
            return Literal(literal.type, "fp32" if data == "fp16" else data)
        if isinstance(literal.type, TensorType) and literal.type.dtype == "fp16":
            return Literal(_wide(literal.type), np.asarray(data).astype(np.float32))
        return Literal(literal.type, data)

    return renewed(content, widen, _wide)


def _wide(kind):
    return replace(kind, dtype="fp32") if getattr(kind, "dtype", "") == "fp16" else kind


def renewed(content, literal, kind=lambda kind: kind):
    """A program with other literals and types; `literal` gets the constant's name, or None."""
    (name,) = content.functions
    function = content.functions[name]
    new = {}

    def value(old, held=None):
        new[id(old)] = Value(old.name, kind(old.type), held)
        return new[id(old)]

    def arg(old):
        return new[id(old)] if isinstance(old, Value) else literal(None, old)

    def op(old):
        label = old.outputs[0].name if old.kind == "const" else None
        attributes = {
            key: item if key == "name" else literal(label, item)
            for key, item in old.attributes.items()
        }
        inputs = {key: tuple(map(arg, args)) for key, args in old.inputs.items()}
        outputs = tuple(value(v, attributes.get("val")) for v in old.outputs)
        return Op(old.kind, inputs, outputs, attributes)

    given = tuple(map(value, function.inputs))
    ops = tuple(map(op, function.block.ops))
    block = Block(ops, tuple(new[id(v)] for v in function.block.outputs))
    return Program({name: Function(given, function.opset, {function.opset: block})})


def reference_weights():
    """The reference's weights, in the names of the float bundle."""
    graph = onnx.load(MODEL).graph
    held = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    names = {"stft_forward_basis": "model.stft.forward_basis_buffer"}
    names |= {
        f"encoder_layers_{2 * i}_{part}": f"model.encoder.{i}.reparam_conv.{part}"
        for i in range(4)
        for part in ("weight", "bias")
    }
    names |= {f"decoder_final_conv_{p}": f"model.decoder.decoder.2.{p}" for p in ("weight", "bias")}
    return {f"{ours}_to_fp16": held[theirs] for ours, theirs in names.items()}


def difference(found, due):
    """Largest and mean difference, and how many frames are judged otherwise."""
    apart = np.abs(found - due)
    flips = int(((found > 0.5) != (due > 0.5)).sum())
    return {"max": float(apart.max()), "mean": float(apart.mean()), "flips": flips}
