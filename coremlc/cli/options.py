"""Options that several commands share: same flag, same meaning. And how results are shown."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from coremlc import targets

if TYPE_CHECKING:
    from coremlc.locate import CompileOptions
    from coremlc.report import Report
    from coremlc.runner import EngineOptions

F = TypeVar("F", bound=Callable[..., Any])
PRECISIONS = ("fp32", "fp16", "mixed")
ENGINES = ("auto", "coreml", "onnxruntime", "reference")
UNITS = ("all", "cpu-only", "cpu-and-gpu", "cpu-and-ne")


class Ranges(click.ParamType[tuple[str, tuple[int, int]]]):
    """`ids=0..30521`."""

    name = "NAME=LOW..HIGH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, int]]:
        found = re.fullmatch(r"(.+)=(-?\d+)\.\.(-?\d+)", str(value))
        if found is None or int(found[2]) > int(found[3]):
            self.fail(f"{value!r} is no range; write for example ids=0..30521", param, ctx)
        return found[1], (int(found[2]), int(found[3]))


class Dims(click.ParamType[tuple[str, int]]):
    """`batch=8`."""

    name = "AXIS=SIZE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        found = re.fullmatch(r"(.+)=(\d+)", str(value))
        if found is None:
            self.fail(f"{value!r} is no size; write for example batch=8", param, ctx)
        return found[1], int(found[2])


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def verbosity_options(command: F) -> F:
    """`-v`, `-vv`, `-q`: acted on at once, so that commands need not know of them."""
    options = [
        click.option(
            "-v", "--verbose", count=True, expose_value=False,
            callback=_set_level(logging.INFO, logging.DEBUG),
            help="Say what is being done, and how long it takes; -vv: also what was fused, and "
            "why something was not.",
        ),
        click.option(
            "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_level(logging.ERROR),
            help="No warnings.",
        ),
    ]  # fmt: skip
    return _all(options, command)


def compile_options(command: F) -> F:
    """How a graph is compiled; see `parse_compile_options`."""
    options = [
        click.option(
            "--target", default=targets.DEFAULT.name, show_default=True,
            type=click.Choice([*targets.BY_NAME], case_sensitive=False),
            help="The oldest system that the bundle shall run on.",
        ),
        click.option(
            "--precision", default="fp32", show_default=True, type=click.Choice(PRECISIONS),
            help="What floats compute in.",
        ),
        click.option(
            "--assume", multiple=True, type=Ranges(),
            help="Values of an integer input lie in this range; checked at every run.",
        ),
        click.option(
            "--dim", "dims", multiple=True, type=Dims(), help="The size of a named axis."
        ),
        click.option(
            "--strict", is_flag=True, help="Refuse what would be computed in a narrower dtype."
        ),
        click.option("--no-cache", is_flag=True, help="Compile even if the bundle is cached."),
    ]  # fmt: skip
    return _all(options, command)


def parse_compile_options(given: dict[str, Any]) -> CompileOptions:
    """Takes its own out of a command's keyword arguments."""
    from coremlc.locate import CompileOptions

    return CompileOptions(
        target=given.pop("target"),
        precision=given.pop("precision"),
        assume=dict(given.pop("assume")),
        dims=dict(given.pop("dims")),
        strict=given.pop("strict"),
        use_cache=not given.pop("no_cache"),
    )


def engine_options(command: F) -> F:
    """Where to run; see `parse_engine_options`."""
    options = [
        click.option(
            "--engine", default="auto", show_default=True, type=click.Choice(ENGINES),
            help="What runs the bundle: Core ML on a Mac, else ONNX Runtime.",
        ),
        click.option(
            "--compute-units", default="all", show_default=True, type=click.Choice(UNITS),
            help="Where Core ML may run it.",
        ),
        click.option(
            "--strict-units", is_flag=True, help="Fail where these compute units are not there."
        ),
        click.option("--threads", type=click.IntRange(min=1), help="Threads on the CPU."),
        click.option("--function", metavar="NAME", help="Which function of a model of several."),
    ]  # fmt: skip
    return _all(options, command)


def parse_engine_options(given: dict[str, Any]) -> EngineOptions:
    """Takes its own out of a command's keyword arguments."""
    from coremlc.runner import EngineOptions

    return EngineOptions(
        given.pop("engine"),
        given.pop("compute_units"),
        given.pop("strict_units"),
        given.pop("threads"),
        given.pop("function"),
    )


def show(report: Report, *, as_json: bool) -> None:
    """A result, on stdout."""
    click.echo(report.json() if as_json else report.table())


def warn(warnings: Iterable[str]) -> None:
    """What a user should know but need not act on, on stderr."""
    for warning in warnings:
        logging.getLogger("coremlc").warning(warning)


class _Stderr(logging.Handler):
    """Looks for stderr at every record: tests and click replace it."""

    def emit(self, record: logging.LogRecord) -> None:
        start = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        click.echo(f"{start}{record.getMessage()}", file=sys.stderr)


def _set_level(*levels: int) -> Callable[[click.Context, click.Parameter, int], None]:
    """Given once, the first of the levels, twice the second."""

    def callback(ctx: click.Context, _: click.Parameter, given: int) -> None:
        logger = logging.getLogger("coremlc")
        if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
            logger.addHandler(_Stderr())
            logger.propagate = False
        if given:
            ctx.meta["coremlc.level"] = levels[min(given, len(levels)) - 1]
        logger.setLevel(ctx.meta.get("coremlc.level", logging.WARNING))

    return callback


def _all(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command
