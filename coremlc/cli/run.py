"""`coremlc run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coremlc.cli import options
from coremlc.errors import DifferenceError


@click.command("run")
@click.argument("model")
@click.option(
    "-i", "--input", "inputs", multiple=True, metavar="NAME=FILE.npy|FILE.npz", help="Inputs."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.npz",
    help="Where outputs shall go.",
)
@click.option("--random", type=int, metavar="SEED", help="Random values for inputs not given.")
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Outputs to compare with (out.NAME); its inputs (in.NAME) are used if none are given.",
)
@click.option(
    "--repeat", default=10, show_default=True, type=click.IntRange(min=0), help="Timed runs."
)
@click.option(
    "--warmup",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Runs after the first that are not timed.",
)
@options.engine_options
@options.compile_options
@options.verbosity_options
@options.json_option
def run_command(model: str, as_json: bool, **given: Any) -> None:
    """Run MODEL and time it: a graph.pb, a .mlmodelc, a .mlpackage, or a cache key's prefix.

    A graph is compiled first, or found in the cache. Inputs and outputs have the names and the
    dtypes that the GoMLX program gave them. Exits with 4 if outputs are not as expected.

    \b
    Examples:
        coremlc run model.pb --random 0
        coremlc run model.mlmodelc -i x=x.npy -i mask=mask.npy -o out/
        coremlc run model.pb --expect vectors.npz --engine reference
    """
    from coremlc.locate import locate
    from coremlc.runner import RunOptions, run_model

    engine = options.parse_engine_options(given)
    located = locate(model, options.parse_compile_options(given))
    options.warn(located.warnings)
    report = run_model(
        located.bundle,
        RunOptions(**given),
        engine,
        model=model,
        key=located.key,
        defaults=located.defaults,
    )
    options.show(report, as_json=as_json)
    if report.expect is not None and not report.expect.ok:
        names = [repr(o.name) for o in report.expect.outputs if o.mismatched]
        raise DifferenceError(
            f"output {', '.join(names)} is not as expected",
            fix="run it with --engine reference too: engines that agree point at the expectation",
        )
