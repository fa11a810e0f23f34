"""The one error format of coremlc: what went wrong, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place that a user can look at; every part may be unknown."""

    what: str = ""
    """What stands there: `node %7 (Gather)`, `input 'ids'`, `line 12, column 5`."""
    source: str = ""
    """Where it was built: `model.go:57`."""
    file: str = ""
    """The file that was being read or written."""

    def __str__(self) -> str:
        built = f"built at {self.source}" if self.source else ""
        inside = f"in {self.file}" if self.file else ""
        return " ".join(part for part in (self.what, built, inside) if part)


class CoremlcError(Exception):
    """What went wrong and how to fix it; the walker that knows the place adds where."""

    exit_code = 1

    def __init__(self, what: str, *, fix: str, where: Where | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.where = where

    def __str__(self) -> str:
        place = f"\n  where: {self.where}" if self.where is not None and str(self.where) else ""
        return f"error: {self.what}{place}\n  fix:   {self.fix}"


class CompileError(CoremlcError):
    """The graph, the bundle or the data is wrong (exit code 1)."""


class ShapeError(CompileError):
    """Operand types or attributes break an op's contract."""


class FormatError(CompileError):
    """A file is not what its format says."""


class RefusedError(CompileError):
    """The graph is right, but has no exact form on the target."""


class InputError(CompileError):
    """An array that was given does not fit the model's signature."""


class RefusalsError(RefusedError):
    """Every refusal of one graph, listed at once."""

    def __init__(self, refusals: tuple[CoremlcError, ...]) -> None:
        count = len(refusals)
        super().__init__(
            f"{count} refusal{'s' if count != 1 else ''}", fix="see each refusal's own line"
        )
        self.refusals = refusals

    def __str__(self) -> str:
        return "\n".join(str(refusal) for refusal in self.refusals)


class UsageError(CoremlcError):
    """The command or call was given arguments that make no sense (exit code 2)."""

    exit_code = 2


class MachineError(CoremlcError):
    """This machine lacks something: Core ML, memory, disk space, a permission (exit code 3)."""

    exit_code = 3


class DifferenceError(CoremlcError):
    """Outputs differ from what was expected, beyond tolerance (exit code 4)."""

    exit_code = 4


class InternalError(CoremlcError):
    """A check of our own work failed: our bug (exit code 70)."""

    exit_code = 70


@contextmanager
def at(where: Where) -> Iterator[None]:
    """Attach `where` to any CoremlcError that has no place yet."""
    try:
        yield
    except CoremlcError as error:
        if error.where is None:
            error.where = where
        raise
