"""A Graph as a jax function: one row per op kind, in the tables of the families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coremlc.baseline import algebra, control, elementwise, emitted, fused, movement
from coremlc.baseline.row import Row, Tensor
from coremlc.errors import CoremlcError, RefusedError
from coremlc.ir.graph import Builder, Function, Node, Value, placed

ROWS: dict[str, Row] = {
    **elementwise.ROWS,
    **movement.ROWS,
    **algebra.ROWS,
    **fused.ROWS,
    **control.ROWS,
    **emitted.ROWS,
}
Values = Mapping[Value, Tensor]


def run(function: Function, inputs: Sequence[Tensor], outer: Values | None = None) -> list[Tensor]:
    """Results of `function` for one tensor per parameter.

    outer: values of enclosing functions, for a body; or what is known of it already.
    """
    values: dict[Value, Tensor] = dict(outer or {})
    values.update(zip(function.parameters, inputs, strict=True))
    for node in function.nodes:
        if node.results[0] not in values:
            try:
                values.update(zip(node.results, _apply(node, values), strict=True))
            except CoremlcError as error:
                raise placed(error, node) from None
    return [values[r] for r in function.results]


def _apply(node: Node, values: Values) -> Sequence[Tensor]:
    """Results of one node: by its row, else by what it decomposes to."""
    row = ROWS.get(node.op.kind)
    if row is None:
        return _decomposed(node, values)
    given = [values[o] for o in node.operands]
    if node.op.bodies:
        given.insert(0, lambda body, *xs: run(body, xs, values))
    try:
        results = row(node.op, *given)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise RefusedError(f"jax: {error}", fix="leave XLA out: drop --against xla") from error
    return results if isinstance(results, list | tuple) else [results]


def _decomposed(node: Node, values: Values) -> Sequence[Tensor]:
    if node.op.decompose is None:
        raise RefusedError(
            f"the XLA baseline has no row for {node.op.kind}", fix="drop --against xla"
        )
    g = Builder()
    made = node.op.decompose(g, *node.operands)
    return run(g.finish(*(made if isinstance(made, tuple) else (made,))), (), values)
