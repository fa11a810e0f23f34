"""How far GoMLX is from exact numbers: an ONNX model evaluated in float64.

onnx's reference evaluator is wrong about some ops (Resize), so what is far from ONNX Runtime's
float32 is not believed; GoMLX's difference from ONNX Runtime is then taken for its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from zoo.inputs import Arrays

RELATIVE, LEAST = 1e-5, 1e-6  # coremlc's own tolerance of float32
FACTOR = 3
BELIEVABLE = 1e-3


def add_tolerances(folder: Path) -> dict[str, float]:
    """Writes tolerance.NAME into vectors.npz: three times GoMLX's own largest difference."""
    path = folder / "vectors.npz"
    arrays = dict(np.load(path))
    given = {k.removeprefix("in."): v for k, v in arrays.items() if k.startswith("in.")}
    exact = evaluate(onnx.load(folder / "prepared.onnx"), given)
    reference = dict(np.load(folder / "reference.npz"))
    found = {}
    for name, exact_value in exact.items():
        value = exact_value
        of_gomlx = arrays[f"out.{name}"]
        if of_gomlx.dtype != np.float32:
            continue
        by_onnxruntime = reference[f"out.{name}"]
        if np.abs(value - by_onnxruntime).max(initial=0) > BELIEVABLE:
            value = by_onnxruntime
        found[name] = float(np.abs(of_gomlx - value).max(initial=0))
        widest = max(LEAST, FACTOR * found[name])
        arrays[f"tolerance.{name}"] = np.array([RELATIVE, float(f"{widest:.1e}")])
    np.savez(path, **dict(sorted(arrays.items())))  # type: ignore[arg-type]
    return found


def evaluate(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """All outputs, by onnx's reference evaluator with every float32 made float64."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    for weight in graph.initializer:
        widen(weight)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                widen(attribute.t)
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    wide = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
    names = [o.name for o in graph.output]
    return dict(zip(names, ReferenceEvaluator(model).run(names, wide), strict=True))


def widen(tensor: onnx.TensorProto) -> None:
    """A float32 tensor becomes float64."""
    if tensor.data_type == TensorProto.FLOAT:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
