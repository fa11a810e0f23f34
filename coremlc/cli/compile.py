"""`coremlc compile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coremlc.cli import options
from coremlc.errors import UsageError


@click.command("compile")
@click.argument(
    "graphs", metavar="GRAPH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the bundle shall go as well."
)
@click.option("--dump-after", metavar="STAGE", help="Print the graph after this stage, on stderr.")
@click.option("--check-passes", is_flag=True, help="Check that every pass keeps the numbers.")
@click.option(
    "--writer",
    default="native",
    show_default=True,
    type=click.Choice(("native", "apple")),
    help="Who writes the bundle; apple needs a Mac with Xcode, and is compared with ours.",
)
@options.compile_options
@options.verbosity_options
@options.json_option
def compile_command(
    graphs: tuple[Path, ...],
    output: Path | None,
    dump_after: str | None,
    check_passes: bool,
    writer: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Compile each GRAPH, a GoMLX graph.pb, to a .mlmodelc bundle in the cache.

    Prints the cache key, the bundle's path and what was done; with --json one object for each
    graph. A -o that ends in .mlpackage gives a package. A GRAPH may also be an ML Program's
    .mlpackage or .mlmodel of any maker: compiled as Xcode's coremlcompiler does it, without Xcode.

    \b
    Examples:
        coremlc compile model.pb
        coremlc compile model.pb --target iOS17 -o model.mlmodelc
        coremlc compile model.mlpackage -o model.mlmodelc
        coremlc compile model.pb --json | jq -r .bundle
    """
    from coremlc.compiler import graph_text
    from coremlc.locate import compile_model

    how = options.parse_compile_options(given)
    if output is not None and len(graphs) > 1:
        raise UsageError("-o takes one graph", fix="compile the graphs one at a time")
    for graph in graphs:
        if dump_after is not None:
            click.echo(graph_text(graph, dump_after, how.recipe()), err=True)
        report = compile_model(graph, how, output=output, check_passes=check_passes, writer=writer)
        options.warn(report.warnings)
        options.show(report, as_json=as_json)
