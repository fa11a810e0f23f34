"""The type of an op's results: bindings are checked against the signature, then the rule runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from coremlc.errors import RefusedError, ShapeError
from coremlc.mil.dialect.args import Args, spell
from coremlc.mil.dialect.opsets import MAX_RANK
from coremlc.mil.dialect.signature import OpDef, Param, Signature
from coremlc.mil.program import Arg, Block, Value
from coremlc.mil.types import StateType, TensorType, ValueType

NO_NAMES: frozenset[str] = frozenset()


def signature_of(definition: OpDef, opset: str) -> Signature:
    """An op's signature in an opset, which must have the op."""
    signature = definition.signature(opset)
    if signature is None:
        raise RefusedError(
            f"{definition.name} needs opset {definition.since}, the target has {opset}",
            fix=f"compile for {definition.since} or later",
        )
    return signature


def infer(
    definition: OpDef,
    signature: Signature,
    inputs: Mapping[str, tuple[Arg, ...]],
    opset: str,
    *,
    blocks: tuple[Block, ...] = (),
    constexprs: Collection[str] = NO_NAMES,
) -> tuple[ValueType, ...]:
    """The result types of an op; `constexprs` names values that stand for constants."""
    args = Args(definition.name, signature, inputs, opset, blocks, constexprs)
    for name in signature.required:
        if name not in inputs:
            raise args.error(f"{name} is missing", fix=f"give {name}")
    _check_bindings(args)
    found = definition.infer(args)
    results = found if isinstance(found, tuple) else (found,)
    for result in results:
        if isinstance(result, TensorType) and len(result.shape) > MAX_RANK:
            raise _too_deep(args, "its result", result)
    return results


def _check_bindings(args: Args) -> None:
    """Written for speed: the common case is a few comparisons, faults are told apart after."""
    params = args.signature.params
    bound: dict[str, tuple[str, str]] = {}
    for name, bindings in args.inputs.items():
        param = params.get(name)
        if param is None or (len(bindings) != 1 and not param.is_variadic):
            raise _not_a_parameter(args, name)
        variable, dtypes, rank = param.variable, param.dtypes, param.rank
        for arg in bindings:
            kind = arg.type
            if kind.__class__ is not TensorType:
                if not (isinstance(kind, StateType) and "state" in dtypes):
                    raise _fault(args, param, kind)
                continue
            dtype, depth = kind.dtype, len(kind.shape)
            if dtype not in dtypes or depth > MAX_RANK or not (rank is None or rank == depth):
                _check_tensor(args, param, kind)
            if variable and bound.setdefault(variable, (name, dtype))[1] != dtype:
                raise _unequal(args, name, bound[variable][0])
            if param.is_const and arg.__class__ is Value and arg.literal is None:
                _check_constexpr(args, name, arg)


def _not_a_parameter(args: Args, name: str) -> ShapeError:
    params = args.signature.params
    if name not in params:
        return args.error(f"no parameter {name} in {args.opset}", fix=f"it has {', '.join(params)}")
    return args.error(f"{name} has {len(args.inputs[name])} values", fix=f"give {name} one value")


def _check_tensor(args: Args, param: Param, kind: ValueType) -> None:
    assert isinstance(kind, TensorType)
    rank = len(kind.shape)
    if kind.dtype not in param.dtypes:
        raise _fault(args, param, kind)
    if param.rank is not None and rank != param.rank:
        raise args.error(
            f"{param.name} is {spell(kind)}, of rank {rank}",
            fix="give a scalar" if param.rank == 0 else f"give it rank {param.rank}",
        )
    if rank > MAX_RANK and not args.kind.startswith("constexpr_"):
        raise _too_deep(args, param.name, kind)


def _fault(args: Args, param: Param, kind: ValueType) -> ShapeError:
    return args.error(
        f"{param.name} is {spell(kind)}",
        fix=f"{args.opset} takes {', '.join(sorted(param.dtypes))}; cast it",
    )


def _check_constexpr(args: Args, name: str, arg: Value) -> None:
    if arg.name not in args.constexprs:
        raise args.error(
            f"{name} is %{arg.name}, {spell(arg.type)}, computed at run time",
            fix=f"{args.opset} wants a constant for {name}",
        )


def _unequal(args: Args, name: str, other: str) -> ShapeError:
    if name == other:
        return args.error(f"{name} are {args.spell(name)}", fix="give them one dtype; cast")
    return args.error(
        f"{name} is {args.spell(name)}, {other} is {args.spell(other)}",
        fix="give both the same dtype; cast one",
    )


def _too_deep(args: Args, name: str, kind: TensorType) -> ShapeError:
    return args.error(
        f"{name} is {spell(kind)}, of rank {len(kind.shape)}",
        fix=f"Core ML has tensors of rank 0..{MAX_RANK}: merge or split axes before it",
    )
