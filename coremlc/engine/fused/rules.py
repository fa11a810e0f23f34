"""RULES: what a fusible MIL op is on one element: the reference's bits, but for `functions`."""

# ruff: noqa: D103 - a rule is named after its MIL op, which the dialect describes
from __future__ import annotations

from collections.abc import Callable

from coremlc.engine.fused import functions, integers
from coremlc.engine.fused.writer import BIT, F32, I32, Value, Writer

Rule = Callable[..., Value]
"""Operands arrive under their MIL names, words as str."""
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a function as the rule of the MIL ops `names`."""

    def register(function: Rule) -> Rule:
        for name in names:
            assert name not in RULES, name
            RULES[name] = function
        return function

    return register


for _name in ("add", "sub", "mul"):
    rule(_name)(lambda w, x, y, name=_name: getattr(w, name)(x, y))

for _name, _word in {"maximum": ">", "minimum": "<"}.items():
    rule(_name)(lambda w, x, y, word=_word: w.extreme(word, x, y))

for _name, _word in {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}.items():  # fmt: skip
    rule(_name)(lambda w, x, y, word=_word: w.compare(word, x, y))

for _name, _method in {
    "logical_and": "and_", "logical_or": "or_", "logical_xor": "xor", "bitwise_and": "and_",
}.items():  # fmt: skip
    rule(_name)(lambda w, x, y, method=_method: getattr(w.builder, method)(x, y))

for _name, _intrinsic in {
    "floor": "llvm.floor", "ceil": "llvm.ceil", "round": "llvm.roundeven", "sqrt": "llvm.sqrt",
    "sin": "llvm.sin", "cos": "llvm.cos",
}.items():  # fmt: skip
    rule(_name)(lambda w, x, name=_intrinsic: w.intrinsic(name, x))


@rule("logical_not")
def logical_not(w: Writer, x: Value) -> Value:
    return w.builder.not_(x)


@rule("real_div")
def real_div(w: Writer, x: Value, y: Value) -> Value:
    return w.div(x, y) if x.type == F32 else integers.quotient(w, x, y)


@rule("floor_div")
def floor_div(w: Writer, x: Value, y: Value) -> Value:
    if x.type == F32:
        return w.intrinsic("llvm.floor", w.div(x, y))
    return integers.floor_quotient(w, x, y)


@rule("mod")
def mod(w: Writer, x: Value, y: Value) -> Value:
    return integers.floor_rest(w, x, y)


@rule("abs")
def absolute(w: Writer, x: Value) -> Value:
    if x.type == F32:
        return w.intrinsic("llvm.fabs", x)
    return w.choose(w.compare("<", x, w.integer(0)), w.builder.neg(x), x)


@rule("sign")
def sign(w: Writer, x: Value) -> Value:
    """NaN stays NaN; of -0 it is 0."""
    zero, one, minus = (w.like(x, v) for v in (0, 1, -1))
    small = w.choose(w.compare("==", x, zero), zero, x)
    small = w.choose(w.compare("<", x, zero), minus, small)
    return w.choose(w.compare(">", x, zero), one, small)


@rule("square")
def square(w: Writer, x: Value) -> Value:
    return w.mul(x, x)


@rule("rsqrt")
def rsqrt(w: Writer, x: Value, epsilon: Value) -> Value:
    return w.div(w.number(1), w.intrinsic("llvm.sqrt", _plus(w, x, epsilon)))


@rule("inverse")
def inverse(w: Writer, x: Value, epsilon: Value) -> Value:
    return w.div(w.number(1), _plus(w, x, epsilon))


def _plus(w: Writer, x: Value, epsilon: Value) -> Value:
    """Nothing is added for an epsilon of 0, which would turn -0 into 0."""
    return w.add(x, epsilon) if epsilon.constant else x


@rule("relu")
def relu(w: Writer, x: Value) -> Value:
    return w.choose(w.compare("<", x, w.number(0)), w.number(0), x)


@rule("relu6")
def relu6(w: Writer, x: Value) -> Value:
    return w.extreme("<", relu(w, x), w.number(6))


@rule("clip")
def clip(w: Writer, x: Value, alpha: Value, beta: Value) -> Value:
    return w.extreme("<", w.extreme(">", x, alpha), beta)


@rule("leaky_relu")
def leaky_relu(w: Writer, x: Value, alpha: Value) -> Value:
    return w.choose(w.compare("<", x, w.number(0)), w.mul(x, alpha), x)


@rule("linear_activation")
def linear_activation(w: Writer, x: Value, alpha: Value, beta: Value) -> Value:
    return w.add(w.mul(x, alpha), beta)


@rule("softsign")
def softsign(w: Writer, x: Value) -> Value:
    return w.div(x, w.add(w.intrinsic("llvm.fabs", x), w.number(1)))


@rule("select")
def select(w: Writer, cond: Value, a: Value, b: Value) -> Value:
    return w.choose(cond, a, b)


@rule("cast")
def cast(w: Writer, x: Value, dtype: str) -> Value:
    target = {"fp32": F32, "int32": I32, "bool": BIT}[dtype]
    if x.type == target:
        return x
    if target == BIT:
        return w.compare("!=", x, w.like(x, 0))
    if x.type == BIT:
        return w.builder.uitofp(x, F32) if target == F32 else w.builder.zext(x, I32)
    return w.to_int(x) if target == I32 else w.builder.sitofp(x, F32)


@rule("exp")
def exp(w: Writer, x: Value) -> Value:
    return functions.exp(w, x)


@rule("log")
def log(w: Writer, x: Value, epsilon: Value) -> Value:
    return functions.log(w, _plus(w, x, epsilon))


@rule("tanh")
def tanh(w: Writer, x: Value) -> Value:
    return functions.tanh(w, x)


@rule("sigmoid")
def sigmoid(w: Writer, x: Value) -> Value:
    return functions.sigmoid(w, x)


@rule("silu")
def silu(w: Writer, x: Value) -> Value:
    return w.mul(x, functions.sigmoid(w, x))


@rule("softplus")
def softplus(w: Writer, x: Value) -> Value:
    return functions.softplus(w, x)
