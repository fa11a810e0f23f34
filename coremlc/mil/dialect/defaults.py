"""MIL's defaults, spelled out.

coremltools writes them into every op, and no real bundle we have leaves one out; the specification
says that they may be.
"""

from __future__ import annotations

from collections.abc import Mapping

from coremlc.errors import ShapeError
from coremlc.mil.dialect.signature import Signature
from coremlc.mil.program import Arg, Literal, Value
from coremlc.mil.types import TensorType

_WINDOWS = frozenset({"conv", "conv_transpose", "avg_pool", "l2_pool", "max_pool"})


def check_explicit(kind: str, signature: Signature, inputs: Mapping[str, tuple[Arg, ...]]) -> None:
    """Refuse to leave out a parameter whose default changes numbers."""
    for name in signature.explicit:
        if name not in inputs:
            raise ShapeError(
                f"{kind}: {name} is missing, and MIL's default {signature.params[name].default} "
                "changes numbers",
                fix=f"give {name}",
            )


def left_out(
    kind: str, signature: Signature, inputs: Mapping[str, object]
) -> dict[str, bool | int | float | str | list[int]]:
    """The defaults of the parameters that `inputs` does not give, except explicit ones."""
    found: dict[str, bool | int | float | str | list[int]] = {
        p.name: p.default
        for p in signature.params.values()
        if p.default is not None and not p.is_explicit and not isinstance(p.default, tuple)
    }
    found |= _of_rank(kind, signature, inputs.get("x"))
    if inputs.get("return_indices") is False:
        found.pop("output_indices_dtype", None)
    return {name: value for name, value in found.items() if inputs.get(name) is None}


def _of_rank(kind: str, signature: Signature, x: object) -> dict[str, list[int]]:
    """Defaults that depend on the rank of x."""
    if not isinstance(x, Value | Literal) or not isinstance(x.type, TensorType):
        return {}
    rank = len(x.type.shape)
    if kind == "layer_norm":
        return {"axes": list(range(rank))}
    if kind not in _WINDOWS:
        return {}
    ones = [1] * (rank - 2)
    found = {"strides": ones, "dilations": ones, "pad": [0] * (2 * rank - 4)}
    return {name: value for name, value in found.items() if name in signature.params}
