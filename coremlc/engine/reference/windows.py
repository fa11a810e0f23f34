"""Convolution and pooling kernels: windows as strided views, products as one matmul."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.reference.registry import Array, kernel, text
from coremlc.engine.windows import conv_pads, pool_sizes, transposed_pads


def _ints(values: Any, default: int, count: int) -> list[int]:
    return [default] * count if values is None else [int(v) for v in np.atleast_1d(values)]


def _windows(x: Array, kernel: list[int], strides: list[int], dilations: list[int]) -> Array:
    """[n, c, *out, *kernel] view of the padded x."""
    spatial = tuple(range(2, x.ndim))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(x, extents, spatial)
    step = tuple(slice(None, None, s) for s in strides)
    hole = tuple(slice(None, None, d) for d in dilations)
    return views[(slice(None), slice(None), *step, *hole)]


def _convolve(
    x: Array, weight: Array, strides: list[int], dilations: list[int], groups: int
) -> Array:
    """X is padded; [n, c_out, *out]."""
    n, count = x.shape[0], x.ndim - 2
    views = _windows(x, list(weight.shape[2:]), strides, dilations)
    out = views.shape[2 : 2 + count]
    per_group = x.shape[1] // groups
    columns = np.moveaxis(views, 1, 1 + count)  # n, *out, c, *kernel
    columns = columns.reshape(n, *out, groups, per_group, *weight.shape[2:])
    columns = np.moveaxis(columns, 1 + count, 0).reshape(
        groups, n * int(np.prod(out)), per_group * int(np.prod(weight.shape[2:]))
    )
    filters = weight.reshape(groups, weight.shape[0] // groups, -1)
    product = np.matmul(columns, filters.transpose(0, 2, 1))  # groups, n*out, c_out/groups
    product = product.reshape(groups, n, *out, filters.shape[1])
    product = np.moveaxis(product, -1, 1)  # groups, c, n, *out
    return np.moveaxis(product.reshape(weight.shape[0], n, *out), 0, 1)


def _add_bias(x: Array, bias: Array | None) -> Array:
    return x if bias is None else x + bias.reshape(-1, *(1,) * (x.ndim - 2))


@kernel("conv", wide=True)
def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    strides: Array | None = None,
    pad_type: str | None = None,
    pad: Array | None = None,
    dilations: Array | None = None,
    groups: Any = 1,
) -> Array:
    count = x.ndim - 2
    steps, holes = _ints(strides, 1, count), _ints(dilations, 1, count)
    extents = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], holes, strict=True)]
    edges = _ints(pad, 0, 2 * count)
    pads = conv_pads(text(pad_type, "valid"), edges, x.shape[2:], extents, steps)
    padded = np.pad(x, [(0, 0), (0, 0), *pads])
    return _add_bias(_convolve(padded, weight, steps, holes, int(groups)), bias)


@kernel("conv_transpose", wide=True)
def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    pad: Array | None = None,
    output_shape: Array | None = None,
    pad_type: str | None = None,
    strides: Array | None = None,
    dilations: Array | None = None,
    groups: Any = 1,
) -> Array:
    """Zeros between the inputs, then a plain conv with the filters turned round."""
    count, parts = x.ndim - 2, int(groups)
    steps, holes = _ints(strides, 1, count), _ints(dilations, 1, count)
    extents = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], holes, strict=True)]
    goal = None if output_shape is None else [int(d) for d in output_shape[-count:]]
    cuts = transposed_pads(
        text(pad_type, "valid"), _ints(pad, 0, 2 * count), x.shape[2:], extents, steps, goal
    )
    spread = [(d - 1) * s + 1 for d, s in zip(x.shape[2:], steps, strict=True)]
    holed = np.zeros((*x.shape[:2], *spread), x.dtype)
    holed[(slice(None), slice(None), *(slice(None, None, s) for s in steps))] = x
    padded = np.pad(holed, [(0, 0), (0, 0), *((e - 1, e - 1) for e in extents)])
    grouped = weight.reshape(parts, weight.shape[0] // parts, *weight.shape[1:])
    turned = np.flip(grouped, tuple(range(3, 3 + count))).swapaxes(1, 2)
    filters = turned.reshape(parts * weight.shape[1], -1, *weight.shape[2:])
    full = _convolve(padded, filters, [1] * count, holes, parts)
    grown = np.pad(full, [(0, 0), (0, 0), *((0, max(-high, 0)) for _, high in cuts)])
    place = tuple(slice(low, d - max(high, 0)) for d, (low, high) in
                  zip(grown.shape[2:], cuts, strict=True))  # fmt: skip
    return _add_bias(grown[(slice(None), slice(None), *place)], bias)


def _pool(
    x: Array, kernel_sizes: Any, strides: Any, pad_type: Any, pad: Any, ceil_mode: Any, fill: float
) -> tuple[Array, list[int]]:
    """Windows of x, padded with `fill`, and the axes of each window."""
    count = x.ndim - 2
    sizes = _ints(kernel_sizes, 1, count)
    steps = _ints(strides, 1, count)
    edges = _ints(pad, 0, 2 * count)
    pads = conv_pads(text(pad_type, "valid"), edges, x.shape[2:], sizes, steps)
    outs = pool_sizes(x.shape[2:], sizes, steps, pads, ceil_mode=bool(ceil_mode))
    need = [(o - 1) * s + k for o, s, k in zip(outs, steps, sizes, strict=True)]
    widths = [(low, max(high, n - d - low)) for (low, high), n, d in
              zip(pads, need, x.shape[2:], strict=True)]  # fmt: skip
    padded = np.pad(x, [(0, 0), (0, 0), *widths], constant_values=x.dtype.type(fill))
    views = _windows(padded, sizes, steps, [1] * count)
    views = views[(slice(None), slice(None), *(slice(o) for o in outs))]
    return views, list(range(2 + count, 2 + 2 * count))


@kernel("max_pool", wide=True)
def max_pool(
    x: Array,
    kernel_sizes: Array,
    strides: Array | None = None,
    pad_type: str | None = None,
    pad: Array | None = None,
    ceil_mode: Any = False,
) -> Array:
    views, axes = _pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode, -np.inf)
    return np.asarray(views.max(tuple(axes)))


@kernel("avg_pool", wide=True)
def avg_pool(
    x: Array,
    kernel_sizes: Array,
    strides: Array | None = None,
    pad_type: str | None = None,
    pad: Array | None = None,
    ceil_mode: Any = False,
    exclude_padding_from_average: Any = False,
) -> Array:
    """Ceil mode's extra cells never count."""
    views, axes = _pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode, 0.0)
    inside = np.ones_like(x[:1, :1])
    if not exclude_padding_from_average:
        sizes, steps = _ints(kernel_sizes, 1, len(axes)), _ints(strides, 1, len(axes))
        edges = _ints(pad, 0, 2 * len(axes))
        pads = conv_pads(text(pad_type, "valid"), edges, x.shape[2:], sizes, steps)
        inside = np.pad(inside, [(0, 0), (0, 0), *pads], constant_values=1)
        pad_type, pad = "custom", np.zeros(2 * len(axes), np.int32)
    counted, _ = _pool(inside, kernel_sizes, strides, pad_type, pad, ceil_mode, 0.0)
    outs = views.shape[2 : 2 + len(axes)]
    counted = counted[(slice(None), slice(None), *(slice(o) for o in outs))]
    return np.asarray(views.sum(tuple(axes)) / counted.sum(tuple(axes)))


@kernel("l2_pool", wide=True)
def l2_pool(
    x: Array,
    kernel_sizes: Array,
    strides: Array | None = None,
    pad_type: str | None = None,
    pad: Array | None = None,
    ceil_mode: Any = False,
) -> Array:
    views, axes = _pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode, 0.0)
    return np.asarray(np.sqrt(np.square(views).sum(tuple(axes))))
