"""Kernels of quantize, dequantize and the constexpr ops: constants in a smaller form."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.elementwise import convert
from coremlc.engine.reference.registry import Array, axis_of, kernel
from coremlc.mil.arrays import STORAGE, unpack


def _along(value: Array | None, axis: Any, rank: int) -> Array | None:
    """A scalar, or a vector laid along an axis."""
    if value is None or np.ndim(value) == 0:
        return value
    shape = [1] * rank
    shape[axis_of(axis, rank)] = -1
    return value.reshape(shape)


def _numbers(x: Array, dtype: Any) -> Array:
    """Values of any int dtype, sub-byte ones too, as floats."""
    return x.astype(dtype) if x.dtype.kind == "f" else x.astype(np.int32).astype(dtype)


@kernel("quantize")
def quantize(
    input: Array,
    scale: Array,
    output_dtype: str,
    zero_point: Array | None = None,
    axis: Any = 0,
) -> Array:
    """Rounds half to even, saturates."""
    size, zero = _along(scale, axis, input.ndim), _along(zero_point, axis, input.ndim)
    level = np.rint(input.astype(np.float32) / np.asarray(size, np.float32))
    return convert(level if zero is None else level + _numbers(zero, np.float32),
                   STORAGE[output_dtype].numpy)  # fmt: skip


@kernel("dequantize")
def dequantize(
    input: Array,
    scale: Array,
    zero_point: Array | None = None,
    axis: Any = 0,
) -> Array:
    size, zero = _along(scale, axis, input.ndim), _along(zero_point, axis, input.ndim)
    level = _numbers(input, np.float32)
    level = level if zero is None else level - _numbers(zero, np.float32)
    return (level * np.asarray(size, np.float32)).astype(scale.dtype)


@kernel("constexpr_affine_dequantize")
def affine_dequantize(quantized_data: Array, zero_point: Array, scale: Array, axis: Any) -> Array:
    return dequantize(quantized_data, scale, zero_point, axis)


@kernel("constexpr_cast")
def constexpr_cast(source_val: Array, output_dtype: str) -> Array:
    return source_val.astype(STORAGE[output_dtype].numpy)


@kernel("constexpr_blockwise_shift_scale")
def blockwise_shift_scale(data: Array, scale: Array, offset: Array | None = None) -> Array:
    """Blocks are told by the sizes of scale."""
    blocks = [d // s for d, s in zip(data.shape, scale.shape, strict=True)]
    size, zero = scale.astype(np.float32), None
    if offset is not None:
        zero = _numbers(offset, np.float32)
    for axis, block in enumerate(blocks):
        if block > 1:
            size = np.repeat(size, block, axis)
            zero = None if zero is None else np.repeat(zero, block, axis)
    level = _numbers(data, np.float32)
    return (size * (level if zero is None else level - zero)).astype(scale.dtype)


@kernel("constexpr_lut_to_dense")
def lut_to_dense(
    indices: Array, lut: Array, shape: Array | None = None, vector_axis: Any = None
) -> Array:
    """With `shape` (ios16) the indices are packed, and the table is flat."""
    if shape is None:
        return _blockwise_lut(indices, lut, vector_axis)
    dims = [int(d) for d in shape]
    bits = int(lut.size - 1).bit_length()
    count = int(np.prod(dims, dtype=np.int64))
    flat = indices.reshape(-1)
    places = flat[:count] if bits == 8 else unpack(flat, f"uint{bits}", count)
    return lut.reshape(-1)[places.astype(np.int64)].reshape(dims)


def _blockwise_lut(indices: Array, lut: Array, vector_axis: Any) -> Array:
    """Lut: one table of vectors per block of indices: [*blocks, entries, vector]."""
    index = indices.astype(np.int64)
    blocks = [d // t for d, t in zip(index.shape, lut.shape[:-2], strict=True)]
    grid = np.ogrid[tuple(slice(n) for n in index.shape)]
    place = tuple(g // b for g, b in zip(grid, blocks, strict=True))
    vectors = lut[(*place, index)]  # [*indices, vector]
    if lut.shape[-1] == 1:
        return vectors[..., 0]
    at = axis_of(vector_axis, index.ndim)
    moved = np.moveaxis(vectors, -1, at + 1)
    return moved.reshape(*index.shape[:at], -1, *index.shape[at + 1 :])


@kernel("constexpr_sparse_to_dense")
def sparse_to_dense(nonzero_data: Array, mask: Array, shape: Array | None = None) -> Array:
    """With `shape` (ios16) the mask is packed bits."""
    if shape is not None:
        dims = [int(d) for d in shape]
        count = int(np.prod(dims, dtype=np.int64))
        mask = np.unpackbits(mask.reshape(-1), count=count, bitorder="little").reshape(dims)
    out = np.zeros(mask.shape, nonzero_data.dtype)
    out[mask != 0] = nonzero_data
    return out


@kernel("constexpr_lut_to_sparse")
def lut_to_sparse(
    indices_mask: Array, indices_nonzero_data: Array, lut: Array, vector_axis: Any = None
) -> tuple[Array, Array]:
    dense = sparse_to_dense(indices_nonzero_data, indices_mask)
    values = _blockwise_lut(dense, lut, vector_axis)
    mask = indices_mask
    if lut.shape[-1] > 1:
        mask = np.repeat(mask, lut.shape[-1], axis_of(vector_axis, mask.ndim))
    return mask, values[mask != 0]


@kernel("constexpr_sparse_blockwise_shift_scale")
def sparse_blockwise_shift_scale(
    data_mask: Array, nonzero_data: Array, scale: Array, offset: Array | None = None
) -> tuple[Array, Array]:
    dense = sparse_to_dense(nonzero_data, data_mask)
    return data_mask, blockwise_shift_scale(dense, scale, offset)[data_mask != 0]
