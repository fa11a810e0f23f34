"""Samples of the fused ops: attention, quantized layers."""

from __future__ import annotations

import numpy as np

from coremlc.ops.attention import (
    FusedAttentionQKVProjection,
    FusedScaledDotProductAttention,
    ScaledDotProductAttentionConfig,
)
from tests.ops.samples import INF, Reject, Sample, array, randoms, t

_HALF = ((6e-3, 3e-3), "several roundings to float16 on the way")
_FULL = ((2e-5, 4e-6), "sums in another order")


def _attention(
    layout: str = "BHSD",
    d: str = "f32",
    heads: tuple[int, int] = (4, 4),
    lengths: tuple[int, int] = (3, 5),
    causal: bool = False,
    scale: float = 0.5,
    note: str = "",
    constants: frozenset[int] = frozenset(),
    **extra: np.ndarray,
) -> Sample:
    (h, kh), (s, n) = heads, lengths
    dims = [(2, h, s, 8), (2, kh, n, 8), (2, kh, n, 6)]
    if layout == "BSHD":
        dims = [(b, s, h, d) for b, h, s, d in dims]
    qkv = tuple(randoms(d, *shape, seed=i) for i, shape in enumerate(dims))
    op = _sdpa(layout, causal, scale, *extra)
    operands = [extra[name] for name in op.optional if name in extra]
    wider = _HALF if d == "f16" else _FULL
    return Sample(op, (*qkv, *operands), constants, *wider, note=f"{layout}{note}")


def _sdpa(
    layout: str = "BHSD", causal: bool = False, scale: float = 0.5, *given: str
) -> FusedScaledDotProductAttention:
    options = ScaledDotProductAttentionConfig(False, scale, causal)
    names = FusedScaledDotProductAttention.optional
    return FusedScaledDotProductAttention(layout, options, *(n in given for n in names))


def _masks(layout: str) -> list[Sample]:
    rng = np.random.default_rng(7)
    at = (0, 1, 2, 3) if layout == "BHSD" else (0, 2, 1, 3)
    allowed = rng.integers(0, 2, (2, 4, 3, 5)).astype(bool)
    allowed[0, 1, 2] = False
    added = randoms("f32", 2, 4, 3, 5)
    added[:, :, 1, 3] = -INF
    added[1, 2, 0] = -INF
    kv, q = array("i32", [2, 5]), array("i32", [3, 0])
    return [
        _attention(layout, note="bool", mask=np.ascontiguousarray(allowed.transpose(at))),
        _attention(layout, note="added", mask=np.ascontiguousarray(added.transpose(at))),
        _attention(layout, note="bool2", mask=allowed[0, 1]),
        _attention(layout, note="bool3", mask=allowed[:, 1]),
        _attention(layout, note="added2", mask=added[0, 1]),
        _attention(layout, note="one", mask=np.ascontiguousarray(allowed.transpose(at)[:, :1, :1])),
        _attention(layout, note="constant", mask=allowed[0, 0], constants=frozenset({3})),
        _attention(layout, note="bias", bias=added),
        _attention(layout, note="alibi", bias=added[0, :, :1], causal=True, lengths=(3, 5)),
        _attention(layout, note="gqa", heads=(4, 2), bias=added, mask=allowed[0, 1]),
        _attention(layout, note="lengths", query_seq_len=q, key_value_seq_len=kv),
        _attention(layout, note="kvlength", key_value_seq_len=kv, causal=True),
        _attention(layout, note="qlength", query_seq_len=q, heads=(4, 1)),
        _attention(
            layout,
            note="outside",
            query_seq_len=array("i32", [9, -1]),
            key_value_seq_len=array("i32", [-3, 99]),
            bias=added,
        ),
    ]


def _attentions() -> list[Sample]:
    found = []
    for layout in ("BHSD", "BSHD"):
        for d in ("f32", "f16"):
            found += [
                _attention(layout, d),
                _attention(layout, d, causal=True, note="causal"),
                _attention(layout, d, causal=True, lengths=(5, 3), note="long"),
                _attention(layout, d, heads=(4, 2), causal=True, note="gqa"),
                _attention(layout, d, heads=(4, 1), scale=1.0, note="mqa"),
            ]
        found += _masks(layout)
    half = randoms("f32", 3, 5)
    return [
        *found,
        _attention(d="f16", note="widemask", mask=half),
        _attention(lengths=(1, 1), note="one", causal=True),
        _attention(lengths=(0, 5), note="noquery"),
    ]


def _projections() -> list[Sample]:
    found = []
    for d in ("f32", "f16"):
        wider = _HALF if d == "f16" else _FULL
        biases = [randoms(d, n, seed=i) for i, n in enumerate((6, 4, 4))]
        for given in ((True, True, True), (False, False, False), (True, False, True)):
            op = FusedAttentionQKVProjection(6, 4, *given)
            there = [b for b, g in zip(biases, given, strict=True) if g]
            operands = (randoms(d, 5, 3), randoms(d, 3, 14), *there)
            found.append(Sample(op, operands, frozenset({1}), *wider, note=str(sum(given))))
    return found


SAMPLES = _attentions() + _projections()

_Q, _K = t("f32", 2, 4, 3, 8), t("f32", 2, 4, 5, 8)
_QKV = (_Q, _K, _K)
_X, _W = t("f32", 5, 3), t("f32", 3, 14)
_PLAIN = FusedAttentionQKVProjection(6, 4, False, False, False)

REJECTS = [
    Reject("C1", _sdpa(), (_Q, _K, t("f32", 4, 5, 8)), "rank 4"),
    Reject("C1", _sdpa(), (_Q, _K, t("f32", 2, 4, 6, 8)), "key as long as value"),
    Reject("C1", _sdpa(), (_Q, t("f32", 2, 4, 5, 9), _K), "head dims equal"),
    Reject("C2", _sdpa(), (_Q, *(t("f32", 2, 3, 5, 8),) * 2), "a multiple of 3 key heads"),
    Reject("C3", _sdpa(), (t("f16", *_Q.shape), _K, _K), "one dtype"),
    Reject("C3", _sdpa(), (t("i32", *_Q.shape), _K, _K), "convert it"),
    Reject("C4", _sdpa("BHSD", False, 0.5, "query_seq_len"), (*_QKV, t("i32", 3)), "i32[2]"),
    Reject("C4", _sdpa("BHSD", False, 0.5, "key_value_seq_len"), (*_QKV, t("f32", 2)), "i32[2]"),
    Reject("C5", _sdpa("BHSD", False, 0.5, "bias"), (*_QKV, t("f32", 3, 4)), "1 or equal"),
    Reject("C5", _sdpa("BHSD", False, 0.5, "bias"), (*_QKV, t("f32", 5)), "1 or equal"),
    Reject("C5", _sdpa("BHSD", False, 0.5, "bias"), (*_QKV, t("f16", 3, 5)), "one dtype"),
    Reject("C6", _sdpa("BHSD", False, 0.5, "mask"), (*_QKV, t("bool", 2, 4, 5, 5)), "1 or equal"),
    Reject("C6", _sdpa("BHSD", False, 0.5, "mask"), (*_QKV, t("i32", 3, 5)), "convert it"),
    Reject("C6", _sdpa("BHSD", False, 0.5, "mask"), _QKV, "give each one"),
    Reject("C7", _sdpa("BDSH"), _QKV, "use BHSD or BSHD"),
    Reject("C1", _PLAIN, (_X, t("f32", 4, 14)), "[in, columns]"),
    Reject("C2", _PLAIN, (_X, t("f32", 3, 15)), "make their sum 15"),
    Reject("C3", _PLAIN, (_X, t("f16", 3, 14)), "one dtype"),
    Reject(
        "C4",
        FusedAttentionQKVProjection(6, 4, True, False, True),
        (_X, _W, *(t("f32", 6),) * 2),
        "[6, 4]",
    ),
]
