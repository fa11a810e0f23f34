"""Reductions over axes."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args, Shape
from coremlc.mil.dialect.opsets import NUMBER
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType


def _reduced(shape: Shape, axes: list[int], *, keep: bool) -> Shape:
    if keep:
        return tuple(1 if i in axes else dim for i, dim in enumerate(shape))
    return tuple(dim for i, dim in enumerate(shape) if i not in axes)


def _reduce(args: Args) -> TensorType:
    shape = args.shape()
    axes = args.axes("axes", len(shape))
    if axes is None:
        axes = list(range(len(shape)))
    return TensorType(args.type().dtype, _reduced(shape, axes, keep=args.flag("keep_dims")))


def _reduce_arg(args: Args) -> TensorType:
    shape = args.shape()
    axis = args.axis("axis", len(shape))
    dtype = "int32"
    if "output_dtype" in args.signature.params:
        dtype = args.text("output_dtype", ("int32", "uint16"))
    return TensorType(dtype, _reduced(shape, [axis], keep=args.flag("keep_dims")))


_AXES = "x: T; axes: const int32[] ?; keep_dims: const bool() = False"
_AXIS = "x: T; axis: const int32() = -1; keep_dims: const bool() = False"
_AXIS_17 = _AXIS + "; output_dtype: const string() = 'int32'"
_REDUCTIONS = (
    "l1_norm", "l2_norm", "log_sum", "log_sum_exp", "max", "mean", "min", "prod", "sum",
    "sum_square",
)  # fmt: skip


OPS: tuple[OpDef, ...] = (
    *(op(f"reduce_{name}", _reduce, sig(_AXES, T=NUMBER)) for name in _REDUCTIONS),
    *(
        op(name, _reduce_arg, sig(_AXIS, T=NUMBER), sig(_AXIS_17, "ios17", T=NUMBER))
        for name in ("reduce_argmax", "reduce_argmin")
    ),
)
