"""Complex, Real, Imag, Conj: complex numbers made and taken apart.

A complex value is two real ones, its parts, once passes.split_complex has run: Core ML has no
complex dtype. An op that acts on complex numbers says by `split` what it means on the parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from coremlc.dtypes import COMPLEX, PART, WHOLE
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness
from coremlc.ops.elementwise import row


class Parts(NamedTuple):
    """Real and imaginary part of a complex value: real values of its shape."""

    re: Node
    im: Node


def _complex(real: Array, imaginary: Array) -> Array:
    """Not `real + 1j * imaginary`, in which an infinity makes a NaN."""
    out: Array = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), np.complex128)
    out.real, out.imag = real, imaginary
    return out


Complex = row(
    "Complex",
    "`(lhs: F[..], rhs: F[..]) -> C[..]`: lhs + i rhs; F float32 or float64. "
    "Its operands are the parts.",
    2,
    frozenset(WHOLE),
    _complex,
    None,
    result=WHOLE,
    exactness=Exactness.EXACT,
)
Real = row(
    "Real",
    "`(x: C[..]) -> F[..]`: the real part (GoMLX's documentation has floats too, its inference "
    "not). One of the parts.",
    1,
    COMPLEX,
    np.real,
    None,
    result=PART,
    exactness=Exactness.EXACT,
)
Imag = row(
    "Imag",
    "`(x: C[..]) -> F[..]`: the imaginary part. One of the parts.",
    1,
    COMPLEX,
    np.imag,
    None,
    result=PART,
    exactness=Exactness.EXACT,
)
Conj = row(
    "Conj",
    "`(x: C[..]) -> C[..]`: the conjugate, the imaginary part negated.",
    1,
    COMPLEX,
    np.conj,
    None,
    exactness=Exactness.EXACT,
)
