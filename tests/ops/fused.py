"""Samples of the fused ops: attention, quantized layers."""

from __future__ import annotations

import numpy as np

from coremlc.ops import dense, ggml
from coremlc.ops.attention import (
    FusedAttentionQKVProjection,
    FusedScaledDotProductAttention,
    ScaledDotProductAttentionConfig,
)
from coremlc.ops.quantized import FusedQuantizedDense, Quantization, QuantizedEmbeddingLookup
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


HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
"""Bytes of a block at which its float16 scales stand; 0 in the other formats."""


def blocks(ggml_type: str, rows: int, count: int, seed: int = 0) -> np.ndarray:
    """Rows of random blocks with scales of ordinary size."""
    form = ggml.FORMATS[ggml_type]
    rng = np.random.default_rng(seed)
    b = rng.integers(0, 256, (rows, count, form.bytes)).astype(np.uint8)
    for at in HALVES.get(ggml_type, (0,)):
        scales = rng.normal(size=(rows, count, 1)).astype(np.float16) / 32
        b[:, :, at : at + 2] = scales.view(np.uint8)
    return b.reshape(rows, count * form.bytes)


def _quantized(
    weights: np.ndarray,
    scheme: str,
    size: int = 3,
    zero: bool = False,
    bias: bool = True,
    activation: str = "none",
    ggml_type: str = "",
    held: bool = True,
    note: str = "",
) -> Sample:
    inner, out = weights.shape
    if scheme == "GGML":
        form = ggml.FORMATS[ggml_type]
        inner, out = out // form.bytes * form.values, inner
    q = Quantization(scheme, 1 if size else 0, size, ggml_type)
    op = FusedQuantizedDense(q, activation, bias, scheme != "GGML", zero)
    operands = [randoms("f32", 2, 3, inner), weights]
    operands += [randoms("f32", out, seed=1)] if bias else []
    for seed in range((scheme != "GGML") + zero):
        operands.append(randoms("f32", inner, -(-out // size), seed=seed))
    constants = frozenset(range(1, len(operands))) if held else frozenset[int]()
    wider = ((2e-5, 2e-5), "sums in another order")
    return Sample(op, tuple(operands), constants, *wider, note=f"{scheme}{ggml_type}{note}")


def _dense() -> list[Sample]:
    found = []
    rng = np.random.default_rng(3)
    for d, low, high in (("i4", -8, 8), ("u4", 0, 16), ("i8", -128, 128), ("u8", 0, 256)):
        w = array(d, rng.integers(low, high, (5, 7)))
        for scheme in ("Linear", "NF4"):
            for held in (True, False):
                note = "held" if held else ""
                found.append(_quantized(w, scheme, held=held, note=note))
        found.append(_quantized(w, "Linear", zero=True, note="zero"))
        found.append(_quantized(w, "Linear", zero=True, held=False, note="runzero"))
        found.append(_quantized(w, "Linear", size=7, bias=False, note="onescale"))
        found.append(_quantized(w, "Linear", size=100, bias=False, note="bigblock"))
    found += [_quantized(w, "Linear", activation=a, note=a) for a in dense.ACTIVATIONS]
    for ggml_type in ggml.FORMATS:
        w = blocks(ggml_type, 3, 2)
        found.append(_quantized(w, "GGML", 0, ggml_type=ggml_type))
        found.append(
            _quantized(
                w[:, : w.shape[1] // 2],
                "GGML",
                0,
                bias=False,
                activation="relu",
                ggml_type=ggml_type,
                note="relu",
            )
        )
    return found


def _lookups() -> list[Sample]:
    found = []
    rows = array("i32", [[0], [4], [2], [99], [-1]])
    for ggml_type, form in ggml.FORMATS.items():
        op = QuantizedEmbeddingLookup(Quantization("GGML", 0, 0, ggml_type), False, False)
        table = blocks(ggml_type, 5, 2)
        found.append(Sample(op, (table, rows), frozenset({0}), note=ggml_type))
        wild = np.random.default_rng(9).integers(0, 256, (5, form.bytes)).astype(np.uint8)
        wild[0] = 255
        wide = rows.reshape(1, 5, 1).astype(np.int64)
        found.append(Sample(op, (wild, wide), frozenset({0}), note=f"{ggml_type}wild"))
    return found


SAMPLES = _attentions() + _projections() + _dense() + _lookups()

_Q, _K = t("f32", 2, 4, 3, 8), t("f32", 2, 4, 5, 8)
_QKV = (_Q, _K, _K)
_X, _W = t("f32", 5, 3), t("f32", 3, 14)
_PLAIN = FusedAttentionQKVProjection(6, 4, False, False, False)


def _quantized_rejects() -> list[Reject]:
    linear, nf4 = Quantization("Linear", 1, 3, ""), Quantization("NF4", 1, 3, "")
    q8 = Quantization("GGML", 0, 0, "Q8_0")
    x, w, s, b = t("f32", 2, 5), t("i8", 5, 7), t("f32", 5, 3), t("f32", 7)
    table, rows = t("u8", 9, 34), t("i32", 4, 1)

    def dense_of(q: Quantization, activation: str = "none", *given: bool) -> FusedQuantizedDense:
        return FusedQuantizedDense(q, activation, *(given or (False, True, False)))

    none = (False, False, False)
    return [
        Reject("C1", dense_of(linear), (t("f32", 2, 6), w, s), "make the inner dims equal"),
        Reject("C1", dense_of(q8, "none", *none), (x, table), "make the inner dims equal"),
        Reject("C2", dense_of(linear), (x, w, t("f32", 5, 2)), "give f32[5,3]"),
        Reject("C2", dense_of(linear, "none", *none), (x, w), "give f32[5,3]"),
        Reject("C2", dense_of(nf4, "none", False, True, True), (x, w, s, s), "no zero point"),
        Reject("C2", dense_of(q8), (x, table, s), "leave it out"),
        Reject("C2", dense_of(Quantization("Linear", 0, 3, "")), (x, w, s), "use axis 1"),
        Reject("C2", dense_of(q8, "none", *none), (x, t("u8", 9, 33)), "blocks of 34 bytes"),
        Reject("C3", dense_of(linear), (t("f16", 2, 5), w, s), "give Float32"),
        Reject("C3", dense_of(linear, "none", True, True, False), (x, w, x, s), "a bias of [7]"),
        Reject("C4", dense_of(linear, "swish"), (x, w, s), "use none"),
        Reject("C4", dense_of(Quantization("Log", 1, 3, "")), (x, w, s), "use Linear"),
        Reject("C4", dense_of(Quantization("GGML", 0, 0, "Q1")), (x, w, s), "use Q4_0"),
        Reject("C5", dense_of(linear), (x, t("i16", 5, 7), s), "Int8 or Uint8"),
        Reject("C5", dense_of(linear), (x, b, s), "Int8 or Uint8"),
        Reject("C1", QuantizedEmbeddingLookup(linear, True, False), (w, rows, s), "use GGML"),
        Reject("C1", QuantizedEmbeddingLookup(q8, True, False), (table, rows, s), "leave it out"),
        Reject("C2", QuantizedEmbeddingLookup(q8, False, False), (table, b), "last dim of 1"),
    ]


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
    *_quantized_rejects(),
]
