"""Recurrent layers step by step, in a Scan: slow, but NaN and infinities spread as they should."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coremlc.engine.ort.activations import sigmoid_denominator
from coremlc.engine.ort.emitter import Emitter, Name, declare
from coremlc.engine.ort.tensor import Array, T
from coremlc.mil.types import TensorType

TAME = 1e18
"""Below this, a sum of sizes can't make a gate overflow with weights of any use."""

Step = Callable[[str, list[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a layer; weights in MIL's order of gates."""

    is_reverse: bool
    input: Array
    hidden: Array
    bias: Array | None = None
    peephole: Array | None = None
    states: tuple[Name, ...] = ()


def is_tame(g: Emitter, values: Sequence[T]) -> str:
    """Whether ORT's own layer is right: no NaN, nothing huge."""
    total = g.node("ReduceL1", values[0], keepdims=0)
    for value in values[1:]:
        total = g.node("Add", total, g.node("ReduceL1", value, keepdims=0))
    return g.node("Less", total, g.const(np.float32(TAME)))


def activation(g: Emitter, word: str, x: Name) -> str:
    """One of the four activations that have no hidden constants."""
    match word.lower():
        case "sigmoid":
            return g.node("Div", g.const(np.float32(1)), sigmoid_denominator(g, x))
        case "tanh":
            return g.node("Tanh", x)
        case "relu":
            return g.node("Relu", x)
    return g.node("Identity", x)


def scan(
    g: Emitter, rows: Name, way: Way, kinds: tuple[TensorType, TensorType], step: Step
) -> list[str]:
    """The last states, and the first state of every step; kinds are of a state and of a row."""
    count = len(way.states)
    state, row = kinds
    with g.subgraph(g.fresh()) as body:
        names = [g.fresh() for _ in way.states]
        for name in names:
            declare(body.input, name, state)
        scanned = g.fresh()
        declare(body.input, scanned, row)
        following = step(scanned, names)
        for value in (*following, following[0]):
            out = g.fresh()
            g.alias(value, out)
            declare(body.output, out, state)
    direction = [int(way.is_reverse)]
    return g.nodes(
        "Scan",
        count + 1,
        *way.states,
        rows,
        body=body,
        num_scan_inputs=1,
        scan_input_directions=direction,
        scan_output_directions=direction,
    )


def projected(g: Emitter, x: Name, weight: Array, bias: Array | None) -> str:
    """Every step's input through its weights at once."""
    rows = g.node("MatMul", x, g.const(weight.T.astype(np.float32)))
    return rows if bias is None else g.node("Add", rows, g.const(bias.astype(np.float32)))


def through(g: Emitter, h: Name, weight: Array) -> str:
    """A state through its weights."""
    return g.node("MatMul", h, g.const(np.ascontiguousarray(weight.T).astype(np.float32)))


def gates(g: Emitter, row: Name, count: int) -> list[str]:
    """The parts of a row."""
    return g.nodes("Split", count, row, axis=-1, num_outputs=count)


def lstm_step(g: Emitter, way: Way, words: Sequence[str]) -> Step:
    """Gates i, f, o, z; states h, c."""
    peep = None if way.peephole is None else np.split(way.peephole.astype(np.float32), 3)

    def looking(gate: str, c: Name, k: int) -> str:
        return gate if peep is None else g.node("Add", gate, g.node("Mul", c, g.const(peep[k])))

    def step(row: str, states: list[str]) -> list[str]:
        h, c = states
        i, f, o, z = gates(g, g.node("Add", row, through(g, h, way.hidden)), 4)
        enter = activation(g, words[0], looking(i, c, 0))
        keep = activation(g, words[0], looking(f, c, 1))
        fresh = g.node("Mul", enter, activation(g, words[1], z))
        cell = g.node("Add", g.node("Mul", keep, c), fresh)
        out = activation(g, words[0], looking(o, cell, 2))
        return [g.node("Mul", out, activation(g, words[2], cell)), cell]

    return step


def gru_step(g: Emitter, way: Way, words: Sequence[str], *, reset_after: bool) -> Step:
    """Gates r, o, z; state h. The bias is the state's; the input's is in the row already."""
    assert way.bias is not None
    weights, biases = np.split(way.hidden, 3), np.split(way.bias.astype(np.float32), 3)

    def plus(a: Name, k: int) -> str:
        return g.node("Add", a, g.const(biases[k]))

    def step(row: str, states: list[str]) -> list[str]:
        (h,) = states
        x_r, x_o, x_z = gates(g, row, 3)
        reset = activation(g, words[0], plus(g.node("Add", x_r, through(g, h, weights[0])), 0))
        keep = activation(g, words[0], plus(g.node("Add", x_z, through(g, h, weights[2])), 2))
        if reset_after:
            inner = g.node("Mul", reset, plus(through(g, h, weights[1]), 1))
            new = activation(g, words[1], g.node("Add", x_o, inner))
        else:
            held = through(g, g.node("Mul", reset, h), weights[1])
            new = activation(g, words[1], plus(g.node("Add", x_o, held), 1))
        share = g.node("Sub", g.const(np.float32(1)), keep)
        return [g.node("Add", g.node("Mul", share, new), g.node("Mul", keep, h))]

    return step
