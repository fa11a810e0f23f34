"""`coremlc bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coremlc.cli import options

if TYPE_CHECKING:
    from coremlc.engine import EngineName


@click.command("bench")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option(
    "--engine", multiple=True, type=click.Choice(options.ENGINES), default=("auto",),
    show_default=True, help="What runs it; several take turns, ratios are to the first.",
)  # fmt: skip
@click.option(
    "--compute-units", multiple=True, type=click.Choice(options.UNITS), default=("all",),
    show_default=True, help="Where Core ML may run it.",
)  # fmt: skip
@click.option(
    "--against", type=click.Choice(("xla",)),
    help="Race XLA too, on each graph as it was recorded (extra [xla]).",
)  # fmt: skip
@click.option(
    "--duration", default=5.0, show_default=True, type=click.FloatRange(min=0),
    help="Seconds of timed runs of each contender.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(min=1),
    help="Threads on the CPU, for each contender; by default as many as there are cores.",
)  # fmt: skip
@click.option(
    "--concurrency", default=1, show_default=True, type=click.IntRange(min=1),
    help="Callers at a time, for throughput.",
)  # fmt: skip
@click.option("--save", type=click.Path(path_type=Path), help="Where the report goes, as JSON.")
@click.option(
    "--plot", "picture", type=click.Path(path_type=Path),
    help="Where a plot goes, .svg, .png or .pdf (extra [report]).",
)  # fmt: skip
@click.option(
    "--compare", "old", type=click.Path(path_type=Path), help="An earlier report to compare with."
)
@options.compile_options
@options.verbosity_options
@options.json_option
def bench_command(
    models: tuple[str, ...],
    engine: tuple[EngineName, ...],
    save: Path | None,
    picture: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Time each MODEL on engines side by side: latency percentiles, load time, peak memory.

    Contenders take turns within one run, so that noise hits all alike; trust ratios more than
    milliseconds: of the medians, with their least and greatest in a round, and of the minima.
    Inputs are random.

    \b
    Examples:
        coremlc bench model.pb
        coremlc bench model.pb --engine onnxruntime --engine reference --duration 2
        coremlc bench model.pb --against xla --plot latency.svg
        coremlc bench model.pb --save new.json --compare old.json
    """
    import logging

    from coremlc.arrays import write_text
    from coremlc.bench import bench
    from coremlc.bench.plot import plotter

    draw = None if picture is None else plotter(picture)
    compiling = options.parse_compile_options(given)
    told = logging.getLogger("coremlc").info
    report = bench(models, engines=engine, options=compiling, told=told, **given)
    if save is not None:
        write_text(save, report.json() + "\n")
    if draw is not None:
        draw(report)
    options.show(report, as_json=as_json)
