"""`coremlc ops`."""

from __future__ import annotations

import click

from coremlc import targets
from coremlc.cli import options


@click.command("ops")
@click.argument("name", required=False)
@click.option(
    "--target",
    type=click.Choice([*targets.BY_NAME], case_sensitive=False),
    help="What this system and all after it can take.",
)
@options.json_option
def ops_command(name: str | None, target: str | None, as_json: bool) -> None:
    """Tell which ops are supported, how, and how exactly, or all about the op NAME.

    \b
    Examples:
        coremlc ops
        coremlc ops DotGeneral
        coremlc ops --json | jq -r '.ops[] | select(.dtypes | index("bf16")).name'
    """
    from coremlc.ops_table import op_report, ops_report

    options.show(ops_report(target) if name is None else op_report(name, target), as_json=as_json)
