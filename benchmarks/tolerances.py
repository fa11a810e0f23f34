"""Writes into the vectors of benchmarks what outputs may differ by: three times GoMLX's own error.

GoMLX computed the vectors in float32. The same graph in float64, by the oracle, tells how far they
are from what is exact; where thrice that is more than the tolerance of float32 allows, the rest is
an absolute tolerance, in whole millionths. Outputs of other dtypes have the tolerance of theirs.

Run: python -m benchmarks.tolerances [DIRECTORY ..]; by default all of out/bench.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from benchmarks.retyped import function_in
from coremlc.arrays import read_npz, write_npz
from coremlc.dtypes import F32, F64
from coremlc.frontend import read
from coremlc.ir import evaluate
from coremlc.ir.graph import Graph

Arrays = dict[str, np.ndarray]
BENCH = Path(__file__).parent.parent / "out" / "bench"
_TIMES = 3


def main(directories: list[Path]) -> int:
    """Add them to every vectors.npz."""
    for directory in directories or sorted(path.parent for path in BENCH.glob("*/vectors.npz")):
        path = directory / "vectors.npz"
        arrays = {n: x for n, x in read_npz(path).items() if not n.startswith("tolerance.")}
        write_npz(path, arrays | tolerances(read(directory / "graph.pb"), arrays))
    return 0


def tolerances(graph: Graph, arrays: Arrays) -> Arrays:
    """`tolerance.NAME`, [relative, absolute], of outputs that need a wider one than float32's."""
    values = graph.main.results
    wanted = {
        i: arrays[f"out.{known.name}"]
        for i, (known, value) in enumerate(zip(graph.outputs, values, strict=True))
        if value.type.dtype is F32 and f"out.{known.name}" in arrays
    }
    exact = in_float64(graph, arrays) if wanted else []
    relative, least = F32.tolerance
    found = {}
    for i, given in wanted.items():
        error = np.abs(given - exact[i])
        rest = np.max(_TIMES * error - relative * np.abs(exact[i]), initial=0)
        if rest > least:
            absolute = math.ceil(rest * 1e6) / 1e6
            found[f"tolerance.{graph.outputs[i].name}"] = np.array([relative, absolute])
    return found


def in_float64(graph: Graph, arrays: Arrays) -> list[np.ndarray]:
    """The outputs of a graph, its float32 computed in float64 and not rounded."""
    wide = function_in(graph.main, F32, F64)
    given = []
    for known, parameter in zip(graph.inputs, wide.parameters, strict=True):
        x = arrays.get(f"in.{known.name}")
        if x is None:
            assert known.default is not None, known.name
            x = known.default.array
        given.append(x.astype(parameter.type.dtype.numpy))
    return evaluate.run(wide, given)


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
