"""Passes from the recorded Graph to one that lowers: simplify, decompose, split, legalize."""

from coremlc.passes.pipeline import STAGES, run
from coremlc.passes.smart import live

__all__ = ["STAGES", "live", "run"]
