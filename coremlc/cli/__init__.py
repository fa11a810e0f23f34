"""The command line. Each command is a file of its own, imported when it is called."""

from __future__ import annotations

from coremlc.cli.group import cli


def main() -> None:
    """The entry point `coremlc`."""
    cli(prog_name="coremlc")


__all__ = ["cli", "main"]
