"""coremlc: GoMLX computation graphs to Core ML, compiled, run and checked."""

__version__ = "0.1.0"
