"""Random tensors; their numbers differ between machines."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, Rule, op, sig
from coremlc.mil.types import TensorType


def _sampled(*parameters: str) -> Rule:
    def infer(args: Args) -> TensorType:
        name = next((name for name in parameters if name in args), None)
        dtype = "fp32" if name is None else args.type(name).dtype
        shape = args.ints("shape")
        if shape is not None:
            return TensorType(dtype, tuple(shape))
        (rank,) = args.rank("shape", 1)
        return TensorType(dtype, (...,) if rank is None else (None,) * rank)

    return infer


def _categorical(args: Args) -> TensorType:
    args.text("mode", ("logits", "probs"))
    shape = args.shape()
    return TensorType(args.type().dtype, (*shape[:-1], args.integer("size")))


OPS: tuple[OpDef, ...] = (
    op(
        "random_bernoulli",
        _sampled("prob"),
        sig("shape: int32[]; prob: const T() = 0.5; seed: const int32() = -1", T=FLOAT),
    ),
    op(
        "random_normal",
        _sampled("mean", "stddev"),
        sig(
            "shape: int32[]; mean: const T() = 0.0; stddev: const T() = 1.0; "
            "seed: const int32() = -1",
            T=FLOAT,
        ),
    ),
    op(
        "random_uniform",
        _sampled("low", "high"),
        sig(
            "shape: int32[]; low: const T() = 0.0; high: const T() = 1.0; seed: const int32() = -1",
            T=FLOAT,
        ),
    ),
    op(
        "random_categorical",
        _categorical,
        sig(
            "x: T; mode: const string() = 'logits'; size: const int32() = 1; "
            "seed: const int32() = -1",
            T=FLOAT,
        ),
    ),
)
