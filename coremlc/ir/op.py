"""Op, the base of every op kind, and the registry that holds them."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy.typing as npt

from coremlc.dtypes import DType

if TYPE_CHECKING:
    from coremlc.ir.graph import Function
    from coremlc.ir.types import TensorType

Array = npt.NDArray[Any]
"""A numpy array of a dtype that the op's contract names."""
Range = tuple[int, int]
"""Smallest and largest value an integer result may have."""


class Exactness(Enum):
    """How far an engine's result may be from `evaluate`'s, NaNs and infinities included.

    Integers and bools are equal whatever an op says, and copies keep the sign of a zero.
    """

    EXACT = "exact"
    """Moved or chosen: the very elements, in every dtype."""
    ROUNDED = "rounded"
    """The exact result rounded once, in real dtypes; complex arithmetic is CLOSE."""
    CLOSE = "close"
    """Within the tolerance of the dtype, at each op that a composite becomes."""
    SUMMED = "summed"
    """CLOSE, or within 16 units of the sum of the terms' magnitudes, 1 more for 32 terms."""
    BODIES = "as its bodies"
    """As the ops of its bodies are."""


class Op:
    """An op kind: its fields are its attributes, its methods are its meaning.

    infer(*types) -> TensorType, or a tuple of them: contract and result types.
    evaluate(*arrays) -> array(s): numpy meaning. Floats come as float64 and complex as complex128
        (unless `native`), integers in their own dtype; the walker rounds results to their dtype.
        Ops with bodies take a function `run(body, *arrays) -> list of arrays` first.
    lower(m, *values): MIL, through mil.Builder. Primitives. Ops with bodies take a function
        `run(body, *values) -> list of values` after m, which emits a body where m stands.
    decompose(g, *values): smaller ops, same meaning. Composites.
    split(g, *operands): meaning on the parts of complex values, each operand a Value or its Parts;
        not for data movement (`native`), which goes part by part.
    range(*ranges) -> Range: interval of an integer result, given those of the operands.
    """

    kind: ClassVar[str]
    gomlx: ClassVar[bool] = True
    """False for a primitive of ours, named after the MIL op that it becomes."""
    native: ClassVar[bool] = False
    """evaluate takes and gives elements in their own dtype: data movement, bit views."""
    refused: ClassVar[str] = ""
    """Why it can be neither lowered nor decomposed, for the user."""
    rounds_once: ClassVar[frozenset[DType]] = frozenset()
    """Half dtypes in which a composite is computed in float32 and rounded at its end."""
    exactness: ClassVar[Exactness] = Exactness.CLOSE
    optional: ClassVar[tuple[str, ...]] = ()
    """Bool fields that say which of the last operands are there."""

    folds: ClassVar[bool] = True
    """Whether evaluate may run while compiling: it ends soon."""

    infer: Any
    evaluate: Any = None
    lower: Any = None
    decompose: Any = None
    split: Any = None
    range: Any = None

    def range_of(self, types: tuple[TensorType, ...], *ranges: Range) -> Range:
        """`range`, for ops whose interval depends on the operands' dims too."""
        result: Range = self.range(*ranges)
        return result

    @property
    def bodies(self) -> tuple[Function, ...]:
        """Functions that are attributes (While, If, Sort, Call)."""
        return ()


REGISTRY: dict[str, type[Op]] = {}
"""Every op kind by name; filled at import, read-only after."""

C = TypeVar("C", bound=type[Op])


def register(cls: C) -> C:
    """Add an op kind to the registry, under its class name."""
    name = cls.__name__
    assert name not in REGISTRY, name
    assert dataclasses.is_dataclass(cls), name
    cls.kind = name
    REGISTRY[name] = cls
    return cls
