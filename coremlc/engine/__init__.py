"""Engines: load a bundle and run it."""

from coremlc.engine.base import (
    ComputeUnits,
    EngineName,
    Executable,
    Options,
    Used,
    load,
    load_program,
)

__all__ = [
    "ComputeUnits",
    "EngineName",
    "Executable",
    "Options",
    "Used",
    "load",
    "load_program",
]
