"""The group: finds commands, and turns every exception into a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback
from typing import Any

import click

from coremlc import __version__
from coremlc.errors import CoremlcError

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = {
    "compile": "coremlc.cli.compile:compile_command",
    "run": "coremlc.cli.run:run_command",
    "bench": "coremlc.cli.bench:bench_command",
    "verify": "coremlc.cli.verify:verify_command",
    "inspect": "coremlc.cli.inspect:inspect_command",
    "golden": "coremlc.cli.golden:golden_group",
    "ops": "coremlc.cli.ops:ops_command",
    "cache": "coremlc.cli.cache:cache_group",
    "doctor": "coremlc.cli.doctor:doctor_command",
}
"""Commands by name, in the order of the help: module and attribute."""
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_BUG = 70
_REPORT = "https://github.com/coremlc/coremlc/issues/new"


class LazyGroup(click.Group):
    """A group that imports a command when it is named, and catches errors once for all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise _with_nearest(error, args, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CoremlcError as error:
            click.echo(str(error), err=True)
            code = error.exit_code
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            code = _INTERRUPTED
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except OSError as error:
            code = _BROKEN_PIPE if error.errno == errno.EPIPE else _bug(error)
            if code == _BROKEN_PIPE:  # nobody reads: let the flush at exit go nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except MemoryError:
            click.echo("error: out of memory\n  fix:   use a machine with more memory", err=True)
            code = 3
        except Exception as error:
            code = _bug(error)
        return ctx.exit(code)


def _with_nearest(error: click.UsageError, args: list[str], ctx: click.Context) -> click.UsageError:
    import difflib

    near = difflib.get_close_matches(args[0] if args else "", COMMANDS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else f" Commands: {', '.join(COMMANDS)}."
    return click.UsageError(f"{error.message}{hint}", ctx)


def _bug(error: Exception) -> int:
    """Our fault: everything that helps to find it."""
    click.echo("".join(traceback.format_exception(error)), err=True)
    click.echo(
        f"error: this is a bug of coremlc {__version__}: {type(error).__name__}: {error}\n"
        f"  fix:   please report it with the text above and, if you may, the graph: {_REPORT}",
        err=True,
    )
    return _BUG


@click.group(cls=LazyGroup, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="coremlc")
def cli() -> None:
    """Compile GoMLX graphs to Core ML bundles, and run them anywhere.

    \b
    Examples:
        coremlc compile model.pb
        coremlc run model.pb -i x=x.npy -o out/

    Exit codes: 0 ok, 1 the graph or the data is wrong, 2 usage, 3 the environment lacks something,
    4 outputs differ beyond tolerance, 70 a bug of coremlc.
    """
