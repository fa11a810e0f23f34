"""Recipes of lstm, gru and rnn: ONNX's own, with the gates in its order.

ORT's clamp their gates and lose NaN and infinities: then the steps are taken one by one.
"""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.steps import Way, gru_step, is_tame, lstm_step, projected, scan
from coremlc.engine.ort.tensor import Array, T, bool_of, const_of
from coremlc.errors import RefusedError
from coremlc.mil.types import TensorType

_WORDS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "linear": "Affine"}


def _words(words: list[str], count: int) -> dict[str, Any]:
    """Activation attributes for `count` directions."""
    names = []
    for word in words:
        if word.lower() not in _WORDS:
            raise RefusedError(
                f"recurrent activation {word!r}: its constants are not documented",
                fix=f"use one of {', '.join(_WORDS)}",
            )
        names.append(_WORDS[word.lower()])
    names *= count
    alphas = [1.0 for name in names if name == "Affine"]
    return {"activations": names, "activation_alpha": alphas or None}


def _gates(x: T, order: list[int], name: str) -> Array:
    """A constant's gates in ONNX's order."""
    parts = np.split(const_of(x, name), len(order))
    return np.concatenate([parts[i] for i in order])


def _stacked(g: Emitter, arrays: list[Array]) -> str:
    return g.const(np.stack(arrays).astype(np.float32))


def _biases(biases: list[T | None], order: list[int], width: int) -> list[Array]:
    """[input bias, hidden bias] per direction: MIL gives their sum."""
    zeros = np.zeros(len(order) * width, np.float32)
    return [
        np.concatenate([zeros if b is None else _gates(b, order, "bias"), zeros]) for b in biases
    ]


def _start(g: Emitter, x: T, ways: int) -> str:
    """[b, ways * H] as [ways, b, H]."""
    if ways == 1:
        return g.node("Unsqueeze", x, g.i64(0))
    batch, width = x.dims
    split = g.reshape(x, [batch, ways, width // ways])
    return g.node("Transpose", split, perm=[1, 0, 2])


def _end(g: Emitter, x: Name, ways: int, batch: int, width: int) -> str:
    """[ways, b, H] as [b, ways * H]."""
    if ways == 1:
        return g.node("Squeeze", x, g.i64(0))
    return g.reshape(g.node("Transpose", x, perm=[1, 0, 2]), [batch, ways * width])


def _every(g: Emitter, y: Name, ways: int, dims: tuple[int, ...], width: int) -> str:
    """[s, ways, b, H] as [s, b, ways * H]."""
    if ways == 1:
        return g.node("Squeeze", y, g.i64(1))
    moved = g.node("Transpose", y, perm=[0, 2, 1, 3])
    return g.reshape(moved, [dims[0], dims[1], ways * width])


_IOFC = [0, 2, 1, 3]
_IOF = [0, 2, 1]


@recipe("lstm", wide=True)
def lstm(
    g: Emitter,
    x: T,
    initial_h: T,
    initial_c: T,
    weight_ih: T,
    weight_hh: T,
    bias: T | None = None,
    peephole: T | None = None,
    weight_ih_back: T | None = None,
    weight_hh_back: T | None = None,
    bias_back: T | None = None,
    peephole_back: T | None = None,
    direction: str = "forward",
    output_sequence: T | None = None,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: T | None = None,
    *,
    out: tuple[TensorType, ...],
) -> list[str]:
    """MIL's gates are i, f, o, z; ONNX's i, o, f, c."""
    if clip is not None:
        raise RefusedError("lstm with clip: what it clips is not documented", fix="leave it out")
    both = direction == "bidirectional"
    ways = 2 if both else 1
    width = weight_hh.dims[1]
    inputs = [weight_ih, *([weight_ih_back] if both else [])]
    hiddens = [weight_hh, *([weight_hh_back] if both else [])]
    peeps = [peephole, *([peephole_back] if both else [])]
    operands: list[Name] = [
        x,
        _stacked(g, [_gates(w, _IOFC, "weight_ih") for w in inputs if w is not None]),
        _stacked(g, [_gates(w, _IOFC, "weight_hh") for w in hiddens if w is not None]),
        _stacked(g, _biases([bias, *([bias_back] if both else [])], _IOFC, width)),
        "",
        _start(g, initial_h, ways),
        _start(g, initial_c, ways),
    ]
    if any(p is not None for p in peeps):
        zeros = np.zeros(3 * width, np.float32)
        operands.append(
            _stacked(g, [zeros if p is None else _gates(p, _IOF, "peephole") for p in peeps])
        )
    y, h, c = g.nodes(
        "LSTM",
        3,
        *operands,
        hidden_size=width,
        direction=direction,
        **_words([recurrent_activation, cell_activation, activation], ways),
    )
    hidden = _end(g, h, ways, x.dims[1], width)
    cell = _end(g, c, ways, x.dims[1], width)
    every = bool_of(output_sequence, default=False)
    sequence = _every(g, y, ways, x.dims, width) if every else _only(g, hidden)
    words = (recurrent_activation, cell_activation, activation)
    biases = [bias, *([bias_back] if both else [])]

    def steps() -> list[str]:
        found = []
        for k in range(ways):
            part = [_part(g, s, k, width) if both else s for s in (initial_h, initial_c)]
            way = Way(
                k == 1 or direction == "reverse",
                _value(inputs[k]),
                _value(hiddens[k]),
                None if biases[k] is None else _value(biases[k]),
                None if peeps[k] is None else _value(peeps[k]),
                tuple(part),
            )
            rows = projected(g, x, way.input, way.bias)
            kinds = (_floats(x.dims[1], width), _floats(x.dims[1], 4 * width))
            found.append(scan(g, rows, way, kinds, lstm_step(g, way, words)))
        h, c, y = ([f[k] for f in found] for k in range(3))
        last = _joined(g, h)
        return [_joined(g, y) if every else _only(g, last), last, _joined(g, c)]

    wide = [TensorType("fp32", kind.shape) for kind in out]
    usual = [sequence, hidden, cell]
    return g.branches(is_tame(g, [x, initial_h, initial_c]), lambda: usual, steps, wide)


def _only(g: Emitter, last: Name) -> str:
    return g.node("Unsqueeze", last, g.i64(0))


def _joined(g: Emitter, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else g.node("Concat", *parts, axis=-1)


def _part(g: Emitter, x: T, k: int, width: int) -> str:
    return g.node("Slice", x, g.i64(k * width), g.i64((k + 1) * width), g.i64(1))


def _value(x: T | None) -> Array:
    assert x is not None
    return const_of(x, "weights")


def _floats(*dims: int) -> TensorType:
    return TensorType("fp32", dims)


_ZRH = [2, 0, 1]


@recipe("gru", wide=True)
def gru(
    g: Emitter,
    x: T,
    initial_h: T,
    weight_ih: T,
    weight_hh: T,
    bias: T | None = None,
    direction: str = "forward",
    output_sequence: T | None = None,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: T | None = None,
    input_bias: T | None = None,
    *,
    out: tuple[TensorType, ...],
) -> list[str]:
    """MIL's gates are r, o, z; ONNX's z, r, h."""
    width = weight_hh.dims[1]
    zeros = np.zeros(3 * width, np.float32)
    biases = [zeros if b is None else _gates(b, _ZRH, "bias") for b in (input_bias, bias)]
    y, h = g.nodes(
        "GRU",
        2,
        x,
        _stacked(g, [_gates(weight_ih, _ZRH, "weight_ih")]),
        _stacked(g, [_gates(weight_hh, _ZRH, "weight_hh")]),
        _stacked(g, [np.concatenate(biases)]),
        "",
        _start(g, initial_h, 1),
        hidden_size=width,
        direction=direction,
        linear_before_reset=int(bool_of(reset_after, default=False)),
        **_words([recurrent_activation, activation], 1),
    )
    words = (recurrent_activation, activation)
    after = bool_of(reset_after, default=False)

    def steps() -> list[str]:
        held = zeros if bias is None else _value(bias)
        way = Way(
            direction == "reverse", _value(weight_ih), _value(weight_hh), held, None, (initial_h,)
        )
        rows = projected(g, x, way.input, None if input_bias is None else _value(input_bias))
        kinds = (_floats(x.dims[1], width), _floats(x.dims[1], 3 * width))
        last, every = scan(g, rows, way, kinds, gru_step(g, way, words, reset_after=after))
        return [every if bool_of(output_sequence, default=False) else _only(g, last), last]

    usual = _one_way(g, y, h, output_sequence)
    wide = [TensorType("fp32", kind.shape) for kind in out]
    return g.branches(is_tame(g, [x, initial_h]), lambda: usual, steps, wide)


@recipe("rnn", wide=True)
def rnn(
    g: Emitter,
    x: T,
    initial_h: T,
    weight_ih: T,
    weight_hh: T,
    bias: T | None = None,
    direction: str = "forward",
    output_sequence: T | None = None,
    activation: str = "tanh",
) -> list[str]:
    width = weight_hh.dims[1]
    y, h = g.nodes(
        "RNN",
        2,
        x,
        _stacked(g, [const_of(weight_ih, "weight_ih")]),
        _stacked(g, [const_of(weight_hh, "weight_hh")]),
        _stacked(g, _biases([bias], [0], width)),
        "",
        _start(g, initial_h, 1),
        hidden_size=width,
        direction=direction,
        **_words([activation], 1),
    )
    return _one_way(g, y, h, output_sequence)


def _one_way(g: Emitter, y: str, h: str, output_sequence: T | None) -> list[str]:
    hidden = g.node("Squeeze", h, g.i64(0))
    if bool_of(output_sequence, default=False):
        return [g.node("Squeeze", y, g.i64(1)), hidden]
    return [h, hidden]
