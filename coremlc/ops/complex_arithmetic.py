"""What ops mean on the parts of complex values: their `split`.

Judge: numpy, where XLA agrees. No intermediate overflows or vanishes unless the result is within a
few units of doing so, but for products, which are as naive as numpy's and XLA's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from coremlc.dtypes import PART
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ops import binary, compare, reduce, unary
from coremlc.ops.complex import Complex, Conj, Imag, Parts, Real
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import matmul, rest
from coremlc.ops.leaves import Constant, known, splat
from coremlc.ops.shape import BroadcastInDim, Reshape, Slice, Transpose
from coremlc.ops.terms import (
    Term,
    atan2,
    cos,
    exp,
    expm1,
    greater,
    infinite,
    lesser,
    log,
    log1p,
    negative,
    sin,
    sqrt,
    where,
)

Pair = tuple[Term, Term]
F = TypeVar("F", bound=Callable[..., Any])
MAX_POWER = 64
"""Known exponents up to it are done by multiplication."""


def splits(*kinds: type[Op]) -> Callable[[F], F]:
    """Make a function the `split` of op kinds."""

    def give(rule: F) -> F:
        for kind in kinds:
            kind.split = rule
        return rule

    return give


def formula(kind: type[Op]) -> Callable[[F], F]:
    """Make a function of pairs of Terms the `split` of an elementwise op kind."""

    def give(rule: F) -> F:
        def split(self: Op, g: Graph, *operands: Parts) -> Node | Parts:
            out = rule(*[(Term(g, x.re), Term(g, x.im)) for x in operands])
            return out.value if isinstance(out, Term) else Parts(out[0].value, out[1].value)

        kind.split = split
        return rule

    return give


@splits(Complex)
def _complex(op: Op, g: Graph, re: Node, im: Node) -> Parts:
    """A scalar spreads over the other's shape."""
    shape = np.broadcast_shapes(re.type.shape, im.type.shape)
    return Parts(_broadcast(g, re, shape), _broadcast(g, im, shape))


def _broadcast(g: Graph, x: Node, shape: tuple[int, ...]) -> Node:
    if x.type.shape == shape:
        return x
    axes = tuple(range(x.type.rank))
    return g.add(BroadcastInDim(x.type.with_shape(shape), axes), x)


@splits(Real)
def _real(op: Op, g: Graph, x: Parts) -> Node:
    return x.re


@splits(Imag)
def _imag(op: Op, g: Graph, x: Parts) -> Node:
    return x.im


@formula(Conj)
def conj(x: Pair) -> Pair:
    """Mirrored at the real axis."""
    return x[0], -x[1]


@splits(Constant)
def _constant(op: Constant, g: Graph) -> Parts:
    dtype = PART[op.value.type.dtype]
    array: Any = op.value.array
    parts = [np.asarray(part) for part in (array.real, array.imag)]
    if not op.value.is_splat:
        parts = [np.ascontiguousarray(part).reshape(array.shape) for part in parts]
    return Parts(*[g.add(Constant(TensorData(dtype, part))) for part in parts])


@splits(ConvertDType)
def _convert(op: ConvertDType, g: Graph, x: Node | Parts) -> Node | Parts:
    """From complex to complex, or of its real part alone. From real: with 0 i."""
    if not op.dtype.is_complex:
        assert isinstance(x, Parts)
        return g.add(op, x.re)
    convert = ConvertDType(PART[op.dtype])
    if isinstance(x, Parts):
        return Parts(g.add(convert, x.re), g.add(convert, x.im))
    re = g.add(convert, x)
    return Parts(re, g.add(splat(re.type.dtype, 0, re.type.shape)))


@splits(binary.Add, binary.Sub, unary.Neg, reduce.ReduceSum)
def part_by_part(op: Op, g: Graph, *operands: Parts) -> Parts:
    """Linear ops act on each part alone."""
    return Parts(
        g.add(op, *[x.re for x in operands]),
        g.add(op, *[x.im for x in operands]),
    )


@splits(binary.Mul, matmul)
def bilinear(op: Op, g: Graph, x: Parts, y: Parts) -> Parts:
    """(a + bi)(c + di) = (ac - bd) + (ad + bc)i, in which the product may be of matrices."""
    ac, bd = g.add(op, x.re, y.re), g.add(op, x.im, y.im)
    ad, bc = g.add(op, x.re, y.im), g.add(op, x.im, y.re)
    return Parts(g.add(binary.Sub(), ac, bd), g.add(binary.Add(), ad, bc))


def _halved(a: Term, b: Term) -> tuple[Term, Term, Term]:
    """Both halved where their sum might overflow, and where that is."""
    huge = greater(abs(a), abs(b)) >= 1e38
    return where(huge, a * 0.5, a), where(huge, b * 0.5, b), huge


@formula(binary.Div)
def div(x: Pair, y: Pair) -> Pair:
    """Smith's: by the ratio of the divisor's parts, so that no square overflows, nor a sum."""
    (a, b), (c, d) = x, y
    flat = abs(c) >= abs(d)
    high, low, far = _halved(where(flat, c, d), where(flat, d, c))
    p, q, tall = _halved(where(flat, a, b), where(flat, b, a))
    ratio = low / high
    scale = high + low * ratio
    re, im = (p + q * ratio) / scale, (q - p * ratio) / scale
    re, im = (where(far, part * 0.5, part) for part in (re, im))
    re, im = (where(tall, part + part, part) for part in (re, im))
    im = where(flat, im, -im)
    size = abs(c)
    by_zero = size.equals(0.0) & abs(d).equals(0.0)
    return where(by_zero, a / size, re), where(by_zero, b / size, im)


def _size(a: Term, b: Term) -> tuple[Term, Term]:
    """(greater magnitude, lesser / greater): of equal ones 1, zeros and infinities included."""
    x, y = abs(a), abs(b)
    high, low = greater(x, y), lesser(x, y)
    return high, where(low.equals(high), 1.0, low / high)


@formula(unary.Abs)
def modulus(x: Pair) -> Term:
    """C's hypot: an infinity beside a NaN wins."""
    high, ratio = _size(*x)
    size = high * sqrt(ratio * ratio + 1.0)
    return where(infinite(x[0]) | infinite(x[1]), math.inf, size)


@formula(unary.Sign)
def sign(x: Pair) -> Pair:
    """X / |x|, first by the greater part, since |x| may overflow; 0 stays as it is."""
    a, b = x
    high, ratio = _size(a, b)
    over = sqrt(ratio * ratio + 1.0)
    zero = high.equals(0.0)
    return where(zero, a, a / high / over), where(zero, b, b / high / over)


def _polar(log_size: Term, angle: Term) -> Pair:
    """Exp of (log_size, angle). The exponential is applied by halves: it alone may overflow."""
    half = exp(log_size * 0.5)
    re = cos(angle) * half * half
    return re, where(angle.equals(0.0), angle, sin(angle) * half * half)


@formula(unary.Exp)
def complex_exp(x: Pair) -> Pair:
    """The real part is the logarithm of the size, the imaginary part the angle."""
    re, im = _polar(*x)
    gone = x[0].equals(-math.inf)
    return where(gone, 0.0, re), where(gone, 0.0, im)


@formula(unary.Expm1)
def complex_expm1(x: Pair) -> Pair:
    """Nothing cancels near 0: expm1(a) cos b - 2 sin^2(b / 2)."""
    a, b = x
    s = sin(b * 0.5)
    half = exp(a * 0.5)
    return expm1(a) * cos(b) - s * s * 2.0, sin(b) * half * half


def _log_size(a: Term, b: Term) -> Term:
    """Log |x|: near 1 by log1p of |x|^2 - 1, elsewhere by that of the ratio."""
    high, ratio = _size(a, b)
    low = high * ratio
    near = log1p((high - 1.0) * (high + 1.0) + low * low)
    far = log(high) + log1p(ratio * ratio) * 0.5
    return where((high >= 0.5) & (high < 2.0), near * 0.5, far)


@formula(unary.Log)
def complex_log(x: Pair) -> Pair:
    """The angle is in [-pi, pi], and that of -1 - 0i is -pi."""
    a, b = x
    return _log_size(a, b), atan2(b, a)


@formula(unary.Log1p)
def complex_log1p(x: Pair) -> Pair:
    """Near 0 by log1p of |1 + x|^2 - 1."""
    a, b = x
    near = log1p(a * (a + 2.0) + b * b) * 0.5
    small = greater(abs(a), abs(b)) < 0.5
    return where(small, near, _log_size(a + 1.0, b)), atan2(b, a + 1.0)


@formula(unary.Sqrt)
def complex_sqrt(x: Pair) -> Pair:
    """T = sqrt((|a| + |x|) / 2) and |b| / 2t are the parts' magnitudes; re >= 0, im as b."""
    a, b = x
    high, ratio = _size(a, b)
    along = where(abs(a).equals(high), 1.0, abs(a) / high)
    t = sqrt(high) * sqrt((along + sqrt(ratio * ratio + 1.0)) * 0.5)
    other = where(t.equals(0.0), 0.0, abs(b) / t * 0.5)
    t, other = (where(infinite(b), math.inf, part) for part in (t, other))
    right = a >= 0.0
    im = where(right, other, t)
    return where(right, t, other), where(negative(b), -im, im)


@formula(unary.Rsqrt)
def complex_rsqrt(x: Pair) -> Pair:
    """1 / sqrt(x), by the division of complex numbers."""
    return div(_one(x[0]), complex_sqrt(x))


@splits(binary.Pow)
def power(op: Op, g: Graph, x: Parts, y: Parts) -> Parts:
    """exp(y log x); small whole exponents that are known, by multiplication."""
    base = Term(g, x.re), Term(g, x.im)
    exponent = Term(g, y.re), Term(g, y.im)
    out = np.broadcast_shapes(x.re.type.shape, y.re.type.shape)
    whole = _whole(y)
    if whole is not None and out == x.re.type.shape:
        raised = _raised(base, abs(whole))
        re, im = raised if whole >= 0 else div(_one(base[0]), raised)
        return Parts(re.value, im.value)
    (a, b), (c, d) = base, exponent
    size, angle = _log_size(a, b), atan2(b, a)
    vanishes = (abs(angle) + abs(b) + abs(d)).equals(0.0) & (c * size).equals(-math.inf)
    re, im = _polar(c * size - d * angle, where(vanishes, 0.0, c * angle + d * size))
    from_zero = a.equals(0.0) & b.equals(0.0)
    at_zero = where(-c < 0.0, abs(a), math.nan)
    to_zero = c.equals(0.0) & d.equals(0.0)
    re = where(to_zero, 1.0, where(from_zero, at_zero, re))
    im = where(to_zero, 0.0, where(from_zero, at_zero, im))
    return Parts(re.value, im.value)


def _whole(y: Parts) -> int | None:
    """The one small integer that an exponent is known to be."""
    re, im = known(y.re), known(y.im)
    if re is None or im is None or not re.size or np.any(im):
        return None
    first = float(re.flat[0])
    fits = abs(first) <= MAX_POWER and first.is_integer() and bool(np.all(re == first))
    return int(first) if fits else None


def _raised(x: Pair, exponent: int) -> Pair:
    result: Pair | None = None
    while exponent:
        if exponent & 1:
            result = x if result is None else _product(result, x)
        exponent >>= 1
        x = _product(x, x) if exponent else x
    return _one(x[0]) if result is None else result  # NaN to the power 0 is 1 too


def _one(like: Term) -> Pair:
    """1 + 0i of the shape of `like`."""
    g, t = like.g, like.value.type
    one, zero = (Term(g, g.add(splat(t.dtype, value, t.shape))) for value in (1, 0))
    return one, zero


def _product(x: Pair, y: Pair) -> Pair:
    (a, b), (c, d) = x, y
    return a * c - b * d, a * d + b * c


@formula(compare.Equal)
def equal(x: Pair, y: Pair) -> Term:
    """Both parts."""
    return x[0].equals(y[0]) & x[1].equals(y[1])


@formula(compare.NotEqual)
def not_equal(x: Pair, y: Pair) -> Term:
    """Either part."""
    return x[0].differs(y[0]) | x[1].differs(y[1])


@formula(unary.IsNaN)
def is_nan(x: Pair) -> Term:
    """Either part."""
    return x[0].differs(x[0]) | x[1].differs(x[1])


@formula(unary.IsFinite)
def is_finite(x: Pair) -> Term:
    """Both parts."""
    return (abs(x[0]) < math.inf) & (abs(x[1]) < math.inf)


@splits(reduce.ReduceProduct)
def product(op: reduce.Reduce, g: Graph, x: Parts) -> Parts:
    """Halves multiplied with each other until one element is left."""
    t = x.re.type
    kept = rest(t.rank, op.axes)
    dims = tuple(t.shape[a] for a in kept)
    count = math.prod(t.shape[a] for a in op.axes)
    flat, order = (math.prod(dims), count), kept + op.axes
    parts = [g.add(Reshape(flat), g.add(Transpose(order), part)) for part in x]
    result = Parts(*parts)
    tail: Parts | None = None
    while count > 1:
        if count % 2:
            last = _columns(g, result, count - 1, count)
            tail = last if tail is None else bilinear(binary.Mul(), g, tail, last)
        count //= 2
        low, high = _columns(g, result, 0, count), _columns(g, result, count, 2 * count)
        result = bilinear(binary.Mul(), g, low, high)
    if tail is not None:
        result = bilinear(binary.Mul(), g, result, tail)
    return Parts(*[g.add(Reshape(dims), part) for part in result])


def _columns(g: Graph, x: Parts, start: int, limit: int) -> Parts:
    rows = x.re.type.shape[0]
    return Parts(*[g.add(Slice((0, start), (rows, limit), (1, 1)), part) for part in x])
