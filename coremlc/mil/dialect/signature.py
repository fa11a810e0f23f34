"""What an op is: its parameters in each opset, and the rule of its result types."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from coremlc.mil.dialect.opsets import FLOAT, ORDER
from coremlc.mil.types import ValueType

if TYPE_CHECKING:
    from coremlc.mil.dialect.args import Args

Default: TypeAlias = "bool | int | float | str | tuple[int, ...] | None"
Rule: TypeAlias = "Callable[[Args], ValueType | tuple[ValueType, ...]]"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an op, in one opset."""

    name: str
    variable: str
    """The type variable it is bound to, such as `T`; empty when its dtype is fixed."""
    dtypes: frozenset[str]
    """The dtypes it accepts; `state` stands for a state."""
    rank: int | None = None
    """The rank it must have; None for any."""
    is_const: bool = False
    is_optional: bool = False
    default: Default = None
    """MIL's value when an optional parameter is left out; None where that depends on the others."""
    is_explicit: bool = False
    """MIL's default changes numbers, so the builder demands a value."""
    is_variadic: bool = False

    @property
    def sub_byte(self) -> str:
        """`uint1` where that is what it takes; numpy has no dtype to tell it from uint8."""
        return "uint1" if self.dtypes == {"uint1"} else ""


@dataclass(frozen=True, slots=True)
class Signature:
    """An op's parameters from opset `since` on, until a later signature."""

    since: str
    params: Mapping[str, Param]
    required: tuple[str, ...]
    explicit: tuple[str, ...]
    text: str
    """The row it was read from."""


@dataclass(frozen=True, slots=True)
class OpDef:
    """One MIL op."""

    name: str
    signatures: tuple[Signature, ...]
    """Oldest first."""
    infer: Rule

    @property
    def since(self) -> str:
        """The first opset that has it."""
        return self.signatures[0].since

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in the newest opset."""
        return tuple(self.signatures[-1].params.values())

    def signature(self, opset: str) -> Signature | None:
        """Its signature in an opset, or None when the opset is too old for it."""
        rank = ORDER[opset]
        fitting = [row for row in self.signatures if ORDER[row.since] <= rank]
        return fitting[-1] if fitting else None


_PARAM = re.compile(
    r"(?P<name>\w+): (?P<const>const )?(?P<type>\w+)(?P<rank>\(\)|\[\])?(?P<variadic>\*)?"
    r"(?P<optional> \?)?(?: = (?P<default>[^!]+?))?(?P<explicit> !)?"
)
_RANKS = {None: None, "()": 0, "[]": 1}


def _param(text: str, variables: Mapping[str, frozenset[str]]) -> Param:
    match = _PARAM.fullmatch(text)
    assert match is not None, text
    default, kind = match["default"], match["type"]
    return Param(
        name=match["name"],
        variable=kind if kind in variables and kind[0].isupper() else "",
        dtypes=variables.get(kind, frozenset({kind})),
        rank=_RANKS[match["rank"]],
        is_const=match["const"] is not None,
        is_optional=match["optional"] is not None or default is not None,
        default=None if default is None else ast.literal_eval(default),
        is_explicit=match["explicit"] is not None,
        is_variadic=match["variadic"] is not None,
    )


def sig(text: str, since: str = "ios15", **variables: frozenset[str]) -> Signature:
    """A signature from a row such as `x: T; axis: const int32() = -1; epsilon: const T() = 1e-5 !`.

    A parameter is `name: [const] TYPE[rank][*] [?] [= default] [!]`. TYPE is a dtype, or a type
    variable given by keyword: one dtype for all that share it, unless its name is in lower case.
    `()` is rank 0, `[]` rank 1; `*` variadic; `?` optional without a fixed default; `!` an optional
    one that the builder demands.
    """
    parts = text.split("; ") if text else []
    params = {p.name: p for p in (_param(part, variables) for part in parts)}
    return Signature(
        since=since,
        params=params,
        required=tuple(p.name for p in params.values() if not p.is_optional),
        explicit=tuple(p.name for p in params.values() if p.is_explicit),
        text=text,
    )


def op(name: str, infer: Rule, *signatures: Signature) -> OpDef:
    """A row of the dialect."""
    return OpDef(name, signatures, infer)


def float_op(name: str, infer: Rule, row: str) -> OpDef:
    """An op on floats T whose constants U have x's dtype, and from ios17 one of their own."""
    return op(
        name,
        infer,
        sig(row.replace("U", "T"), T=FLOAT),
        sig(row, "ios17", T=FLOAT, U=FLOAT),
    )
