"""Control flow that is known while compiling, or cheaper without: unrolled, inlined, selected."""

from __future__ import annotations

from coremlc.ir.graph import Builder, Function, Value, substitute
from coremlc.ir.types import TensorType
from coremlc.ops.call import inline
from coremlc.ops.control_flow import If, While
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import Elementwise
from coremlc.ops.leaves import Constant, known
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Reverse, Slice, Transpose
from coremlc.passes.rules.rule import Rules

Operands = tuple[Value, ...]

MAX_TRIPS = 1024
MAX_NODES = 256
"""Nodes up to which a loop is unrolled."""
MAX_ELEMENTS = 1 << 20
"""Elements of constants up to which a loop is computed while compiling."""
CHEAP_NODES = 32
CHEAP_ELEMENTS = 1 << 14
_CHEAP = (
    *(Elementwise, Where, ConvertDType, Constant),
    *(BroadcastInDim, Concatenate, Reshape, Reverse, Slice, Transpose),
)


def fixed_state(g: Builder, op: While, operands: Operands, out: TensorType) -> Operands | None:
    """`While` without the states that no trip changes, or that are empty: bodies capture them.

    Exact: each trip sees the same values. MIL has no loop of a tensor without elements.
    """
    rows = zip(operands, op.body.parameters, op.body.results, strict=True)
    fixed = [before is after or not x.type.size for x, before, after in rows]
    if not any(fixed) or all(fixed):
        return None
    keep = [i for i, is_fixed in enumerate(fixed) if not is_fixed]

    def narrowed(body: Function, results: Operands) -> Function:
        mapped = {p: x for p, x, f in zip(body.parameters, operands, fixed, strict=True) if f}
        parameters = tuple([body.parameters[i] for i in keep])
        return substitute(Function(parameters, body.nodes, results, body.name), mapped)

    cond = narrowed(op.cond, op.cond.results)
    body = narrowed(op.body, tuple([op.body.results[i] for i in keep]))
    changed = iter(g.add_multi(While(cond, body), *[operands[i] for i in keep]))
    return tuple([x if f else next(changed) for x, f in zip(operands, fixed, strict=True)])


def unrolled(g: Builder, op: While, operands: Operands, out: TensorType) -> Operands | None:
    """`While` whose condition is known before each trip `-> ` its trips, one after the other.

    Exact: the same nodes on the same values. What an abandoned attempt has added is dead.
    """
    state = operands
    first = len(g.nodes)
    for _ in range(MAX_TRIPS):
        (again,) = inline(g, op.cond, state)
        value = known(again)
        if value is None:
            return None
        if not value:
            return state
        state = inline(g, op.body, state)
        if not _is_small(g, first):
            return None
    return None


def _is_small(g: Builder, first: int) -> bool:
    added = g.nodes[first:]
    constants = [r.type.size for n in added if isinstance(n.op, Constant) for r in n.results]
    return len(added) - len(constants) <= MAX_NODES and sum(constants) <= MAX_ELEMENTS


def branch_known(g: Builder, op: If, operands: Operands, out: TensorType) -> Operands | None:
    """`If(true, f, g) -> f()`, `If(false, f, g) -> g()`. Exact."""
    value = known(operands[0])
    if value is None:
        return None
    return inline(g, op.true_branch if value else op.false_branch, ())


def select_cheap(g: Builder, op: If, operands: Operands, out: TensorType) -> Operands | None:
    """`If(p, f, g) -> Where(p, f(), g())` if both are cheap. Exact: branches have no effects."""
    if not (_is_cheap(op.true_branch) and _is_cheap(op.false_branch)):
        return None
    (pred,) = operands
    yes, no = inline(g, op.true_branch, ()), inline(g, op.false_branch, ())
    return tuple([g.add(Where(), pred, a, b) for a, b in zip(yes, no, strict=True)])


def _is_cheap(branch: Function) -> bool:
    """No more to compute than a branch costs."""
    elements = sum(r.type.size for n in branch.nodes for r in n.results)
    elements += sum(r.type.size for r in branch.results)
    return (
        len(branch.nodes) <= CHEAP_NODES
        and elements <= CHEAP_ELEMENTS
        and all(isinstance(n.op, _CHEAP) for n in branch.nodes)
    )


RULES: Rules = (
    ((While,), fixed_state),
    ((While,), unrolled),
    ((If,), branch_known),
    ((If,), select_cheap),
)
