"""One table: for every MIL op, inputs that tell right from wrong. Bare arrays are inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.engine.programs import C

IMIN, IMAX = -(2**31), 2**31 - 1
EDGE = np.array(
    [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.7, 20, -20, 100, -100, 1e-20, 1e20,
     np.inf, -np.inf, np.nan], np.float32
)  # fmt: skip
EDGE16 = np.array(
    [0.0, -0.0, 1, -1, 0.1, -0.3, 1.5, 2.5, -2.5, 9, -9, 300, -300, 6e-8, 60000, np.inf, -np.inf,
     np.nan], np.float16
)  # fmt: skip
INTS = np.array([0, 1, -1, 2, -2, 7, -7, 100, -100, 65537, IMAX, IMIN, IMIN + 1], np.int32)
BOOLS = np.array([True, False, True, True, False], np.bool_)


@dataclass(frozen=True)
class Case:
    kind: str
    inputs: dict[str, Any]
    label: str = ""
    opset: str = "CoreML8"
    rtol: float = 1e-5
    atol: float = 1e-6

    def __str__(self) -> str:
        return f"{self.kind}-{self.label}" if self.label else self.kind


def seeded(*shape: int, seed: int = 0, dtype: Any = np.float32, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return (rng.normal(size=shape) * scale).astype(dtype)
    if dtype == np.bool_:
        return rng.random(shape) < 0.5
    return rng.integers(-50, 50, shape).astype(dtype)


def pairs(values: np.ndarray) -> dict[str, np.ndarray]:
    """Every value against every value."""
    return {"x": np.repeat(values, len(values)), "y": np.tile(values, len(values))}


def pool_inputs(seed: int = 0) -> np.ndarray:
    x = seeded(2, 3, 7, 8, seed=seed)
    x[0, 0, 2, 3] = np.nan
    x[1, 1] = -np.inf
    return x


ARITHMETIC = ["add", "sub", "mul", "real_div", "floor_div", "mod", "pow", "maximum", "minimum"]
COMPARE = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
UNARY = [
    "abs", "acos", "asin", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp", "exp2",
    "floor", "round", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "sigmoid",
    "silu", "relu", "relu6", "softplus", "softsign",
]  # fmt: skip
INT_UNARY = ["abs", "sign", "square"]
ALPHA_BETA = ["clamped_relu", "linear_activation", "scaled_tanh", "sigmoid_hard"]
REDUCE = [
    "reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_mean", "reduce_l1_norm",
    "reduce_l2_norm", "reduce_sum_square", "reduce_log_sum", "reduce_log_sum_exp",
]  # fmt: skip


def elementwise() -> Iterator[Case]:
    for kind in ARITHMETIC + COMPARE:
        yield Case(kind, pairs(EDGE), "f32")
        yield Case(kind, pairs(EDGE16), "f16")
        yield Case(kind, pairs(INTS), "i32")
        yield Case(kind, {"x": seeded(3, 1, 4), "y": seeded(2, 1, seed=1)}, "broadcast")
        yield Case(kind, {"x": seeded(), "y": 2.5}, "rank0-const")
        yield Case(kind, {"x": seeded(0, 3), "y": seeded(1, 3)}, "empty")
        yield Case(kind, {"x": INTS, "y": 3}, "i32-const")
        yield Case(kind, {"x": INTS, "y": -1}, "i32-minus-one")
        yield Case(kind, {"x": INTS, "y": 0}, "i32-zero")
    for kind in LOGICAL:
        yield Case(kind, pairs(BOOLS[:2]))
        yield Case(kind, {"x": BOOLS, "y": np.array(True)}, "rank0")
    yield Case("logical_not", {"x": BOOLS})
    for kind in UNARY:
        tolerance = 2e-5 if kind in ("tan", "cosh", "sinh", "exp2") else 1e-5
        yield Case(kind, {"x": EDGE}, "f32", rtol=tolerance)
        yield Case(kind, {"x": EDGE16}, "f16", rtol=tolerance)
        yield Case(kind, {"x": seeded(2, 0)}, "empty")
        yield Case(kind, {"x": seeded()}, "rank0", rtol=tolerance)
    for kind in INT_UNARY:
        yield Case(kind, {"x": INTS}, "i32")
    for kind in ("log", "rsqrt", "inverse"):
        for eps in (None, 0.0, 1e-3):
            given = {} if eps is None else {"epsilon": eps}
            yield Case(kind, {"x": EDGE, **given}, f"eps{eps}")
        yield Case(kind, {"x": EDGE16, "epsilon": 0.0}, "f16")
    yield Case("identity", {"x": EDGE})
    for mode in ("EXACT", "TANH_APPROXIMATION", "SIGMOID_APPROXIMATION"):
        yield Case("gelu", {"x": EDGE[:-3], "mode": mode}, mode)
        yield Case("gelu", {"x": EDGE16[:-3], "mode": mode}, mode + "-f16")
    for kind in ("elu", "leaky_relu", "thresholded_relu"):
        yield Case(kind, {"x": EDGE, "alpha": 0.3})
        yield Case(kind, {"x": EDGE16, "alpha": 0.3}, "f16")
    for kind in ALPHA_BETA:
        yield Case(kind, {"x": EDGE, "alpha": 0.3, "beta": 0.7})
        yield Case(kind, {"x": EDGE16, "alpha": 0.3, "beta": 0.7}, "f16")
    yield Case("clip", {"x": EDGE, "alpha": -1.0, "beta": 2.0})
    yield Case("clip", {"x": EDGE16, "alpha": -1.0, "beta": 2.0}, "f16")
    yield Case("threshold", {"x": EDGE, "alpha": 0.5})
    yield Case("threshold", {"x": INTS, "alpha": 3}, "i32")
    x = seeded(2, 3, 4, 5)
    alpha = np.array([0.1, 0.2, 0.3], np.float32)
    yield Case("prelu", {"x": x, "alpha": C(alpha)})
    yield Case("softplus_parametric", {"x": x, "alpha": C(alpha), "beta": C(alpha)})


def columns() -> Iterator[Case]:
    """Beside a last axis of 1, and divisions by powers of two."""
    floats, halves, ints = (x.reshape(-1, 1) for x in (EDGE, EDGE16, INTS))
    for kind in ARITHMETIC + COMPARE:
        yield Case(kind, {"x": floats, "y": 1.5}, "upright")
        yield Case(kind, {"x": C(np.float16(-2)), "y": halves}, "upright-f16")
        yield Case(kind, {"x": ints[None], "y": C(np.array([7], np.int32))}, "upright-i32")
    yield Case("threshold", {"x": ints, "alpha": 3}, "upright")
    yield Case("clip", {"x": floats, "alpha": -1.0, "beta": 2.0}, "upright")
    yield Case("select", {"cond": floats > 0, "a": floats, "b": -1.0}, "upright")
    for shape in ((3,), (7, 1), (1, 7, 3), (9, 1, 1), (1, 1, 1), (5, 1, 1, 3)):
        image = {"x": seeded(5, 9, 7, 3), "y": C(seeded(*shape, seed=1))}
        yield Case("sub", image, f"image-{shape}")
    yield Case("add", {"x": seeded(300, 3, dtype=np.float16), "y": C(seeded(3).astype(np.float16))})
    digits = (1 << 4 * np.arange(8)).astype(np.int32)
    for kind in ("real_div", "floor_div", "mod"):
        for bit in (0, 1, 16, 30):
            yield Case(kind, {"x": INTS, "y": 1 << bit}, f"bit-{bit}")
        yield Case(kind, {"x": ints, "y": C(digits)}, "digits")
        yield Case(kind, {"x": ints, "y": C(digits | 2)}, "no-digits")


def casts() -> Iterator[Case]:
    wide = np.array(
        [0.3, -0.3, 2.9, -2.9, 127.5, 128, -129, 255.5, 256, 32768, 65536, 2**24 + 1, 2**31 - 128,
         2**31, -(2**31), 3e9, -3e9, 1e30, np.inf, -np.inf, np.nan, -0.0], np.float32
    )  # fmt: skip
    for dtype in ("fp16", "fp32", "int32", "int8", "uint8", "int16", "uint16", "bool"):
        yield Case("cast", {"x": wide, "dtype": dtype}, f"f32-{dtype}")
        yield Case("cast", {"x": EDGE16, "dtype": dtype}, f"f16-{dtype}")
        yield Case("cast", {"x": INTS, "dtype": dtype}, f"i32-{dtype}")
        yield Case("cast", {"x": BOOLS, "dtype": dtype}, f"bool-{dtype}")
    for dtype in (np.int8, np.uint8, np.int16, np.uint16):
        x = np.array([0, 1, 100, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
        yield Case("cast", {"x": x, "dtype": "int32"}, f"{np.dtype(dtype)}-i32")
        yield Case("cast", {"x": x, "dtype": "fp32"}, f"{np.dtype(dtype)}-f32")
    for dtype in (np.float32, np.float16, np.int32, np.bool_):
        for n in (3, 5000):
            a, b = seeded(n, 2, dtype=dtype), seeded(n, 2, dtype=dtype, seed=1)
            if a.dtype.kind == "f":
                a[0, 0], b[1, 1] = np.nan, np.inf
            cond = seeded(n, 2, dtype=np.bool_, seed=2)
            label = f"{np.dtype(dtype)}-{n}"
            yield Case("select", {"cond": cond, "a": a, "b": b}, label)
            yield Case("select", {"cond": cond[:, :1], "a": a, "b": b}, label + "-column")
    yield Case("select", {"cond": np.array(True), "a": np.float32(1) * np.ones(()), "b": 2.0}, "0")
    ints = seeded(6000, dtype=np.int32) * 40_000_000
    mask = seeded(6000, dtype=np.bool_)
    yield Case("select", {"cond": mask, "a": ints, "b": ints[::-1].copy()}, "wide-ints")


def reductions() -> Iterator[Case]:  # noqa: C901 - a table
    x = np.abs(seeded(3, 4, 5)) + 0.1
    nan = x.copy()
    nan[1, 2, 3], nan[0, 1, 4], nan[2, 0, 0] = np.nan, np.inf, -np.inf
    big = (seeded(3, 4, 5, dtype=np.int32) * 12_345_678).astype(np.int32)
    for kind in REDUCE:
        for axes in (None, [0], [-1], [1, 2], [0, 2]):
            given = {} if axes is None else {"axes": axes}
            for keep in (False, True):
                yield Case(kind, {"x": x, "keep_dims": keep, **given}, f"{axes}-{keep}")
            yield Case(kind, {"x": nan, **given}, f"{axes}-nan")
            if kind not in ("reduce_log_sum", "reduce_log_sum_exp", "reduce_l2_norm"):
                yield Case(kind, {"x": big, **given}, f"{axes}-i32")
        yield Case(kind, {"x": x.astype(np.float16), "axes": [1]}, "f16")
        yield Case(kind, {"x": np.ones((2, 0, 3), np.float32), "axes": [1]}, "empty")
        yield Case(kind, {"x": np.float32(3) * np.ones(())}, "rank0")
    ties = np.array([[1, 3, 3, 2], [5, 5, 5, 5], [0, -0.0, -1, 0]], np.float32)
    lost = np.array([[1, np.nan, 3, np.nan], [np.nan, 1, 2, 3], [1, 2, np.inf, np.nan]], np.float32)
    for kind in ("reduce_argmax", "reduce_argmin"):
        for x in (ties, lost, ties.astype(np.float16), lost.astype(np.float16), big):
            for axis in (0, -1):
                label = f"{x.dtype}-{axis}-{np.isnan(x).any()}"
                yield Case(kind, {"x": x, "axis": axis}, label)
        yield Case(kind, {"x": ties, "axis": 1, "keep_dims": True, "output_dtype": "uint16"}, "u16")
    for exclusive in (False, True):
        for reverse in (False, True):
            flags = {"exclusive": exclusive, "reverse": reverse}
            yield Case("cumsum", {"x": seeded(3, 4), "axis": 1, **flags}, f"{exclusive}-{reverse}")
            yield Case("cumsum", {"x": big, "axis": 0, **flags}, f"i32-{exclusive}-{reverse}")
    values = np.array([[3, 1, np.nan, 3, -0.0, 0.0, np.inf, -np.inf, 1]], np.float32)
    for up in (False, True):
        for x in (values, values.astype(np.float16), big[0]):
            given = {"x": x, "axis": 1, "ascending": up}
            yield Case("argsort", given, f"{x.dtype}-{up}")
            yield Case("topk", {**given, "k": 3}, f"{x.dtype}-{up}")
    small = np.arange(20, dtype=np.int8).reshape(4, 5)
    yield Case("topk", {"x": small, "k": 2, "axis": 0, "output_indices_dtype": "uint16"}, "i8")


def products() -> Iterator[Case]:
    for tx in (False, True):
        for ty in (False, True):
            x, y = seeded(2, 3, 4, 5), seeded(3, 5, 6, seed=1)
            given = {
                "x": np.swapaxes(x, -1, -2).copy() if tx else x,
                "y": np.swapaxes(y, -1, -2).copy() if ty else y,
                "transpose_x": tx,
                "transpose_y": ty,
            }
            yield Case("matmul", given, f"{tx}-{ty}")
            weight = C(given["y"][0])
            yield Case("matmul", {**given, "y": weight}, f"const-{tx}-{ty}")
            ints = {"x": (given["x"] * 1e5).astype(np.int32), "y": (given["y"] * 1e5).astype("i4")}
            yield Case("matmul", {**given, **ints}, f"i32-{tx}-{ty}")
            halves = {"x": given["x"].astype("f2"), "y": given["y"].astype("f2")}
            yield Case("matmul", {**given, **halves}, f"f16-{tx}-{ty}")
    yield Case("matmul", {"x": seeded(2, 0), "y": seeded(0, 3)}, "k0")
    yield Case("matmul", {"x": seeded(4), "y": seeded(4, 3)}, "vector")
    w, b = seeded(6, 5, seed=1), seeded(6, seed=2)
    for shape in ((5,), (4, 5), (2, 4, 5), (0, 5)):
        yield Case("linear", {"x": seeded(*shape), "weight": C(w), "bias": C(b)}, f"{shape}")
        yield Case("linear", {"x": seeded(*shape), "weight": C(w)}, f"{shape}-plain")
    yield Case("linear", {"x": seeded(2, 5).astype("f2"), "weight": C(w.astype("f2"))}, "f16")
    four = (seeded(2, 3, 4, 5), seeded(2, 5, 4, 6, seed=1))
    yield Case("einsum", {"values": four, "equation": "nchw,nwhu->nchu"})
    for axis in (-1, 0, 1):
        x = seeded(3, 4, 5)
        x[0, 0], x[1, 2, 3], x[2, 1, 1] = -np.inf, np.inf, np.nan
        yield Case("softmax", {"x": x, "axis": axis}, f"{axis}")
        yield Case("softmax", {"x": x.astype("f2"), "axis": axis}, f"f16-{axis}")
    x, g5, g45 = seeded(3, 4, 5) + 2, seeded(5, seed=1), seeded(4, 5, seed=2)
    for axes, gamma in (([-1], g5), ([1, 2], g45), ([1], seeded(4)), ([0, 2], seeded(3, 5))):
        affine = {"gamma": C(gamma), "beta": C(gamma + 1), "epsilon": 1e-3}
        yield Case("layer_norm", {"x": x, "axes": axes}, f"{axes}", atol=1e-5)
        yield Case("layer_norm", {"x": x, "axes": axes, **affine}, f"{axes}-affine", atol=1e-5)
    yield Case("layer_norm", {"x": x.astype("f2"), "axes": [-1]}, "f16", atol=2e-3)
    x = seeded(2, 3, 4, 5)
    c, v = seeded(3, seed=1), np.abs(seeded(3, seed=2)) + 0.1
    affine = {"gamma": C(c), "beta": C(c + 1)}
    yield Case("batch_norm", {"x": x, "mean": C(c), "variance": C(v)}, atol=1e-5)
    yield Case("batch_norm", {"x": x, "mean": C(c), "variance": C(v), "epsilon": 0.1, **affine},
               "affine", atol=1e-5)  # fmt: skip
    yield Case("instance_norm", {"x": x, **affine, "epsilon": 1e-4}, atol=1e-5)
    yield Case("l2_norm", {"x": x, "epsilon": 1e-4})
    yield Case("local_response_norm", {"x": seeded(1, 6, 2, 2), "size": 3, "alpha": 0.1})
    yield Case("local_response_norm", {"x": seeded(1, 6, 2, 2), "size": 4, "alpha": 0.1}, "even")
    q, k, val = seeded(2, 3, 4, 8), seeded(2, 3, 6, 8, seed=1), seeded(2, 3, 6, 5, seed=2)
    attend = {"query": q, "key": k, "value": val}
    sdpa = "scaled_dot_product_attention"
    yield Case(sdpa, attend)
    yield Case(sdpa, {**attend, "attn_mask": seeded(4, 6, seed=3)}, "float-mask")
    mask = seeded(2, 1, 4, 6, dtype=np.bool_, seed=3)
    mask[..., 0] = True
    yield Case(sdpa, {**attend, "attn_mask": mask}, "bool-mask")
    yield Case(sdpa, {n: a.astype("f2") for n, a in attend.items()}, "f16", atol=2e-3)


def windows() -> Iterator[Case]:  # noqa: C901 - a table
    rng = np.random.default_rng(7)
    for dims in (1, 2, 3):
        for groups in (1, 2):
            for kind in ("valid", "same", "same_lower", "custom"):
                stride = [int(v) for v in rng.integers(1, 3, dims)]
                hole = [int(v) for v in rng.integers(1, 3, dims)]
                x = seeded(2, 4, *[7, 6, 8][:dims])
                w = seeded(6, 4 // groups, *[3, 2, 3][:dims], seed=1)
                given = {"strides": stride, "dilations": hole, "groups": groups, "pad_type": kind}
                if kind == "custom":
                    given["pad"] = [1, 2, 0, 1, 2, 2][: 2 * dims]
                yield Case("conv", {"x": x, "weight": C(w), **given}, f"{dims}d-{groups}-{kind}",
                           atol=2e-5)  # fmt: skip
                if kind == "same_lower":
                    continue
                w = seeded(4, 3, *[3, 2, 3][:dims], seed=1)
                bias = {"bias": C(seeded(3 * groups, seed=5))}
                yield Case("conv_transpose", {"x": x, "weight": C(w), **given, **bias},
                           f"{dims}d-{groups}-{kind}", atol=2e-5)  # fmt: skip
    x, w = seeded(1, 2, 5, 5), seeded(3, 2, 3, 3, seed=1)
    yield Case("conv", {"x": x, "weight": w, "bias": seeded(3)}, "dynamic", atol=1e-5)
    yield Case("conv", {"x": x.astype("f2"), "weight": C(w.astype("f2"))}, "f16", atol=5e-3)
    yield Case("conv", {"x": seeded(0, 2, 5, 5), "weight": C(w)}, "empty")
    w = seeded(2, 3, 3, 3, seed=1)
    for shape in ([1, 3, 11, 12], [1, 3, 9, 10]):
        given = {
            "strides": [2, 2],
            "output_shape": shape,
            "pad_type": "custom",
            "pad": [1, 1, 0, 0],
        }
        yield Case("conv_transpose", {"x": x, "weight": C(w), **given}, f"{shape}", atol=1e-5)
    pads = {"valid": {}, "same": {}, "same_lower": {}, "custom": {"pad": [1, 1, 0, 1]},
            "wide": {"pad": [2, 1, 3, 0]}}  # fmt: skip
    for kind in ("max_pool", "avg_pool", "l2_pool"):
        for word, pad in pads.items():
            given = {
                "x": pool_inputs(),
                "kernel_sizes": [2, 3],
                "strides": [2, 2],
                "pad_type": "custom" if word == "wide" else word,
                **pad,
            }
            yield Case(kind, given, word)
            if kind == "avg_pool":
                yield Case(kind, {**given, "exclude_padding_from_average": True}, word + "-exclude")
        for pad in ([0, 0, 0, 0], [1, 1, 1, 1]):
            given = {"x": pool_inputs(), "kernel_sizes": [3, 3], "strides": [2, 3],
                     "pad_type": "custom", "pad": pad, "ceil_mode": True}  # fmt: skip
            yield Case(kind, given, f"ceil-{pad[0]}")
            if kind == "avg_pool":
                yield Case(
                    kind, {**given, "exclude_padding_from_average": True}, f"ceil-{pad[0]}-ex"
                )
        for shape, kernel in (((1, 2, 9), [3]), ((1, 2, 5, 4, 6), [2, 2, 3])):
            if kind == "l2_pool" and len(kernel) == 3:
                continue
            given = {"x": seeded(*shape), "kernel_sizes": kernel, "pad_type": "valid"}
            yield Case(kind, given, f"{len(kernel)}d")
        yield Case(kind, {"x": seeded(1, 1, 4, 4).astype("f2"), "kernel_sizes": [2, 2],
                          "pad_type": "valid"}, "f16", atol=1e-3)  # fmt: skip
