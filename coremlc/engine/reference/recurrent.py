"""Kernels of lstm, gru and rnn: a Python loop over time, one matmul a step."""

# Arithmetic on NDArray[Any] is Any to numpy.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: D103 - a kernel is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from coremlc.engine.reference.elementwise import sigmoid_of
from coremlc.engine.reference.registry import Array, kernel
from coremlc.errors import RefusedError

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid_of,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "linear": lambda x: x,
}


def _activation(word: str) -> Callable[[Array], Array]:
    found = _ACTIVATIONS.get(word.lower())
    if found is None:
        raise RefusedError(
            f"recurrent activation {word!r}: its constants are not documented",
            fix=f"use one of {', '.join(_ACTIVATIONS)}",
        )
    return found


def _in_time(x: Array, direction: str) -> Array:
    return x[::-1] if direction == "reverse" else x


def _sequence(steps: list[Array], direction: str, *, every: Any, last: Array) -> Array:
    """Results stand at the time of their input."""
    if not every:
        return last[None]
    return np.stack(steps[::-1] if direction == "reverse" else steps)


class _Lstm:
    """One direction."""

    def __init__(
        self, weights: tuple[Array, Array, Array | None, Array | None], words: tuple[str, str, str]
    ) -> None:
        self.input, self.hidden, self.bias, peephole = weights
        self.peephole = None if peephole is None else np.split(peephole, 3)
        self.recurrent, self.cell, self.output = (_activation(word) for word in words)

    def run(self, x: Array, h: Array, c: Array) -> tuple[list[Array], Array, Array]:
        steps = []
        projected = np.matmul(x, self.input.T)
        if self.bias is not None:
            projected = projected + self.bias
        for row in projected:
            i, f, o, z = np.split(row + np.matmul(h, self.hidden.T), 4, axis=-1)
            if self.peephole is not None:
                i, f = i + self.peephole[0] * c, f + self.peephole[1] * c
            c = self.recurrent(f) * c + self.recurrent(i) * self.cell(z)
            if self.peephole is not None:
                o = o + self.peephole[2] * c
            h = self.recurrent(o) * self.output(c)
            steps.append(h)
        return steps, h, c


@kernel("lstm", wide=True)
def lstm(
    x: Array,
    initial_h: Array,
    initial_c: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | None = None,
    peephole: Array | None = None,
    weight_ih_back: Array | None = None,
    weight_hh_back: Array | None = None,
    bias_back: Array | None = None,
    peephole_back: Array | None = None,
    direction: str = "forward",
    output_sequence: Any = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: Any = None,
) -> tuple[Array, Array, Array]:
    """Gates: input, forget, output, cell."""
    if clip is not None:
        raise RefusedError("lstm with clip: what it clips is not documented", fix="leave it out")
    words = (recurrent_activation, cell_activation, activation)
    width = weight_hh.shape[1]
    ways = [("reverse" if direction == "reverse" else "forward",
             (weight_ih, weight_hh, bias, peephole))]  # fmt: skip
    if direction == "bidirectional":
        assert weight_ih_back is not None
        assert weight_hh_back is not None
        ways.append(("reverse", (weight_ih_back, weight_hh_back, bias_back, peephole_back)))
    results = []
    for k, (way, weights) in enumerate(ways):
        part = slice(k * width, (k + 1) * width)
        steps, h, c = _Lstm(weights, words).run(
            _in_time(x, way), initial_h[:, part], initial_c[:, part]
        )
        results.append((_sequence(steps, way, every=output_sequence, last=h), h, c))
    sequence, hidden, cell = (np.concatenate(group, -1) for group in zip(*results, strict=True))
    return sequence, hidden, cell


@kernel("gru", wide=True)
def gru(
    x: Array,
    initial_h: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | None = None,
    direction: str = "forward",
    output_sequence: Any = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: Any = False,
    input_bias: Array | None = None,
) -> tuple[Array, Array]:
    """Gates: reset, output, update."""
    inner, outer = _activation(recurrent_activation), _activation(activation)
    width = weight_hh.shape[1]
    projected = np.matmul(_in_time(x, direction), weight_ih.T)
    if input_bias is not None:
        projected = projected + input_bias
    both = np.zeros(3 * width, x.dtype) if bias is None else bias
    reset, new, update = np.split(weight_hh, 3)
    b_reset, b_new, b_update = np.split(both, 3)
    h, steps = initial_h, []
    for row in projected:
        x_r, x_o, x_z = np.split(row, 3, axis=-1)
        r = inner(x_r + np.matmul(h, reset.T) + b_reset)
        z = inner(x_z + np.matmul(h, update.T) + b_update)
        if reset_after:
            o = outer(x_o + r * (np.matmul(h, new.T) + b_new))
        else:
            o = outer(x_o + np.matmul(r * h, new.T) + b_new)
        h = (1 - z) * o + z * h
        steps.append(h)
    return _sequence(steps, direction, every=output_sequence, last=h), h


@kernel("rnn", wide=True)
def rnn(
    x: Array,
    initial_h: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | None = None,
    direction: str = "forward",
    output_sequence: Any = False,
    activation: str = "tanh",
) -> tuple[Array, Array]:
    outer = _activation(activation)
    projected = np.matmul(_in_time(x, direction), weight_ih.T)
    projected = projected if bias is None else projected + bias
    h, steps = initial_h, []
    for row in projected:
        h = outer(row + np.matmul(h, weight_hh.T))
        steps.append(h)
    return _sequence(steps, direction, every=output_sequence, last=h), h
