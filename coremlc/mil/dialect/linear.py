"""Matrix products and attention."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args, Shape, broadcast, fits
from coremlc.mil.dialect.opsets import FLOAT, NUMBER
from coremlc.mil.dialect.signature import OpDef, op, sig
from coremlc.mil.program import Literal
from coremlc.mil.types import TensorType


def _matmul(args: Args) -> TensorType:
    x, y = args.shape("x"), args.shape("y")
    is_vector = len(x) == 1 and len(y) == 2 and not args.flag("transpose_x")
    if len(y) < 2 or (len(x) < 2 and not is_vector):
        raise args.error(
            f"x is {args.spell('x')}, y is {args.spell('y')}",
            fix="give both rank 2 or more; a plain x of rank 1 needs a y of rank 2",
        )
    rows = (*x[:-2], x[-1], x[-2]) if args.flag("transpose_x") else (1, *x)[-max(len(x), 2) :]
    columns = (*y[:-2], y[-1], y[-2]) if args.flag("transpose_y") else y
    if not fits(rows[-1:], columns[-2:-1]):
        raise args.error(
            f"x is {args.spell('x')}, y is {args.spell('y')}: {rows[-1]} columns meet "
            f"{columns[-2]} rows",
            fix="make the inner dims equal, or set transpose_x, transpose_y",
        )
    batch = broadcast(args, rows[:-2], columns[:-2])
    kept = (rows[-2],) if len(x) > 1 else ()
    return TensorType(_product_dtype(args), (*batch, *kept, columns[-1]))


def _product_dtype(args: Args) -> str:
    """The dtype of x and y; from ios17 one of them may be a constant of another dtype."""
    x, y = args.type("x").dtype, args.type("y").dtype
    if x == y:
        return x
    if args.is_constant("x") == args.is_constant("y"):
        raise args.error(
            f"x is {args.spell('x')}, y is {args.spell('y')}",
            fix="give both the same dtype; cast one",
        )
    return x if args.is_constant("y") else y


def _linear(args: Args) -> TensorType:
    shape = args.shape()
    if not shape:
        raise args.error(f"x is {args.spell('x')}", fix="give x rank 1 or more")
    rows, _ = args.rank("weight", 2)
    args.expect("weight", (rows, shape[-1]), f"x {args.spell('x')}")
    if "bias" in args:
        args.expect("bias", (rows,), f"weight {args.spell('weight')}")
    return TensorType(args.type().dtype, (*shape[:-1], rows))


def _einsum(args: Args) -> TensorType:
    """The two equations that Core ML has: a matmul over the channel axis of NCHW or CHW."""
    equation = _equation(args)
    kinds = args.types("values")
    if len(kinds) != 2:
        raise args.error(f"{len(kinds)} values", fix="give two")
    named = _axes_of(equation)
    if named not in _EINSUM:
        raise args.error(
            f"equation {equation!r}", fix="use one like 'nchw,nwhu->nchu' or 'chw,whr->chr'"
        )
    dims: dict[int, int | None] = {}
    for kind, axes in zip(kinds, named, strict=False):
        if len(kind.shape) != len(axes):
            raise args.error(f"values are {args.spell('values')}", fix=f"give rank {len(axes)}")
        for axis, dim in zip(axes, kind.shape, strict=True):
            old = dims.get(axis)
            dim = None if dim is ... else dim
            if not {old, dim} & {None, 1} and old != dim:
                raise args.error(
                    f"values are {args.spell('values')} for {equation!r}",
                    fix="make dims of the same letter equal",
                )
            if old in (None, 1):
                dims[axis] = dim
    return TensorType(kinds[0].dtype, tuple(dims[axis] for axis in named[2]))


_EINSUM = {
    ((0, 1, 2, 3), (0, 3, 2, 4), (0, 1, 2, 4)),
    ((0, 1, 2), (2, 1, 3), (0, 1, 3)),
}


def _equation(args: Args) -> str:
    literal = args.literal("equation")
    assert isinstance(literal, Literal)
    return str(literal.data)


def _axes_of(equation: str) -> tuple[tuple[int, ...], ...]:
    """Letters as numbers, in order of appearance."""
    numbers: dict[str, int] = {}
    parts = equation.replace(" ", "").replace("->", ",").split(",")
    return tuple(tuple(numbers.setdefault(c, len(numbers)) for c in part) for part in parts)


def _attention(args: Args) -> TensorType:
    query, key, value = args.shape("query"), args.shape("key"), args.shape("value")
    if len(query) < 3:
        raise args.error(f"query is {args.spell('query')}", fix="give rank 3 or more")
    args.expect("key", (*query[:-2], *key[-2:-1], query[-1]), f"query {args.spell('query')}")
    args.expect("value", (*key[:-1], *value[-1:]), f"key {args.spell('key')}")
    if "attn_mask" in args:
        _check_mask(args, (*query[:-1], key[-2]))
    return TensorType(args.type("query").dtype, (*query[:-1], value[-1]))


def _check_mask(args: Args, scores: Shape) -> None:
    mask = args.shape("attn_mask")
    broadcast(args, scores[:-1], mask[:-1])
    if not fits(mask[-1:], scores[-1:]):
        raise args.error(
            f"attn_mask is {args.spell('attn_mask')}, key is {args.spell('key')}",
            fix=f"make its last dim {scores[-1]}",
        )


_FLAGS = "transpose_x: const bool() = False; transpose_y: const bool() = False"

OPS: tuple[OpDef, ...] = (
    op(
        "matmul",
        _matmul,
        sig("x: T; y: T; " + _FLAGS, T=NUMBER),
        sig("x: T; y: U; " + _FLAGS, "ios17", T=NUMBER, U=NUMBER),
    ),
    op(
        "linear",
        _linear,
        sig("x: T; weight: const T; bias: const T[] ?", T=NUMBER),
        sig("x: T; weight: const U; bias: const U[] ?", "ios17", T=NUMBER, U=NUMBER),
    ),
    op("einsum", _einsum, sig("values: T*; equation: const string()", T=NUMBER)),
    op(
        "scaled_dot_product_attention",
        _attention,
        sig("query: T; key: T; value: T; attn_mask: M ?", "ios18", T=FLOAT, M=FLOAT | {"bool"}),
    ),
)
