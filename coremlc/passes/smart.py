"""SmartBuilder: a Builder that simplifies what it adds.

An op that is added folds if its operands are constants, is rewritten if a rule matches, and is one
node with any equal op on the same operands. Passes that build with it need no second walk.
"""

from __future__ import annotations

import numpy as np

from coremlc.errors import CoremlcError
from coremlc.ir import evaluate
from coremlc.ir.graph import (
    Builder,
    Function,
    Node,
    Value,
    captured,
    infer,
    map_bodies,
    placed,
    substitute,
    walk,
)
from coremlc.ir.literal import TensorData
from coremlc.ir.op import Array, Op
from coremlc.ir.types import TensorType
from coremlc.ops.leaves import Constant
from coremlc.ops.shape import BroadcastInDim
from coremlc.passes.rules import RULES

FOLD_SIZE = 1 << 16
"""Elements up to which a result is computed although its operands are smaller (in bits too: bytes
unpack to elements of 4 bits)."""
REPEAT_SIZE = 1 << 10
"""The same for a constant that is only repeated: its consumers repeat it themselves."""
REPEAT_INDICES = 1 << 14
"""The same for integers: indices are computed from them, which folds."""


class SmartBuilder(Builder):
    """Adds nodes in their simplest form."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[Op, tuple[Value, ...]], tuple[Value, ...]] = {}
        self._around: SmartBuilder | None = None
        """That of the function around this body."""

    def inner(self) -> SmartBuilder:
        """A builder of the same kind for a body: equal nodes around it serve in it too."""
        g = type(self)()
        g._around = self
        return g

    def add_multi(self, op: Op, *operands: Value) -> tuple[Value, ...]:
        if op.bodies:
            return self._simplest(map_bodies(op, self._body), operands)
        known = self.existing(op, *operands)
        if known is not None:
            return known
        results = self._simplest(op, operands)
        self._seen[op, operands] = results
        return results

    def existing(self, op: Op, *operands: Value) -> tuple[Value, ...] | None:
        key = (op, operands)
        g: SmartBuilder | None = self
        while g is not None:
            known = g._seen.get(key)
            if known is not None:
                return known
            g = g._around
        return None

    def _body(self, body: Function) -> Function:
        return rebuild(body, self.inner())

    def _simplest(self, op: Op, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        types = infer(op, operands)
        folded = self._folded(op, operands, types)
        if folded is not None:
            return folded
        for rule in RULES.get(type(op), ()):
            result = rule(self, op, operands, types[0])
            if result is not None:
                return (result,) if isinstance(result, Value) else result
        return self.emit(op, operands, types)

    def emit(
        self, op: Op, operands: tuple[Value, ...], types: tuple[TensorType, ...]
    ) -> tuple[Value, ...]:
        """Append the node as it is."""
        node = Node(op, operands, types, self.source, self.label)
        self.nodes.append(node)
        return node.results

    def _folded(
        self, op: Op, operands: tuple[Value, ...], types: tuple[TensorType, ...]
    ) -> tuple[Value, ...] | None:
        """Constants, if the results can be computed now without growing the program."""
        if isinstance(op, Constant) or op.evaluate is None:
            return None
        if all(t.size == 0 for t in types):
            return tuple(self._constant(np.empty(t.shape, t.dtype.numpy), t) for t in types)
        arrays = []
        for operand in operands:
            if isinstance(operand.op, Constant):
                arrays.append(operand.op.value.array)
            elif operand.type.size == 0:
                arrays.append(np.empty(operand.type.shape, operand.type.dtype.numpy))
            else:
                return None
        grows = isinstance(op, BroadcastInDim)
        repeat = REPEAT_INDICES if types[0].dtype.is_integer else REPEAT_SIZE
        limit = max(repeat if grows else FOLD_SIZE, *(a.size for a in arrays), 0)
        held = sum(o.type.size * o.type.dtype.bits for o in operands)
        if any(t.size > limit and t.size * t.dtype.bits > held for t in types):
            return None
        outer = _constants(op)
        if outer is None:
            return None
        results = evaluate.apply(op, arrays, types, outer)
        return tuple(self._constant(r, t) for r, t in zip(results, types, strict=True))

    def _constant(self, array: Array, t: TensorType) -> Value:
        return self.add(Constant(TensorData(t.dtype, array)))


def _constants(op: Op) -> dict[Value, Array] | None:
    """What the bodies of an op capture; None if that is not all constant, or a body may not end."""
    values: dict[Value, Array] = {}
    if not op.folds:
        return None
    for body in op.bodies:
        if not all(node.op.folds for node in walk(body)):
            return None
        for value in captured(body):
            if not isinstance(value.op, Constant):
                return None
            values[value] = value.op.value.array
    return values


def live(function: Function) -> Function:
    """`function` without nodes that no result needs."""
    needed = set(function.results)
    kept = []
    for node in reversed(function.nodes):
        if any(r in needed for r in node.results):
            kept.append(node)
            needed.update(node.operands)
            for body in node.op.bodies:
                needed.update(captured(body))
    if len(kept) == len(function.nodes):
        return function
    nodes = tuple(reversed(kept))
    return Function(function.parameters, nodes, function.results, function.name)


def rebuild(function: Function, g: SmartBuilder) -> Function:
    """`function` added node by node to `g`."""
    g.parameters.extend(function.parameters)
    mapped: dict[Value, Value] = {}
    for node in function.nodes:
        g.source, g.label = node.source, node.label
        operands = tuple([mapped.get(o, o) for o in node.operands])
        try:
            op = map_bodies(node.op, lambda body: substitute(body, mapped))
            results = g.add_multi(op, *operands)
        except CoremlcError as error:
            raise placed(error, node) from None
        mapped.update(zip(node.results, results, strict=True))
    results = tuple([mapped.get(r, r) for r in function.results])
    return live(g.finish(*results, name=function.name))
