"""Recurrent layers over x: [sequence, batch, features]."""

from __future__ import annotations

from coremlc.mil.dialect.args import Args, Shape
from coremlc.mil.dialect.opsets import FLOAT
from coremlc.mil.dialect.signature import OpDef, Rule, op, sig
from coremlc.mil.types import TensorType

_DIRECTIONS = ("forward", "reverse")
_ACTIVATIONS = ("tanh", "scaled_tanh", "sigmoid", "hard_sigmoid", "relu", "linear")


def _hidden(args: Args, gates: int, back: str = "") -> int | None:
    """The hidden size, from weights of `gates` matrices laid end to end."""
    features = args.rank("x", 3)[2]
    hidden = args.rank(f"weight_hh{back}", 2)[1]
    rows = None if hidden is None else gates * hidden
    for name, columns in (("weight_hh", hidden), ("weight_ih", features)):
        args.expect(f"{name}{back}", (rows, columns), f"x {args.spell('x')}, {gates} gates")
    if f"bias{back}" in args:
        args.expect(f"bias{back}", (rows,), f"weight_hh {args.spell('weight_hh')}")
    return hidden


def _results(args: Args, width: int | None, states: int) -> tuple[TensorType, ...]:
    sequence, batch, _ = args.rank("x", 3)
    for name in ("initial_h", "initial_c")[:states]:
        args.expect(name, (batch, width), f"x {args.spell('x')} and weight_hh")
    steps = sequence if args.flag("output_sequence") else 1
    dtype = args.type().dtype
    state: Shape = (batch, width)
    return (TensorType(dtype, (steps, batch, width)), *[TensorType(dtype, state)] * states)


def _lstm(args: Args) -> tuple[TensorType, ...]:
    direction = args.text("direction", (*_DIRECTIONS, "bidirectional"))
    for name in ("activation", "cell_activation", "recurrent_activation"):
        args.text(name, _ACTIVATIONS)
    width = _hidden(args, 4)
    if direction == "bidirectional":
        for name in ("weight_ih_back", "weight_hh_back"):
            if name not in args:
                raise args.error(f"bidirectional, and {name} is missing", fix=f"give {name}")
        back = _hidden(args, 4, "_back")
        width = None if width is None or back is None else width + back
    return _results(args, width, 2)


def _one_way(gates: int) -> Rule:
    def infer(args: Args) -> tuple[TensorType, ...]:
        args.text("direction", _DIRECTIONS)
        return _results(args, _hidden(args, gates), 1)

    return infer


_START = "x: T; initial_h: T; "
_WEIGHTS = "weight_ih: const T; weight_hh: const T; bias: const T[] ?; "
_COMMON = "direction: const string() = 'forward'; output_sequence: const bool() = False; "
_BACK = (
    "peephole: const T[] ?; weight_ih_back: const T ?; weight_hh_back: const T ?; "
    "bias_back: const T[] ?; peephole_back: const T[] ?; "
)
_RECURRENT = "recurrent_activation: const string() = 'sigmoid'; "
_ACTIVATION = "activation: const string() = 'tanh'"
_RNN = _START + _WEIGHTS + _COMMON + _ACTIVATION
_GRU = _START + _WEIGHTS + _COMMON + _RECURRENT + _ACTIVATION
_LSTM = (
    "x: T; initial_h: T; initial_c: T; " + _WEIGHTS + _BACK + _COMMON + _RECURRENT
    + "cell_activation: const string() = 'tanh'; " + _ACTIVATION + "; clip: const T() ?"
)  # fmt: skip
_FP32 = frozenset({"fp32"})

OPS: tuple[OpDef, ...] = (
    op("lstm", _lstm, sig(_LSTM, T=_FP32), sig(_LSTM, "ios17", T=FLOAT)),
    op(
        "gru",
        _one_way(3),
        sig(_GRU, T=_FP32),
        sig(_GRU, "ios17", T=FLOAT),
        sig(
            _GRU + "; reset_after: const bool() = False; input_bias: const T[] ?",
            "ios18",
            T=FLOAT,
        ),
    ),
    op("rnn", _one_way(1), sig(_RNN, T=_FP32), sig(_RNN, "ios17", T=FLOAT)),
)
