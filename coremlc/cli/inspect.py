"""`coremlc inspect`."""

from __future__ import annotations

from typing import Any

import click

from coremlc.cli import options


@click.command("inspect")
@click.argument("model")
@click.option("--text", is_flag=True, help="Print model.mil; of a graph.pb, the graph.")
@click.option("--stage", metavar="STAGE", help="Print the graph of a graph.pb after this stage.")
@options.compile_options
@options.verbosity_options
@options.json_option
def inspect_command(model: str, text: bool, stage: str | None, as_json: bool, **given: Any) -> None:
    """Tell what MODEL holds: inputs, outputs, ops, weights.

    MODEL is a graph.pb, a .mlmodelc, a .mlpackage, or a cache key's prefix.

    \b
    Examples:
        coremlc inspect model.pb
        coremlc inspect model.mlmodelc --text
        coremlc inspect model.pb --stage lowerable
    """
    from coremlc import inspection

    how = options.parse_compile_options(given)
    if text or stage is not None:
        click.echo(inspection.text(model, stage, how).rstrip("\n"))
        return
    options.show(inspection.inspect(model, how), as_json=as_json)
