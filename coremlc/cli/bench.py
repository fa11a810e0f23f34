"""`coremlc bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coremlc.cli import options
from coremlc.errors import UsageError

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
@click.option("--against", metavar="NAME", help="A framework to compare with (xla: not built yet).")
@click.option(
    "--duration", default=5.0, show_default=True, type=click.FloatRange(min=0),
    help="Seconds of timed runs of each contender.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="Threads on the CPU.")
@click.option("--save", type=click.Path(path_type=Path), help="Where the report goes, as JSON.")
@click.option(
    "--compare", "old", type=click.Path(path_type=Path), help="An earlier report to compare with."
)
@options.compile_options
@options.verbosity_options
@options.json_option
def bench_command(
    models: tuple[str, ...],
    engine: tuple[EngineName, ...],
    against: str | None,
    save: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Time each MODEL on engines side by side: latency percentiles, load time, peak memory.

    Contenders take turns within one run, so that noise hits all alike; trust ratios more than
    milliseconds. Inputs are random.

    \b
    Examples:
        coremlc bench model.pb
        coremlc bench model.pb --engine onnxruntime --engine reference --duration 2
        coremlc bench model.pb --save new.json --compare old.json
    """
    import logging

    from coremlc.arrays import write_text
    from coremlc.bench import bench

    if against is not None:
        raise UsageError(f"--against {against} is not built yet", fix="compare engines: --engine")
    compiling = options.parse_compile_options(given)
    told = logging.getLogger("coremlc").info
    report = bench(models, engines=engine, options=compiling, told=told, **given)
    if save is not None:
        write_text(save, report.json() + "\n")
    options.show(report, as_json=as_json)
