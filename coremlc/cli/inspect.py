"""`coremlc inspect`."""

from __future__ import annotations

from typing import Any

import click

from coremlc.cli import options
from coremlc.errors import FormatError


@click.command("inspect")
@click.argument("model")
@click.option("--text", is_flag=True, help="Print model.mil; of a graph.pb, the graph.")
@click.option("--stage", metavar="STAGE", help="Print the graph of a graph.pb after this stage.")
@click.option("--verify", is_flag=True, help="Look for damage only; exits with 1 if there is some.")
@options.compile_options
@options.verbosity_options
@options.json_option
def inspect_command(
    model: str, text: bool, stage: str | None, verify: bool, as_json: bool, **given: Any
) -> None:
    """Tell what MODEL holds: inputs, outputs, ops, weights, and what of it is unproven on a device.

    MODEL is a graph.pb, a .mlmodelc, a .mlpackage, or a cache key's prefix. With --verify: whether
    files are cut short, altered or missing, whether text and weights agree and make sense.

    \b
    Examples:
        coremlc inspect model.pb
        coremlc inspect model.mlmodelc --text
        coremlc inspect model.pb --stage lowerable
        coremlc inspect downloaded.mlmodelc --verify || fetch-it-again
    """
    from coremlc import inspection

    how = options.parse_compile_options(given)
    if verify:
        found = inspection.verify(model, how)
        options.show(found, as_json=as_json)
        if not found.ok:
            raise FormatError(f"{model} is damaged", fix="fetch or make the bundle again")
        return
    if text or stage is not None:
        click.echo(inspection.text(model, stage, how).rstrip("\n"))
        return
    options.show(inspection.inspect(model, how), as_json=as_json)
