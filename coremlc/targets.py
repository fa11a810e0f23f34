"""What each deployment target has: one frozen row per iOS release that brought an opset."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from coremlc.errors import UsageError


@dataclass(frozen=True, slots=True)
class Target:
    """The oldest system that a bundle shall run on."""

    name: str
    """As users say it: `iOS18`."""
    opset: str
    """As MIL text says it. iOS26's is `ios19`: Apple renumbered the system, not the opset."""
    core_ml_opset: str
    """As the protobuf says it."""
    specification_version: int
    float16_io: bool
    """Inputs and outputs may be float16."""
    int8_io: bool
    """Inputs and outputs may be int8 arrays."""
    states: bool
    """A model may keep tensors between predictions."""
    macos: str
    """The macOS of the same year."""


ALL = (
    Target("iOS15", "ios15", "CoreML5", 6, False, False, False, "macOS 12"),
    Target("iOS16", "ios16", "CoreML6", 7, True, False, False, "macOS 13"),
    Target("iOS17", "ios17", "CoreML7", 8, True, False, False, "macOS 14"),
    Target("iOS18", "ios18", "CoreML8", 9, True, False, True, "macOS 15"),
    Target("iOS26", "ios19", "CoreML9", 10, True, True, True, "macOS 26"),
)
BY_NAME = {target.name: target for target in ALL}
DEFAULT = BY_NAME["iOS18"]


def get(name: str) -> Target:
    """The row of a name, in any case; UsageError with the nearest name if there is none."""
    folded = {known.casefold(): target for known, target in BY_NAME.items()}
    found = folded.get(name.casefold())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0)
    likely = folded[near[0]].name if near else DEFAULT.name
    raise UsageError(
        f"there is no target {name!r}",
        fix=f"did you mean {likely!r}? The targets are {', '.join(BY_NAME)}",
    )
