"""Passes from the recorded Graph to one that lowers: simplify, decompose, split, legalize."""

from coremlc.passes.pipeline import STAGES, run

__all__ = ["STAGES", "run"]
