"""Cases of ops that move data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.engine.cases import Case, seeded
from tests.engine.programs import C

DTYPES: tuple[Any, ...] = (np.float32, np.float16, np.int32, np.bool_, np.int8, np.uint16)
PLAIN: tuple[Any, ...] = DTYPES[:4]


def shapes() -> Iterator[Case]:
    for dtype in DTYPES:
        x = seeded(2, 3, 4, dtype=dtype)
        name = str(np.dtype(dtype))
        yield Case("reshape", {"x": x, "shape": [4, -1]}, name)
        yield Case("transpose", {"x": x, "perm": [2, 0, -2]}, name)
        yield Case("expand_dims", {"x": x, "axes": [0, -1]}, name)
        yield Case("squeeze", {"x": x[:, :1], "axes": [1]}, name)
        yield Case("concat", {"values": (x, x[:, :2]), "axis": 1}, name)
        yield Case("stack", {"values": (x, x), "axis": 1}, name)
        yield Case("reverse", {"x": x, "axes": [0, -1]}, name)
        yield Case("reverse", {"x": x}, name + "-all")
    for dtype in PLAIN:
        x = seeded(2, 3, 4, dtype=dtype)
        name = str(np.dtype(dtype))
        yield Case("tile", {"x": x, "reps": [2, 1, 3]}, name)
        yield Case("split", {"x": x, "num_splits": 2, "axis": 2}, name)
        yield Case("split", {"x": x, "split_sizes": [1, 2], "axis": 1}, name + "-sizes")
        yield Case(
            "concat", {"values": (x, x), "axis": 1, "interleave": True}, name + "-interleave"
        )
        if dtype != np.bool_:
            yield Case("band_part", {"x": x, "lower": 1, "upper": 0}, name)
        yield Case("one_hot", {"indices": np.array([0, 2, -1, 5], np.int32),
                               "one_hot_vector_size": 3, "axis": 0,
                               "on_value": C(np.array(3).astype(dtype)),
                               "off_value": C(np.array(0).astype(dtype))}, name)  # fmt: skip
        yield Case("fill", {"shape": [2, 3], "value": C(np.array(3).astype(dtype))}, name)
        yield Case("fill_like", {"ref_tensor": x, "value": C(np.array(3).astype(dtype))}, name)
        yield Case("non_zero", {"x": x}, name)
        yield Case("shape", {"x": x}, name)
        yield Case("sliding_windows", {"x": x, "axis": 2, "size": 2, "stride": 2}, name)
    x = seeded(2, 3, 4)
    nan = x.copy()
    nan[0, 0, 3] = np.nan
    yield Case("band_part", {"x": nan, "lower": -1, "upper": 1}, "nan")
    yield Case("one_hot", {"indices": np.array([[0, 2]], np.int32), "one_hot_vector_size": 4,
                           "on_value": 2.5, "off_value": -1.0}, "values")  # fmt: skip
    yield Case("flatten2d", {"x": x, "axis": 2})
    yield Case("squeeze", {"x": x[:1, :1]}, "all")
    yield Case("reshape", {"x": seeded(), "shape": [1, 1]}, "rank0")
    yield Case("concat", {"values": (x, seeded(2, 0, 4)), "axis": 1}, "empty")
    yield Case("concat", {"values": (x,), "axis": 1}, "one")
    yield Case("reshape_like", {"x": x, "ref_tensors": (seeded(4, 2), seeded(3)),
                                "begins": (0, 0), "ends": (2, 1), "end_masks": (False, True)},
               opset="CoreML8")  # fmt: skip
    for start, end, step in ((0, 5, 1), (5, -4, -2), (3, 3, 1)):
        given = {"start": np.int32(start) * np.ones((), np.int32), "end": end, "step": step}
        yield Case("range_1d", given, f"{start}-{end}")
        given = {"start": start / 2, "end": np.float32(end) * np.ones((), np.float32),
                 "step": float(step)}  # fmt: skip
        yield Case("range_1d", given, f"{start}-{end}-f32")
    lengths = np.array([2, 0, 4], np.int32)
    x = seeded(3, 4, 2)
    yield Case("reverse_sequence", {"x": x, "lengths": lengths, "seq_axis": 1, "batch_axis": 0})
    yield Case("reverse_sequence", {"x": x.transpose(2, 1, 0).copy(), "lengths": lengths,
                                    "seq_axis": 1, "batch_axis": 2}, "last")  # fmt: skip
    x = seeded(2, 8, 4, 6)
    for kind, factor in (("depth_to_space", "block_size"), ("space_to_depth", "block_size"),
                         ("pixel_shuffle", "upscale_factor"),
                         ("pixel_unshuffle", "downscale_factor")):  # fmt: skip
        two = C(np.uint32(2)) if kind == "pixel_unshuffle" else 2
        yield Case(kind, {"x": x, factor: two})
        yield Case(kind, {"x": x.astype("f2"), factor: two}, "f16")
    edge = C(np.array([[1, 1], [0, 2]], np.int32))
    block = C(np.array([2, 4], np.int32))
    yield Case("space_to_batch", {"x": x, "block_shape": block, "paddings": edge})
    x = seeded(16, 3, 4, 6)
    yield Case("batch_to_space", {"x": x, "block_shape": block, "crops": edge})
    yield Case("crop", {"x": x, "crop_height": [1, 1], "crop_width": [0, 2]})


def slices() -> Iterator[Case]:
    for dtype in DTYPES:
        x = seeded(4, 5, 6, dtype=dtype)
        name = str(np.dtype(dtype))
        for label, given in {
            "plain": {"begin": [1, 0, 2], "end": [3, 5, 5]},
            "negative": {"begin": [-3, 0, -4], "end": [-1, 5, 6]},
            "stride": {"begin": [0, 1, 5], "end": [4, 5, 1], "stride": [2, 3, -2]},
            "masks": {"begin": [1, 4, 9], "end": [9, 9, 2], "stride": [1, -1, 1],
                      "begin_mask": [False, True, True], "end_mask": [True, True, False]},
            "squeeze": {"begin": [1, -1, 0], "end": [0, 0, 6],
                        "squeeze_mask": [True, True, False]},
            "empty": {"begin": [2, 0, 0], "end": [2, 5, 6]},
            "beyond": {"begin": [1, 0, 0], "end": [99, 99, 99]},
        }.items():  # fmt: skip
            yield Case("slice_by_index", {"x": x, **given}, f"{name}-{label}")
            if label == "empty":
                continue
            place = []
            for i, n in enumerate(x.shape):
                b = None if given.get("begin_mask", [False] * 3)[i] else given["begin"][i]
                e = None if given.get("end_mask", [False] * 3)[i] else given["end"][i]
                squeezed = given.get("squeeze_mask", [False] * 3)[i]
                step = given.get("stride", [1] * 3)[i]
                place.append(range(n)[slice(b, e, step)] if not squeezed else [0])
                if squeezed:
                    place[-1] = None
            size = tuple(len(p) for p in place if p is not None)
            update = seeded(*size, dtype=dtype, seed=3)
            yield Case("slice_update", {"x": x, "update": update, **given}, f"{name}-{label}")
        begin = np.array([1, 2, 0], np.int32)
        yield Case("slice_by_size", {"x": x, "begin": [1, 2, 0], "size": [2, 3, -1]}, name)
        yield Case("slice_by_size", {"x": x, "begin": begin, "size": [2, 3, 6]}, name + "-dynamic")
        below = np.array([-2, -2, -6], np.int32)
        yield Case("slice_by_size", {"x": x, "begin": below, "size": [2, 2, 6]}, name + "-negative")
        given = {"begin": begin, "end": np.array([3, 5, 6], np.int32)}
        yield Case("slice_by_index", {"x": x, **given}, name + "-dynamic")
        yield Case("slice_by_index", {"x": x, **given, "squeeze_mask": [True, False, False]},
                   name + "-dynamic-squeeze")  # fmt: skip
        update = seeded(2, 3, 6, dtype=dtype, seed=3)
        yield Case("slice_update", {"x": x, "update": update, **given}, name + "-dynamic")
    for dtype in PLAIN[:2]:
        x = seeded(2, 4, 5, dtype=dtype)
        for mode in ("constant", "reflect", "replicate"):
            given = {"x": x, "pad": [1, 2, 3, 0], "mode": mode}
            yield Case("pad", given, f"{np.dtype(dtype)}-{mode}")
        value = C(np.array(-np.inf, dtype))
        yield Case("pad", {"x": x, "pad": [1, 2, 3, 0, 0, 1], "constant_val": value},
                   f"{np.dtype(dtype)}-inf")  # fmt: skip


def indices() -> Iterator[Case]:
    bad = np.array([[0, 2], [-1, 3], [99, -99]], np.int32)
    for dtype in (np.float32, np.float16, np.int32, np.int8, np.uint16):
        x = seeded(3, 4, 5, dtype=dtype)
        name = str(np.dtype(dtype))
        for axis in (0, 1, -1):
            given = {"x": x, "indices": bad, "axis": axis}
            yield Case("gather", given, f"{name}-{axis}")
            yield Case("gather", {**given, "indices": [0, 1]}, f"{name}-{axis}-const")
        good = np.array([[0, 2], [1, 3], [2, 0]], np.int32)
        for axis, batch in ((1, 1), (2, 1)):
            given = {"x": x, "indices": good, "axis": axis, "batch_dims": batch}
            yield Case("gather", given, f"{name}-{axis}-{batch}")
        yield Case("gather", {"x": x, "indices": bad, "axis": 1, "batch_dims": 1}, f"{name}-bad")
        along = np.array([[[3, 0, -1, 9, -9]]] * 3, np.int32)
        yield Case("gather_along_axis", {"x": x, "indices": along, "axis": 1}, name)  # fmt: skip
        nd = np.array([[[0, 1], [2, 3]], [[-1, -1], [9, -9]]], np.int32)
        yield Case("gather_nd", {"x": x, "indices": nd}, name)
        rows = np.array([[[3], [0]], [[1], [1]], [[9], [-9]]], np.int32)
        yield Case("gather_nd", {"x": x, "indices": rows, "batch_dims": 1}, name + "-batch")
    yield Case("gather", {"x": seeded(3, 4), "indices": np.array(1, np.int32)}, "rank0")
    yield Case("gather", {"x": seeded(3, 4), "indices": np.zeros(0, np.int32)}, "empty")
    for dtype in (np.float32, np.float16, np.int32):
        data = seeded(4, 5, 3, dtype=dtype)
        name = str(np.dtype(dtype))
        if data.dtype.kind == "f":
            data[0, 0, 0], data[3, 1, 2] = np.nan, np.inf
        for mode in ("update", "add", "sub", "mul", "div", "max", "min"):
            if mode == "div" and dtype == np.int32:
                continue  # product of divisors against one after another: differs for ints
            twice = np.array([3, 0, 3, -4], np.int32)
            updates = seeded(4, 5, 3, dtype=dtype, seed=1)
            if data.dtype.kind == "f":
                updates[1, 1, 1] = np.nan
            tolerance = {"rtol": 3e-3, "atol": 1e-3} if dtype == np.float16 else {}
            yield Case("scatter", {"data": data, "indices": twice, "updates": updates, "mode": mode,
                                   "axis": 0}, f"{name}-{mode}", **tolerance)  # fmt: skip
            middle = np.moveaxis(updates[:, :, :], 0, 1)[:4].copy()
            yield Case("scatter", {"data": data, "indices": twice, "updates": middle, "mode": mode,
                                   "axis": 1}, f"{name}-{mode}-axis1", **tolerance)  # fmt: skip
            yield Case("scatter", {"data": data, "indices": [2, 1], "updates": updates[:2],
                                   "mode": mode}, f"{name}-{mode}-const", **tolerance)  # fmt: skip
            nd = np.array([[0, 1], [2, 3], [0, 1], [-1, 0]], np.int32)
            yield Case("scatter_nd", {"data": data, "indices": nd, "updates": updates[:, 0],
                                      "mode": mode}, f"{name}-{mode}", **tolerance)  # fmt: skip
            along = np.tile(np.array([[[3, 0, 3]], [[3, -4, 0]]], np.int32), (1, 5, 1))
            yield Case("scatter_along_axis", {
                "data": data, "indices": along, "updates": updates[:2], "axis": 0, "mode": mode,
            }, f"{name}-{mode}", **tolerance)  # fmt: skip


def all_cases() -> Iterator[Case]:
    yield from shapes()
    yield from slices()
    yield from indices()
