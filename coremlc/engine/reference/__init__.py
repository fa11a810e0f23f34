"""The reference engine: one numpy kernel per MIL op."""

from coremlc.engine.reference import elementwise as elementwise
from coremlc.engine.reference import indexing as indexing
from coremlc.engine.reference import movement as movement
from coremlc.engine.reference import products as products
from coremlc.engine.reference import quantized as quantized
from coremlc.engine.reference import recurrent as recurrent
from coremlc.engine.reference import reductions as reductions
from coremlc.engine.reference import resizing as resizing
from coremlc.engine.reference import windows as windows
from coremlc.engine.reference.registry import KERNELS

__all__ = ["KERNELS"]
