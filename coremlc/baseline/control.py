"""Rows of the ops with bodies; Sort's is in `emitted`."""

from __future__ import annotations

from jax import lax

from coremlc.baseline.row import Row, Tensor
from coremlc.ops.call import Call
from coremlc.ops.control_flow import If, While


def _call(op: Call, run: Row, *inputs: Tensor) -> list[Tensor]:
    """Inlined, which XLA does with GoMLX's calls too."""
    results: list[Tensor] = run(op.f, *inputs)
    return results


def _while(op: While, run: Row, *state: Tensor) -> tuple[Tensor, ...]:
    final: tuple[Tensor, ...] = lax.while_loop(
        lambda values: run(op.cond, *values)[0],
        lambda values: tuple(run(op.body, *values)),
        state,
    )
    return final


def _if(op: If, run: Row, pred: Tensor) -> tuple[Tensor, ...]:
    branches = (lambda: tuple(run(op.true_branch)), lambda: tuple(run(op.false_branch)))
    chosen: tuple[Tensor, ...] = lax.cond(pred, *branches)
    return chosen


ROWS: dict[str, Row] = {"Call": _call, "While": _while, "If": _if}
