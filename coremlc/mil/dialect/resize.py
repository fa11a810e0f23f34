"""Ops that resample or crop the last two axes, as of images."""

from __future__ import annotations

import math

from coremlc.mil.dialect.args import Args, fits
from coremlc.mil.dialect.opsets import FLOAT, NUMBER, SMALL_INT
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType

_SAMPLING = (
    "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS",
)  # fmt: skip
_BOXES = (
    "CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST",
    "CENTER_SIZE_WIDTH_FIRST",
)  # fmt: skip


def _with_last(args: Args, *sizes: int | None) -> TensorType:
    shape = args.rank("x", 3, 4, 5)
    return TensorType(args.type().dtype, (*shape[:-2], *sizes))


def _upsample(args: Args) -> TensorType:
    height, width = args.rank("x", 3, 4, 5)[-2:]
    return _with_last(
        args,
        _scaled(height, args.scalar("scale_factor_height")),
        _scaled(width, args.scalar("scale_factor_width")),
    )


def _scaled(dim: int | None, factor: float | None) -> int | None:
    return None if dim is None or factor is None else math.floor(factor * dim)


def _resize_to(args: Args) -> TensorType:
    if "sampling_mode" in args.signature.params:
        args.text("sampling_mode", _SAMPLING)
    return _with_last(args, args.integer("target_size_height"), args.integer("target_size_width"))


def _resize(args: Args) -> TensorType:
    args.text("interpolation_mode", ("LINEAR", "NEAREST_NEIGHBOR"))
    args.text("sampling_mode", (*_SAMPLING, "OFFSET_CORNERS"))
    shape = args.shape()
    count = args.integer("resized_dims")
    (length,) = args.rank("shape", 1)
    if not 0 <= count <= (length or 0) <= len(shape):
        raise args.error(
            f"resized_dims {count} of shape {args.spell('shape')} for {args.spell('x')}",
            fix="resize at most as many dims as shape gives and x has",
        )
    given = args.ints("shape")
    kept, old = shape[: len(shape) - count], shape[len(shape) - count :]
    if given is None:
        return TensorType(args.type().dtype, kept + (None,) * count)
    wanted = given[len(given) - count :]
    new = (dim if size == 0 else size for dim, size in zip(old, wanted, strict=True))
    return TensorType(args.type().dtype, (*kept, *new))


def _crop(args: Args) -> TensorType:
    height, width = args.rank("x", 3, 4, 5)[-2:]
    sizes: list[int | None] = []
    for name, dim in (("crop_height", height), ("crop_width", width)):
        args.expect(name, (2,), "before and after")
        edges = args.ints(name) or [0, 0]
        sizes.append(None if dim is None else dim - sum(edges))
        if min(edges) < 0 or (dim is not None and sum(edges) > dim):
            raise args.error(f"{name} {edges} of x {args.spell('x')}", fix="crop less")
    return _with_last(args, *sizes)


def _crop_resize(args: Args) -> TensorType:
    args.text("box_coordinate_mode", _BOXES)
    args.text("sampling_mode", _SAMPLING)
    batch, channels, *_ = args.rank("x", 4)
    size = (args.integer("target_height"), args.integer("target_width"))
    if "roi" in args:
        count = args.rank("roi", 5)[0]
        return TensorType(args.type().dtype, (count, batch, channels, *size))
    count = args.rank("boxes", 2)[0]
    args.expect("boxes", (count, 4), "four coordinates a box")
    if "box_indices" in args:
        args.expect("box_indices", (count,), f"boxes {args.spell('boxes')}")
    elif batch is not None and count is not None and count > batch:
        raise args.error(f"{count} boxes, x is {args.spell('x')}", fix="give box_indices")
    return TensorType(args.type().dtype, (count, channels, *size))


def _affine(args: Args) -> TensorType:
    batch, channels, *_ = args.rank("x", 4)
    args.expect("transform_matrix", (batch, 6), f"x {args.spell('x')}")
    size = (args.integer("output_height"), args.integer("output_width"))
    return TensorType(args.type().dtype, (batch, channels, *size))


def _resample(args: Args) -> TensorType:
    batch, channels, *_ = args.rank("x", 4)
    where = args.rank("coordinates", 4)
    if not fits(where, (batch, None, None, 2)):
        raise args.error(
            f"coordinates is {args.spell('coordinates')}, x is {args.spell('x')}",
            fix=f"give it the shape [{batch}, height, width, 2]",
        )
    return TensorType(args.type().dtype, (batch, channels, *where[1:3]))


_SCALES = "scale_factor_height: const U() = 1; scale_factor_width: const U() = 1"
_SCALE_DTYPES = frozenset({"int32", "fp32"})
_BILINEAR = "x: T; " + _SCALES + "; align_corners: const bool() = True"
_TARGET = (
    "target_height: const int32() = 1; target_width: const int32() = 1; "
    "normalized_coordinates: const bool() = False; spatial_scale: const fp32() = 1.0; "
    "box_coordinate_mode: const string() = 'CORNERS_HEIGHT_FIRST'; "
    "sampling_mode: const string() = 'DEFAULT'"
)
_PADDING = "; pad_value: const T() = 0.0"
_BY_BOX = "x: T; boxes: B; box_indices: I[] ?; "
_FRAME = (
    "sampling_mode: const string(); padding_mode: const string(); padding_value: const T(); "
    "coordinates_mode: const string(); align_corners: const bool()"
)
_AFFINE = "x: T; transform_matrix: T; output_height: const int32(); output_width: const int32(); "
_RESIZE = (
    "x: T; shape: U[]; resized_dims: const uint32(); "
    "interpolation_mode: const string() = 'LINEAR'; sampling_mode: const string() = 'DEFAULT'"
)

OPS: tuple[OpDef, ...] = (
    op("upsample_nearest_neighbor", _upsample, sig("x: T; " + _SCALES, T=FLOAT, U=_SCALE_DTYPES)),
    op(
        "upsample_bilinear",
        _upsample,
        sig(_BILINEAR, T=FLOAT, U=_SCALE_DTYPES),
        sig(
            _BILINEAR + "; half_pixel_centers: const bool() ?",
            "ios16",
            T=FLOAT,
            U=_SCALE_DTYPES,
        ),
    ),
    op(
        "resize_nearest_neighbor",
        _resize_to,
        sig("x: T; target_size_height: const int32(); target_size_width: const int32()", T=FLOAT),
    ),
    op(
        "resize_bilinear",
        _resize_to,
        sig(
            "x: T; target_size_height: const int32() = 1; target_size_width: const int32() = 1; "
            "sampling_mode: const string() = 'DEFAULT'",
            T=FLOAT,
        ),
    ),
    op(
        "resize",
        _resize,
        sig(_RESIZE, "ios17", T=NUMBER, U=frozenset({"int32", "int16", "uint16", "uint32"})),
    ),
    op("crop", _crop, sig("x: T; crop_height: const int32[]; crop_width: const int32[]", T=FLOAT)),
    op(
        "crop_resize",
        _crop_resize,
        sig("x: T; roi: T; " + _TARGET, T=FLOAT),
        sig("x: T; roi: T; " + _TARGET + _PADDING, "ios16", T=FLOAT),
        sig(
            _BY_BOX + _TARGET + _PADDING,
            "ios17",
            T=FLOAT,
            B=FLOAT | {"uint16"},
            I=frozenset({"uint16", "int32"}),
        ),
    ),
    op("affine", _affine, sig(_AFFINE + _FRAME, T=FLOAT)),
    op(
        "resample",
        _resample,
        sig("x: T; coordinates: U; " + _FRAME, T=FLOAT, U=frozenset({"int32", "fp32"})),
        sig("x: T; coordinates: U; " + _FRAME, "ios16", T=FLOAT, U=NUMBER),
        sig("x: T; coordinates: U; " + _FRAME, "ios17", T=FLOAT, U=NUMBER | SMALL_INT),
    ),
)
