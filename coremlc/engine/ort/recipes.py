"""RECIPES with all families in it: one recipe per MIL op."""

from coremlc.engine.ort import activations as activations
from coremlc.engine.ort import blocks as blocks
from coremlc.engine.ort import division as division
from coremlc.engine.ort import elementwise as elementwise
from coremlc.engine.ort import extremes as extremes
from coremlc.engine.ort import indexing as indexing
from coremlc.engine.ort import movement as movement
from coremlc.engine.ort import products as products
from coremlc.engine.ort import quantized as quantized
from coremlc.engine.ort import recurrent as recurrent
from coremlc.engine.ort import reductions as reductions
from coremlc.engine.ort import resizing as resizing
from coremlc.engine.ort import windows as windows
from coremlc.engine.ort.registry import RECIPES

__all__ = ["RECIPES"]
