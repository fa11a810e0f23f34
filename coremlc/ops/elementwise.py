"""What every elementwise op shares: broadcasting, and how a row of a family becomes an op kind.

GoMLX broadcasts a scalar with anything, and equal ranks where each dim is equal or 1; MIL's numpy
rule contains this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from coremlc.dtypes import DType
from coremlc.errors import ShapeError
from coremlc.ir.op import Array, Exactness, Op, Range, register
from coremlc.ir.types import TensorType
from coremlc.mil.arrays import STORAGE
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value

Dtypes = frozenset[DType]
Evaluate = Callable[..., Any]
Lower = Callable[..., Value]
"""(m, *values) -> value: MIL for operands of one of the dtypes that survive legalization."""


def broadcast(kind: str, *types: TensorType) -> tuple[int, ...]:
    """Dims that the operands of an elementwise op have together."""
    shape: tuple[int, ...] = ()
    for t in types:
        if t.shape == shape or not t.shape:
            continue
        if not shape:
            shape = t.shape
            continue
        if len(shape) != t.rank or any(
            a != b and a != 1 and b != 1 for a, b in zip(shape, t.shape, strict=True)
        ):
            raise ShapeError(
                f"{kind} of {' and '.join(map(str, types))}",
                fix="make the ranks equal and each dim equal or 1 (or use a scalar)",
            )
        shape = tuple(b if a == 1 else a for a, b in zip(shape, t.shape, strict=True))
    return shape


def check_dtype(kind: str, t: TensorType, dtypes: Dtypes) -> None:
    """Contract: the operand's dtype is one that the op knows."""
    if t.dtype not in dtypes:
        names = ", ".join(sorted(d.name for d in dtypes))
        raise ShapeError(f"{kind} of {t}", fix=f"convert it to one of {names}")


def check_equal_dtypes(kind: str, *types: TensorType) -> None:
    """Contract: all operands have one dtype."""
    if any(t.dtype is not types[0].dtype for t in types):
        raise ShapeError(
            f"{kind} of {' and '.join(map(str, types))}",
            fix="convert the operands to one dtype with ConvertDType",
        )


@dataclass(frozen=True)
class Elementwise(Op):
    """An op on each element, or on each group of elements, of its operands.

    C1 dtype. C2 equal dtypes. C3 scalar, or equal rank with each dim equal or 1.
    """

    arity: ClassVar[int]
    accepts: ClassVar[Dtypes]
    result: ClassVar[DType | Mapping[DType, DType] | None] = None
    """Dtype of the result, or by the operands' dtype; by default that itself."""

    def infer(self, *operands: TensorType) -> TensorType:
        if len(operands) != self.arity:
            raise ShapeError(f"{self.kind} of {len(operands)} operands", fix=f"give {self.arity}")
        check_dtype(self.kind, operands[0], self.accepts)  # C1
        check_equal_dtypes(self.kind, *operands)  # C2
        shape = broadcast(self.kind, *operands)  # C3
        dtype = operands[0].dtype
        if self.result is None:
            return TensorType(dtype, shape)
        found = self.result if isinstance(self.result, DType) else self.result.get(dtype, dtype)
        return TensorType(found, shape)


def row(
    name: str,
    doc: str,
    arity: int,
    accepts: Dtypes,
    evaluate: Evaluate,
    lower: Lower | None,
    *,
    result: DType | Mapping[DType, DType] | None = None,
    interval: Callable[..., Range] | None = None,
    range_of: Callable[..., Range] = Op.range_of,
    exactness: Exactness = Exactness.CLOSE,
    gomlx: bool = True,
) -> type[Elementwise]:
    """One op kind of an elementwise family, registered.

    lower: None if it acts on complex alone. interval: `range`, without the op.
    """
    body = {
        "exactness": exactness,
        "gomlx": gomlx,
        "__doc__": doc,
        "__module__": __name__,
        "arity": arity,
        "accepts": accepts,
        "result": result,
        "evaluate": lambda self, *xs: evaluate(*xs),
        "lower": None if lower is None else (lambda self, m, *xs: lower(m, *xs)),
        "range_of": range_of,
        "range": None if interval is None else (lambda self, *ranges: interval(*ranges)),
    }
    cls: type[Elementwise] = dataclass(frozen=True)(type(name, (Elementwise,), body))
    return register(cls)


def direct(kind: str, *names: str) -> Lower:
    """A lowering to one MIL op whose parameters are `names`, in operand order."""

    def lower(m: Builder, *xs: Value) -> Value:
        result: Value = getattr(m, kind)(**dict(zip(names, xs, strict=True)))
        return result

    return lower


def constant(x: Value) -> Array | None:
    """The elements of a MIL value that is known when compiling, else None."""
    if x.literal is None or not isinstance(x.literal.data, np.ndarray):
        return None
    return x.literal.data


def number(x: Value) -> float | None:
    """The number that a MIL value of rank 0 is known to be when compiling, else None."""
    array = constant(x)
    return None if array is None or array.ndim else float(array)


def select(m: Builder, cond: Value, a: Value | float, b: Value | float) -> Value:
    """MIL `select`; a or b is a value. MIL wants them to span cond: `a` is repeated if need be."""
    branches = [x.tensor.shape for x in (a, b) if isinstance(x, Value)]
    spanned = np.broadcast_shapes(*branches)  # type: ignore[arg-type]
    wanted: Any = cond.tensor.shape
    if np.broadcast_shapes(spanned, wanted) != spanned:
        a = _repeated(m, a, b, np.broadcast_shapes(spanned, wanted))
    return m.select(cond=cond, a=a, b=b)


def _repeated(m: Builder, a: Value | float, b: Value | float, shape: tuple[int, ...]) -> Value:
    if not isinstance(a, Value):
        assert isinstance(b, Value), "a select of two numbers has no dtype"
        a = m.const(np.asarray(a, STORAGE[b.tensor.dtype].numpy))
    dims: Any = a.tensor.shape or (1,) * len(shape)
    if not a.tensor.shape:
        a = m.expand_dims(x=a, axes=list(range(len(shape))))
    return m.tile(x=a, reps=np.array([n // d for n, d in zip(shape, dims, strict=True)], np.int32))


def is_float(x: Value) -> bool:
    """Whether a MIL value is of a floating dtype."""
    return x.tensor.dtype in ("fp16", "fp32")


def is_bool(x: Value) -> bool:
    """Whether a MIL value is of dtype bool."""
    return x.tensor.dtype == "bool"
