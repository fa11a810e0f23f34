"""Which ops a fused loop can hold, and what it saves against ONNX Runtime by estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from coremlc.engine.literals import literal_of
from coremlc.mil.program import Op, Value
from coremlc.mil.types import TensorType

ADDITION_US = 1.2e-4
"""ONNX Runtime's time for one element of an addition of large tensors, on two threads."""
NODE_US = 0.4
PAID_OPS = 200
"""How many ops the least gain pays for: at 30 us, LLVM's time is earned in some 6000 runs."""
DTYPES = {"fp32": "f", "int32": "i", "bool": "b"}
VIEWS = frozenset({"reshape", "expand_dims", "squeeze", "identity"})


@dataclass(frozen=True, slots=True)
class Cost:
    """A fusible op. Times are those of one element, in ONNX Runtime's additions, as measured."""

    operands: int
    """How many must be bound: rules know no defaults."""
    dtypes: str
    """Of the tensors: f, i and b for fp32, int32 and bool."""
    theirs: float = 1.0
    ours: float = 0.15


COSTS = {
    **dict.fromkeys(("add", "sub", "mul", "maximum", "minimum"), Cost(2, "fi")),
    **dict.fromkeys(("equal", "not_equal"), Cost(2, "fib")),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal"), Cost(2, "fi")),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), Cost(2, "b", 0.5)),
    "logical_not": Cost(1, "b", 0.5),
    "bitwise_and": Cost(2, "i"),
    "real_div": Cost(2, "fi", 1, 0.5),
    "floor_div": Cost(2, "fi", 4, 2),
    "mod": Cost(2, "i", 8, 3),
    **dict.fromkeys(("floor", "ceil", "round"), Cost(1, "f")),
    "sqrt": Cost(1, "f", 1.5, 0.8),
    **dict.fromkeys(("abs", "square", "sign"), Cost(1, "fi")),
    "rsqrt": Cost(2, "f", 3, 1.5),
    "inverse": Cost(2, "f", 1, 0.3),
    "relu": Cost(1, "f"),
    "relu6": Cost(1, "f", 2),
    "clip": Cost(3, "f", 2),
    "leaky_relu": Cost(2, "f"),
    "linear_activation": Cost(3, "f", 2),
    "softsign": Cost(1, "f", 3, 0.5),
    "select": Cost(3, "fib", 12, 0.2),
    "cast": Cost(2, "fib", 1, 0.3),
    "exp": Cost(1, "f", 2, 2.5),
    "log": Cost(2, "f", 9, 4),
    "tanh": Cost(1, "f", 1.5, 2.5),
    **dict.fromkeys(("sin", "cos"), Cost(1, "f", 3, 40)),
    "sigmoid": Cost(1, "f", 4, 3),
    "silu": Cost(1, "f", 4, 3),
    "softplus": Cost(1, "f", 13, 6.5),
}


def is_simple(op: Op) -> bool:
    """One result, of known shape, not empty, of dtypes that the op's rule takes."""
    cost = COSTS.get(op.kind)
    if cost is None:
        return False
    types = [arg.type for args in op.inputs.values() for arg in args]
    tensors = [t for t in types if not _is_word(t)] if op.kind == "cast" else types
    return (
        len(types) == cost.operands
        and is_plain(op.outputs[0].type)
        and all(is_plain(t, cost.dtypes) for t in tensors)
    )


def is_plain(kind: object, dtypes: str = "fib") -> bool:
    """A tensor that a loop can hold: of known shape, not empty, of one of these dtypes."""
    return (
        isinstance(kind, TensorType)
        and DTYPES.get(kind.dtype, "?") in dtypes
        and all(isinstance(d, int) and d > 0 for d in kind.shape)
    )


def _is_word(kind: object) -> bool:
    return isinstance(kind, TensorType) and kind.dtype == "string"


def is_view(op: Op) -> bool:
    """It gives a tensor's elements in their order another shape, which constants say."""
    if op.kind not in VIEWS:
        return False
    others = (arg for name, args in op.inputs.items() if name != "x" for arg in args)
    kinds = (op.inputs["x"][0].type, op.outputs[0].type)
    return all(literal_of(arg) for arg in others) and all(
        isinstance(k, TensorType) and all(isinstance(d, int) for d in k.shape) for k in kinds
    )


def size_of(value: Value) -> int:
    """Elements of a value of known shape."""
    return prod(d for d in value.tensor.shape if isinstance(d, int))


def saved_us(op: Op) -> float:
    """What an op costs in a session."""
    return NODE_US + ADDITION_US * size_of(op.outputs[0]) * COSTS[op.kind].theirs


def gain_us(ops: Sequence[Op], inputs: Sequence[Value], outputs: Sequence[Value]) -> float:
    """Microseconds that a fused region saves: no pass over memory, and no node, for each op."""
    return sum(map(saved_us, ops)) - time_us(ops, inputs, outputs) / 2


def least_us(least_gain_us: float, count: int) -> float:
    """What so many ops must save."""
    return least_gain_us * max(1.0, count / PAID_OPS)


def time_us(ops: Sequence[Op], inputs: Sequence[Value], outputs: Sequence[Value]) -> float:
    """What elementwise ops take in a loop, on one thread."""
    work = sum(size_of(op.outputs[0]) * COSTS[op.kind].ours for op in ops if op.kind in COSTS)
    moved = sum(map(size_of, inputs)) / 3 + sum(map(size_of, outputs))
    return 2 * ADDITION_US * (work + moved)
