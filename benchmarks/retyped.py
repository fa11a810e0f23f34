"""The same op or function in another dtype: all that is of one dtype is of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from coremlc.dtypes import DType
from coremlc.ir.graph import Builder, Function, Value, map_bodies
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Op
from coremlc.ir.types import TensorType

T = TypeVar("T")


def function_in(
    function: Function, old: DType, new: DType, outer: Mapping[Value, Value] | None = None
) -> Function:
    """A function with `new` in place of `old`: its parameters, constants, attributes, bodies.

    outer: what the values of enclosing functions became.

    Raises:
        ShapeError: an op does not take the new dtype.
    """
    g = Builder()
    mapped = dict(outer or {})
    for parameter in function.parameters:
        mapped[parameter] = g.parameter(of(parameter.type, old, new))
    for node in function.nodes:
        op = op_in(node.op, old, new, mapped)
        results = g.add_multi(op, *(mapped[o] for o in node.operands))
        mapped.update(zip(node.results, results, strict=True))
    return g.finish(*(mapped[r] for r in function.results), name=function.name)


def op_in(op: Op, old: DType, new: DType, outer: Mapping[Value, Value] | None = None) -> Op:
    """An op with its attributes and bodies in another dtype."""
    return of(map_bodies(op, lambda body: function_in(body, old, new, outer)), old, new)


def of(value: T, old: DType, new: DType) -> T:
    """Whatever holds a dtype, with `new` in place of `old`; bodies are left alone."""
    found: Any = value
    match value:
        case DType():
            found = new if value is old else value
        case TensorType():
            found = value.with_dtype(of(value.dtype, old, new))
        case TensorData() if value.type.dtype is old:
            with np.errstate(all="ignore"):
                found = TensorData(new, value.array.astype(new.numpy))
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, Function):
            names = [f.name for f in dataclasses.fields(value)]
            changed: Any = {name: of(getattr(value, name), old, new) for name in names}
            found = dataclasses.replace(value, **changed)  # type: ignore[type-var]
    result: T = found
    return result
