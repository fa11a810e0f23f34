"""Cases above the size from which recipes look at a whole tensor first: both of their ways."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.engine.cases import Case, seeded

SPOILS = {"finite": 1.0, "nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def floats() -> Iterator[Case]:
    for label, spoil in SPOILS.items():
        for dtype in (np.float32, np.float16)[: 2 if label == "nan" else 1]:
            x = seeded(3, 30, 80, dtype=dtype)
            x[1, 7, 9] = x[0, 3, 3] = spoil
            if label == "-inf":
                x[2] = -np.inf
            name = f"{np.dtype(dtype)}-{label}"
            for kind in ("reduce_max", "reduce_min"):
                for axes in ([0], [1], [2], [1, 2], [0, 1, 2]):
                    yield Case(kind, {"x": x, "axes": axes}, f"{name}-{axes}")
                yield Case(kind, {"x": x, "axes": [1], "keep_dims": True}, f"{name}-keep")
            for kind in ("reduce_argmax", "reduce_argmin"):
                for axis in (0, 1, 2):
                    yield Case(kind, {"x": x, "axis": axis}, f"{name}-{axis}")
            yield Case("cast", {"x": x, "dtype": "int32"}, name)
            image = np.concatenate([x.reshape(1, 3, 30, 80)] * 2)
            pool = {"kernel_sizes": [3, 3], "strides": [2, 2], "pad_type": "same"}
            yield Case("max_pool", {"x": image, **pool}, name)
    wide = seeded(70, 80)
    wide[3, 3] = 3e9
    yield Case("cast", {"x": wide, "dtype": "int32"}, "saturates")


def outer() -> Iterator[Case]:
    """Axes before others: rows in few steps, of every divisor and of none; long and joined ones."""
    for rows in (8, 22, 49, 1024):
        for spoil in (1.0, np.nan):
            x = seeded(rows, 200)
            x[rows // 2, 9] = spoil
            for kind in ("reduce_max", "reduce_min"):
                yield Case(kind, {"x": x, "axes": [0]}, f"{rows}-{spoil}")
            for kind in ("reduce_sum", "reduce_mean"):
                yield Case(kind, {"x": abs(x), "axes": [0]}, f"{rows}-{spoil}")
        whole = seeded(2, rows, 200, dtype=np.int32)
        yield Case("reduce_max", {"x": whole, "axes": [1], "keep_dims": True}, f"int-{rows}")
    for shape in ((2500, 3), (50, 60, 4), (3, 2100)):
        x = abs(seeded(*shape))
        for kind in ("reduce_sum", "reduce_mean", "reduce_sum_square", "reduce_l1_norm"):
            for count in range(1, len(shape) + 1):
                axes = list(range(count))
                yield Case(kind, {"x": x, "axes": axes}, f"{shape}-{axes}")
                kept = {"x": x, "axes": axes, "keep_dims": True}
                yield Case(kind, kept, f"{shape}-{axes}-keep")


def moves() -> Iterator[Case]:
    """Transposes in one step and in two."""
    x, y = seeded(4, 1, 6, 8, 24), seeded(2, 3, 40, 40, dtype=np.int32)
    for perm in itertools.permutations(range(5)):
        yield Case("transpose", {"x": x, "perm": list(perm)}, f"{perm}")
    for perm in itertools.permutations(range(4)):
        yield Case("transpose", {"x": y, "perm": list(perm)}, f"int-{perm}")
        yield Case("transpose", {"x": y.astype(np.float16), "perm": list(perm)}, f"half-{perm}")
    blocks = seeded(1, 24, 20, 20)
    yield Case("pixel_shuffle", {"x": blocks, "upscale_factor": 2}, "large")
    yield Case("space_to_depth", {"x": blocks, "block_size": 2}, "large")


def ints() -> Iterator[Case]:
    small = seeded(90, 80, dtype=np.int32)
    huge = (small * 40_000_001).astype(np.int32)
    for kind in ("real_div", "floor_div", "mod"):
        for label, divisor in {"mixed": small, "plain": small | 2, "huge": huge}.items():
            yield Case(kind, {"x": huge[::-1].copy(), "y": divisor}, label)
        yield Case(kind, {"x": huge, "y": small[:, :1].copy()}, "column")
        yield Case(kind, {"x": huge, "y": 7}, "seven")
        yield Case(kind, {"x": huge, "y": -7}, "minus-seven")
    for label, y in {"small": small, "wraps": huge}.items():
        yield Case("matmul", {"x": small.T.copy(), "y": y}, label)
        yield Case("matmul", {"x": small, "y": y, "transpose_x": True}, label + "-t")
    for bits in (10, 21, 22, 23):  # 2^51 is passed by depth 90 and two of 23 bits
        top = np.full((80, 90), -(1 << bits), np.int32)
        top[::7] = (1 << bits) - 1
        yield Case("matmul", {"x": top, "y": top.T.copy()}, f"{bits}-bits")
    for axes in ([0], [1], [0, 1]):
        yield Case("reduce_sum", {"x": huge, "axes": axes}, f"{axes}")
        yield Case("reduce_sum", {"x": huge, "axes": axes, "keep_dims": True}, f"{axes}-keep")


def all_cases() -> Iterator[Case]:
    yield from floats()
    yield from outer()
    yield from moves()
    yield from ints()
