"""Compile time per node on synthetic graphs, and against coremltools' conversion of the same MIL.

    python benchmarks/compile_time.py            (make bench-compile)

Prints, for graphs of 1k, 5k and 20k nodes, milliseconds of each stage and microseconds a node: the
whole of `compiler.build` and the writing of the bundle. At 5k nodes coremltools converts the MIL
program that we made, with its default passes, in the same run.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from coremlc.bundle import write_mlmodelc
from coremlc.compiler import Compiled, Recipe, Stages, build, uncollected
from coremlc.frontend import graph_pb2 as pb
from coremlc.mil.model import model_to_bytes

SIZES = (1_000, 5_000, 20_000)
ROUNDS = 3
WIDTH = 8


class Writer:
    """A graph.pb in the making: layers of matrix product, bias, activation, norm and attention."""

    def __init__(self) -> None:
        self.file = pb.GraphFile(format_major=1, name="synthetic")
        self.function = self.file.functions.add(kind=pb.Function.MAIN, name="main")
        self.file.source_files.append("synthetic.go")
        self.next_id = 1

    def shape(self, target: object, dims: tuple[int, ...], dtype: str = "Float32") -> None:
        target.dtype = dtype  # type: ignore[attr-defined]
        for dim in dims:
            target.dims.add(size=dim)  # type: ignore[attr-defined]

    def parameter(self, name: str, dims: tuple[int, ...]) -> int:
        given = self.function.parameters.add(name=name, role=pb.Parameter.INPUT)
        return self.value(given.value, dims)

    def value(self, value: object, dims: tuple[int, ...]) -> int:
        value.id = self.next_id  # type: ignore[attr-defined]
        self.next_id += 1
        self.shape(value.shape, dims)  # type: ignore[attr-defined]
        return self.next_id - 1

    def node(self, op: str, dims: tuple[int, ...], *operands: int) -> tuple[int, pb.Node]:
        node = self.function.nodes.add(op=op, operands=operands)
        node.location.file_plus_1 = 1
        node.location.line = len(self.function.nodes)
        return self.value(node.results.add(), dims), node

    def constant(self, dims: tuple[int, ...], seed: int) -> int:
        value, node = self.node("Constant", dims)
        self.shape(node.constant.shape, dims)
        count = 1
        for dim in dims:
            count *= dim
        node.constant.inline = b"".join(
            ((seed * 31 + i) % 65536).to_bytes(2, "little") + b"\x80\x3e" for i in range(count)
        )
        return value

    def layer(self, x: int, seed: int) -> int:
        """15 nodes."""
        row = (4, WIDTH)
        weight, bias = self.constant((WIDTH, WIDTH), seed), self.constant((WIDTH,), seed + 1)
        y, dot = self.node("DotGeneral", row, x, weight)
        dot.attributes.dot_general.lhs_contracting_axes.append(1)
        dot.attributes.dot_general.rhs_contracting_axes.append(0)
        dot.attributes.dot_general.config.accumulator_dtype = "Float32"
        dot.attributes.dot_general.config.output_dtype = "Float32"
        wide, broadcast = self.node("BroadcastInDim", row, bias)
        self.shape(broadcast.attributes.broadcast_in_dim.output_shape, row)
        broadcast.attributes.broadcast_in_dim.broadcast_axes.append(1)
        y, _ = self.node("Add", row, y, wide)
        top, most = self.node("ReduceMax", (4,), y)
        most.attributes.reduce_max.axes.append(1)
        top, shaped = self.node("Reshape", (4, 1), top)
        shaped.attributes.reshape.dimensions.extend((4, 1))
        y, _ = self.node("Sub", row, y, top)
        y, _ = self.node("Exp", row, y)
        total, added = self.node("ReduceSum", (4,), y)
        added.attributes.reduce_sum.axes.append(1)
        total, shaped = self.node("Reshape", (4, 1), total)
        shaped.attributes.reshape.dimensions.extend((4, 1))
        y, _ = self.node("Div", row, y, total)
        y, turned = self.node("Transpose", (WIDTH, 4), y)
        turned.attributes.transpose.permutation.extend((1, 0))
        y, shaped = self.node("Reshape", row, y)
        shaped.attributes.reshape.dimensions.extend(row)
        y, _ = self.node("Tanh", row, y)
        y, _ = self.node("Add", row, y, x)
        return y


def synthetic(nodes: int, path: Path) -> None:
    """Write a graph.pb of about that many nodes."""
    writer = Writer()
    x = writer.parameter("x", (4, WIDTH))
    seed = 0
    while len(writer.function.nodes) < nodes:
        x = writer.layer(x, seed)
        seed += 2
    writer.function.results.add(value=x, name="y", role=pb.Result.OUTPUT)
    path.write_bytes(writer.file.SerializeToString(deterministic=True))


def measure(path: Path, target: Path) -> tuple[float, dict[str, float], Compiled]:
    """(seconds, milliseconds of each stage, what was made) of the fastest round."""
    best: tuple[float, dict[str, float], Compiled] | None = None
    for i in range(ROUNDS):
        stages = Stages()
        gc.collect()
        start = time.perf_counter()
        with uncollected():
            made = build(path, Recipe(), stages)
            with stages.time("write"):
                write_mlmodelc(target / f"{path.stem}-{i}.mlmodelc", made.model)
        seconds = time.perf_counter() - start
        if best is None or seconds < best[0]:
            best = seconds, stages.ms, made
    assert best is not None
    return best


def coremltools_seconds(made: Compiled) -> float:
    """Time of coremltools' default conversion of the MIL program that we made."""
    convert = _converter(made)
    gc.collect()
    start = time.perf_counter()
    convert()
    return time.perf_counter() - start


def _converter(made: Compiled) -> Callable[[], object]:
    os.environ["TQDM_DISABLE"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        import coremltools as ct
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString(model_to_bytes(made.model))
    program = load(spec, spec.specificationVersion, file_weights_dir="")

    def convert() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ct.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=ct.target.iOS18,
                skip_model_load=True,
            )

    return convert


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for size in SIZES:
            path = root / f"synthetic{size}.pb"
            synthetic(size, path)
            seconds, stages, made = measure(path, root)
            nodes = made.info["nodes"]
            rows.append((nodes, seconds, seconds / nodes * 1e6, made))
            parts = "  ".join(f"{name} {ms:.0f}" for name, ms in stages.items())
            print(
                f"{nodes:6} nodes {made.info['mil_ops']:6} MIL ops  {seconds * 1e3:7.0f} ms  "
                f"{rows[-1][2]:6.1f} us/node   ({parts})"
            )
        theirs = coremltools_seconds(rows[1][3])
    spread = max(r[2] for r in rows) / min(r[2] for r in rows)
    ratio = theirs / rows[1][1]
    print(f"time per node: largest / smallest {spread:.2f} (bar 1.2)")
    print(
        f"coremltools converts the {rows[1][0]}-node program in {theirs:.1f} s: "
        f"{ratio:.1f} times ours (bar 10)"
    )
    return int(spread > 1.2 or ratio < 10)


if __name__ == "__main__":
    sys.exit(main())
