"""Runs for go/harvest the graphs that GoMLX's Go backend can't: by XLA, else by numpy's rules.

A line of JSON in, `{"graph": PATH, "file": PATH}`; a line out, `{"judge": "xla" | "numpy"}` or
`{"error": TEXT}`. The file holds the inputs (`in.NAME`), and then the outputs (`out.outputN`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from benchmarks.harvest.case import inputs_of, sized
from coremlc import arrays as files
from coremlc.baseline.xla import XlaExecutable
from coremlc.errors import CoremlcError
from coremlc.ir import evaluate
from coremlc.ir.graph import Graph
from coremlc.ir.op import Array

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@cache
def read(path: Path, shapes: Shapes) -> Graph:
    """A graph whose inputs have these shapes."""
    return sized(path, dict(shapes))


@cache
def compiled(path: Path, shapes: Shapes) -> XlaExecutable | None:
    """The graph by XLA, if that can take it."""
    try:
        return XlaExecutable(read(path, shapes))
    except CoremlcError as error:
        sys.stderr.write(f"not by XLA: {error}\n")
        return None


def answer(path: Path, vector: Mapping[str, Array]) -> tuple[str, Sequence[Array]]:
    """Who computed it, and the outputs."""
    shapes = tuple((name, x.shape) for name, x in sorted(vector.items()))
    graph, xla = read(path, shapes), compiled(path, shapes)
    given = inputs_of(graph, vector)
    if xla is not None:
        return "xla", list(xla(given).values())
    return "numpy", evaluate.run(graph.main, list(given.values()))


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        question = json.loads(line)
        file = Path(question["file"])
        try:
            vector = files.read_npz(file)
            judge, outputs = answer(Path(question["graph"]).parent, vector)
            named = {f"out.output{i}": x for i, x in enumerate(outputs)}
            files.write_npz(file, {**vector, **named})
            reply = {"judge": judge}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
