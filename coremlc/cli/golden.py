"""`coremlc golden write|check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coremlc.cli import options
from coremlc.errors import DifferenceError


@click.group("golden", context_settings={"help_option_names": ["-h", "--help"]})
def golden_group() -> None:
    """Keep beside graphs what they compile to, and be told when that changes.

    For each graph, DIR/NAME.golden holds model.mil, metadata.json, the digests of all files of the
    bundle, and how it was compiled. Commit it; `check` in CI exits with 4 and prints a diff when
    anything changed.

    \b
    Examples:
        coremlc golden write golden/ models/*.pb
        coremlc golden check golden/
    """


_directory = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
_graphs = click.argument("graphs", metavar="[GRAPH...]", nargs=-1, type=click.Path(path_type=Path))


@golden_group.command("write")
@_directory
@_graphs
@options.compile_options
@options.verbosity_options
@options.json_option
def write_command(directory: Path, graphs: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Write the golden files of GRAPH...; without any, those in DIR anew, as they are recorded.

    \b
    Examples:
        coremlc golden write golden/ model.pb --target iOS17
        coremlc golden write golden/
    """
    from coremlc import goldens

    how = options.parse_compile_options(given)
    options.show(goldens.write(directory, graphs, how if graphs else None), as_json=as_json)


@golden_group.command("check")
@_directory
@_graphs
@options.verbosity_options
@options.json_option
def check_command(directory: Path, graphs: tuple[Path, ...], as_json: bool) -> None:
    """Compile again, as it is recorded, and compare; exits with 4 if anything changed.

    \b
    Example:
        coremlc golden check golden/
    """
    from coremlc import goldens

    report = goldens.check(directory, graphs)
    options.show(report, as_json=as_json)
    if not report.ok:
        raise DifferenceError(
            "bundles are not as recorded",
            fix=f"if that is right: coremlc golden write {directory}, and commit",
        )
