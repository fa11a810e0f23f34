"""quantize, dequantize, and the constexpr ops: constants in a smaller form."""

from __future__ import annotations

import numpy as np

from coremlc.mil.arrays import STORAGE
from coremlc.mil.dialect.args import Args, Shape, fits
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.types import TensorType

_BYTE = frozenset({"int8", "uint8"})
_LUT_INDEX = frozenset({"uint1", "uint2", "uint3", "uint4", "uint6", "uint8"})
_LUT = _BYTE | FLOAT
_SOURCE = frozenset({"int4", "uint4"}) | _BYTE | FLOAT


def _check_scale(args: Args, data: str) -> None:
    """Scale and zero_point are scalars, or one value per index of `axis`."""
    rank = len(args.rank("scale", 0, 1))
    want: Shape = ()
    if rank == 1:
        if "axis" not in args:
            raise args.error(f"scale is {args.spell('scale')}, axis is missing", fix="give axis")
        shape = args.shape(data)
        want = (shape[args.axis("axis", len(shape))],)
    elif "axis" in args:
        raise args.error(f"scale is {args.spell('scale')}, axis is given", fix="leave axis out")
    for name in ("scale", "zero_point"):
        if name in args:
            args.expect(name, want, f"{data} {args.spell(data)}")


def _quantize(args: Args) -> TensorType:
    dtype = args.text("output_dtype", sorted(_BYTE))
    if "zero_point" in args and args.type("zero_point").dtype != dtype:
        raise args.error(
            f"zero_point is {args.spell('zero_point')}, output_dtype {dtype}",
            fix="give both the same dtype",
        )
    _check_scale(args, "input")
    return TensorType(dtype, args.shape("input"))


def _dequantize(args: Args) -> TensorType:
    _check_scale(args, "input")
    return TensorType(args.type("scale").dtype, args.shape("input"))


def _affine_dequantize(args: Args) -> TensorType:
    shape = args.shape("quantized_data")
    dim = shape[args.axis("axis", len(shape))]
    for name in ("scale", "zero_point"):
        if args.rank(name, 0, 1):
            args.expect(name, (dim,), f"quantized_data {args.spell('quantized_data')}")
    return TensorType(args.type("scale").dtype, shape)


def _cast(args: Args) -> TensorType:
    return TensorType(args.text("output_dtype", ("fp32",)), args.shape("source_val"))


def _given_shape(args: Args) -> tuple[int, ...]:
    shape = args.ints("shape")
    if shape is None:
        raise args.error("shape is not known", fix="give a constant")
    return tuple(shape)


def _packed_lut(args: Args) -> TensorType:
    """The ios16 form: indices are bytes of packed bits."""
    shape = _given_shape(args)
    (count,) = args.rank("lut", 1)
    if count not in (2, 4, 16, 64, 256):
        raise args.error(f"lut is {args.spell('lut')}", fix="give 2, 4, 16, 64 or 256 values")
    bits = count.bit_length() - 1
    size = (bits * int(np.prod(shape)) + 7) // 8
    args.expect("indices", (size,), f"{bits} bits for each of {list(shape)}")
    return TensorType(args.type("lut").dtype, shape)


def _lut(args: Args) -> TensorType:
    if "shape" in args.signature.params:
        return _packed_lut(args)
    shape = args.shape("indices")
    return TensorType(args.type("lut").dtype, _grown(args, shape, args.type("indices").dtype))


def _grown(args: Args, shape: Shape, index: str) -> Shape:
    """The dense shape of blockwise palettes: `vector_axis` grows by the vector's length."""
    lut = args.shape("lut")
    _check_blocks(args, shape, lut[:-2], "lut")
    palettes, vector = lut[-2:]
    if palettes != 1 << STORAGE[index].bits:
        raise args.error(
            f"lut is {args.spell('lut')} for {index} indices",
            fix=f"give palettes of {1 << STORAGE[index].bits}",
        )
    if vector in (1, None):
        return shape
    if "vector_axis" not in args:
        raise args.error(f"lut is {args.spell('lut')} of vectors", fix="give vector_axis")
    axis = args.axis("vector_axis", len(shape))
    dim = shape[axis]
    return (*shape[:axis], None if dim is None else dim * vector, *shape[axis + 1 :])


def _check_blocks(args: Args, shape: Shape, blocks: Shape, name: str) -> None:
    if len(shape) != len(blocks) or not shape:
        raise args.error(
            f"{name} is {args.spell(name)} for data of rank {len(shape)}",
            fix="give it one dim per axis of the data, rank 1 or more",
        )
    for i, (dim, count) in enumerate(zip(shape, blocks, strict=True)):
        if dim is not None and (not count or dim % count):
            raise args.error(
                f"{name} is {args.spell(name)}, dim {i} of the data is {dim}",
                fix="give a count of blocks that divides it",
            )


def _shift_scale(args: Args) -> TensorType:
    shape = args.shape("data")
    _check_scale_blocks(args, shape, args.type("data").dtype)
    return TensorType(args.type("scale").dtype, shape)


def _check_scale_blocks(args: Args, shape: Shape, dtype: str) -> None:
    _check_blocks(args, shape, args.shape("scale"), "scale")
    if "offset" not in args:
        return
    args.expect("offset", args.shape("scale"), f"scale {args.spell('scale')}")
    if args.type("offset").dtype not in FLOAT | {dtype}:
        raise args.error(
            f"offset is {args.spell('offset')} for {dtype} data", fix="use its dtype, or a float"
        )


def _sparse(args: Args) -> TensorType:
    dtype = args.type("nonzero_data").dtype
    if "shape" not in args.signature.params:
        _check_mask(args, "nonzero_data", "mask")
        return TensorType(dtype, args.shape("mask"))
    shape = _given_shape(args)
    args.rank("nonzero_data", 1)
    args.expect("mask", ((int(np.prod(shape)) + 7) // 8,), f"a bit for each of {list(shape)}")
    mask = args.data("mask")
    if mask is not None:
        _check_count(args, "nonzero_data", int(np.unpackbits(mask.astype(np.uint8)).sum()))
    return TensorType(dtype, shape)


def _check_mask(args: Args, data: str, mask: str) -> None:
    args.rank(data, 1)
    bits = args.data(mask)
    if bits is not None:
        _check_count(args, data, int(np.count_nonzero(bits)))


def _check_count(args: Args, data: str, count: int) -> None:
    if not fits(args.shape(data), (count,)):
        raise args.error(
            f"{data} is {args.spell(data)}, the mask has {count} ones", fix="make them equal"
        )


def _lut_to_sparse(args: Args) -> tuple[TensorType, ...]:
    _check_mask(args, "indices_nonzero_data", "indices_mask")
    values = args.type("indices_nonzero_data")
    mask = _grown(args, args.shape("indices_mask"), values.dtype)
    (count,) = args.shape("indices_nonzero_data")
    vector = args.shape("lut")[-1]
    size = None if count is None or vector is None else count * vector
    return TensorType("uint1", mask), TensorType(args.type("lut").dtype, (size,))


def _sparse_shift_scale(args: Args) -> tuple[TensorType, ...]:
    _check_mask(args, "nonzero_data", "data_mask")
    values = args.type("nonzero_data")
    _check_scale_blocks(args, args.shape("data_mask"), values.dtype)
    return args.type("data_mask"), TensorType(args.type("scale").dtype, values.shape)


_SHIFT_SCALE = "scale: const D; offset: const O ?"
_VECTOR = "lut: const T; vector_axis: const int32() ?"

OPS: tuple[OpDef, ...] = (
    op(
        "quantize",
        _quantize,
        sig(
            "input: S; zero_point: const D ?; scale: const S; axis: const int32() ?; "
            "output_dtype: const string()",
            "ios17",
            S=FLOAT,
            D=_BYTE,
        ),
    ),
    op(
        "dequantize",
        _dequantize,
        sig(
            "input: S; zero_point: const S ?; scale: const D; axis: const int32() ?",
            "ios17",
            S=_BYTE,
            D=FLOAT,
        ),
    ),
    op(
        "constexpr_affine_dequantize",
        _affine_dequantize,
        sig(
            "quantized_data: const S; zero_point: const Z; scale: const D; axis: const int32()",
            "ios16",
            S=_BYTE,
            Z=_BYTE | {"fp32"},
            D=FLOAT,
        ),
    ),
    op(
        "constexpr_cast",
        _cast,
        sig("source_val: const fp16; output_dtype: const string()", "ios16"),
        sig("source_val: const fp16; output_dtype: const string()", "ios18"),
    ),
    op(
        "constexpr_lut_to_dense",
        _lut,
        sig("indices: const uint8[]; lut: const T[]; shape: const uint32[]", "ios16", T=_LUT),
        sig("indices: const I; " + _VECTOR, "ios18", T=_LUT, I=_LUT_INDEX),
    ),
    op(
        "constexpr_sparse_to_dense",
        _sparse,
        sig("nonzero_data: const T[]; mask: const uint8[]; shape: const uint32[]", "ios16", T=_LUT),
        sig("nonzero_data: const T[]; mask: const uint1", "ios18", T=_SOURCE),
    ),
    op(
        "constexpr_blockwise_shift_scale",
        _shift_scale,
        sig("data: const S; " + _SHIFT_SCALE, "ios18", S=_SOURCE, D=FLOAT, O=_SOURCE),
    ),
    op(
        "constexpr_lut_to_sparse",
        _lut_to_sparse,
        sig(
            "indices_mask: const uint1; indices_nonzero_data: const I[]; " + _VECTOR,
            "ios18",
            T=_LUT,
            I=_LUT_INDEX,
        ),
    ),
    op(
        "constexpr_sparse_blockwise_shift_scale",
        _sparse_shift_scale,
        sig(
            "data_mask: const uint1; nonzero_data: const S[]; " + _SHIFT_SCALE,
            "ios18",
            S=_SOURCE,
            D=FLOAT,
            O=_SOURCE,
        ),
    ),
)
