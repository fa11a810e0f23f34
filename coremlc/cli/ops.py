"""`coremlc ops`."""

from __future__ import annotations

import click

from coremlc.cli import options


@click.command("ops")
@click.argument("name", required=False)
@options.json_option
def ops_command(name: str | None, as_json: bool) -> None:
    """Tell which GoMLX ops are supported and how, or everything about the op NAME.

    \b
    Examples:
        coremlc ops
        coremlc ops DotGeneral
        coremlc ops --json | jq -r '.ops[] | select(.how == "refused").name'
    """
    from coremlc.ops_table import op_report, ops_report

    options.show(ops_report() if name is None else op_report(name), as_json=as_json)
