"""The machine that a bench was run on."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from coremlc import __version__

LIBRARIES = ("onnxruntime", "numpy", "jax")


@dataclass(frozen=True, slots=True)
class MachineRow:
    """Where it was measured."""

    system: str
    processor: str
    cores: int
    python: str
    coremlc: str
    libraries: Mapping[str, str]
    """Versions of those that are installed."""

    def __str__(self) -> str:
        libraries = {"Python": self.python, "coremlc": self.coremlc, **self.libraries}
        versions = ", ".join(f"{name} {found}" for name, found in libraries.items())
        return f"{self.system}, {self.processor}, {self.cores} cores, {versions}"


def machine() -> MachineRow:
    """This one."""
    system = f"{platform.system()} {platform.release()}"
    libraries = {name: found for name in LIBRARIES if (found := _version(name))}
    return MachineRow(
        system, _processor(), cores(), platform.python_version(), __version__, libraries
    )


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Its model, which Linux alone says in a file; else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
