"""Port: one input or output as the GoMLX user knows it, its checks, and its MIL features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.errors import InputError, Where, at
from coremlc.ir.types import MAX_RANK, low_rank
from coremlc.mil.arrays import STORAGE

Array: TypeAlias = "npt.NDArray[Any]"
Role = Literal["input", "variable", "output", "variable_update"]
Range: TypeAlias = tuple[int, int]

INT32 = dtypes.I32.limits


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output: a GoMLX tensor, carried by one feature.

    By two if it is complex, or of integers that one word can't hold; by none if it has no elements.
    """

    name: str
    """The user's, any text."""
    dtype: DType
    shape: tuple[int | None, ...]
    """None for a size that is not fixed; only bundles of other makers have them."""
    features: tuple[str, ...]
    """Valid Core ML names: one, or of the real and imaginary part, or of the high and low word.

    Without elements none; but if no output has any, the first has one, of shape [1] and no meaning.
    """
    feature_dtype: str
    """MIL's word: fp32, fp16, int32."""
    role: Role
    range: Range | None = None
    """Integer values lie in it, both ends included."""
    default_shape: tuple[int, ...] | None = None
    """Of an input whose shape is not fixed; other makers' bundles only, as is what follows."""
    fill: float | None = None
    """What an input that need not be given is filled with."""

    @property
    def feature_shape(self) -> tuple[int | None, ...]:
        """Core ML has no arrays of rank 0, none above 5, and none without elements."""
        if self.is_empty:
            return (1,)
        if self._is_reshaped:
            return low_rank(self.sizes or ()) or (1,)
        return self.shape

    @property
    def is_empty(self) -> bool:
        """Whether it has no elements: Core ML has no such arrays."""
        return 0 in self.shape

    @property
    def _is_reshaped(self) -> bool:
        return not 0 < len(self.shape) <= MAX_RANK

    @property
    def limits(self) -> Range:
        """What an integer value may be: stated, and what the dtype and the feature can hold."""
        low, high = self.dtype.limits
        if self.feature_dtype == "int32" and not self._holds_all:
            low, high = max(low, INT32[0]), min(high, INT32[1])
        if self.range is not None:
            low, high = max(low, self.range[0]), min(high, self.range[1])
        return low, high

    @property
    def _holds_all(self) -> bool:
        """Whether its features carry every value: two words, or the bits of a uint32."""
        return len(self.features) == 2 or self.dtype is dtypes.BY_NAME["Uint32"]

    def __str__(self) -> str:
        dims = ",".join("?" if dim is None else str(dim) for dim in self.shape)
        return f"{self.dtype}[{dims}]"

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The shape, or the default one; None if neither is known."""
        shape = tuple(dim for dim in self.shape if dim is not None)
        return shape if len(shape) == len(self.shape) else self.default_shape

    def filled(self) -> Array:
        """What stands for an input that was not given and need not be."""
        return np.full(self.sizes or (), self.fill, self.dtype.numpy)

    def encode(self, value: object) -> dict[str, Array]:
        """Features of a value; InputError if it does not fit."""
        with at(Where(f"input {self.name!r}")):
            x = _checked(self, value)
            if not self.features:
                return {}
            if self._is_reshaped:
                x = x.reshape(self.feature_shape)  # type: ignore[arg-type]
            numpy = STORAGE[self.feature_dtype].numpy
            parts = self._parts(x)
            narrowed = [_narrowed(part, numpy) for part in parts]
        return dict(zip(self.features, narrowed, strict=True))

    def _parts(self, x: Array) -> tuple[Array, ...]:
        if self.dtype.is_complex:
            return x.real, x.imag
        if len(self.features) == 1:
            return (x,)
        bits = x.astype(np.uint64)
        return (bits >> np.uint64(32)).astype(np.uint32), bits.astype(np.uint32)

    def decode(self, features: Mapping[str, Array]) -> Array:
        """The value that features carry."""
        if self.is_empty:
            return np.empty(self.sizes or (), self.dtype.numpy)
        parts = [features[name] for name in self.features]
        x = parts[0]
        if self.dtype.is_complex:
            out: Array = np.empty(x.shape, self.dtype.numpy)
            out.real, out.imag = parts
            x = out
        elif len(parts) == 2:
            high, low = (part.astype(np.int32).view(np.uint32) for part in parts)
            x = (high.astype(np.uint64) << np.uint64(32)) | low
        elif self.dtype.kind == "bool":
            x = x != 0
        with np.errstate(invalid="ignore"):  # NaN to bfloat16 tells
            x = x.astype(self.dtype.numpy, copy=False)
        return x.reshape(self.sizes or ()) if self._is_reshaped else x


def _checked(port: Port, value: object) -> Array:
    """The value in the port's dtype and shape."""
    if isinstance(value, np.ndarray | np.generic):
        x = np.asarray(value)
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        if x.dtype != port.dtype.numpy:
            _check_dtype(port, x.dtype)
    else:
        x = _from_python(port, value)
    _check_shape(port, x.shape)
    if port.dtype.is_integer:
        _check_range(port, x)
    return x.astype(port.dtype.numpy, copy=False)


def _from_python(port: Port, value: object) -> Array:
    """Python numbers have no dtype of their own: they take the port's."""
    try:
        x = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{type(value).__name__} is no array: {error}", fix=_make(port)) from None
    if x.size == 0:
        return x.astype(port.dtype.numpy)
    if x.dtype == object and port.dtype.is_integer and all(type(i) is int for i in x.flat):
        return x  # beyond 64 bits; the range check says so
    kinds = {"bool": "b", "int": "iu", "uint": "iu", "float": "fiu", "complex": "cfiu"}
    if x.dtype.kind not in kinds[port.dtype.kind]:
        given = f"{type(value).__name__} of {x.dtype}"
        raise InputError(f"{given} where {port} is due", fix=_make(port))
    if port.dtype.is_integer:
        return x
    out = x.astype(port.dtype.numpy)
    if x.dtype.kind in "iu" and not np.array_equal(out.astype(x.dtype), x):
        raise InputError(f"integers that {port.dtype} can't hold exactly", fix=_make(port))
    return out


def _check_dtype(port: Port, given: np.dtype[Any]) -> None:
    """Only what every value of the given dtype survives is converted."""
    source = dtypes.BY_NUMPY.get(given)
    families = ({"bool", "int", "uint"}, {"float"}, {"float", "complex"})
    kinds = {source.kind if source is not None else "", port.dtype.kind}
    alike = port.dtype.kind != "bool" and any(kinds <= family for family in families)
    if alike and np.can_cast(given, port.dtype.numpy, "safe"):
        return
    name = str(given) if source is None else f"{source} ({given})"
    raise InputError(
        f"an array of {name} where {port} is due",
        fix=f"convert it if that is what you mean: x.astype({_numpy_name(port.dtype)})",
    )


def _check_shape(port: Port, shape: tuple[int, ...]) -> None:
    fits = len(shape) == len(port.shape) and all(
        due is None or due == dim for due, dim in zip(port.shape, shape, strict=True)
    )
    if fits:
        return
    raise InputError(
        f"an array of shape {list(shape)} where {port} is due",
        fix=f"reshape it, or compile the graph for inputs of shape {list(shape)}",
    )


def _check_range(port: Port, x: Array) -> None:
    if x.size == 0:
        return
    low, high = port.limits
    least, most = int(x.min()), int(x.max())
    if low <= least and most <= high:
        return
    outlier = least if least < low else most
    why = "as stated when it was compiled" if port.range is not None else "what Core ML can carry"
    raise InputError(
        f"{outlier} is outside {low}..{high}, {why}",
        fix="give values in that range"
        + ("" if port.range is None else ", or compile with another --assume"),
    )


def _narrowed(x: Array, numpy: np.dtype[Any]) -> Array:
    """In the feature's dtype, contiguous; a finite number may not become infinite."""
    with np.errstate(over="ignore"):
        out: Array = np.ascontiguousarray(x, numpy).reshape(x.shape)
    may_overflow = numpy.kind == "f" and x.dtype.itemsize > numpy.itemsize
    if may_overflow and bool(np.any(np.isinf(out) & ~np.isinf(x))):
        raise InputError(
            f"a value that {numpy} can't hold", fix=f"scale it: the model computes in {numpy}"
        )
    return out


def _make(port: Port) -> str:
    return f"give a numpy array of {_numpy_name(port.dtype)}"


def _numpy_name(dtype: DType) -> str:
    return f"{dtype.numpy.type.__module__}.{dtype.numpy.name}"
