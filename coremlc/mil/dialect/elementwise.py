"""Unary, binary and ternary elementwise ops, and cast."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args, broadcast, sizes
from coremlc.mil.dialect.opsets import BOOL, FLOAT, NUMBER, NUMBER_BOOL, TENSOR
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType, ValueType


def same_as_x(args: Args) -> ValueType:
    """The type of x."""
    return args.inputs["x"][0].type


def _binary(args: Args) -> TensorType:
    x, y = args.type("x"), args.type("y")
    if x.shape == y.shape or not y.shape:
        return x
    return TensorType(x.dtype, broadcast(args, sizes(x), sizes(y)))


def _compare(args: Args) -> TensorType:
    return TensorType("bool", _binary(args).shape)


def _select(args: Args) -> TensorType:
    """The shape of a and b; coremltools leaves cond out of it, so cond may not be larger."""
    shape = broadcast(args, args.shape("a"), args.shape("b"))
    if broadcast(args, shape, args.shape("cond")) != shape:
        raise args.error(
            f"cond is {args.spell('cond')}, a is {args.spell('a')}, b is {args.spell('b')}",
            fix="tile a or b to the shape of cond",
        )
    return TensorType(args.type("a").dtype, shape)


def _cast(args: Args) -> TensorType:
    allowed = NUMBER_BOOL if args.opset in ("ios15", "ios16") else TENSOR
    return TensorType(args.text("dtype", sorted(allowed)), args.type().shape)


def _clip(args: Args) -> TensorType:
    low, high = args.scalar("alpha"), args.scalar("beta")
    if low is None or high is None or low < high:
        return args.type()
    if low == high and args.opset in ("ios15", "ios16"):
        return args.type()
    raise args.error(f"alpha {low} is not below beta {high}", fix="give alpha < beta, or fill")


_FLOAT_UNARY = (
    "acos", "asin", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp", "floor", "round", "sin",
    "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip
_NUMBER_UNARY = ["abs", "exp2", "sign", "square"]
_BINARY = ["add", "floor_div", "maximum", "minimum", "mod", "mul", "pow", "real_div", "sub"]
_COMPARE = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
_LOGICAL = ["logical_and", "logical_or", "logical_xor"]


def _with_epsilon(name: str, epsilon: str) -> OpDef:
    row = f"x: T; epsilon: const %s() = {epsilon} !"
    return op(
        name,
        same_as_x,
        sig(row % "T", T=FLOAT),
        sig(row % "U", "ios17", T=FLOAT, U=FLOAT),
    )


OPS: tuple[OpDef, ...] = (
    *(op(name, same_as_x, sig("x: T", T=FLOAT)) for name in _FLOAT_UNARY),
    *(op(name, same_as_x, sig("x: T", T=NUMBER)) for name in _NUMBER_UNARY),
    *(op(name, _binary, sig("x: T; y: T", T=NUMBER)) for name in _BINARY),
    *(op(name, _compare, sig("x: T; y: T", T=NUMBER)) for name in _COMPARE),
    *(op(name, _compare, sig("x: T; y: T", T=BOOL)) for name in _LOGICAL),
    op("logical_not", same_as_x, sig("x: bool")),
    op("threshold", same_as_x, sig("x: T; alpha: const T()", T=NUMBER)),
    op("clip", _clip, sig("x: T; alpha: const T(); beta: const T()", T=FLOAT)),
    op("select", _select, sig("cond: bool; a: T; b: T", T=NUMBER_BOOL)),
    op(
        "cast",
        _cast,
        sig("x: T; dtype: const string()", T=NUMBER_BOOL),
        sig("x: T; dtype: const string()", "ios17", T=TENSOR),
    ),
    op("identity", same_as_x, sig("x: T", T=NUMBER_BOOL), sig("x: T", "ios17", T=TENSOR)),
    _with_epsilon("inverse", "1e-4"),
    _with_epsilon("log", "1e-45"),
    _with_epsilon("rsqrt", "1e-12"),
)
