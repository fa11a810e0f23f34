"""Compile time per node on synthetic graphs, and against coremltools' conversion of the same MIL.

    python -m benchmarks.compile_time            (make bench-compile)

Prints, for graphs of 1k, 5k, 20k and 50k nodes, milliseconds of each stage and microseconds a
node: the whole of `compiler.build` and the writing of the bundle. At 5k nodes coremltools converts
the MIL program that we made, with its default passes, in the same run.
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

from benchmarks.synthetic import many_nodes
from coremlc.bundle import write_mlmodelc
from coremlc.compiler import Compiled, Recipe, Stages, build, uncollected
from coremlc.mil.model import model_to_bytes

SIZES = (1_000, 5_000, 20_000, 50_000)
ROUNDS = 3
clock = time.process_time
"""Both sides work on one thread: what else runs on the machine does not count."""


def measure(path: Path, target: Path) -> tuple[float, dict[str, float], Compiled]:
    """(processor seconds, milliseconds of each stage, what was made) of the fastest round."""
    best: tuple[float, dict[str, float], Compiled] | None = None
    for i in range(ROUNDS):
        stages = Stages()
        gc.collect()
        start = clock()
        with uncollected():
            made = build(path, Recipe(), stages)
            with stages.time("write"):
                write_mlmodelc(target / f"{path.stem}-{i}.mlmodelc", made.model)
        seconds = clock() - start
        if best is None or seconds < best[0]:
            best = seconds, stages.ms, made
    assert best is not None
    return best


def coremltools_seconds(made: Compiled) -> float:
    """The same of coremltools' default conversion of the MIL program that we made."""
    convert = _converter(made)
    gc.collect()
    start = clock()
    convert()
    return clock() - start


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
            many_nodes(size, path)
            seconds, stages, made = measure(path, root)
            nodes = made.info["nodes"]
            rows.append((nodes, seconds, seconds / nodes * 1e6, made))
            parts = "  ".join(f"{name} {ms:.0f}" for name, ms in stages.items())
            print(
                f"{nodes:6} nodes {made.info['mil_ops']:6} MIL ops  {seconds * 1e3:7.0f} ms  "
                f"{rows[-1][2]:6.1f} us/node   ({parts})"
            )
        theirs = coremltools_seconds(rows[1][3])
    growth = rows[-1][2] / rows[0][2]
    ratio = theirs / rows[1][1]
    print(f"time per node: at {rows[-1][0]} nodes {growth:.2f} of that at {rows[0][0]} (bar 1.2)")
    print(
        f"coremltools converts the {rows[1][0]}-node program in {theirs:.1f} s: "
        f"{ratio:.1f} times ours (bar 10)"
    )
    return int(growth > 1.2 or ratio < 10)


if __name__ == "__main__":
    sys.exit(main())
