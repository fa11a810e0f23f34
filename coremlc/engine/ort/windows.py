"""Convolution and pooling recipes."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coremlc.engine.ort.convolutions import convolution
from coremlc.engine.ort.emitter import LARGE, Emitter, Name
from coremlc.engine.ort.geometry import Geometry
from coremlc.engine.ort.reductions import all_finite
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, bool_of, int_of, ints_of
from coremlc.engine.windows import conv_pads, pool_sizes, transposed_pads
from coremlc.mil.types import TensorType

Pairs = list[tuple[int, int]]


def _word(word: str | None) -> str:
    return "valid" if word is None else word.lower()


def _onnx_pads(pads: Pairs) -> list[int]:
    return [low for low, _ in pads] + [high for _, high in pads]


def _pad(g: Emitter, x: Name, pads: Pairs, value: float = 0.0) -> Name:
    if not any(low or high for low, high in pads):
        return x
    widths = g.i64(0, 0, *(low for low, _ in pads), 0, 0, *(high for _, high in pads))
    return g.node("Pad", x, widths, g.const(np.float32(value)))


def _extents(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    return [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]


@recipe("conv", wide=True)
def conv(
    g: Emitter,
    x: T,
    weight: T,
    bias: T | None = None,
    strides: T | None = None,
    pad_type: str | None = None,
    pad: T | None = None,
    dilations: T | None = None,
    groups: T | None = None,
) -> str:
    count = x.rank - 2
    steps, holes = ints_of(strides, [1] * count), ints_of(dilations, [1] * count)
    kernel = weight.dims[2:]
    kind, edges = _word(pad_type), ints_of(pad, [0] * 2 * count, "pad")
    sizes = x.dims[2:] if kind.startswith("same") else [0] * count
    pads = conv_pads(kind, edges, sizes, _extents(kernel, holes), steps)
    source = x
    if any(low < 0 or high < 0 for low, high in pads):
        grown = [n + sum(p) for n, p in zip(x.dims[2:], pads, strict=True)]
        source = T(x.dtype, (*x.dims[:2], *grown), name=g.use(_pad(g, x, pads)))
        pads = [(0, 0)] * count
    geometry = Geometry(
        source.dims if source.is_static else (),
        weight.dims,
        tuple(steps),
        tuple(pads),
        tuple(holes),
        int_of(groups, 1, "groups"),
    )
    return convolution(g, source, weight, bias, geometry)


@recipe("conv_transpose", wide=True)
def conv_transpose(
    g: Emitter,
    x: T,
    weight: T,
    bias: T | None = None,
    pad: T | None = None,
    output_shape: T | None = None,
    pad_type: str | None = None,
    strides: T | None = None,
    dilations: T | None = None,
    groups: T | None = None,
) -> str:
    """Front and end are cut by ONNX's pads; what the end lacks is added, with the bias."""
    count = x.rank - 2
    steps, holes = ints_of(strides, [1] * count), ints_of(dilations, [1] * count)
    kernel = list(weight.dims[2:])
    goal = None if output_shape is None else ints_of(output_shape, [])[-count:]
    edges = ints_of(pad, [0] * 2 * count, "pad")
    cuts = transposed_pads(_word(pad_type), edges, x.dims[2:], _extents(kernel, holes), steps, goal)
    grown = [(max(-low, 0), max(-high, 0)) for low, high in cuts]
    result = g.node(
        "ConvTranspose",
        x,
        weight,
        strides=steps,
        dilations=holes,
        pads=_onnx_pads([(max(low, 0), max(high, 0)) for low, high in cuts]),
        group=int_of(groups, 1, "groups"),
        kernel_shape=kernel,
    )
    whole = _pad(g, result, grown)
    if bias is None:
        return g.use(whole)
    shaped = g.reshape(bias, [-1, *[1] * count])
    return g.node("Add", whole, shaped)


class _Pool:
    """A pool's geometry; windows of ceil mode reach into extra end padding."""

    def __init__(
        self,
        x: T,
        kernel_sizes: T,
        strides: T | None,
        pad_type: str | None,
        pad: T | None,
        ceil_mode: T | None,
    ) -> None:
        count = x.rank - 2
        self.kernel = ints_of(kernel_sizes, [], "kernel_sizes")
        self.strides = ints_of(strides, [1] * count, "strides")
        edges = ints_of(pad, [0] * 2 * count, "pad")
        sizes = x.dims[2:]
        self.pads = conv_pads(_word(pad_type), edges, sizes, self.kernel, self.strides)
        self.outs = outs = pool_sizes(
            sizes, self.kernel, self.strides, self.pads, ceil_mode=bool_of(ceil_mode, default=False)
        )
        reach = [
            (o - 1) * s + k - n - low
            for o, s, k, n, (low, _) in zip(
                outs, self.strides, self.kernel, sizes, self.pads, strict=True
            )
        ]
        # What a window never reaches need not be padded (nor cut: the end is simply not read).
        self.reach = [(low, max(r, 0)) for (low, _), r in zip(self.pads, reach, strict=True)]
        self.extra = [max(r - high, 0) for r, (_, high) in zip(reach, self.pads, strict=True)]

    def node(self, g: Emitter, kind: str, x: Name, pads: Pairs) -> str:
        return g.node(
            kind, x, kernel_shape=self.kernel, strides=self.strides, pads=_onnx_pads(pads)
        )

    @property
    def fits(self) -> bool:
        """Whether ORT takes the padding: less than the kernel on every side."""
        pairs = zip(self.reach, self.kernel, strict=True)
        return all(low < k and high < k for (low, high), k in pairs)

    @property
    def zeros(self) -> Pairs:
        return [(0, 0)] * len(self.kernel)


@recipe("max_pool", wide=True)
def max_pool(
    g: Emitter,
    x: T,
    kernel_sizes: T,
    strides: T | None = None,
    pad_type: str | None = None,
    pad: T | None = None,
    ceil_mode: T | None = None,
) -> str:
    """MaxPool loses NaN and makes -inf finite: then a second pool tells what each window held."""
    pool = _Pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    if x.size < LARGE or not pool.fits:
        return _exact_max(g, pool, x)
    found = pool.node(g, "MaxPool", x, pool.reach)
    return g.branch(
        all_finite(g, x),
        lambda: found,
        lambda: _exact_max(g, pool, x),
        TensorType("fp32", (*x.shape[:2], *pool.outs)),
    )


def _exact_max(g: Emitter, pool: _Pool, x: T) -> str:
    one = g.const(np.float32(1))
    number = g.cast(g.node("Greater", x, g.const(np.float32(-np.inf))), "fp32")
    missing = g.cast(g.node("IsNaN", x), "fp32")
    marks = g.node("Add", number, g.node("Add", missing, missing))
    finite = g.choose(g.node("IsNaN", x), np.float32(0), x)
    held = pool.node(g, "MaxPool", *_outside(g, pool, marks, 0.0))
    found = pool.node(g, "MaxPool", *_outside(g, pool, finite, -np.inf))
    some = g.choose(g.node("Less", held, one), np.float32(-np.inf), found)
    return g.choose(g.node("Greater", held, one), np.float32(np.nan), some)


def _outside(g: Emitter, pool: _Pool, x: Name, value: float) -> tuple[Name, Pairs]:
    """Padding by the pool itself, or by Pad where it is as wide as the kernel (ORT refuses)."""
    return (x, pool.reach) if pool.fits else (_pad(g, x, pool.reach, value), pool.zeros)


@recipe("avg_pool", wide=True)
def avg_pool(
    g: Emitter,
    x: T,
    kernel_sizes: T,
    strides: T | None = None,
    pad_type: str | None = None,
    pad: T | None = None,
    ceil_mode: T | None = None,
    exclude_padding_from_average: T | None = None,
) -> str:
    pool = _Pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    if not bool_of(exclude_padding_from_average, default=False):
        padded = _pad(g, x, pool.pads)
        return pool.node(g, "AveragePool", padded, [(0, extra) for extra in pool.extra])
    if pool.fits:
        return pool.node(g, "AveragePool", x, pool.reach)
    padded = _pad(g, x, pool.reach)
    inside = _pad(g, g.const(np.ones((1, 1, *x.dims[2:]), np.float32)), pool.reach)
    share = pool.node(g, "AveragePool", inside, pool.zeros)
    return g.node("Div", pool.node(g, "AveragePool", padded, pool.zeros), share)


@recipe("l2_pool", wide=True)
def l2_pool(
    g: Emitter,
    x: T,
    kernel_sizes: T,
    strides: T | None = None,
    pad_type: str | None = None,
    pad: T | None = None,
    ceil_mode: T | None = None,
) -> str:
    pool = _Pool(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    padded = _pad(g, g.node("Mul", x, x), pool.reach)
    mean = pool.node(g, "AveragePool", padded, pool.zeros)
    area = g.const(np.float32(np.prod(pool.kernel)))
    return g.node("Sqrt", g.node("Mul", mean, area))
