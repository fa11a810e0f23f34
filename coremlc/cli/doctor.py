"""`coremlc doctor`."""

from __future__ import annotations

import click

from coremlc.cli import options
from coremlc.errors import MachineError


@click.command("doctor")
@options.json_option
def doctor_command(as_json: bool) -> None:
    """Tell what this machine can run, and how to mend what is amiss.

    Exits with 3 if coremlc can't work here.

    \b
    Example:
        coremlc doctor
    """
    from coremlc.doctor import examine

    report = examine()
    options.show(report, as_json=as_json)
    if not report.ok:
        raise MachineError("coremlc can't work on this machine", fix="see the lines marked bad")
