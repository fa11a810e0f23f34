"""FusedScaledDotProductAttention and FusedAttentionQKVProjection."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from coremlc.dtypes import BOOL, FLOAT, HALF, I32, DType
from coremlc.errors import ShapeError
from coremlc.ir.graph import Builder as Graph
from coremlc.ir.graph import Value as Node
from coremlc.ir.op import Array, Exactness, Op, register
from coremlc.ir.types import TensorType
from coremlc.ops.binary import Add, LogicalAnd, Mul
from coremlc.ops.compare import LessThan
from coremlc.ops.convert_dtype import ConvertDType
from coremlc.ops.dot_general import DotGeneral, DotGeneralConfig
from coremlc.ops.elementwise import check_dtype, check_equal_dtypes
from coremlc.ops.leaves import constant, known
from coremlc.ops.norm import FusedSoftmax
from coremlc.ops.selection import Where
from coremlc.ops.shape import BroadcastInDim, Reshape, Slice, Transpose

LAYOUTS = {"BHSD": (0, 1, 2, 3), "BSHD": (0, 2, 1, 3)}
"""The permutation that swaps a layout with [batch, heads, sequence, dim]; its own inverse."""
Dims = tuple[int, ...]


@dataclass(frozen=True)
class ScaledDotProductAttentionConfig:
    """How attention computes; quantized_matmuls is a hint that is ignored."""

    quantized_matmuls: bool
    scale: float
    causal: bool


@register
@dataclass(frozen=True)
class FusedScaledDotProductAttention(Op):
    """`(query, key, value: F[..], *_seq_len?: i32[b], bias?: F[..], mask?: bool, F[..]) -> F[..]`.

    softmax(query @ key^T * scale + bias + mask) @ value per head, in axes_layout BHSD or BSHD.
    A head of key and value serves (query heads / key heads) consecutive heads of query. A query
    that bool mask, causal and lengths leave no key gives 0; one whose scores are all -inf by bias
    and additive mask gives NaN.
    C1 rank 4, equal batch and head dims, key and value of equal length. C2 the number of query
    heads is a multiple of that of key heads. C3 equal float dtypes. C4 lengths are i32[batch].
    C5 bias broadcasts to [batch, heads, query, key], in either layout. C6 so does mask, but that of
    rank 4 has its axes as axes_layout says; of rank 3 it is [batch, query, key]. C7 known layout.
    Source: GoMLX `FusedScaledDotProductAttention`, whose meaning is attention.Core's decomposition
    (the Go kernel is disabled, and would transpose a bias in BSHD).
    Decomposes to DotGeneral, Where and FusedSoftmax.
    """

    optional = ("query_seq_len", "key_value_seq_len", "bias", "mask")
    rounds_once = HALF
    axes_layout: str
    options: ScaledDotProductAttentionConfig
    query_seq_len: bool
    """Whether that operand is there; so the next three."""
    key_value_seq_len: bool
    bias: bool
    mask: bool

    def infer(
        self, query: TensorType, key: TensorType, value: TensorType, *extra: TensorType
    ) -> TensorType:
        check_dtype(self.kind, query, FLOAT)  # C3
        check_equal_dtypes(self.kind, query, key, value)
        if self.axes_layout not in LAYOUTS:  # C7
            raise ShapeError(f"axes_layout {self.axes_layout!r}", fix="use BHSD or BSHD")
        types = f"query {query}, key {key}, value {value}"
        if not query.rank == key.rank == value.rank == 4:  # C1
            raise ShapeError(types, fix="give tensors of rank 4")
        (b, h, s, d), (kb, kh, n, kd), (vb, vh, vn, e) = map(self._dims, (query, key, value))
        if (b, d, kb, kh, n) != (kb, kd, vb, vh, vn):
            raise ShapeError(types, fix="make batch and head dims equal, and key as long as value")
        if not kh or h % kh:  # C2
            raise ShapeError(types, fix=f"make {h} query heads a multiple of {kh} key heads")
        self._check_extra((b, h, s, n), query.dtype, *extra)
        return query.with_dim(3, e)

    def _dims(self, t: TensorType) -> Dims:
        """Dims as [batch, heads, sequence, dim]."""
        return tuple(t.shape[a] for a in LAYOUTS[self.axes_layout])

    def _check_extra(self, scores: Dims, dtype: DType, *extra: TensorType) -> None:
        names = [n for n in self.optional if getattr(self, n)]
        if len(extra) != len(names):
            raise ShapeError(f"{len(extra)} operands for {', '.join(names)}", fix="give each one")
        given = dict(zip(names, extra, strict=True))
        for name in names[: self.query_seq_len + self.key_value_seq_len]:
            if given[name] != TensorType(I32, scores[:1]):  # C4
                raise ShapeError(f"{name} {given[name]}", fix=f"give i32[{scores[0]}]")
        if self.bias:
            t = given["bias"]
            check_equal_dtypes(self.kind, TensorType(dtype), t)
            _check_spans("bias", t, scores, t.shape)  # C5
        if self.mask:
            t = given["mask"]
            check_dtype(self.kind, t, FLOAT | {BOOL})
            _check_spans("mask", t, scores, self._mask_dims(t))  # C6

    def _mask_dims(self, t: TensorType) -> Dims:
        """Dims of a mask as [batch, heads, query, key], or the last two of them."""
        if t.rank == 4:
            return self._dims(t)
        return (t.shape[0], 1, *t.shape[1:]) if t.rank == 3 else t.shape

    def evaluate(self, query: Array, key: Array, value: Array, *extra: Array) -> Array:
        order = LAYOUTS[self.axes_layout]
        q, k, v = (x.transpose(order) for x in (query, key, value))
        k, v = (x.repeat(q.shape[1] // x.shape[1], axis=1) for x in (k, v))
        scores = np.einsum("bhsd,bhnd->bhsn", q, k) * self.options.scale
        allowed = np.ones(scores.shape, bool)
        places = np.indices(scores.shape, sparse=True)
        operands = iter(extra)
        if self.query_seq_len:
            allowed &= places[2] < next(operands)[:, None, None, None]
        if self.key_value_seq_len:
            allowed &= places[3] < next(operands)[:, None, None, None]
        if self.bias:
            scores = scores + next(operands)
        if self.mask:
            mask = next(operands)
            if mask.ndim > 2:
                mask = mask[:, None] if mask.ndim == 3 else mask.transpose(order)
            if mask.dtype == np.bool_:
                allowed &= mask
            else:
                scores = scores + mask
        if self.options.causal:
            allowed &= places[3] <= places[2]
        return (_softmax(scores, allowed) @ v).transpose(order)

    def decompose(self, g: Graph, query: Node, key: Node, value: Node, *extra: Node) -> Node:
        order = LAYOUTS[self.axes_layout]
        q, k, v = (_transposed(g, x, order) for x in (query, key, value))
        b, heads, s, d = q.type.shape
        shared, n = k.type.shape[1:3]
        grouped = (b, shared, heads // shared * s)
        scores = _product(g, g.add(Reshape((*grouped, d)), q), k, 3)
        scores = g.add(Reshape((b, heads, s, n)), scores)
        scores = g.add(Mul(), scores, g.add(constant(q.type.dtype, self.options.scale)))
        operands = iter(extra)
        allowed = list(self._within(g, scores.type.shape, operands))
        if self.bias:
            scores = g.add(Add(), scores, _over(g, next(operands), ()))
        if self.mask:
            mask = self._mask(g, next(operands))
            if mask.type.dtype is BOOL:
                allowed.append(mask)
            else:
                scores = g.add(Add(), scores, g.add(ConvertDType(scores.type.dtype), mask))
        weights = _weights(g, scores, allowed)
        out = _product(g, g.add(Reshape((*grouped, n)), weights), v, 2)
        return _transposed(g, g.add(Reshape((b, heads, s, v.type.shape[3])), out), order)

    def _within(self, g: Graph, scores: Dims, operands: Iterator[Node]) -> Iterator[Node]:
        """Where lengths and causality allow, each spread over the scores' axes."""
        s, n = scores[2:]
        for present, axis in ((self.query_seq_len, 2), (self.key_value_seq_len, 3)):
            if present:
                dims = [scores[i] if i == axis else 1 for i in range(4)]
                place = g.add(constant(I32, np.arange(scores[axis]).reshape(dims)))
                length = g.add(Reshape((scores[0], 1, 1, 1)), next(operands))
                yield g.add(LessThan(), place, length)
        if self.options.causal:
            yield g.add(constant(BOOL, np.tri(s, n).reshape(1, 1, s, n)))

    def _mask(self, g: Graph, mask: Node) -> Node:
        if mask.type.rank == 4:
            return _transposed(g, mask, LAYOUTS[self.axes_layout])
        return _over(g, mask, (1,) if mask.type.rank == 3 else ())


def _check_spans(what: str, t: TensorType, scores: Dims, dims: Dims) -> None:
    """Contract: dims are the last axes of the scores, each equal or 1."""
    fits = 2 <= t.rank <= 4 and all(
        d in (1, full) for d, full in zip(dims, scores[-len(dims) :], strict=True)
    )
    if not fits:
        raise ShapeError(
            f"{what} {t} for scores [batch, heads, query, key] of {list(scores)}",
            fix="make each dim 1 or equal",
        )


def _softmax(scores: Array, allowed: Array) -> Array:
    """Softmax of the allowed scores; 0 elsewhere."""
    top = np.max(scores, -1, initial=-np.inf, where=allowed, keepdims=True)
    p = np.where(allowed, np.exp(scores - top), 0)
    result: Array = np.where(allowed, p / p.sum(-1, keepdims=True), 0)
    return result


def _weights(g: Graph, scores: Node, allowed: list[Node]) -> Node:
    """The same; a row in which nothing is allowed is NaN after the softmax, and 0 then."""
    if not allowed:
        return g.add(FusedSoftmax(3), scores)
    both = allowed[0]
    for other in allowed[1:]:
        both = g.add(LogicalAnd(), both, other)
    dtype = scores.type.dtype
    open_ = g.add(Where(), both, scores, g.add(constant(dtype, -math.inf)))
    weights = g.add(FusedSoftmax(3), open_)
    values = known(both)
    if values is not None and bool(values.any(-1).all()):
        return weights  # no row is empty, and -inf gave exactly 0
    return g.add(Where(), both, weights, g.add(constant(dtype, 0.0)))


def _transposed(g: Graph, x: Node, order: Dims) -> Node:
    return x if order == tuple(range(len(order))) else g.add(Transpose(order), x)


def _over(g: Graph, x: Node, skipped: Dims) -> Node:
    """`x` over the axes of the scores: dims of 1 before it, and at `skipped`."""
    dims = list(x.type.shape)
    for axis in skipped:
        dims.insert(axis, 1)
    return g.add(Reshape((1,) * (4 - len(dims)) + tuple(dims)), x)


def _product(g: Graph, x: Node, y: Node, axis: int) -> Node:
    """x[b, h, m, k] times y, whose contracted axis is `axis`."""
    config = DotGeneralConfig(x.type.dtype, x.type.dtype)
    return g.add(DotGeneral((3,), (0, 1), (axis,), (0, 1), config), x, y)


@register
@dataclass(frozen=True)
class FusedAttentionQKVProjection(Op):
    """`(x: F[b, in], w_qkv: F[in, q + 2 kv], bias_q?, bias_k?, bias_v?) -> F[b, q], 2 F[b, kv]`.

    x @ w_qkv, cut into query_dim, key_value_dim and key_value_dim columns, plus the biases given.
    C1 rank 2, equal inner dims. C2 columns add up. C3 equal float dtypes. C4 biases have the
    columns of their part.
    Source: GoMLX `FusedAttentionQKVProjection`. Decomposes to DotGeneral, Slice and Add.
    """

    exactness = Exactness.SUMMED
    optional = ("bias_q", "bias_k", "bias_v")
    query_dim: int
    key_value_dim: int
    bias_q: bool
    """Whether that operand is there; so the next two."""
    bias_k: bool
    bias_v: bool

    @property
    def _columns(self) -> Dims:
        return self.query_dim, self.key_value_dim, self.key_value_dim

    def infer(
        self, x: TensorType, w_qkv: TensorType, *biases: TensorType
    ) -> tuple[TensorType, ...]:
        check_dtype(self.kind, x, FLOAT)  # C3
        check_equal_dtypes(self.kind, x, w_qkv, *biases)
        if x.rank != 2 or w_qkv.rank != 2 or x.shape[1] != w_qkv.shape[0]:  # C1
            raise ShapeError(f"{x} and {w_qkv}", fix="use [batch, in] and [in, columns]")
        if sum(self._columns) != w_qkv.shape[1] or min(self._columns) < 0:  # C2
            raise ShapeError(
                f"columns {list(self._columns)} of {w_qkv}", fix=f"make their sum {w_qkv.shape[1]}"
            )
        wanted = [n for n, there in zip(self._columns, self._given, strict=True) if there]
        if [b.shape for b in biases] != [(n,) for n in wanted]:  # C4
            raise ShapeError(
                f"biases {', '.join(map(str, biases))}", fix=f"give vectors of {wanted}"
            )
        return tuple(x.with_dim(1, n) for n in self._columns)

    @property
    def _given(self) -> tuple[bool, ...]:
        return self.bias_q, self.bias_k, self.bias_v

    def evaluate(self, x: Array, w_qkv: Array, *biases: Array) -> tuple[Array, ...]:
        operands = iter(biases)
        parts = np.split(x @ w_qkv, np.cumsum(self._columns)[:2], axis=1)
        return tuple(
            part + next(operands) if there else part
            for part, there in zip(parts, self._given, strict=True)
        )

    def decompose(self, g: Graph, x: Node, w_qkv: Node, *biases: Node) -> tuple[Node, ...]:
        config = DotGeneralConfig(x.type.dtype, x.type.dtype)
        y = g.add(DotGeneral((1,), (), (0,), (), config), x, w_qkv)
        operands = iter(biases)
        results, start = [], 0
        for n, there in zip(self._columns, self._given, strict=True):
            part = g.add(Slice((0, start), (x.type.shape[0], start + n), (1, 1)), y)
            start += n
            if there:
                part = g.add(Add(), part, g.add(BroadcastInDim(part.type, (1,)), next(operands)))
            results.append(part)
        return tuple(results)
