"""The names under which metadata.json counts ops, and the precisions it tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coremlc.mil.program import Arg, BlobRef, Block, Literal, Op, walk
from coremlc.mil.types import TensorType

_NEWEST: dict[tuple[int, ...], str] = {
    (16, 17): """add cast clip conv log lstm mul pow reduce_argmax reduce_argmin sub sqrt
        real_div maximum minimum floor_div mod equal not_equal greater greater_equal less
        less_equal logical_and logical_or logical_xor abs acos asin atan atanh ceil cos cosh erf
        exp exp2 floor inverse round rsqrt sign sin sinh square tan tanh threshold
        conv_transpose gru rnn""",
    (16, 18): """relu leaky_relu prelu elu gelu sigmoid_hard clamped_relu linear_activation
        scaled_tanh softplus softplus_parametric softsign thresholded_relu
        constexpr_affine_dequantize constexpr_lut_to_dense constexpr_sparse_to_dense""",
    (16,): """sigmoid silu softmax reduce_sum reduce_max reduce_min reduce_mean reduce_prod
        reduce_l1_norm reduce_l2_norm reduce_log_sum reduce_log_sum_exp reduce_sum_square""",
    (17, 18): "matmul linear",
    (17,): """concat expand_dims gather gather_along_axis layer_norm logical_not reshape
        slice_by_index squeeze topk transpose""",
    (17, 19): "quantize dequantize",
}
"""Opset years that have a class of their own for an op; the others have the bare ios15 one.

Seen in real bundles or guessed by family where not: nothing is known to read these names.
"""
_YEARS = {op: years for years, ops in _NEWEST.items() for op in ops.split()}
_YEAR_OF_OPSET = {f"CoreML{5 + i}": 15 + i for i in range(5)}

_PRECISION = {"fp": "Float", "bf": "BFloat", "int": "Int", "uint": "UInt"}


def op_name(kind: str, opset: str) -> str:
    """`reduce_sum` under CoreML7 -> `Ios16.reduceSum`; `pad` -> `Pad`."""
    words = kind.split("_")
    camel = "".join([word[:1].upper() + word[1:] for word in words])
    year = _YEAR_OF_OPSET.get(opset, 15)
    newest = max((y for y in _YEARS.get(kind, ()) if y <= year), default=None)
    if newest is None:
        return camel
    return f"Ios{newest}.{camel[:1].lower()}{camel[1:]}"


def histogram(block: Block, opset: str) -> dict[str, int]:
    """How many ops of each name, `const` apart, in order of first occurrence."""
    counts: dict[str, int] = {}
    for op in walk(block):
        if op.kind != "const":
            name = op_name(op.kind, opset)
            counts[name] = counts.get(name, 0) + 1
    return counts


def compute_precision(block: Block) -> str:
    """The numeric dtypes of all results, constants included."""
    names = set()
    for op in walk(block):
        for value in op.outputs:
            if isinstance(value.type, TensorType) and value.type.dtype not in ("bool", "string"):
                names.add(precision_name(value.type.dtype))
    return _mixed(names)


def storage_precision(block: Block) -> str:
    """The dtypes of all blobs; empty if there are none."""
    names = set()
    for op in walk(block):
        for name, literal in literals(op):
            if isinstance(literal.data, BlobRef) and isinstance(literal.type, TensorType):
                names.add(_storage_name(op, name, literal.type))
    return _mixed(names)


def literals(op: Op) -> Iterator[tuple[str, Literal]]:
    """The op's own literals with the names of their parameters or attributes."""
    yield from op.attributes.items()
    yield from _inline(op.inputs)


def _inline(inputs: Mapping[str, tuple[Arg, ...]]) -> Iterator[tuple[str, Literal]]:
    for name, bindings in inputs.items():
        for binding in bindings:
            if isinstance(binding, Literal):
                yield name, binding


def precision_name(dtype: str) -> str:
    """`fp16` -> `Float16`, `uint8` -> `UInt8`."""
    head = dtype.rstrip("0123456789")
    return f"{_PRECISION.get(head, head.capitalize())}{dtype[len(head) :]}"


def _storage_name(op: Op, name: str, type_: TensorType) -> str:
    if op.kind == "constexpr_sparse_to_dense" and name == "mask":
        return "Sparse"
    if op.kind == "constexpr_lut_to_dense" and name == "indices":
        return f"Palettized ({_lut_bits(op)} bits)"
    return precision_name(type_.dtype)


def _lut_bits(op: Op) -> int:
    """log2 of the number of palette entries."""
    for name, literal in literals(op):
        if name == "lut" and isinstance(literal.type, TensorType):
            sizes = [dim for dim in literal.type.shape if isinstance(dim, int)]
            entries = sizes[-2] if len(sizes) > 1 else sizes[0]  # ios18 adds a vector axis
            return max(entries, 1).bit_length() - 1
    return 0


def _mixed(names: set[str]) -> str:
    return f"Mixed ({', '.join(sorted(names))})" if len(names) > 1 else "".join(names)
