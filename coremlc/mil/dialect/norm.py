"""Normalizations."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args
from coremlc.mil.dialect.signature import OpDef, float_op
from coremlc.mil.types import TensorType


def _per_channel(args: Args) -> TensorType:
    shape = args.rank("x", 3, 4, 5)
    for name in ("mean", "variance", "gamma", "beta"):
        if name in args:
            args.expect(name, (shape[1],), f"x {args.spell('x')}")
    return args.type()


def _layer_norm(args: Args) -> TensorType:
    shape = args.shape()
    axes = args.axes("axes", len(shape))
    dims = shape if axes is None else tuple(shape[axis] for axis in sorted(axes))
    for name in ("gamma", "beta"):
        if name in args:
            args.expect(name, dims, f"x {args.spell('x')} and axes {args.ints('axes')}")
    return args.type()


def _from_rank_3(args: Args) -> TensorType:
    args.rank("x", 3, 4, 5)
    return args.type()


_EPSILON = "epsilon: const U() = 1e-5 !"
_SCALE = "gamma: const U[] ?; beta: const U[] ?; "


OPS: tuple[OpDef, ...] = (
    float_op(
        "batch_norm",
        _per_channel,
        "x: T; mean: const U[]; variance: const U[]; " + _SCALE + _EPSILON,
    ),
    float_op("instance_norm", _per_channel, "x: T; " + _SCALE + _EPSILON),
    float_op(
        "layer_norm",
        _layer_norm,
        "x: T; axes: const int32[] ?; gamma: const U ?; beta: const U ?; " + _EPSILON,
    ),
    float_op("l2_norm", _from_rank_3, "x: T; epsilon: const U() = 1e-6 !"),
    float_op(
        "local_response_norm",
        _from_rank_3,
        "x: T; size: const int32(); alpha: const U() = 1e-4; beta: const U() = 0.75; "
        "k: const U() = 1.0",
    ),
)
