"""The random bits of GoMLX's Go backend, so that what it computed from them can be compared.

It draws by the PCG of Go's math/rand/v2, although the interface of GoMLX promises Philox, which is
what XLA and coremlc draw by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from coremlc.ir import evaluate
from coremlc.ir.graph import Function, Value
from coremlc.ir.op import Array
from coremlc.ops.rng_bit_generator import RNGBitGenerator
from coremlc.passes.smart import live

MASK = 2**64 - 1
FACTOR = 2549297995355413924 << 64 | 4865540595714422341
STEP = 6364136223846793005 << 64 | 1442695040888963407
CHEAP = 0xDA942042E4DD58B5


@dataclass(frozen=True)
class Pcg(RNGBitGenerator):
    """`RNGBitGenerator` as the Go backend evaluates it.

    The third word of the new state is not defined there; here it is that of the old one.
    """

    def evaluate(self, state: Array) -> tuple[Array, Array]:
        at = int(state[0]) << 64 | int(state[1])
        size = self.shape.size * self.shape.dtype.numpy.itemsize
        drawn = []
        for _ in range(-(-size // 8)):
            at = (at * FACTOR + STEP) % 2**128
            drawn.append(_mixed(at))
        data = np.array(drawn, "<u8").tobytes()[:size]
        bits = np.frombuffer(data, self.shape.dtype.numpy).reshape(self.shape.shape)
        words = np.array([at >> 64, at & MASK], np.uint64).byteswap()
        return np.append(words, state[2]), bits


def _mixed(at: int) -> int:
    high, low = at >> 64, at & MASK
    high ^= high >> 32
    high = high * CHEAP & MASK
    high ^= high >> 48
    return high * (low | 1) & MASK


def drawn(function: Function, inputs: Sequence[Array]) -> dict[Value, Array]:
    """What each RNGBitGenerator among the nodes of a function gives in the Go backend."""
    nodes = [n for n in function.nodes if isinstance(n.op, RNGBitGenerator)]
    results = tuple([r for n in nodes for r in n.results])
    values: dict[Value, Array] = dict(zip(function.parameters, inputs, strict=True))
    for node in live(replace(function, results=results)).nodes:
        op = Pcg(node.op.shape) if isinstance(node.op, RNGBitGenerator) else node.op
        types = tuple([r.type for r in node.results])
        found = evaluate.apply(op, [values[o] for o in node.operands], types, values)
        values.update(zip(node.results, found, strict=True))
    return {r: values[r] for r in results}
