"""GGML's block formats: weights in bytes, with their scales beside them, as llama.cpp stores them.

A row of a tensor is a whole number of blocks. `d` and `dmin` are float16; `q` are the quants.
Source: GoMLX `fusedops/quantizeddense_ggml.go`, and llama.cpp `ggml-quants.c` for Q2_K, Q3_K and
Q5_K, which GoMLX names and its Go backend lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coremlc.ir.op import Array

IQ4_NL = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
NF4 = np.array(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ],
    np.float32,
)
"""The values of 4-bit NormalFloat (QLoRA)."""


@dataclass(frozen=True)
class Format:
    """How a block is laid out."""

    values: int
    """Elements of a block."""
    bytes: int
    read: Callable[[Array], Array]
    """Blocks uint8[n, bytes] to float32[n, values]."""


def dequantize(format_: Format, rows: Array) -> Array:
    """Rows uint8[n, bytes] as float32[n, elements]."""
    count, width = rows.shape
    blocks = np.ascontiguousarray(rows).reshape(-1, format_.bytes)
    with np.errstate(invalid="ignore", over="ignore"):
        values = format_.read(blocks)
    return values.reshape(count, width // format_.bytes * format_.values)


def _half(blocks: Array, at: int) -> Array:
    """The float16 at a byte, as float32[n, 1]."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(q: Array) -> Array:
    """Low halves of the bytes, then the high ones."""
    return np.concatenate([q & 15, q >> 4], axis=-1)


def _signed(q: Array) -> Array:
    return np.ascontiguousarray(q).view(np.int8).astype(np.float32)


def _bits(q: Array, shifts: tuple[int, ...], mask: int) -> Array:
    """[n, .., w] bytes to [n, .., shifts, w]: the fields at each of the shifts."""
    fields: Array = q[..., None, :] >> np.array(shifts, np.uint8)[:, None] & np.uint8(mask)
    return fields


def _q4_0(b: Array) -> Array:
    return _half(b, 0) * (_nibbles(b[:, 2:]).astype(np.float32) - 8)


def _q8_0(b: Array) -> Array:
    return _half(b, 0) * _signed(b[:, 2:])


def _iq4_nl(b: Array) -> Array:
    return _half(b, 0) * IQ4_NL[_nibbles(b[:, 2:])]


def _scaled(d: Array, scales: Array, q: Array) -> Array:
    """d[n, 1] * scales[n, s] on s equal runs of q."""
    factor = (d * scales.astype(np.float32))[:, :, None]
    runs = q.astype(np.float32).reshape(len(q), scales.shape[1], -1)
    return (factor * runs).reshape(len(q), -1)


def _shifted(b: Array, at: tuple[int, int], scales: Array, mins: Array, q: Array) -> Array:
    """Equal runs of d * scale * q - dmin * min; d and dmin at the bytes `at`."""
    low = np.repeat(_half(b, at[1]) * mins.astype(np.float32), 256 // mins.shape[1], axis=1)
    values: Array = _scaled(_half(b, at[0]), scales, q) - low
    return values


def _q2_k(b: Array) -> Array:
    """16 bytes of scale and min (4 bits each), 64 of quants (2 bits), d, dmin."""
    q = _bits(b[:, 16:80].reshape(-1, 2, 32), (0, 2, 4, 6), 3).reshape(len(b), 256)
    return _shifted(b, (80, 82), b[:, :16] & 15, b[:, :16] >> 4, q)


def _q3_k(b: Array) -> Array:
    """32 bytes of high bits, 64 of low ones (2 bits), 12 of scales (6 bits), d."""
    low = _bits(b[:, 32:96].reshape(-1, 2, 32), (0, 2, 4, 6), 3).reshape(len(b), 256)
    high = _bits(b[:, :32], tuple(range(8)), 1).reshape(len(b), 256)
    packed = b[:, 96:108]
    nibbles = _nibbles(packed[:, :8])
    top = _bits(packed[:, 8:], (0, 2, 4, 6), 3).reshape(len(b), 16)
    scales = (nibbles | top << 4).astype(np.int8) - 32
    return _scaled(_half(b, 108), scales, (low | high << 2).astype(np.int8) - 4)


def _scales_and_mins(p: Array) -> tuple[Array, Array]:
    """12 bytes: the 6-bit scales and mins of the 8 runs of Q4_K and Q5_K."""
    scales = np.concatenate([p[:, :4] & 63, p[:, 8:] & 15 | p[:, :4] >> 6 << 4], axis=1)
    mins = np.concatenate([p[:, 4:8] & 63, p[:, 8:] >> 4 | p[:, 4:8] >> 6 << 4], axis=1)
    return scales, mins


def _q4_k(b: Array) -> Array:
    """d, dmin, 12 bytes of scales and mins, 128 of quants (4 bits)."""
    q = _bits(b[:, 16:].reshape(-1, 4, 32), (0, 4), 15).reshape(len(b), 256)
    return _shifted(b, (0, 2), *_scales_and_mins(b[:, 4:16]), q)


def _q5_k(b: Array) -> Array:
    """d, dmin, 12 bytes of scales and mins, 32 of high bits, 128 of low ones (4 bits)."""
    low = _bits(b[:, 48:].reshape(-1, 4, 32), (0, 4), 15).reshape(len(b), 256)
    high = _bits(b[:, 16:48], tuple(range(8)), 1).reshape(len(b), 256)
    return _shifted(b, (0, 2), *_scales_and_mins(b[:, 4:16]), low | high << 4)


def _q6_k(b: Array) -> Array:
    """128 bytes of low bits (4), 64 of high ones (2), 16 int8 scales, d."""
    low = _bits(b[:, :128].reshape(-1, 2, 64), (0, 4), 15).reshape(len(b), 256)
    high = _bits(b[:, 128:192].reshape(-1, 2, 32), (0, 2, 4, 6), 3).reshape(len(b), 256)
    return _scaled(_half(b, 208), _signed(b[:, 192:208]), (low | high << 4).astype(np.int8) - 32)


FORMATS = {
    "Q4_0": Format(32, 18, _q4_0),
    "Q8_0": Format(32, 34, _q8_0),
    "IQ4_NL": Format(32, 18, _iq4_nl),
    "Q2_K": Format(256, 84, _q2_k),
    "Q3_K": Format(256, 110, _q3_k),
    "Q4_K": Format(256, 144, _q4_k),
    "Q5_K": Format(256, 176, _q5_k),
    "Q6_K": Format(256, 210, _q6_k),
}
"""By the name that GoMLX gives them."""
