"""Elementwise ops of one operand.

Source of the meanings: GoMLX `compute.StandardOps` and XLA; docs/semantics.md where they differ.
MIL's epsilons (log, rsqrt, inverse) change numbers: they are given as 0, or the op is not used.
"""

from __future__ import annotations

import math

import numpy as np

from coremlc.dtypes import BOOL, COMPLEX, FLOAT, NUMBER, PART, SIGNED
from coremlc.ir.op import Array, Exactness, Range
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value
from coremlc.ops.elementwise import direct, is_float, row, select

SMOOTH = FLOAT | COMPLEX
_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """Error function of float64."""
    result: Array = np.asarray(_erf(x), dtype=np.float64)
    return result


def _neg(m: Builder, x: Value) -> Value:
    return m.mul(x=x, y=-1) if not is_float(x) else m.mul(x=x, y=-1.0)


def _sign_float(x: Array) -> Array:
    result: Array = np.where(np.abs(x) > 0, np.sign(x), x)
    return result


def _sign_numpy(x: Array) -> Array:
    if x.dtype.kind != "c":
        return _sign_float(x) if x.dtype.kind == "f" else np.sign(x)
    size = np.abs(x)
    out: Array = x.copy()
    out.real, out.imag = (np.where(size == 0, part, part / size) for part in (x.real, x.imag))
    return out


def _sign(m: Builder, x: Value) -> Value:
    """MIL's sign of NaN is not documented: only numbers other than 0 reach it."""
    if not is_float(x):
        return m.sign(x=x)
    return select(m, cond=m.greater(x=m.abs(x=x), y=0.0), a=m.sign(x=x), b=x)


def _rsqrt(m: Builder, x: Value) -> Value:
    return m.real_div(x=1.0, y=m.sqrt(x=x))


def _log(m: Builder, x: Value) -> Value:
    return m.log(x=x, epsilon=0.0)


def _log1p(m: Builder, x: Value) -> Value:
    """Near 0: log(u) * x / (u - 1) with u = 1 + x, in which the rounding of u cancels (Kahan)."""
    u = m.add(x=x, y=1.0)
    d = m.sub(x=u, y=1.0)
    log_u = _log(m, u)
    near = select(m, cond=m.equal(x=d, y=0.0), a=x, b=m.mul(x=log_u, y=m.real_div(x=x, y=d)))
    return select(m, cond=m.less(x=m.abs(x=x), y=0.5), a=near, b=log_u)


def _log1p_numpy(x: Array) -> Array:
    """The one of numpy adds 1 to a complex number, which loses it if it is small."""
    out: Array = np.array(np.log1p(x))
    if x.dtype.kind == "c":
        near = np.log1p(x.real * (x.real + 2) + x.imag * x.imag) / 2
        out.real = np.where(np.abs(x) < 0.5, near, out.real)
    return out


def _expm1(m: Builder, x: Value) -> Value:
    """Near 0: 2t / (1 - t) with t = tanh(x / 2), where nothing cancels."""
    t = m.tanh(x=m.mul(x=x, y=0.5))
    near = m.real_div(x=m.mul(x=t, y=2.0), y=m.sub(x=1.0, y=t))
    far = m.sub(x=m.exp(x=x), y=1.0)
    return select(m, cond=m.less(x=m.abs(x=x), y=1.0), a=near, b=far)


def _is_finite(m: Builder, x: Value) -> Value:
    return m.less(x=m.abs(x=x), y=math.inf)


def _is_nan(m: Builder, x: Value) -> Value:
    return m.not_equal(x=x, y=x)


def _abs_range(x: Range) -> Range:
    return (0 if x[0] <= 0 <= x[1] else min(abs(x[0]), abs(x[1])), max(abs(x[0]), abs(x[1])))


Abs = row(
    "Abs",
    "`(x: N[..]) -> N[..]`; of complex real, the modulus. The least integer of a dtype wraps to "
    "itself. MIL `abs`.",
    1,
    NUMBER,
    np.abs,
    direct("abs", "x"),
    result=PART,
    interval=_abs_range,
    exactness=Exactness.ROUNDED,
)
Neg = row(
    "Neg",
    "`(x: N[..]) -> N[..]`, N signed; 0 becomes -0, integers wrap. MIL `mul` by -1.",
    1,
    SIGNED | SMOOTH,
    np.negative,
    _neg,
    interval=lambda x: (-x[1], -x[0]),
    exactness=Exactness.EXACT,
)
Sign = row(
    "Sign",
    "`(x: N[..]) -> N[..]`: -1, 0, 1; NaN and -0 stay as they are (XLA); of complex x / |x|. "
    "MIL `sign`, guarded.",
    1,
    NUMBER,
    _sign_numpy,
    _sign,
    interval=lambda x: (-1 if x[0] < 0 else int(x[0] > 0), 1 if x[1] > 0 else -int(x[1] < 0)),
    exactness=Exactness.ROUNDED,
)
Ceil = row(
    "Ceil",
    "`(x: F[..]) -> F[..]`. MIL `ceil`.",
    1,
    FLOAT,
    np.ceil,
    direct("ceil", "x"),
    exactness=Exactness.EXACT,
)
Floor = row(
    "Floor",
    "`(x: F[..]) -> F[..]`. MIL `floor`.",
    1,
    FLOAT,
    np.floor,
    direct("floor", "x"),
    exactness=Exactness.EXACT,
)
Round = row(
    "Round",
    "`(x: F[..]) -> F[..]`, halves to even. MIL `round` (half to even unproven on a GPU or NE).",
    1,
    FLOAT,
    np.rint,
    direct("round", "x"),
    exactness=Exactness.EXACT,
)
Exp = row(
    "Exp", "`(x: N[..]) -> N[..]`, not integer. MIL `exp`.", 1, SMOOTH, np.exp, direct("exp", "x")
)
Expm1 = row(
    "Expm1",
    "`(x: N[..]) -> N[..]`, not integer: exp(x) - 1, accurate near 0. MIL `tanh` form near 0, else "
    "`exp`.",
    1,
    SMOOTH,
    np.expm1,
    _expm1,
)
Log = row(
    "Log",
    "`(x: N[..]) -> N[..]`, not integer; log 0 is -inf; of complex cut along the negative axis. "
    "MIL `log`, epsilon 0.",
    1,
    SMOOTH,
    np.log,
    _log,
)
Log1p = row(
    "Log1p",
    "`(x: N[..]) -> N[..]`, not integer: log(1 + x), accurate near 0. MIL `log` of 1 + x, "
    "corrected.",
    1,
    SMOOTH,
    _log1p_numpy,
    _log1p,
)
Sqrt = row(
    "Sqrt",
    "`(x: N[..]) -> N[..]`, not integer; below 0 it is NaN; of complex cut along the negative "
    "axis. MIL `sqrt`.",
    1,
    SMOOTH,
    np.sqrt,
    direct("sqrt", "x"),
    exactness=Exactness.ROUNDED,
)
Rsqrt = row(
    "Rsqrt",
    "`(x: N[..]) -> N[..]`, not integer: 1 / sqrt(x); of 0 it is inf. MIL `real_div` of 1 by "
    "`sqrt`.",
    1,
    SMOOTH,
    lambda x: 1 / np.sqrt(x),
    _rsqrt,
)
Cos = row("Cos", "`(x: F[..]) -> F[..]`. MIL `cos`.", 1, FLOAT, np.cos, direct("cos", "x"))
Sin = row("Sin", "`(x: F[..]) -> F[..]`. MIL `sin`.", 1, FLOAT, np.sin, direct("sin", "x"))
Tanh = row("Tanh", "`(x: F[..]) -> F[..]`. MIL `tanh`.", 1, FLOAT, np.tanh, direct("tanh", "x"))
Erf = row("Erf", "`(x: F[..]) -> F[..]`. MIL `erf`.", 1, FLOAT, erf, direct("erf", "x"))
Logistic = row(
    "Logistic",
    "`(x: F[..]) -> F[..]`: 1 / (1 + exp(-x)). MIL `sigmoid`.",
    1,
    FLOAT,
    lambda x: 1 / (1 + np.exp(-x)),
    direct("sigmoid", "x"),
)
silu = row(
    "silu",
    "`(x: F[..]) -> F[..]`: x / (1 + exp(-x)). MIL `silu`.",
    1,
    FLOAT,
    lambda x: x / (1 + np.exp(-x)),
    direct("silu", "x"),
    gomlx=False,
)
IsNaN = row(
    "IsNaN",
    "`(x: N[..]) -> bool[..]`, not integer; of complex whether a part is. MIL `not_equal` of x "
    "with itself.",
    1,
    SMOOTH,
    np.isnan,
    _is_nan,
    result=BOOL,
)
IsFinite = row(
    "IsFinite",
    "`(x: N[..]) -> bool[..]`, not integer; false for NaN and infinities; of complex whether both "
    "parts are. MIL `less` of `abs` and inf.",
    1,
    SMOOTH,
    np.isfinite,
    _is_finite,
    result=BOOL,
)
LogicalNot = row(
    "LogicalNot",
    "`(x: bool[..]) -> bool[..]`. MIL `logical_not`.",
    1,
    frozenset({BOOL}),
    np.logical_not,
    direct("logical_not", "x"),
)
