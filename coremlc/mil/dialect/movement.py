"""Ops that arrange elements or shapes: reshape, transpose, concat, split, tile, pad ..."""

from __future__ import annotations

from collections.abc import Sequence

from coremlc.mil.dialect.args import Args, Shape, fits, product, spell, spell_shape
from coremlc.mil.dialect.opsets import FLOAT, INT_INDEX, NUMBER_BOOL, TENSOR
from coremlc.mil.dialect.signature import OpDef, Rule, op, sig
from coremlc.mil.types import TensorType


def _with_x(args: Args, shape: Shape) -> TensorType:
    return TensorType(args.type().dtype, shape)


def _reshape(args: Args) -> TensorType:
    old = args.shape()
    wanted = args.ints("shape")
    if wanted is None:
        return _with_x(args, (None,) * _length(args, "shape"))
    if min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise args.error(f"shape is {wanted}", fix="give sizes, and -1 at most once")
    new = _fill_zeros(args, old, wanted)
    total = product(old)
    if -1 in wanted:
        at = wanted.index(-1)
        new = (*new[:at], _rest(total, product(new[:at] + new[at + 1 :])), *new[at + 1 :])
    size = product(new)
    if total is not None and size is not None and total != size:
        raise args.error(
            f"x is {args.spell('x')} of {total} elements, shape is {wanted}",
            fix=f"give a shape of {total} elements",
        )
    return _with_x(args, new)


def _rest(total: int | None, others: int | None) -> int | None:
    if total is None or others is None:
        return None
    return total // others if others else 0


def _fill_zeros(args: Args, old: Shape, wanted: list[int]) -> Shape:
    """A 0 copies x's dim: of the same place until ios16, counted from the last since ios17."""
    if 0 not in wanted:
        return tuple(wanted)
    if args.opset in ("ios15", "ios16"):
        if len(old) != len(wanted):
            raise args.error(
                f"shape {wanted} copies dims of {args.spell('x')}", fix="give it x's rank"
            )
        return tuple(dim if new == 0 else new for dim, new in zip(old, wanted, strict=True))
    padded = (1,) * (len(wanted) - len(old)) + old
    padded = padded[len(padded) - len(wanted) :]
    return tuple(dim if new == 0 else new for dim, new in zip(padded, wanted, strict=True))


def _length(args: Args, name: str) -> int:
    (length,) = args.rank(name, 1)
    if length is None:
        raise args.error(f"{name} is {args.spell(name)}", fix=f"give {name} a known length")
    return length


def _reshape_like(args: Args) -> TensorType:
    out: tuple[int | None, ...] = ()
    refs = args.types("ref_tensors")
    for i, ref in enumerate(refs):
        begin, end, to_end = (
            args.item(name, i, len(refs)) for name in ("begins", "ends", "end_masks")
        )
        dims = ref.shape[begin:] if to_end else ref.shape[begin:end]
        out += tuple(dim for dim in dims if dim is not ...)
    total, size = product(args.shape()), product(out)
    if total is not None and size is not None and total != size:
        raise args.error(
            f"x is {args.spell('x')}, the new shape is {spell_shape(out)}",
            fix=f"give a shape of {total} elements",
        )
    return _with_x(args, out)


def _transpose(args: Args) -> TensorType:
    shape = args.shape()
    perm = args.axes("perm", len(shape))
    if perm is None:
        raise args.error("perm is not known", fix="give a constant perm")
    if len(perm) != len(shape):
        raise args.error(
            f"perm {args.ints('perm')} for {args.spell('x')}", fix=f"name all {len(shape)} axes"
        )
    return _with_x(args, tuple(shape[p] for p in perm))


def _expand_dims(args: Args) -> TensorType:
    shape = args.shape()
    rank = len(shape) + _length(args, "axes")
    axes = args.axes("axes", rank) or ()
    rest = iter(shape)
    return _with_x(args, tuple(1 if i in axes else next(rest) for i in range(rank)))


def _squeeze(args: Args) -> TensorType:
    shape = args.shape()
    axes = args.axes("axes", len(shape))
    if axes is None:
        if None in shape:
            raise args.error(f"x is {args.spell('x')} and axes is left out", fix="name the axes")
        axes = [i for i, dim in enumerate(shape) if dim == 1]
    for axis in axes:
        if shape[axis] not in (1, None):
            raise args.error(f"axis {axis} of {args.spell('x')} is not 1", fix="squeeze dims of 1")
    return _with_x(args, tuple(dim for i, dim in enumerate(shape) if i not in axes))


def _flatten2d(args: Args) -> TensorType:
    shape = args.shape()
    axis = args.axis("axis", len(shape) + 1, low=-len(shape))
    if args.integer("axis") < 0:
        axis -= 1
    return _with_x(args, (product(shape[:axis]), product(shape[axis:])))


def _concat(args: Args) -> TensorType:
    kinds = args.types("values")
    first = kinds[0]
    if not first.shape:
        return TensorType(first.dtype, (len(kinds),))
    axis = args.axis("axis", len(first.shape))
    shape = list(first.shape)
    total: int | None = 0
    for i, kind in enumerate(kinds):
        dims = kind.shape
        masked = (*dims[:axis], shape[axis], *dims[axis + 1 :])
        if not fits(masked, shape) or (  # type: ignore[arg-type]  # `...` never fits a size
            args.flag("interleave") and not fits(dims, first.shape)  # type: ignore[arg-type]
        ):
            raise args.error(
                f"values[{i}] is {spell(kind)}, values[0] is {spell(first)}",
                fix=f"make every dim except axis {axis} equal",
            )
        dim = dims[axis]
        total = total + dim if isinstance(total, int) and isinstance(dim, int) else None
        shape = [m if known is None else known for known, m in zip(shape, masked, strict=True)]
    shape[axis] = total
    return TensorType(first.dtype, tuple(shape))


def _stack(args: Args) -> TensorType:
    kinds = args.types("values")
    first = kinds[0]
    for i, kind in enumerate(kinds):
        if not fits(kind.shape, first.shape):  # type: ignore[arg-type]  # `...` never fits a size
            raise args.error(
                f"values[{i}] is {spell(kind)}, values[0] is {spell(first)}",
                fix="give all the same shape",
            )
    rank = len(first.shape) + 1
    axis = args.axis("axis", rank)
    return TensorType(first.dtype, (*first.shape[:axis], len(kinds), *first.shape[axis:]))


def _split(args: Args) -> tuple[TensorType, ...]:
    shape = args.shape()
    axis = args.axis("axis", len(shape))
    parts = _parts(args, shape[axis])
    return tuple(_with_x(args, (*shape[:axis], part, *shape[axis + 1 :])) for part in parts)


def _parts(args: Args, dim: int | None) -> Sequence[int | None]:
    given = args.ints("split_sizes")
    count = args.integer("num_splits") if "num_splits" in args else None
    if given is not None:
        if (dim is not None and sum(given) != dim) or (count is not None and count != len(given)):
            raise args.error(f"split_sizes is {given}, the dim {dim}", fix=f"make its sum {dim}")
        return given
    if count is None or count < 1:
        raise args.error("num_splits and split_sizes are not given", fix="give one of them")
    if dim is None:
        return [None] * count
    if dim % count:
        raise args.error(f"num_splits {count} does not divide {dim}", fix="give split_sizes")
    return [dim // count] * count


def _tile(args: Args) -> TensorType:
    shape = args.shape()
    reps = args.ints("reps")
    if reps is None:
        return _with_x(args, (None,) * len(shape))
    if len(reps) != len(shape) or not shape or min(reps) < 1:
        raise args.error(
            f"reps is {reps}, x is {args.spell('x')}", fix="give one rep of 1 or more per axis"
        )
    return _with_x(args, tuple(_times(dim, rep) for dim, rep in zip(shape, reps, strict=True)))


def _times(dim: int | None, by: int) -> int | None:
    return None if dim is None else dim * by


def _pad(args: Args) -> TensorType:
    args.text("mode", ("constant", "reflect", "replicate"))
    shape = args.shape()
    count, odd = divmod(_length(args, "pad"), 2)
    if odd or count > len(shape):
        raise args.error(
            f"pad is {args.spell('pad')}, x is {args.spell('x')}",
            fix="give before and after for each of the last axes",
        )
    kept = shape[: len(shape) - count]
    pad = args.ints("pad")
    if pad is None:
        return _with_x(args, kept + (None,) * count)
    if min(pad, default=0) < 0:
        raise args.error(f"pad is {pad}", fix="give sizes of 0 or more; slice to crop")
    padded = (
        None if dim is None else dim + pad[2 * i] + pad[2 * i + 1]
        for i, dim in enumerate(shape[len(kept) :])
    )
    return _with_x(args, (*kept, *padded))


def _reverse(args: Args) -> TensorType:
    args.axes("axes", len(args.shape()))
    return args.type()


def _reverse_sequence(args: Args) -> TensorType:
    shape = args.shape()
    args.axis("seq_axis", len(shape))
    batch = shape[args.axis("batch_axis", len(shape))]
    args.expect("lengths", (batch,), f"x {args.spell('x')}")
    return args.type()


def _blocks(args: Args, name: str) -> tuple[Shape, int]:
    shape = args.rank("x", 4)
    block = args.integer(name)
    if block < 1:
        raise args.error(f"{name} is {block}", fix="give 1 or more")
    return shape, block


def _space_to_depth(name: str) -> Rule:
    def infer(args: Args) -> TensorType:
        (n, c, h, w), b = _blocks(args, name)
        if (h or 0) % b or (w or 0) % b:
            raise args.error(f"x is {args.spell('x')}, {name} {b}", fix=f"make H and W times {b}")
        return _with_x(args, (n, _times(c, b * b), _over(h, b), _over(w, b)))

    return infer


def _depth_to_space(name: str) -> Rule:
    def infer(args: Args) -> TensorType:
        (n, c, h, w), b = _blocks(args, name)
        if (c or 0) % (b * b):
            raise args.error(f"x is {args.spell('x')}, {name} {b}", fix=f"make C times {b * b}")
        return _with_x(args, (n, _over(c, b * b), _times(h, b), _times(w, b)))

    return infer


def _over(dim: int | None, by: int) -> int | None:
    return None if dim is None else dim // by


def _block_and_edges(args: Args, edges: str) -> tuple[list[int], list[int]]:
    args.rank("x", 4)
    args.expect("block_shape", (2,), "the axes H and W")
    args.expect(edges, (2, 2), "the axes H and W")
    block, edge = args.ints("block_shape"), args.ints(edges)
    if block is None or edge is None:
        raise args.error(f"block_shape or {edges} is not known", fix="give constants")
    return block, edge


def _space_to_batch(args: Args) -> TensorType:
    n, c, *space = args.rank("x", 4)
    block, pads = _block_and_edges(args, "paddings")
    padded = [_plus(d, pads[2 * i] + pads[2 * i + 1]) for i, d in enumerate(space)]
    if any((d or 0) % b for d, b in zip(padded, block, strict=True)):
        raise args.error(
            f"x {args.spell('x')} padded is {spell_shape(padded)}", fix=f"make H, W times {block}"
        )
    out = (_over(d, b) for d, b in zip(padded, block, strict=True))
    return _with_x(args, (_times(n, block[0] * block[1]), c, *out))


def _batch_to_space(args: Args) -> TensorType:
    n, c, *space = args.rank("x", 4)
    block, crops = _block_and_edges(args, "crops")
    count = block[0] * block[1]
    if (n or 0) % count:
        raise args.error(f"x is {args.spell('x')}", fix=f"make N times {count}")
    grown = [_times(d, b) for d, b in zip(space, block, strict=True)]
    out = (_plus(d, -crops[2 * i] - crops[2 * i + 1]) for i, d in enumerate(grown))
    return _with_x(args, (_over(n, count), c, *out))


def _plus(dim: int | None, by: int) -> int | None:
    return None if dim is None else dim + by


_SPLIT = "x: T; num_splits: const int32() ?; split_sizes: const int32[] ?; axis: const int32()"
_REVERSE_SEQUENCE = "x: T; lengths: U[]; seq_axis: const int32() = 0; batch_axis: const int32() = 0"
_LIKE = (
    "x: T; ref_tensors: any*; begins: const int32()*; ends: const int32()*; "
    "end_masks: const bool()*"
)
_CONCAT = "values: T*; axis: const int32(); interleave: const bool() = False"


def _any_dtype(name: str, infer: Rule, row: str) -> OpDef:
    """An op that takes every dtype the opset has; U is the dtype of sizes and positions."""
    return op(
        name,
        infer,
        sig(row, T=NUMBER_BOOL, U=frozenset({"int32"})),
        sig(row, "ios17", T=TENSOR, U=INT_INDEX),
    )


OPS: tuple[OpDef, ...] = (
    _any_dtype("reshape", _reshape, "x: T; shape: U[]"),
    _any_dtype("transpose", _transpose, "x: T; perm: const int32[]"),
    _any_dtype("expand_dims", _expand_dims, "x: T; axes: const int32[]"),
    _any_dtype("squeeze", _squeeze, "x: T; axes: const int32[] ?"),
    _any_dtype("reverse", _reverse, "x: T; axes: const int32[] ?"),
    _any_dtype("reverse_sequence", _reverse_sequence, _REVERSE_SEQUENCE),
    _any_dtype("concat", _concat, _CONCAT),
    _any_dtype("stack", _stack, "values: T*; axis: const int32()"),
    op(
        "reshape_like",
        _reshape_like,
        sig(_LIKE, "ios16", T=NUMBER_BOOL, any=NUMBER_BOOL),
        sig(_LIKE, "ios17", T=TENSOR, any=TENSOR),
    ),
    op("flatten2d", _flatten2d, sig("x: T; axis: const int32() = 1", T=NUMBER_BOOL)),
    op("split", _split, sig(_SPLIT, T=NUMBER_BOOL)),
    op("tile", _tile, sig("x: T; reps: int32[]", T=NUMBER_BOOL)),
    op(
        "pad",
        _pad,
        sig(
            "x: T; pad: int32[]; mode: const string() = 'constant'; constant_val: const T() = 0.0",
            T=FLOAT,
        ),
    ),
    op(
        "space_to_depth",
        _space_to_depth("block_size"),
        sig("x: T; block_size: const int32()", T=FLOAT),
    ),
    op(
        "depth_to_space",
        _depth_to_space("block_size"),
        sig("x: T; block_size: const int32()", T=FLOAT),
    ),
    op(
        "pixel_shuffle",
        _depth_to_space("upscale_factor"),
        sig("x: T; upscale_factor: const int32()", T=FLOAT),
    ),
    op(
        "pixel_unshuffle",
        _space_to_depth("downscale_factor"),
        sig("x: T; downscale_factor: const uint32()", "ios16", T=FLOAT),
    ),
    op(
        "space_to_batch",
        _space_to_batch,
        sig("x: T; block_shape: const int32[]; paddings: const int32", T=FLOAT),
    ),
    op(
        "batch_to_space",
        _batch_to_space,
        sig("x: T; block_shape: const int32[]; crops: const int32", T=FLOAT),
    ),
)
