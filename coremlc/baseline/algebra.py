"""Rows of the ops that sum or choose over many elements: reductions, dot, convolution, FFT."""

from __future__ import annotations

from typing import Any

import numpy as np
from jax import lax

from coremlc.baseline.row import Row, Tensor
from coremlc.dtypes import F32
from coremlc.ops.arg_min_max import ArgMinMax
from coremlc.ops.conv_general import ConvGeneral
from coremlc.ops.dot_general import DotGeneral
from coremlc.ops.fft import FFT
from coremlc.ops.reduce import Reduce, highest, lowest
from coremlc.ops.reduce_window import ReduceWindow

_WINDOWS: dict[str, tuple[Row, Row]] = {
    "Sum": (lambda dtype: 0, lax.add),
    "Product": (lambda dtype: 1, lax.mul),
    "Max": (lowest, lax.max),
    "Min": (highest, lax.min),
}
_TRANSFORMS = {
    "Forward": lax.FftType.FFT,
    "Inverse": lax.FftType.IFFT,
    "ForwardReal": lax.FftType.RFFT,
    "InverseReal": lax.FftType.IRFFT,
}


def _reduce(f: Row) -> Row:
    def row(op: Reduce, x: Tensor) -> Tensor:
        return f(x, op.axes)

    return row


def _reduce_window(op: ReduceWindow, x: Tensor) -> Tensor:
    neutral, combine = _WINDOWS[op.reduction_type]
    return lax.reduce_window(
        x,
        np.asarray(neutral(x.dtype), x.dtype),
        combine,
        op.window_dimensions,
        op.strides,
        [(p.low, p.high) for p in op.paddings],
        base_dilation=op.input_dilations,
        window_dilation=op.window_dilations,
    )


def _arg_min_max(op: ArgMinMax, x: Tensor) -> Tensor:
    """GoMLX's reduction of pairs (index, value)."""
    better, best = (lax.lt, lax.min) if op.is_min else (lax.gt, lax.max)
    worst = highest(x.dtype) if op.is_min else lowest(x.dtype)

    def combine(left: Any, right: Any) -> tuple[Tensor, Tensor]:
        (i, a), (j, b) = left, right
        wins = better(a, b)
        if x.dtype.kind not in "biu":
            wins = lax.bitwise_or(wins, lax.ne(a, a))
        other = lax.select(lax.eq(a, b), lax.min(i, j), j)
        return lax.select(wins, i, other), best(a, b)

    indices = lax.broadcasted_iota(op.output_dtype.numpy, x.shape, op.axis)
    start = np.zeros((), indices.dtype), np.asarray(worst, x.dtype)
    return lax.reduce((indices, x), start, combine, (op.axis,))[0]


def _dot_general(op: DotGeneral, lhs: Tensor, rhs: Tensor) -> Tensor:
    """GoMLX converts the operands for any accumulator but float32.

    Left out: the barrier that GoMLX puts before a float32 sum of halves, a pass over the weights.
    """
    sums, output = op.config.accumulator_dtype, op.config.output_dtype
    if sums is not F32:
        lhs, rhs = (lax.convert_element_type(x, sums.numpy) for x in (lhs, rhs))
    contracting = op.lhs_contracting_axes, op.rhs_contracting_axes
    batch = op.lhs_batch_axes, op.rhs_batch_axes
    y = lax.dot_general(lhs, rhs, (contracting, batch), preferred_element_type=sums.numpy)
    return lax.convert_element_type(y, output.numpy)


def _conv_general(op: ConvGeneral, x: Tensor, kernel: Tensor) -> Tensor:
    axes = op.axes
    return lax.conv_general_dilated(
        x,
        kernel,
        op.strides,
        [(p.low, p.high) for p in op.paddings],
        op.input_dilations,
        op.kernel_dilations,
        lax.ConvDimensionNumbers(axes.input, axes.kernel, axes.output),
        feature_group_count=max(op.channel_group_count, 1),
        batch_group_count=max(op.batch_group_count, 1),
    )


def _fft(op: FFT, x: Tensor) -> Tensor:
    return lax.fft(x, _TRANSFORMS[op.fft_type], op.fft_length)


ROWS: dict[str, Row] = {
    "ReduceSum": _reduce(lax.reduce_sum),
    "ReduceProduct": _reduce(lax.reduce_prod),
    "ReduceMax": _reduce(lax.reduce_max),
    "ReduceMin": _reduce(lax.reduce_min),
    "ReduceLogicalAnd": _reduce(lax.reduce_and),
    "ReduceLogicalOr": _reduce(lax.reduce_or),
    "ReduceLogicalXor": _reduce(lax.reduce_xor),
    "ReduceBitwiseAnd": _reduce(lax.reduce_and),
    "ReduceBitwiseOr": _reduce(lax.reduce_or),
    "ReduceBitwiseXor": _reduce(lax.reduce_xor),
    "ReduceWindow": _reduce_window,
    "ArgMinMax": _arg_min_max,
    "DotGeneral": _dot_general,
    "ConvGeneral": _conv_general,
    "FFT": _fft,
}
