"""The command line. Each command is a file of its own, imported when it is called."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from coremlc import __version__

if TYPE_CHECKING:
    from coremlc.cli.group import cli as cli

__all__ = ["cli", "main"]


def main() -> None:
    """The entry point `coremlc`."""
    if sys.argv[1:] == ["--version"]:  # half of the time that it takes would be click's import
        sys.stdout.write(f"coremlc, version {__version__}\n")
        return
    from coremlc.cli.group import cli

    cli(prog_name="coremlc")


def __getattr__(name: str) -> Any:
    if name != "cli":
        raise AttributeError(name)
    from coremlc.cli.group import cli

    return cli
