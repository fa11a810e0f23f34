"""Random regions: programs of elementwise ops on hard values, with broadcasts of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from coremlc.mil.program import Program, Value
from tests.engine.programs import C, Maker

FLOATS = np.array(
    [0, -0.0, 1, -1, 0.5, 1.5, 2.5, -2.5, 3, 1e-45, -1e-45, 1e-38, -3e-39, 3.4e38, -3.4e38, 1e20,
     np.inf, -np.inf, np.nan, 2.0**31, -(2.0**31), 2147483520, 16777217, 0.1, -7.3],
    np.float32,
)  # fmt: skip
INTS = np.array(
    [0, 1, -1, 2, -2, 3, 7, -7, 16, 255, 2**31 - 1, -(2**31), 65536, 12345678], np.int32
)
EXACT = {
    "f": ("add", "sub", "mul", "maximum", "minimum", "real_div", "floor_div"),
    "i": ("add", "sub", "mul", "maximum", "minimum", "real_div", "floor_div", "mod"),
    "b": ("logical_and", "logical_or", "logical_xor"),
}
ONE = {
    "f": ("abs", "sign", "square", "floor", "ceil", "round", "sqrt", "relu", "relu6", "softsign"),
    "i": ("abs", "sign", "square"),
    "b": ("logical_not",),
}
COMPARE = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
CASTS = {"f": "fp32", "i": "int32", "b": "bool"}


def hard(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values at the edges of a dtype, and some that are not."""
    if kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if kind == "i":
        plain = rng.integers(-100, 100, shape, dtype=np.int32)
        return np.where(rng.random(shape) < 0.6, rng.choice(INTS, shape), plain).astype(np.int32)
    plain = rng.normal(size=shape).astype(np.float32) * 10
    return np.where(rng.random(shape) < 0.6, rng.choice(FLOATS, shape), plain).astype(np.float32)


@st.composite
def programs(draw: st.DrawFn) -> tuple[Program, dict[str, np.ndarray]]:
    """A program of 5 to 40 ops on one shape, and what it is fed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=0, max_size=4)))
    if draw(st.booleans()):
        shape = (*shape[:3], 67)
    m = Maker()
    features: dict[str, np.ndarray] = {}
    full: dict[str, list[Any]] = {"f": [], "i": [], "b": []}
    broad: dict[str, list[Any]] = {"f": [], "i": [], "b": []}
    for kind in "ffiib":
        name = f"in{len(features)}"
        features[name] = hard(rng, kind, shape)
        full[kind].append(m.input(name, features[name]))
    for kind in "fib":
        features[f"in_{kind}"] = part = hard(rng, kind, _narrower(rng, shape))
        broad[kind].append(m.input(f"in_{kind}", part))
        broad[kind].append(C(hard(rng, kind, _narrower(rng, shape))))
        broad[kind].append(C(hard(rng, kind, ())))
        broad[kind].append(C(hard(rng, kind, shape)))
    for _ in range(draw(st.integers(5, 40))):
        kind, value = _op(m, rng, full, broad)
        full[kind].append(value)
    made = [v for values in full.values() for v in values if v not in m.inputs]
    results = [v for v in made if rng.random() < 0.2] or made[-1:]
    return m.program(*results), features


def _narrower(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to another."""
    first = int(rng.integers(0, len(shape) + 1))
    return tuple(1 if rng.random() < 0.5 else d for d in shape[first:])


def _op(
    m: Maker, rng: np.random.Generator, full: dict[str, list[Any]], broad: dict[str, list[Any]]
) -> tuple[str, Value]:
    kind = "ffiib"[rng.integers(5)]

    def pick(kind: str, of: list[Any]) -> Any:
        return of[rng.integers(len(of))]

    def pair(kind: str) -> dict[str, Any]:
        two = [pick(kind, full[kind]), pick(kind, full[kind] + broad[kind])]
        rng.shuffle(two)
        return dict(zip("xy", two, strict=True))

    if rng.random() < 0.15:  # a view, in which there is a use for it or not
        x = pick(kind, full[kind])
        shape = tuple(np.int32(d) for d in x.tensor.shape)
        other = shape[::-1] if rng.random() < 0.5 else (1, *shape, 1)[:5]
        if np.prod(other) == np.prod(shape):
            x = m.add("reshape", x=x, shape=np.array(other, np.int32))
            x = m.add("abs" if kind != "b" else "logical_not", x=x)
            return kind, m.add("reshape", x=x, shape=np.array(shape, np.int32))  # type: ignore[return-value]
    match rng.integers(7):
        case 0 | 1 | 2:
            return kind, m.add(pick(kind, EXACT[kind]), **pair(kind))  # type: ignore[arg-type,return-value]
        case 3:
            x = pick(kind, full[kind])
            return kind, m.add(pick(kind, ONE[kind]), x=x)  # type: ignore[arg-type,return-value]
        case 4:
            kind = "fi"[rng.integers(2)]
            return "b", m.add(pick(kind, COMPARE), **pair(kind))  # type: ignore[arg-type,return-value]
        case 5:
            a, b = pair(kind).values()
            cond = pick("b", full["b"] + broad["b"][:1])
            return kind, m.add("select", cond=cond, a=a, b=b)  # type: ignore[return-value]
    to = "fib"[rng.integers(3)]
    return to, m.add("cast", x=pick(kind, full[kind]), dtype=CASTS[to])  # type: ignore[return-value]
