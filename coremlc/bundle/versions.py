"""What of a bundle depends on the specification version or the compiler, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from coremlc.errors import UsageError

COREMLC_VERSION = "3500.32.1"
MIL_VERSION = "3500.14.1"
"""The compiler pair our bundles name: the one all byte-exact pairs of ours were compiled by."""


@dataclass(frozen=True, slots=True)
class Specification:
    """One specification version."""

    dialect: str
    """Of `model.mil`."""
    format: int
    """Of `coremldata.bin`."""
    availability: tuple[str, str, str, str]
    """macOS; iOS, tvOS and macCatalyst; watchOS; visionOS."""


SPECIFICATIONS = {
    6: Specification("1.0", 5, ("12.0", "15.0", "8.0", "1.0")),
    7: Specification("1.0", 5, ("13.0", "16.0", "9.0", "1.0")),
    8: Specification("1.0", 5, ("14.0", "17.0", "10.0", "1.0")),  # format: expected, not proven
    9: Specification("1.3", 9, ("15.0", "18.0", "11.0", "2.0")),
    10: Specification("1.3", 9, ("16.0", "19.0", "12.0", "3.0")),  # as a shipping writer has it
}


def specification(version: int) -> Specification:
    """The row of a version; UsageError if ML Programs have none."""
    row = SPECIFICATIONS.get(version)
    if row is None:
        raise UsageError(
            f"specification version {version} is none of an ML Program",
            fix=f"use {min(SPECIFICATIONS)} to {max(SPECIFICATIONS)}",
        )
    return row
