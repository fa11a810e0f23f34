"""Sizes of the named axes of a graph.pb, and the attributes that depend on them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from coremlc.errors import UsageError
from coremlc.frontend import graph_pb2 as pb
from coremlc.ir.graph import Value
from coremlc.ir.types import TensorType
from coremlc.ops.static import DynamicDimensionSpec

_NUMBER = re.compile(r"[0-9]{1,18}")
TO_THE_END = -1
"""The limit of a Slice of a named axis."""


class Axes:
    """What is known of the sizes: those given and defaults, and in time what follows from them."""

    def __init__(self, file: pb.GraphFile, given: Mapping[str, int]) -> None:
        """UsageError if an axis is not there, or does not allow its size."""
        self._axes = {axis.name: axis for axis in file.axes}
        self._sizes = {a.name: a.default for a in file.axes if a.default > 0}
        for name, size in given.items():
            self._set(name, size)

    def _set(self, name: str, size: int) -> None:
        if name not in self._axes:
            known = ", ".join(self._axes) or "none"
            raise UsageError(f"there is no axis {name!r}", fix=f"the graph has {known}")
        axis = self._axes[name]
        low, high = axis.min, axis.max if axis.max > 0 else math.inf
        if not low <= size <= high or (axis.sizes and size not in axis.sizes):
            allowed = list(axis.sizes) or f"{low}..{high}"
            raise UsageError(f"axis {name!r} of size {size}", fix=f"use {allowed}")
        self._sizes[name] = size

    def size(self, symbol: str) -> int:
        """Size of a named axis, or of a sum of such (`=a+b`)."""
        terms = symbol.removeprefix("=").split("+")
        unknown = [t for t in terms if not self._is_known(t)]
        if unknown:
            raise UsageError(
                f"axis {unknown[0]!r} has no size", fix=f"state one: --dim {unknown[0]}=N"
            )
        return sum(self._sizes[t] if t in self._sizes else int(t) for t in terms)

    def _is_known(self, term: str) -> bool:
        return term in self._sizes or _NUMBER.fullmatch(term) is not None

    def learn(self, node: pb.Node, operands: tuple[Value, ...]) -> None:
        """The one axis that a DynamicReshape names and nobody sized: no element gets lost."""
        if node.op != "DynamicReshape" or not operands or len(node.results) != 1:
            return
        dims = node.results[0].shape.dims
        unknown = [d.symbol for d in dims if d.symbol and not self._is_known(d.symbol)]
        if len(unknown) != 1 or unknown[0] not in self._axes:
            return
        sizes = [
            d.size if d.HasField("size") else self.size(d.symbol)
            for d in dims
            if d.symbol != unknown[0]
        ]
        rest = math.prod(sizes)
        if rest > 0 and operands[0].type.size % rest == 0:
            self._set(unknown[0], operands[0].type.size // rest)

    def static(
        self, node: pb.Node, types: tuple[TensorType, ...], operands: tuple[Value, ...]
    ) -> dict[str, Any]:
        """Attributes that hold -1 where an axis is named, from the shapes now known."""
        if node.op == "Reshape" and types:
            return {"dimensions": types[0].shape}
        if node.op == "DynamicReshape" and types:
            return {"dimensions": tuple([DynamicDimensionSpec(d, "") for d in types[0].shape])}
        if node.op == "Slice" and operands and TO_THE_END in node.attributes.slice.limits:
            limits = node.attributes.slice.limits
            whole = operands[0].type.shape
            ends = zip(limits, (*whole, *limits[len(whole) :]), strict=False)
            return {"limits": tuple([d if n == TO_THE_END else n for n, d in ends])}
        return {}
