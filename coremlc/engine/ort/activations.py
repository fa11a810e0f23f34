"""Activation recipes."""

# ruff: noqa: D103 - a recipe is named after its MIL op, which the dialect describes
from __future__ import annotations

import numpy as np

from coremlc.engine.ort.emitter import Emitter, Name
from coremlc.engine.ort.registry import recipe
from coremlc.engine.ort.tensor import T, const_of, float_of


def _f(g: Emitter, value: float) -> str:
    return g.const(np.float32(value))


def sigmoid_denominator(g: Emitter, x: Name) -> str:
    """1 + exp(-x)."""
    return g.node("Add", g.node("Exp", g.node("Neg", x)), _f(g, 1))


@recipe("sigmoid", wide=True)
def sigmoid(g: Emitter, x: T) -> str:
    """Not Sigmoid, which is 0 below -18."""
    return g.node("Div", _f(g, 1), sigmoid_denominator(g, x))


@recipe("silu", wide=True)
def silu(g: Emitter, x: T) -> str:
    return g.node("Div", x, sigmoid_denominator(g, x))


@recipe("relu", wide=True)
def relu(g: Emitter, x: T) -> str:
    return g.node("Relu", x)


@recipe("relu6", wide=True)
def relu6(g: Emitter, x: T) -> str:
    return g.node("Min", g.node("Relu", x), _f(g, 6))


def softplus_of(g: Emitter, x: Name) -> str:
    """max(x, 0) + log(1 + exp(-|x|)): four times as fast as Softplus."""
    small = g.node("Exp", g.node("Neg", g.node("Abs", x)))
    return g.node("Add", g.node("Log", g.node("Add", small, _f(g, 1))), g.node("Relu", x))


@recipe("softplus", wide=True)
def softplus(g: Emitter, x: T) -> str:
    return softplus_of(g, x)


@recipe("softsign", wide=True)
def softsign(g: Emitter, x: T) -> str:
    return g.node("Div", x, g.node("Add", g.node("Abs", x), _f(g, 1)))


@recipe("gelu", wide=True)
def gelu(g: Emitter, x: T, mode: str | None = None) -> str:
    match "exact" if mode is None else mode.lower():
        case "tanh_approximation":
            return g.node("Gelu", x, approximate="tanh")
        case "sigmoid_approximation":
            return g.node("Div", x, sigmoid_denominator(g, g.node("Mul", x, _f(g, 1.702))))
    return g.node("Gelu", x)


def _channels(g: Emitter, value: T, x: T) -> str:
    array = const_of(value, "alpha").astype(np.float32)
    return g.const(array if array.ndim == 0 else array.reshape(-1, *(1,) * (x.rank - 2)))


def _negative_part(g: Emitter, x: T, slope: str) -> str:
    """X where it is not below 0, else slope * x; NaN stays."""
    return g.choose(g.node("Less", x, _f(g, 0)), g.node("Mul", x, slope), x)


@recipe("leaky_relu", wide=True)
def leaky_relu(g: Emitter, x: T, alpha: T) -> str:
    return g.node("LeakyRelu", x, alpha=float_of(alpha, 0.01))


@recipe("prelu", wide=True)
def prelu(g: Emitter, x: T, alpha: T) -> str:
    return _negative_part(g, x, _channels(g, alpha, x))


@recipe("elu", wide=True)
def elu(g: Emitter, x: T, alpha: T) -> str:
    return g.node("Elu", x, alpha=float_of(alpha, 1.0))


@recipe("clamped_relu", wide=True)
def clamped_relu(g: Emitter, x: T, alpha: T, beta: T) -> str:
    line = _negative_part(g, x, _f(g, float_of(alpha, 0)))
    return g.node("Min", line, _f(g, float_of(beta, 0)))


@recipe("thresholded_relu", wide=True)
def thresholded_relu(g: Emitter, x: T, alpha: T) -> str:
    return g.choose(g.node("Less", x, _f(g, float_of(alpha, 0))), np.float32(0), x)


@recipe("linear_activation", wide=True)
def linear_activation(g: Emitter, x: T, alpha: T, beta: T) -> str:
    return g.node("Add", g.node("Mul", x, _f(g, float_of(alpha, 1))), _f(g, float_of(beta, 0)))


@recipe("scaled_tanh", wide=True)
def scaled_tanh(g: Emitter, x: T, alpha: T, beta: T) -> str:
    inner = g.node("Tanh", g.node("Mul", x, _f(g, float_of(beta, 1))))
    return g.node("Mul", inner, _f(g, float_of(alpha, 1)))


@recipe("sigmoid_hard", wide=True)
def sigmoid_hard(g: Emitter, x: T, alpha: T, beta: T) -> str:
    line = linear_activation(g, x, alpha, beta)
    assert isinstance(line, str)
    return g.node("Min", g.node("Max", line, _f(g, 0)), _f(g, 1))


@recipe("softplus_parametric", wide=True)
def softplus_parametric(g: Emitter, x: T, alpha: T, beta: T) -> str:
    inner = softplus_of(g, g.node("Mul", x, _channels(g, beta, x)))
    return g.node("Mul", inner, _channels(g, alpha, x))
