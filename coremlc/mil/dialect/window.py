"""Ops of a window that slides over spatial axes: convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coremlc.mil.dialect.args import Args, Shape
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType


@dataclass(frozen=True, slots=True)
class Window:
    """Where a window stands on each spatial axis."""

    kernel: tuple[int, ...]
    """Sizes as they lie on x: dilated."""
    strides: list[int]
    pad_type: str
    pad: list[int]
    """Before and after each axis; zeros unless `pad_type` is custom."""


def _window(args: Args, kernel: Sequence[int | None]) -> Window:
    """Read strides, dilations and padding, of one value per spatial axis."""
    count = len(args.shape()) - 2
    if count < 1 or len(kernel) != count:
        raise args.error(
            f"x is {args.spell('x')}, the kernel has {len(kernel)} axes",
            fix="give x a batch axis, a channel axis, and the kernel's axes",
        )
    ones = [1] * count
    strides = _per_axis(args, "strides", count) or ones
    dilations = (_per_axis(args, "dilations", count) if "dilations" in args else None) or ones
    kinds = ["valid", "custom", "same"] + (["same_lower"] if args.opset != "ios15" else [])
    pad_type = args.text("pad_type", kinds)
    pad = _per_axis(args, "pad", 2 * count, least=0) or [0] * (2 * count)
    if pad_type == "custom" and "pad" not in args:
        raise args.error("pad_type is custom, pad is missing", fix="give pad")
    sizes = tuple((k or 1) * d - d + 1 for k, d in zip(kernel, dilations, strict=True))
    return Window(sizes, strides, pad_type, pad if pad_type == "custom" else [0] * (2 * count))


def _per_axis(args: Args, name: str, count: int, *, least: int = 1) -> list[int] | None:
    values = args.ints(name)
    if values is not None and (len(values) != count or min(values) < least):
        raise args.error(
            f"{name} is {values}, x is {args.spell('x')}",
            fix=f"give {count} values of {least} or more",
        )
    return values


def _slid(args: Args, window: Window, *, ceil: bool = False) -> Shape:
    """The spatial sizes of the result."""
    out: list[int | None] = []
    for i, dim in enumerate(args.shape()[2:]):
        kernel, stride = window.kernel[i], window.strides[i]
        if dim is None:
            out.append(None)
            continue
        if window.pad_type in ("same", "same_lower"):
            size = -(-dim // stride)
        else:
            before, after = window.pad[2 * i : 2 * i + 2]
            size = _count(dim, before + after, kernel, stride, ceil=ceil)
        if size < 1:
            raise args.error(
                f"x is {args.spell('x')}, the kernel takes {kernel} of axis {i + 2}",
                fix="pad, or use a smaller kernel",
            )
        out.append(size)
    return tuple(out)


def _count(dim: int, pad: int, kernel: int, stride: int, *, ceil: bool) -> int:
    rest = dim + pad - kernel
    if not ceil:
        return rest // stride + 1
    size = -(-rest // stride) + 1
    starts_in_padding = pad > 0 and (size - 1) * stride >= dim + pad / 2
    return size - 1 if starts_in_padding else size


def _conv(args: Args) -> TensorType:
    n, channels, *_ = args.rank("x", 3, 4, 5)
    out, _, *kernel = weight = args.rank("weight", len(args.shape()))
    groups = _groups(args, channels, out)
    inside = None if channels is None else channels // groups
    args.expect("weight", (out, inside, *kernel), f"x {args.spell('x')} in {groups} groups")
    if "bias" in args:
        args.expect("bias", (out,), f"weight {args.spell('weight')}")
    dilations = args.ints("dilations") or [1]
    if max(dilations) > 1 and not args.is_constant("weight"):
        raise args.error("dilations with a weight computed at run time", fix="dilate the weight")
    return TensorType(args.type().dtype, (n, out, *_slid(args, _window(args, weight[2:]))))


def _groups(args: Args, channels: int | None, out: int | None) -> int:
    groups = args.integer("groups")
    if groups < 1 or (channels or 0) % groups or (out or 0) % groups:
        raise args.error(
            f"groups {groups} on {channels} channels to {out}", fix="give a divisor of both"
        )
    return groups


def _conv_transpose(args: Args) -> TensorType:
    n, channels, *space = args.rank("x", 3, 4, 5)
    _, per_group, *kernel = weight = args.rank("weight", len(space) + 2)
    groups = _groups(args, channels, None)
    args.expect("weight", (channels, *weight[1:]), f"x {args.spell('x')}")
    out = None if per_group is None else per_group * groups
    if "bias" in args:
        args.expect("bias", (out,), f"weight {args.spell('weight')}")
    window = _window(args, kernel)
    wanted = args.ints("output_shape")
    if wanted is not None:
        return TensorType(args.type().dtype, _given_shape(args, wanted, (n, out)))
    spread = (None if dim is None else _spread(dim, window, i) for i, dim in enumerate(space))
    return TensorType(args.type().dtype, (n, out, *spread))


def _spread(dim: int, window: Window, axis: int) -> int:
    stride = window.strides[axis]
    if window.pad_type in ("same", "same_lower"):
        return stride * dim
    before, after = window.pad[2 * axis : 2 * axis + 2]
    return stride * (dim - 1) + window.kernel[axis] - before - after


def _given_shape(args: Args, wanted: list[int], start: Shape) -> Shape:
    rank = len(args.shape())
    n, channels = start
    if len(wanted) != rank or n not in (wanted[0], None) or channels not in (wanted[1], None):
        raise args.error(
            f"output_shape is {wanted}, x is {args.spell('x')}",
            fix=f"give {rank} sizes that start with {n}, {channels}",
        )
    return tuple(wanted)


def _pool(args: Args) -> TensorType:
    n, channels, *space = args.rank("x", 3, 4, 5)
    kernel = args.ints("kernel_sizes")
    if kernel is None or min(kernel, default=0) < 1:
        raise args.error(f"kernel_sizes is {kernel}", fix="give sizes of 1 or more")
    window = _window(args, kernel)
    ceil = args.flag("ceil_mode")
    lopsided = window.pad[::2] != window.pad[1::2]
    if ceil and (len(space) > 2 or window.pad_type == "same" or lopsided):
        raise args.error(
            f"ceil_mode with x {args.spell('x')}, pad_type {window.pad_type}, pad {window.pad}",
            fix="use 1 or 2 spatial axes, and valid or even custom padding",
        )
    return TensorType(args.type().dtype, (n, channels, *_slid(args, window, ceil=ceil)))


def _l2_pool(args: Args) -> TensorType:
    args.rank("x", 3, 4)
    return _pool(args)


_PLACES = (
    "strides: const int32[] ?; pad_type: const string() = 'valid'; pad: const int32[] ?; "
    "dilations: const int32[] ?; groups: const int32() = 1"
)
_TRANSPOSE = (
    "pad: const int32[] ?; output_shape: const int32[] ?; pad_type: const string() = 'valid'; "
    "strides: const int32[] ?; dilations: const int32[] ?; groups: const int32() = 1"
)
_POOL = (
    "x: T; kernel_sizes: const int32[]; strides: const int32[] ?; pad_type: const string(); "
    "pad: const int32[] ?; ceil_mode: const bool() = False"
)

OPS: tuple[OpDef, ...] = (
    op(
        "conv",
        _conv,
        sig("x: T; weight: T; bias: const T[] ?; " + _PLACES, T=FLOAT),
        sig("x: T; weight: U; bias: U[] ?; " + _PLACES, "ios17", T=FLOAT, U=FLOAT),
    ),
    op(
        "conv_transpose",
        _conv_transpose,
        sig("x: T; weight: const T; bias: const T[] ?; " + _TRANSPOSE, T=FLOAT),
        sig("x: T; weight: U; bias: U[] ?; " + _TRANSPOSE, "ios17", T=FLOAT, U=FLOAT),
    ),
    op("max_pool", _pool, sig(_POOL, T=FLOAT)),
    op(
        "avg_pool",
        _pool,
        sig(_POOL + "; exclude_padding_from_average: const bool() = False", T=FLOAT),
    ),
    op("l2_pool", _l2_pool, sig(_POOL, T=FLOAT)),
)
