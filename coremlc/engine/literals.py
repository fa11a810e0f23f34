"""What an op reads: constants as numpy arrays and Python strings, and values from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from coremlc.mil.program import Arg, BlobRef, Block, Literal, Op, Value


def literal_of(arg: Arg) -> Literal | None:
    """The literal that an argument is, or that a const op gave it."""
    return arg.literal if isinstance(arg, Value) else arg


def plain(literal: Literal, array: Callable[[Literal], Any]) -> Any:
    """An array, a string, or a list of them."""
    data = literal.data
    if isinstance(data, BlobRef):
        return array(literal)
    if isinstance(data, str):
        return data
    if isinstance(data, tuple):
        return [plain(item, array) if isinstance(item, Literal) else item for item in data]
    value = np.asarray(data)
    return str(value.item()) if value.dtype == object and value.ndim == 0 else value


def value_of(arg: Arg, array: Callable[[Literal], Any]) -> Any:
    """What a constant argument is, as `plain` has it; None of any other."""
    literal = literal_of(arg)
    return None if literal is None else plain(literal, array)


def used_by(op: Op) -> Iterator[Value]:
    """Values from outside that an op reads, in its blocks too."""
    for args in op.inputs.values():
        yield from (arg for arg in args if isinstance(arg, Value))
    for block in op.blocks:
        yield from _captured(block)


def _captured(block: Block) -> Iterator[Value]:
    own = {id(v) for v in block.inputs}
    own |= {id(v) for op in block.ops for v in op.outputs}
    found = [v for op in block.ops for v in used_by(op)]
    yield from (v for v in (*found, *block.outputs) if id(v) not in own)


def alive(ops: Iterable[Op], outputs: Iterable[Value]) -> list[Op]:
    """The ops that something needs."""
    wanted = {id(v) for v in outputs}
    found = []
    for op in reversed(list(ops)):
        if op.kind == "write_state" or any(id(v) in wanted for v in op.outputs):
            found.append(op)
            wanted |= {id(v) for v in used_by(op)}
    return found[::-1]
