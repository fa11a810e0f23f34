"""Compile time beside coremltools', and MIL ops beside stablehlo-coreml's, of each model.

    python -m benchmarks.peers [GRAPH ...]                (make bench-peers; all that are made)

Ours is the whole way from graph.pb to the bundle, the fastest of three. coremltools converts the
MIL program that we made, with its default passes (bar: ours takes 0.1 of its time; of the
processor, both). stablehlo-coreml converts what jax lowers the graph to (bar: no more ops than it
makes). Ops are counted in all blocks, constants left out. Each model has a process of its own.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compile_time import coremltools_seconds, measure
from coremlc.mil.program import walk

ROOT = Path(__file__).parent.parent
PLACES = ("fixtures", "out/zoo", "out/bench")
SECONDS = 900
"""How long a model may take."""


def main(graphs: Sequence[Path]) -> None:
    """One row per model."""
    print("| model | nodes | ours, ms | coremltools, ms | ratio | MIL ops | stablehlo-coreml's "
          "| while_loop |")  # fmt: skip
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    for graph in graphs:
        print(_row(graph), flush=True)


def _row(graph: Path) -> str:
    found: dict[str, Any] = {}
    command = [sys.executable, "-m", "benchmarks.peers", "--one", str(graph)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.SubprocessError as error:
        return f"| {graph.parent.name} | {type(error).__name__} |"
    ours, theirs = found["ours_ms"], found["coremltools_ms"]
    ratio = f"{ours / theirs:.3f}" if isinstance(theirs, float) else ""
    shown = f"{theirs:.0f}" if isinstance(theirs, float) else theirs
    other = found["their_ops"]
    return (
        f"| {graph.parent.name} | {found['nodes']} | {ours:.0f} | {shown} | {ratio} "
        f"| {found['ops']} | {other['ops'] if isinstance(other, dict) else other} "
        f"| {found['loops']} / {other['loops'] if isinstance(other, dict) else ''} |"
    )


def one(graph: Path) -> dict[str, Any]:
    """What is measured of a model; of a peer that refuses it, its words."""
    with tempfile.TemporaryDirectory() as directory:
        seconds, _, made = measure(graph, Path(directory))
    ops = walk(made.model.program.functions["main"].block)
    kinds = Counter(op.kind for op in ops if op.kind != "const")
    return {
        "nodes": made.info["nodes"],
        "ours_ms": seconds * 1e3,
        "ops": kinds.total(),
        "loops": kinds["while_loop"],
        "coremltools_ms": _or_error(lambda: coremltools_seconds(made) * 1e3),
        "their_ops": _or_error(lambda: _stablehlo_ops(graph)),
    }


def _or_error(measured: Any) -> Any:
    try:
        return measured()
    except Exception as error:  # a peer's refusal may be of any kind
        return f"{type(error).__name__}: {str(error)[:80]}".replace("|", "/").replace("\n", " ")


def _stablehlo_ops(graph: Path) -> dict[str, int]:
    """Ops of the spec that stablehlo-coreml and coremltools' passes make of the graph."""
    import coremltools as ct
    from stablehlo_coreml import build_pass_pipeline, convert

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        program = convert(_module(graph), minimum_deployment_target=ct.target.iOS18)
        model = ct.convert(
            program,
            source="milinternal",
            minimum_deployment_target=ct.target.iOS18,
            pass_pipeline=build_pass_pipeline(),
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        )
    blocks = model.get_spec().mlProgram.functions["main"].block_specializations
    kinds = Counter(kind for block in blocks.values() for kind in _spec_kinds(block.operations))
    return {"ops": kinds.total(), "loops": kinds["while_loop"]}


def _module(graph: Path) -> Any:
    """The graph in StableHLO, by jax."""
    import jax

    from coremlc.baseline import trace, xla  # noqa: F401  (xla sets jax up)
    from coremlc.compiler import Recipe, load

    main = load(graph, Recipe()).main
    shapes = [jax.ShapeDtypeStruct(p.type.shape, p.type.dtype.numpy) for p in main.parameters]
    traced = jax.jit(lambda *inputs: trace.run(main, inputs), keep_unused=True)
    return traced.lower(*shapes).compiler_ir("stablehlo")


def _spec_kinds(ops: Any) -> Iterator[str]:
    for op in ops:
        if op.type != "const":
            yield str(op.type)
        for block in op.blocks:
            yield from _spec_kinds(block.operations)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        os.environ["TQDM_DISABLE"] = "1"
        print(json.dumps(one(Path(sys.argv[2]))))
    else:
        every = [g for place in PLACES for g in sorted((ROOT / place).glob("*/graph.pb"))]
        main([Path(name) for name in sys.argv[1:]] or every)
