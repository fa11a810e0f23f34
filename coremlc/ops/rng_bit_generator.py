"""RNGBitGenerator: random bits from a state, by Philox 4x32-10, as XLA does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BY_NAME, INTEGER
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, Mul
from coremlc.ops.bitwise import BitwiseXor
from coremlc.ops.compare import LessThan
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.elementwise import check_dtype
from coremlc.ops.iota import Iota
from coremlc.ops.leaves import constant
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Concatenate, Reshape, Slice
from coremlc.ops.shifts import ShiftLeft, ShiftRightLogical

U32, U64 = BY_NAME["Uint32"], BY_NAME["Uint64"]
STATE = TensorType(U64, (3,))
ROUNDS = 10
RAISE = (0x9E3779B9, 0xBB67AE85)
FACTORS = (0xD2511F53, 0xCD9E8D57)
WORD, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@register
@dataclass(frozen=True)
class RNGBitGenerator(Op):
    """`(state: u64[3]) -> (u64[3], I[shape])`: the next state, and random bits.

    C1 state is u64[3]: key, low and high half of a counter. C2 shape has an integer dtype.
    Philox 4x32 of 10 rounds on counter + 0, 1, 2 ..; each gives 128 bits; narrower dtypes take the
    low bits of 32 (XLA's RNG_PHILOX, which GoMLX asks for; the Go backend draws by a PCG instead).
    Source: GoMLX `RNGBitGenerator`; StableHLO `rng_bit_generator`. Decomposes to integer ops.
    """

    native = True
    shape: TensorType

    def infer(self, state: TensorType) -> tuple[TensorType, TensorType]:
        if state != STATE:  # C1
            raise ShapeError(f"state is {state}", fix=f"use {STATE}")
        check_dtype(self.kind, self.shape, INTEGER)  # C2
        return STATE, self.shape

    def _blocks(self) -> int:
        """How many times 128 bits."""
        return -(-self.shape.size * max(self.shape.dtype.bits, 32) // 128)

    def evaluate(self, state: Array) -> tuple[Array, Array]:
        key, start = int(state[0]), int(state[1]) | int(state[2]) << 64
        blocks = self._blocks()
        after = (start + blocks) % 2**128
        words = philox(key, start, blocks).reshape(-1)
        wide = words.view(np.uint64) if self.shape.dtype.bits == 64 else words
        bits = wide[: self.shape.size].astype(self.shape.dtype.numpy)
        new = np.array([key, after % 2**64, after >> 64], np.uint64)
        return new, bits.reshape(self.shape.shape)

    def decompose(self, g: Graph, state: Node) -> tuple[Node, Node]:
        key, low, high = (g.add(Slice((i,), (i + 1,), (1,)), state) for i in range(3))
        blocks = self._blocks()
        count = g.add(Iota(TensorType(U64, (blocks,)), 0))
        end = g.add(constant(U64, [blocks]))
        counters = _halves(g, _advanced(g, low, high, count))
        keys = _halves(g, (key,))
        words = _rounds(g, counters, keys)
        after = _advanced(g, low, high, end)
        new = g.add(Concatenate(0), key, *after)
        return new, self._shaped(g, words, blocks)

    def _shaped(self, g: Graph, words: list[Node], blocks: int) -> Node:
        dtype = self.shape.dtype
        if dtype.bits == 64:
            words = [_joined(g, *words[i : i + 2]) for i in (0, 2)]
        t = TensorType(words[0].type.dtype, (blocks,))
        columns = [
            g.add(Reshape((blocks, 1)), w if w.type == t else g.add(BroadcastInDim(t, (0,)), w))
            for w in words
        ]
        line = g.add(Reshape((blocks * len(words),)), g.add(Concatenate(1), *columns))
        line = g.add(Slice((0,), (self.shape.size,), (1,)), line)
        return g.add(ConvertDType(dtype), g.add(Reshape(self.shape.shape), line))


def philox(key: int, start: int, blocks: int) -> Array:
    """Four words of 32 bits for each counter of 128 bits from start on: u32[blocks, 4]."""
    first = [start >> (32 * i) & 0xFFFFFFFF for i in range(4)]
    x = [np.zeros(blocks, np.uint64)] * 4
    carry = np.arange(blocks, dtype=np.uint64)
    for i, word in enumerate(first):
        total = carry + np.uint64(word)
        x[i], carry = total & WORD, total >> HALF
    keys = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(ROUNDS):
        a, b = (w * np.uint64(f) for w, f in zip(x[::2], FACTORS, strict=True))
        x = [
            b >> HALF ^ x[1] ^ np.uint64(keys[0]),
            b & WORD,
            a >> HALF ^ x[3] ^ np.uint64(keys[1]),
            a & WORD,
        ]
        keys = [(k + r) & 0xFFFFFFFF for k, r in zip(keys, RAISE, strict=True)]
    return np.stack(x, axis=1).astype(np.uint32)


def _halves(g: Graph, numbers: tuple[Node, ...]) -> list[Node]:
    """Low and high word of each uint64."""
    found = []
    for x in numbers:
        high = g.add(ShiftRightLogical(), x, g.add(constant(U64, 32)))
        found += [g.add(ConvertDType(U32), x), g.add(ConvertDType(U32), high)]
    return found


def _joined(g: Graph, low: Node, high: Node) -> Node:
    above = g.add(ShiftLeft(), g.add(ConvertDType(U64), high), g.add(constant(U64, 32)))
    return g.add(Add(), g.add(ConvertDType(U64), low), above)


def _advanced(g: Graph, low: Node, high: Node, count: Node) -> tuple[Node, Node]:
    """A counter of two uint64 plus a count."""
    total = g.add(Add(), low, count)
    more = g.add(Add(), high, g.add(constant(U64, 1)))
    return total, g.add(Where(), g.add(LessThan(), total, low), more, high)


def _rounds(g: Graph, x: list[Node], keys: list[Node]) -> list[Node]:
    def product(word: Node, factor: int) -> tuple[Node, Node]:
        wide = g.add(Mul(), g.add(ConvertDType(U64), word), g.add(constant(U64, factor)))
        low, high = _halves(g, (wide,))
        return low, high

    def mixed(*words: Node) -> Node:
        first, *rest = words
        for word in rest:
            first = g.add(BitwiseXor(), first, word)
        return first

    for _ in range(ROUNDS):
        (low0, high0), (low1, high1) = product(x[0], FACTORS[0]), product(x[2], FACTORS[1])
        x = [mixed(high1, mixed(x[1], keys[0])), low1, mixed(high0, mixed(x[3], keys[1])), low0]
        keys = [
            g.add(Add(), key, g.add(constant(U32, r))) for key, r in zip(keys, RAISE, strict=True)
        ]
    return x
