"""Call: a function of the same program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Function, Value, map_bodies, substitute
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType


@register
@dataclass(frozen=True)
class Call(Op):
    """`(inputs..) -> results..` of function f.

    C1 the operands' types are those of f's parameters. Source: GoMLX `Call`. Decomposes to the
    nodes of f: MIL's functions are entry points, not callees.
    """

    native = True
    exactness = Exactness.BODIES
    f: Function

    @property
    def bodies(self) -> tuple[Function, ...]:
        return (self.f,)

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        wanted = tuple(p.type for p in self.f.parameters)
        if wanted != inputs:  # C1
            raise ShapeError(
                f"call of {self.f.name!r} with {', '.join(map(str, inputs))}",
                fix=f"give {', '.join(map(str, wanted))}",
            )
        return tuple(r.type for r in self.f.results)

    def evaluate(self, run: Callable[..., list[Array]], *inputs: Array) -> tuple[Array, ...]:
        return tuple(run(self.f, *inputs))

    def decompose(self, g: Graph, *inputs: Value) -> tuple[Value, ...]:
        return inline(g, self.f, inputs)


def inline(g: Graph, function: Function, inputs: tuple[Value, ...]) -> tuple[Value, ...]:
    """Add the nodes of `function` to `g`, its parameters replaced by `inputs`."""
    mapped = dict(zip(function.parameters, inputs, strict=True))
    for node in function.nodes:
        operands = tuple([mapped.get(o, o) for o in node.operands])
        op = map_bodies(node.op, lambda body: substitute(body, mapped))
        results = g.add_multi(op, *operands)
        mapped.update(zip(node.results, results, strict=True))
    return tuple([mapped.get(r, r) for r in function.results])
