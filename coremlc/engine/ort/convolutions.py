"""Convolution: the form of it that ONNX Runtime is fastest at."""

from __future__ import annotations

import math

from coremlc.engine.ort.emitter import Emitter
from coremlc.engine.ort.geometry import Geometry
from coremlc.engine.ort.neighbours import Neighbours
from coremlc.engine.ort.reductions import all_finite
from coremlc.engine.ort.tensor import T, reshaped
from coremlc.mil.types import TensorType

FEW = 16
"""Places up to which ORT is faster at two axes than at one, up to three times as fast."""


def convolution(g: Emitter, x: T, weight: T, bias: T | None, geometry: Geometry) -> str:
    """The convolution of x; its dims are not used if they are not known."""
    operands = [x, weight] if bias is None else [x, weight, bias]
    if not x.is_static or not all(w.is_const for w in operands[1:]):
        return geometry.node(g, *operands)
    if len(geometry.strides) == 1 and _is_faster_as_image(geometry):
        image = geometry.image
        row = T(x.dtype, image.x, name=g.reshape(x, image.x))
        found = convolution(g, row, reshaped(weight, image.weight), bias, image)
        return g.reshape(found, geometry.out)
    neighbours = Neighbours.of(geometry)
    if neighbours is None:
        return geometry.node(g, *operands)
    usual = neighbours.node(g, x, weight, bias)  # in a branch ORT has slower kernels for it
    return g.branch(
        all_finite(g, x),
        lambda: usual,
        lambda: geometry.node(g, *operands),
        TensorType("fp32", geometry.out),
    )


def _is_faster_as_image(geometry: Geometry) -> bool:
    """For few places, for channels of their own, and where neighbours are."""
    is_depthwise = geometry.groups > 1 and geometry.groups == geometry.weight[0] == geometry.x[1]
    if is_depthwise or math.prod(geometry.out[2:]) <= FEW:
        return True
    return Neighbours.of(geometry.image) is not None
