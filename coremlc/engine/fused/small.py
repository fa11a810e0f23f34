"""Small functions as one routine, where what a session spends is mostly its nodes' overhead."""

from __future__ import annotations

from math import prod

from coremlc.engine.fused.contractions import CONTRACTIONS
from coremlc.engine.fused.costs import (
    NODE_US,
    is_plain,
    is_simple,
    least_us,
    saved_us,
    time_us,
)
from coremlc.engine.fused.loops import dims_of
from coremlc.engine.fused.nests import MOVES
from coremlc.engine.literals import literal_of
from coremlc.mil.program import Block, Function, Op
from coremlc.mil.types import TensorType

MAX_OPS = 512
"""Of a routine."""
MAX_ELEMENTS = 1 << 16
"""Of all that ops make: a routine holds it on its stack."""
CONTROL = frozenset({"while_loop", "cond"})
TRIPS = 16
"""What a loop is taken to do, whose trips only a run tells: it would be one session's anyhow."""
PRODUCT_US, THEIR_PRODUCT_US = 3e-4, 5e-5
"""A multiplication and addition, in a routine's inner loop and in ONNX Runtime's."""
NODES_US = {"concat": 1.0, "transpose": 0.6, **dict.fromkeys(CONTRACTIONS, 1.2)}
"""What a node costs ONNX Runtime besides, if it is more than for elementwise ops."""


def is_worth_it(function: Function, least_gain_us: float) -> bool:
    """A function that can be one routine saves that in a run, and its compilation in many."""
    if not _is_small(function):
        return False
    count = sum(op.kind not in MOVES for op in _all_ops(function.block))
    return _gain_us(function.block) >= least_us(least_gain_us, count)


def _is_small(function: Function) -> bool:
    """It can be one routine."""
    kinds = [v.type for v in (*function.inputs, *function.block.outputs)]
    values = [v for op in _all_ops(function.block) for v in op.outputs]
    return (
        all(map(is_plain, kinds))
        and all(map(_can_nest, _all_ops(function.block)))
        and len(values) <= MAX_OPS
        and sum(prod(dims_of(v.tensor.shape)) for v in values) <= MAX_ELEMENTS
    )


def _gain_us(block: Block) -> float:
    return sum(_op_gain_us(op) for op in block.ops if op.kind != "const")


def _op_gain_us(op: Op) -> float:
    if op.kind in CONTROL:
        return TRIPS * (NODE_US + sum(map(_gain_us, op.blocks)))
    if op.kind in CONTRACTIONS:
        return NODES_US[op.kind] - _products(op) * (PRODUCT_US - THEIR_PRODUCT_US)
    if op.kind in MOVES or op.kind == "concat":
        return NODES_US.get(op.kind, NODE_US)
    return saved_us(op) - time_us([op], [], op.outputs)


def _products(op: Op) -> int:
    size = prod(dims_of(op.outputs[0].tensor.shape))
    (x,) = op.inputs["x"]
    assert isinstance(x.type, TensorType)
    dims = dims_of(x.type.shape)
    if op.kind == "linear":
        return size * dims[-1]
    if op.kind != "matmul":
        return prod(dims)
    return size * (dims[-2] if _says(op, "transpose_x") else dims[-1])


def _all_ops(block: Block) -> list[Op]:
    own = [op for op in block.ops if op.kind != "const"]
    return own + [inner for op in own for b in op.blocks for inner in _all_ops(b)]


def _can_nest(op: Op) -> bool:
    if not all(is_plain(v.type) for v in op.outputs):
        return False
    if op.kind in CONTROL:
        return True
    if op.kind == "concat":
        return _plain_operands(op, "values") and not _says(op, "interleave")
    if op.kind in MOVES or (op.kind.startswith("reduce_") and op.kind in CONTRACTIONS):
        is_mean_of_ints = op.kind == "reduce_mean" and op.outputs[0].tensor.dtype != "fp32"
        return _plain_operands(op, "x") and not is_mean_of_ints
    if op.kind in CONTRACTIONS:
        return _plain_operands(op, "x", "y", "weight", "bias") and _is_product(op)
    return is_simple(op)


def _plain_operands(op: Op, *names: str) -> bool:
    """These are tensors of known shapes; all others are constants."""
    return all(
        is_plain(arg.type) if name in names else literal_of(arg) is not None
        for name, args in op.inputs.items()
        for arg in args
    )


def _is_product(op: Op) -> bool:
    """Of matrices."""
    other = op.inputs["weight" if op.kind == "linear" else "y"][0]
    kinds = [op.inputs["x"][0].type, other.type]
    return all(isinstance(k, TensorType) and len(k.shape) >= 2 for k in kinds)


def _says(op: Op, name: str) -> bool:
    literal = literal_of(op.inputs[name][0]) if name in op.inputs else None
    return literal is not None and bool(literal.data)
