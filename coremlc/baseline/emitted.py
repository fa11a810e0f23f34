"""StableHLO that GoMLX emits and jax.lax has no function for, or one that adds to it.

jax.lax.pow refuses integers, jax.lax.sort brings its own comparator, and select_and_scatter pads
its operand on a CPU. jax has no batch norm, and its rng_bit_generator no state of three words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters import mlir

from coremlc.baseline.row import Row, Tensor
from coremlc.dtypes import BY_SHORT
from coremlc.ir.graph import Function
from coremlc.ops.rng_bit_generator import RNGBitGenerator
from coremlc.ops.select_and_scatter import SelectAndScatter
from coremlc.ops.sort import Sort

Emit = Callable[..., Sequence[Any]]
"""(context, result types, *MLIR values) -> MLIR values."""
Aval: TypeAlias = "Any"
"""jax.core.ShapedArray; jax may be absent where types are checked."""

_emitted = Primitive("coremlc_emitted")
_emitted.multiple_results = True


def _abstract(*operands: Aval, emit: Emit, results: tuple[Aval, ...]) -> tuple[Aval, ...]:
    return results


_emitted.def_abstract_eval(_abstract)


def _lower(ctx: Any, *operands: Any, emit: Emit, results: tuple[Aval, ...]) -> Sequence[Any]:
    types = [mlir.aval_to_ir_type(ctx.module_context, aval) for aval in ctx.avals_out]
    return emit(ctx, types, *operands)


mlir.register_lowering(_emitted, _lower)


def _emit(emit: Emit, results: Sequence[Aval], *operands: Tensor) -> list[Tensor]:
    found: list[Tensor] = _emitted.bind(*operands, emit=emit, results=tuple(results))
    return found


def _like(x: Tensor, shape: tuple[int, ...] | None = None) -> Aval:
    return jax.core.ShapedArray(x.shape if shape is None else shape, x.dtype)


def _body(ctx: Any, region: Any, f: Callable[..., Any], avals: Sequence[Aval]) -> None:
    """Fill a region with a jax function of scalars."""
    jaxpr = jax.make_jaxpr(f)(*[jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals])
    block = region.blocks.append(*[mlir.aval_to_ir_type(ctx.module_context, a) for a in avals])
    with ir.InsertionPoint(block):
        out, _ = mlir.jaxpr_subcomp(
            ctx.module_context,
            jaxpr.jaxpr,
            ctx.name_stack,
            mlir.TokenSet(),
            jaxpr.consts,
            *block.arguments,
            dim_var_values=ctx.dim_var_values,
            const_lowering=ctx.const_lowering,
            outer_traceback=ctx.traceback,
        )
        stablehlo.return_(mlir.ir_tree_registry.flatten(out)[0])


def power(x: Tensor, y: Tensor) -> Tensor:
    """Of integers too."""
    return _emit(lambda ctx, types, a, b: [stablehlo.power(a, b)], [_like(x)], x, y)[0]


def _sort(op: Sort, run: Row, *inputs: Tensor) -> list[Tensor]:
    """By the graph's own comparator, whatever it is."""
    function: Function = op.comparator
    pairs = [_like(x, ()) for x in inputs for _ in range(2)]

    def emit(ctx: Any, types: Sequence[Any], *operands: Any) -> Sequence[Any]:
        made = stablehlo.SortOp(types, operands, dimension=op.axis, is_stable=op.is_stable)
        _body(ctx, made.comparator, lambda *xs: run(function, *xs), pairs)
        return list(made.results)

    return _emit(emit, [_like(x) for x in inputs], *inputs)


def _select_and_scatter(better: Row) -> Row:
    def row(op: SelectAndScatter, operand: Tensor, source: Tensor) -> Tensor:
        scalars = [_like(operand, ())] * 2
        paddings = np.array([(p.low, p.high) for p in op.paddings], np.int64).reshape(-1, 2)

        def emit(ctx: Any, types: Sequence[Any], x: Any, updates: Any, zero: Any) -> Sequence[Any]:
            made = stablehlo.SelectAndScatterOp(
                types[0],
                x,
                updates,
                zero,
                window_dimensions=mlir.dense_int_array(op.window_dimensions),
                window_strides=mlir.dense_int_array(op.window_strides),
                padding=ir.DenseIntElementsAttr.get(paddings, shape=list(paddings.shape)),
            )
            _body(ctx, made.select, better, scalars)
            _body(ctx, made.scatter, lax.add, scalars)
            return list(made.results)

        return _emit(emit, [_like(operand)], operand, source, np.zeros((), operand.dtype))[0]

    return row


def _random_bits(op: RNGBitGenerator, state: Tensor) -> list[Tensor]:
    """By Philox, which GoMLX asks for; XLA hands out unsigned bits, whatever it is told."""
    dtype = op.shape.dtype

    def emit(ctx: Any, types: Sequence[Any], x: Any) -> Sequence[Any]:
        algorithm = stablehlo.RngAlgorithmAttr.get("PHILOX")
        return list(stablehlo.RngBitGeneratorOp(*types, algorithm, x).results)

    unsigned = jax.core.ShapedArray(op.shape.shape, BY_SHORT[f"u{dtype.bits}"].numpy)
    after, bits = _emit(emit, [_like(state), unsigned], state)
    return [after, lax.bitcast_convert_type(bits, dtype.numpy)]


def _batch_norm(build: Callable[..., Any], results: Callable[..., Sequence[Aval]]) -> Row:
    def row(op: Any, *operands: Tensor) -> list[Tensor]:
        epsilon = np.float32(op.epsilon)

        def emit(ctx: Any, types: Sequence[Any], *values: Any) -> Sequence[Any]:
            return list(build(*values, epsilon, op.feature_axis).operation.results)

        return _emit(emit, results(*operands), *operands)

    return row


ROWS: dict[str, Row] = {
    "Sort": _sort,
    "SelectAndScatterMax": _select_and_scatter(lax.ge),
    "SelectAndScatterMin": _select_and_scatter(lax.le),
    "RNGBitGenerator": _random_bits,
    "BatchNormForInference": _batch_norm(
        stablehlo.BatchNormInferenceOp, lambda x, *vectors: [_like(x)]
    ),
    "BatchNormForTraining": _batch_norm(
        stablehlo.BatchNormTrainingOp, lambda x, scale, offset: [_like(x), *[_like(scale)] * 2]
    ),
    "BatchNormGradient": _batch_norm(
        stablehlo.BatchNormGradOp, lambda x, scale, *rest: [_like(x), *[_like(scale)] * 2]
    ),
}
