"""const, cond, while_loop, and states."""

from __future__ import annotations

from collections.abc import Sequence

from coremlc.mil.dialect.args import Args, fits, spell
from coremlc.mil.dialect.opsets import SMALL_INT, TENSOR
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.program import Value
from coremlc.mil.types import StateType, TensorType, ValueType


def same_type(a: ValueType, b: ValueType) -> bool:
    """Whether two types are equal; an unknown dim equals any."""
    if isinstance(a, TensorType) and isinstance(b, TensorType):
        return a.dtype == b.dtype and fits(a.shape, b.shape)  # type: ignore[arg-type]  # no `...`
    return a == b


def _check_equal(
    args: Args, what: str, got: Sequence[ValueType], like: str, want: Sequence[ValueType]
) -> None:
    if len(got) != len(want):
        raise args.error(f"{what} are {len(got)}, {like} are {len(want)}", fix="give as many")
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        if not same_type(a, b):
            raise args.error(
                f"{what}[{i}] is {spell(a)}, {like}[{i}] is {spell(b)}",
                fix="make dtype and shape equal",
            )


def _types(values: Sequence[Value]) -> list[ValueType]:
    return [value.type for value in values]


def _cond(args: Args) -> tuple[ValueType, ...]:
    true, false = (_types(block.outputs) for block in args.blocks)
    _check_equal(args, "results of false", false, "results of true", true)
    return tuple(_merged(a, b) for a, b in zip(true, false, strict=True))


def _merged(a: ValueType, b: ValueType) -> ValueType:
    """What both types are: dims they do not agree on are unknown."""
    if a == b or not isinstance(a, TensorType) or not isinstance(b, TensorType):
        return a
    dims = (x if x == y else None for x, y in zip(a.shape, b.shape, strict=True))
    return TensorType(a.dtype, tuple(dims))


def _while_loop(args: Args) -> tuple[ValueType, ...]:
    start = [arg.type for arg in args.inputs["loop_vars"]]
    test, body = args.blocks
    _check_equal(args, "inputs of cond", _types(test.inputs), "loop_vars", start)
    _check_equal(args, "inputs of body", _types(body.inputs), "loop_vars", start)
    _check_equal(args, "results of cond", _types(test.outputs), "a test", [TensorType("bool")])
    results = _types(body.outputs)
    _check_equal(args, "results of body", results, "loop_vars", start)
    return tuple(_merged(a, b) for a, b in zip(start, results, strict=True))


def _const(args: Args) -> tuple[ValueType, ...]:
    raise args.error("a const has its type from its val", fix="take val's type")


def _state(args: Args) -> TensorType:
    kind = args.inputs["input"][0].type
    assert isinstance(kind, StateType), kind
    return kind.tensor


def _read_state(args: Args) -> TensorType:
    return _state(args)


def _write_state(args: Args) -> tuple[ValueType, ...]:
    state = _state(args)
    if args.type("data") != state:
        raise args.error(
            f"data is {args.spell('data')}, input is {args.spell('input')}",
            fix="make dtype and shape those of the state",
        )
    return ()


OPS: tuple[OpDef, ...] = (
    op("const", _const, sig("")),
    op("cond", _cond, sig("pred: bool()")),
    op(
        "while_loop",
        _while_loop,
        sig("loop_vars: any*", any=TENSOR),
    ),
    op("read_state", _read_state, sig("input: state", "ios18")),
    op("write_state", _write_state, sig("input: state; data: T", "ios18", T=TENSOR | SMALL_INT)),
)
