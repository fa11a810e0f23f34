"""While and If: bodies that run at run time, and may use values of the functions around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coremlc.dtypes import BOOL
from coremlc.errors import ShapeError
from coremlc.ir.graph import Function
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.mil.builder import Builder
from coremlc.mil.program import Value

Run = Callable[..., list[Array]]
Emit = Callable[..., list[Value]]
PREDICATE = TensorType(BOOL)


def spell(types: tuple[TensorType, ...]) -> str:
    """Types as an error shows them."""
    return ", ".join(map(str, types)) or "nothing"


def takes(function: Function) -> tuple[TensorType, ...]:
    """Types of a body's parameters."""
    return tuple([p.type for p in function.parameters])


def gives(function: Function) -> tuple[TensorType, ...]:
    """Types of a body's results."""
    return tuple([r.type for r in function.results])


def check_types(
    what: str, got: tuple[TensorType, ...], wanted: tuple[TensorType, ...], verb: str
) -> None:
    """Contract: a body takes, or gives, these types."""
    if got != wanted:
        raise ShapeError(f"{what} {verb}s {spell(got)}", fix=f"make it {verb} {spell(wanted)}")


@register
@dataclass(frozen=True)
class While(Op):
    """`(state..) -> state..`: body of the state, again and again, while cond of the state.

    C1 one state at least. C2 cond and body take the state's types. C3 cond gives bool[]. C4 body
    gives the state's types. Both may use values of the functions around. Source: GoMLX `While`.
    A loop whose condition is known while compiling is unrolled if that stays small; else it is MIL
    `while_loop`.
    """

    native = True
    exactness = Exactness.BODIES
    folds = False
    cond: Function
    body: Function

    @property
    def bodies(self) -> tuple[Function, ...]:
        return self.cond, self.body

    def infer(self, *state: TensorType) -> tuple[TensorType, ...]:
        if not state:  # C1
            raise ShapeError("While without a state", fix="give it an initial state")
        for name, function in (("cond", self.cond), ("body", self.body)):
            check_types(name, takes(function), state, "take")  # C2
        check_types("cond", gives(self.cond), (PREDICATE,), "give")  # C3
        check_types("body", gives(self.body), state, "give")  # C4
        return state

    def evaluate(self, run: Run, *state: Array) -> tuple[Array, ...]:
        while run(self.cond, *state)[0]:
            state = tuple(run(self.body, *state))
        return state

    def lower(self, m: Builder, run: Emit, *state: Value) -> tuple[Value, ...]:
        return m.while_loop(
            cond=lambda *given: run(self.cond, *given)[0],
            body=lambda *given: run(self.body, *given),
            loop_vars=state,
        )


@register
@dataclass(frozen=True)
class If(Op):
    """`(pred: bool[]) -> results..` of one of two branches.

    C1 pred is bool[]. C2 branches take nothing. C3 branches give the same types, one at least.
    They may use values of the functions around. Source: GoMLX `If`.
    Branches that are cheap are both computed and selected; else it is MIL `cond`.
    """

    native = True
    exactness = Exactness.BODIES
    true_branch: Function
    false_branch: Function

    @property
    def bodies(self) -> tuple[Function, ...]:
        return self.true_branch, self.false_branch

    def infer(self, pred: TensorType) -> tuple[TensorType, ...]:
        if pred != PREDICATE:  # C1
            raise ShapeError(f"If of {pred}", fix="give it a bool scalar")
        for name, branch in (
            ("true_branch", self.true_branch),
            ("false_branch", self.false_branch),
        ):
            check_types(name, takes(branch), (), "take")  # C2
        types = gives(self.true_branch)
        check_types("false_branch", gives(self.false_branch), types, "give")  # C3
        if not types:
            raise ShapeError("branches give nothing", fix="return a value from each")
        return types

    def evaluate(self, run: Run, pred: Array) -> tuple[Array, ...]:
        return tuple(run(self.true_branch if pred else self.false_branch))

    def lower(self, m: Builder, run: Emit, pred: Value) -> tuple[Value, ...]:
        return m.cond(
            pred=pred, true=lambda: run(self.true_branch), false=lambda: run(self.false_branch)
        )
