"""Typed constants from Python and numpy data: never another number than the one given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc.errors import ShapeError
from coremlc.mil.arrays import STORAGE
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import Param
from coremlc.mil.program import Array, Literal, Value
from coremlc.mil.types import TensorType

Plain: TypeAlias = "bool | int | float | str | Sequence[Plain]"
"""Data without a dtype of its own."""

_AMBIGUOUS = ("uint1", "uint3", "uint6")  # held in uint8
DTYPE_OF: Mapping[np.dtype[np.generic], str] = {
    row.numpy: name for name, row in STORAGE.items() if name not in _AMBIGUOUS
}
"""The MIL dtype of a numpy dtype."""

NUMPY = (np.ndarray, np.generic)
_TYPED = (Value, Literal)
_SMALL_BYTES = 1024

STRING = TensorType("string")
_BY_CLASS: Mapping[type, str] = {bool: "bool", int: "int32", float: "fp32", str: "string"}
_BY_KIND = {"b": "bool", "i": "int32", "u": "int32", "f": "fp32", "U": "string"}


def text(value: str) -> Literal:
    """A string."""
    return Literal(STRING, value)


def of_array(array: Array, dtype: str = "") -> Literal:
    """A numpy array as it is; `dtype` tells which sub-byte int a uint8 array holds."""
    found = dtype if dtype else DTYPE_OF.get(array.dtype)
    if found is None or STORAGE[found].numpy != array.dtype:
        raise ShapeError(
            f"an array of numpy {array.dtype} for {found or 'MIL'}",
            fix=f"use one of {', '.join(sorted(DTYPE_OF.values()))}",
        )
    return Literal(TensorType(found, array.shape), array)


def dtype_for(param: Param, given: object, bound: Mapping[str, str]) -> str:
    """The dtype that plain data takes: the parameter's, its variable's, else x's or its own kind's.

    `bound` holds the dtypes of the type variables that typed operands have fixed.
    """
    fixed = bound.get(param.variable)
    if fixed is not None:
        return fixed
    if len(param.dtypes) == 1:
        return next(iter(param.dtypes))
    own = _own_dtype(given)
    main = bound.get("T")
    if main in param.dtypes and main in FLOAT:
        return str(main)
    if own in param.dtypes:
        return own
    if own == "int32" and "fp32" in param.dtypes:
        return "fp32"
    raise ShapeError(
        f"{given!r} could be {' or '.join(sorted(param.dtypes))}",
        fix="give a numpy array of the dtype you mean",
    )


def bound_dtypes(params: Mapping[str, Param], inputs: Mapping[str, object]) -> dict[str, str]:
    """The dtypes that typed operands fix for the type variables."""
    bound: dict[str, str] = {}
    for name, given in inputs.items():
        param = params.get(name)
        if param is None or not param.variable or given is None:
            continue
        items = given if param.is_variadic and isinstance(given, Sequence) else (given,)
        for item in items:
            if isinstance(item, _TYPED):
                if isinstance(item.type, TensorType):
                    bound.setdefault(param.variable, item.type.dtype)
            elif isinstance(item, NUMPY) and item.dtype in DTYPE_OF:
                bound.setdefault(param.variable, DTYPE_OF[item.dtype])
    return bound


def _own_dtype(given: object) -> str:
    """The dtype of plain data's own kind; empty when it has none."""
    if isinstance(given, list | tuple) and len(classes := {*map(type, given)}) == 1:
        found = _BY_CLASS.get(classes.pop())
    else:
        found = _BY_CLASS.get(given.__class__)
    return found or _BY_KIND.get(_as_array(given).dtype.kind, "")


def of_plain(given: Plain, dtype: str) -> Literal:
    """Plain data as a constant of a dtype, which must be able to hold it."""
    if dtype == "string":
        if isinstance(given, str):
            return text(given)
        raise ShapeError(f"{given!r} is not a string", fix="give a string")
    array = _exact(given, dtype)
    return Literal(TensorType(dtype, array.shape), array)


def _as_array(given: object) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(given)
    except ValueError:
        raise ShapeError(f"{given!r} is ragged", fix="give rows of equal length") from None


def _exact(given: Plain, dtype: str) -> Array:
    row = STORAGE.get(dtype)
    raw = _as_array(given)
    if row is not None and raw.size == 0:
        return raw.astype(row.numpy)  # an empty list has no kind
    if row is None or not _may_become(raw, dtype):
        raise ShapeError(
            f"{given!r} for a parameter of {dtype}", fix=f"give values that are {dtype}"
        )
    if row.maximum and not (row.minimum <= raw.min() and raw.max() <= row.maximum):
        raise ShapeError(
            f"{given!r} does not fit {dtype}", fix=f"stay in {row.minimum}..{row.maximum}"
        )
    with np.errstate(over="ignore"):
        array: Array = raw.astype(row.numpy)
    _check_floats(given, raw, array, dtype)
    return array


def _may_become(raw: npt.NDArray[np.generic], dtype: str) -> bool:
    kind = raw.dtype.kind
    if dtype == "bool":
        return kind == "b"
    if STORAGE[dtype].maximum:
        return kind in "iu"
    return kind in "iuf"


def _check_floats(given: Plain, raw: npt.NDArray[np.generic], array: Array, dtype: str) -> None:
    """Floats may round, not overflow or vanish; ints must stay exact."""
    if array.dtype.kind == "b" or STORAGE[dtype].maximum:
        return
    as_double = array.astype(np.float64)
    if raw.dtype.kind == "f":
        is_lost = np.isinf(as_double) & np.isfinite(raw) | (as_double == 0) & (raw != 0)
    else:
        is_lost = as_double != raw
    if is_lost.any():
        raise ShapeError(f"{given!r} does not fit {dtype}", fix="give values that the dtype holds")


def identity_of(literal: Literal) -> tuple[object, ...]:
    """What equal constants share: small ones their bytes, large ones the array itself."""
    data = literal.data
    if not isinstance(data, np.ndarray):
        return literal.type, data
    if data.nbytes > _SMALL_BYTES:
        return literal.type, id(data)
    return literal.type, data.tobytes()
