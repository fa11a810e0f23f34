"""Prepares an ONNX model for coremlc-onnx: fixed shapes, folded constants, no op it lacks.

    python prepare.py MODEL.onnx OUT --inputs inputs.npz [--constant NAME=VALUE]
                      [--rename OLD=NEW] [--output NAME] [--no-fold]

writes OUT/prepared.onnx and OUT/reference.npz: the inputs (in.NAME) and what ONNX Runtime makes of
them with the model as it was shipped (out.NAME). A prepared model that gives ONNX Runtime other
numbers than the shipped one is an error.

The inputs' shapes become those of the model, which is why constants fold: onnx-gomlx reads some
shape arithmetic (reflect padding by ConstantOfShape, Slice with step -1 ...) wrongly, silently.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper, shape_inference

Arrays = dict[str, np.ndarray]
TOLERANCE = 1e-4  # of the prepared model, relative to the largest number of an output


class PrepareError(Exception):
    """The model can't be prepared."""


@dataclass
class Options:
    """What to do besides folding and rewriting; names are those of the shipped model."""

    constants: Arrays = field(default_factory=dict)  # inputs that become constants
    rename: dict[str, str] = field(default_factory=dict)  # of inputs and outputs
    outputs: list[str] = field(default_factory=list)  # the only ones to keep; all if empty
    fold: bool = True


def prepare(
    model: onnx.ModelProto, inputs: Arrays, options: Options | None = None
) -> tuple[onnx.ModelProto, Arrays, Counter[str]]:
    """The prepared model, the reference vectors, and how many nodes of which op were rewritten."""
    options = options or Options()
    shipped = run(model, inputs | options.constants)
    prepared = fix(model, inputs, options)
    if options.fold:
        prepared = fold(prepared)
    prepared, rewritten = rewrite(prepared)
    prepared = rename(prepared, options.rename)
    names = options.rename
    reference = {f"in.{names.get(k, k)}": v for k, v in inputs.items()}
    kept = options.outputs or list(shipped)
    outputs = {names.get(k, k): shipped[k] for k in kept}
    again = run(prepared, {names.get(k, k): v for k, v in inputs.items()})
    check_same(outputs, again)
    return prepared, reference | {f"out.{k}": v for k, v in outputs.items()}, rewritten


def run(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """All outputs, by ONNX Runtime without optimizations."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def check_same(expected: Arrays, got: Arrays) -> None:
    """An error if a prepared model gives other numbers."""
    for name, want in expected.items():
        have = got[name]
        if have.shape != want.shape or have.dtype != want.dtype:
            raise PrepareError(f"output {name!r} was {want.dtype}{list(want.shape)}, is now "
                               f"{have.dtype}{list(have.shape)}")  # fmt: skip
        scale = max(1.0, float(np.abs(want).max(initial=0))) if want.dtype.kind == "f" else 0.0
        if not np.allclose(have, want, rtol=0, atol=TOLERANCE * scale, equal_nan=True):
            most = float(np.abs(have.astype(np.float64) - want).max())
            raise PrepareError(f"output {name!r} has changed by {most:.3g}")


def fix(model: onnx.ModelProto, inputs: Arrays, options: Options) -> onnx.ModelProto:
    """Shapes as those of the inputs, constants in place of inputs, only the wanted outputs."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    weights = {w.name for w in graph.initializer}
    known = [i for i in graph.input if i.name in inputs]
    left = {i.name for i in graph.input} - weights - set(inputs) - set(options.constants)
    if left or len(known) < len(inputs):
        raise PrepareError(f"without a value: {sorted(left)}; inputs of the model: "
                           f"{[i.name for i in graph.input]}")  # fmt: skip
    for value in known:
        shape = value.type.tensor_type.shape
        shape.ClearField("dim")
        for size in inputs[value.name].shape:
            shape.dim.add().dim_value = size
    for name, array in options.constants.items():
        graph.initializer.append(numpy_helper.from_array(array, name))
    keep = [o for o in graph.output if not options.outputs or o.name in options.outputs]
    for old, new in ((graph.input, known), (graph.output, keep)):
        kept = list(new)
        del old[:]
        old.extend(kept)
    graph.ClearField("value_info")
    return model


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Constants folded by ONNX Runtime; ops stay those of ONNX."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def rename(model: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Inputs and outputs by other names, everywhere in the main graph."""
    graph = model.graph
    for node in graph.node:
        for list_ in (node.input, node.output):
            for i, name in enumerate(list_):
                list_[i] = names.get(name, name)
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)
    return model


class Rewriter:
    """Collects the nodes of the rewritten graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.constants = {w.name: w for w in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        inferred = shape_inference.infer_shapes(model, data_prop=True).graph
        self.shapes = {
            v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in (*inferred.value_info, *inferred.input, *inferred.output)
        }
        self.front: list[onnx.NodeProto] = []
        self.nodes: list[onnx.NodeProto] = []
        self._made = 0

    def shape(self, name: str) -> list[int]:
        """All dims of a value; zeros are unknown, and an error."""
        shape = self.shapes.get(name)
        if shape is None or 0 in shape:
            raise PrepareError(f"the shape of {name!r} is not known")
        return shape

    def op(self, kind: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """Adds a node, returns the name of its output."""
        self._made += 1
        name = to or f"prepared_{kind.lower()}_{self._made}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Adds a Constant node."""
        self._made += 1
        name = f"prepared_constant_{self._made}"
        tensor = numpy_helper.from_array(np.asarray(value, dtype), name)
        self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    def as_node(self, name: str) -> None:
        """An initializer becomes a Constant node."""
        weights = [w for w in self.graph.initializer if w.name == name]
        for w in weights:
            self.front.append(helper.make_node("Constant", [], [name], value=w))
            self.graph.initializer.remove(w)


Rule = Callable[[Rewriter, onnx.NodeProto, dict[str, Any]], bool]


def hard_sigmoid(w: Rewriter, node: onnx.NodeProto, attributes: dict[str, Any]) -> bool:
    """max(0, min(1, alpha * x + beta))."""
    scaled = w.op("Mul", node.input[0], w.constant(attributes.get("alpha", 0.2)))
    moved = w.op("Add", scaled, w.constant(attributes.get("beta", 0.5)))
    w.op("Clip", moved, w.constant(0), w.constant(1), to=node.output[0])
    return True


def log_softmax(w: Rewriter, node: onnx.NodeProto, attributes: dict[str, Any]) -> bool:
    """As x - max - log(sum(exp(x - max))); before opset 13 the op means flattened axes."""
    if w.opset < 13:
        return False
    axis = attributes.get("axis", -1)
    axes = {"axes": [axis]} if w.opset < 18 else {}
    of = [] if w.opset < 18 else [w.constant([axis], np.int64)]
    below = w.op("Sub", node.input[0], w.op("ReduceMax", node.input[0], *of, keepdims=1, **axes))
    total = w.op("ReduceSum", w.op("Exp", below), w.constant([axis], np.int64), keepdims=1)
    w.op("Sub", below, w.op("Log", total), to=node.output[0])
    return True


def global_max_pool(w: Rewriter, node: onnx.NodeProto, attributes: dict[str, Any]) -> bool:
    """ReduceMax over the spatial axes."""
    axes = list(range(2, len(w.shape(node.input[0]))))
    if w.opset < 18:
        w.op("ReduceMax", node.input[0], to=node.output[0], axes=axes, keepdims=1)
    else:
        w.op("ReduceMax", node.input[0], w.constant(axes, np.int64), to=node.output[0], keepdims=1)
    return True


def conv_transpose(w: Rewriter, node: onnx.NodeProto, attributes: dict[str, Any]) -> bool:
    """With windows that don't overlap: each pixel gives a block, by a 1x1 convolution."""
    kernel = w.constants.get(node.input[1])
    plain = not any(attributes.get("pads", [0])) and not any(attributes.get("output_padding", [0]))
    if kernel is None or not plain or attributes.get("group", 1) != 1 or len(kernel.dims) != 4:
        return False
    channels, features, high, wide = kernel.dims
    if list(attributes.get("strides", [1, 1])) != [high, wide]:
        return False
    batch, _, rows, columns = w.shape(node.input[0])
    flat = numpy_helper.to_array(kernel).transpose(1, 2, 3, 0).reshape(-1, channels, 1, 1)
    inputs = [node.input[0], w.constant(flat)]
    if len(node.input) > 2:
        bias = numpy_helper.to_array(w.constants[node.input[2]])
        inputs.append(w.constant(np.repeat(bias, high * wide)))
    blocks = w.op("Conv", *inputs, kernel_shape=[1, 1])
    split = w.constant([batch * features, high, wide, rows, columns], np.int64)
    mixed = w.op("Transpose", w.op("Reshape", blocks, split), perm=[0, 3, 1, 4, 2])
    size = w.constant([batch, features, rows * high, columns * wide], np.int64)
    w.op("Reshape", mixed, size, to=node.output[0])
    return True


def resize(w: Rewriter, node: onnx.NodeProto, attributes: dict[str, Any]) -> bool:
    """onnx-gomlx wants the scales of a Constant node."""
    moved = [n for n in node.input[1:] if any(n == i.name for i in w.graph.initializer)]
    for name in moved:
        w.as_node(name)
    w.nodes.append(node)
    return bool(moved)


RULES: dict[str, Rule] = {
    "ConvTranspose": conv_transpose,
    "GlobalMaxPool": global_max_pool,
    "HardSigmoid": hard_sigmoid,
    "LogSoftmax": log_softmax,
    "Resize": resize,
    "Upsample": resize,
}


def rewrite(model: onnx.ModelProto) -> tuple[onnx.ModelProto, Counter[str]]:
    """Ops that onnx-gomlx v0.5.0 lacks, by ones that it has."""
    w = Rewriter(model)
    done: Counter[str] = Counter()
    for node in model.graph.node:
        rule = RULES.get(node.op_type)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if rule is not None and rule(w, node, attributes):
            done[node.op_type] += 1
        elif node.op_type not in ("Resize", "Upsample"):
            w.nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(w.front + w.nodes)
    model.graph.ClearField("value_info")
    return model, done


def save(folder: Path, model: onnx.ModelProto, reference: Arrays) -> None:
    """prepared.onnx and reference.npz."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "prepared.onnx")
    np.savez(folder / "reference.npz", **reference)


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(item.rsplit("=", 1) for item in given)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=Path, required=True, help=".npz, by the model's names")
    parser.add_argument("--constant", action="append", default=[], metavar="NAME=INT64")
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument("--output", action="append", default=[], metavar="NAME")
    parser.add_argument("--no-fold", action="store_true", help="leave constants unfolded")
    given = parser.parse_args()
    constants = {k: np.asarray(int(v), np.int64) for k, v in _pairs(given.constant).items()}
    options = Options(constants, _pairs(given.rename), given.output, not given.no_fold)
    try:
        model, reference, rewritten = prepare(
            onnx.load(given.model), dict(np.load(given.inputs)), options
        )
    except PrepareError as e:
        print(f"error: {given.model}: {e}", file=sys.stderr)
        return 1
    save(given.folder, model, reference)
    print(f"prepared.onnx has {len(model.graph.node)} nodes; rewrote {dict(rewritten)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
