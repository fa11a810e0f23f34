"""`coremlc verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coremlc.cli import options
from coremlc.errors import DifferenceError


@click.command("verify")
@click.argument("model")
@click.option(
    "--against",
    type=click.Choice(("oracle", "xla", "reference", "onnxruntime", "coreml")),
    help="The other witness: GoMLX's meaning of each op (oracle), XLA, or another engine."
    "  [default: oracle; of a bundle, reference]",
)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Inputs (in.NAME), and the outputs' tolerances.  [default: random inputs]",
)
@click.option("--seed", default=0, show_default=True, type=int, help="Of the random inputs.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="Relative to the largest number of an array.  [default: that of its dtype]",
)
@click.option(
    "--bisect",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Find the first node that differs, and put it there as a small graph with its inputs.",
)
@options.engine_options
@options.compile_options
@options.verbosity_options
@options.json_option
def verify_command(model: str, as_json: bool, **given: Any) -> None:
    """Compare what an engine computes of MODEL with what another witness does.

    A node's values are those in the whole graph, each compared as an output of its own; a node with
    bodies counts as one. Exits with 4 if an output differs.

    \b
    Examples:
        coremlc verify model.pb
        coremlc verify model.pb --vectors vectors.npz --against xla --bisect first/
        coremlc verify model.mlmodelc --engine onnxruntime --against reference
    """
    from coremlc.verification import VerifyOptions, verify_model

    engine = options.parse_engine_options(given)
    compiling = options.parse_compile_options(given)
    report = verify_model(model, VerifyOptions(**given), engine, compiling)
    options.show(report, as_json=as_json)
    if not report.ok:
        names = [repr(o.name) for o in report.outputs if o.mismatched]
        raise DifferenceError(
            f"output {', '.join(names)} differs from what {report.against} computes",
            fix="--bisect DIR finds the first node that differs"
            if report.first is None
            else f"report it with {report.first.graph}",
        )
