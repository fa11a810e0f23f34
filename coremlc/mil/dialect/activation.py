"""Activations: elementwise, except softmax along an axis and the parametric ones along channels."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args
from coremlc.mil.dialect.elementwise import same_as_x
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, float_op, op, sig
from coremlc.mil.types import TensorType

_GELU_MODES = ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION")


def _gelu(args: Args) -> TensorType:
    args.text("mode", _GELU_MODES)
    return args.type()


def _softmax(args: Args) -> TensorType:
    args.axis("axis", len(args.shape()))
    return args.type()


def _per_channel(args: Args) -> None:
    channels = args.rank("x", 3, 4, 5)[1]
    for name in ("alpha", "beta"):
        if name in args:
            args.expect(name, (channels,), f"x {args.spell('x')}")


def _prelu(args: Args) -> TensorType:
    _per_channel(args)
    alpha = args.data("alpha")
    if len(args.shape()) != 4 and alpha is not None and len({float(a) for a in alpha}) > 1:
        raise args.error(
            f"x is {args.spell('x')} and alpha has different values",
            fix="give x rank 4, or all values of alpha equal",
        )
    return args.type()


def _softplus_parametric(args: Args) -> TensorType:
    _per_channel(args)
    return args.type()


_PLAIN = ["relu", "relu6", "sigmoid", "silu", "softplus", "softsign"]
_ALPHA = ["elu", "leaky_relu", "thresholded_relu"]
_ALPHA_BETA = ["clamped_relu", "linear_activation", "scaled_tanh", "sigmoid_hard"]


OPS: tuple[OpDef, ...] = (
    *(op(name, same_as_x, sig("x: T", T=FLOAT)) for name in _PLAIN),
    *(float_op(name, same_as_x, "x: T; alpha: const U()") for name in _ALPHA),
    *(float_op(name, same_as_x, "x: T; alpha: const U(); beta: const U()") for name in _ALPHA_BETA),
    float_op("prelu", _prelu, "x: T; alpha: const U[]"),
    float_op(
        "softplus_parametric", _softplus_parametric, "x: T; alpha: const U[]; beta: const U[]"
    ),
    op("gelu", _gelu, sig("x: T; mode: const string() = 'EXACT'", T=FLOAT)),
    op("softmax", _softmax, sig("x: T; axis: const int32() = -1", T=FLOAT)),
)
