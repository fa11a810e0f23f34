"""Cases of compressed constants, recurrent layers and resampling."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np

from coremlc.mil.arrays import pack
from tests.engine.cases import Case, seeded
from tests.engine.programs import C


def recurrent() -> Iterator[Case]:
    s, b, i, h = 5, 2, 3, 4
    x = seeded(s, b, i)
    for direction in ("forward", "reverse", "bidirectional"):
        for every in (False, True):
            ways = 2 if direction == "bidirectional" else 1
            given = {
                "x": x,
                "initial_h": seeded(b, ways * h, seed=1),
                "initial_c": seeded(b, ways * h, seed=2),
                "weight_ih": C(seeded(4 * h, i, seed=3)),
                "weight_hh": C(seeded(4 * h, h, seed=4)),
                "bias": C(seeded(4 * h, seed=5)),
                "direction": direction,
                "output_sequence": every,
            }
            if ways == 2:
                given["weight_ih_back"] = C(seeded(4 * h, i, seed=6))
                given["weight_hh_back"] = C(seeded(4 * h, h, seed=7))
            yield Case("lstm", given, f"{direction}-{every}", atol=1e-5)
            if ways == 2:
                continue
            peep = {"peephole": C(seeded(3 * h, seed=8)), "cell_activation": "relu"}
            yield Case("lstm", {**given, **peep}, f"{direction}-{every}-peep", atol=1e-5)
            common = {n: given[n] for n in ("x", "initial_h", "direction", "output_sequence")}
            weights = {"weight_ih": C(seeded(3 * h, i, seed=3)),
                       "weight_hh": C(seeded(3 * h, h, seed=4)),
                       "bias": C(seeded(3 * h, seed=5))}  # fmt: skip
            for after in (False, True):
                more = {"reset_after": after, "input_bias": C(seeded(3 * h, seed=9))}
                label = f"{direction}-{every}-{after}"
                yield Case("gru", {**common, **weights, **more}, label, atol=1e-5)
            plain = {"weight_ih": C(seeded(h, i, seed=3)), "weight_hh": C(seeded(h, h, seed=4))}
            yield Case("rnn", {**common, **plain}, f"{direction}-{every}", atol=1e-5)
            linear = {"activation": "linear", "bias": C(seeded(h, seed=5))}
            yield Case("rnn", {**common, **plain, **linear}, f"{direction}-{every}-lin", rtol=1e-4)


def resizing() -> Iterator[Case]:
    x = seeded(2, 3, 4, 5)
    x[0, 0, 1, 1] = np.nan
    for factor in (2, 3, 2.5):
        scale = {"scale_factor_height": factor, "scale_factor_width": factor}
        yield Case("upsample_nearest_neighbor", {"x": x, **scale}, f"{factor}")
        for align in (False, True):
            yield Case("upsample_bilinear", {"x": x, **scale, "align_corners": align},
                       f"{factor}-{align}")  # fmt: skip
    yield Case("upsample_bilinear", {"x": x, "scale_factor_height": 2, "scale_factor_width": 2,
                                     "align_corners": False, "half_pixel_centers": False},
               "default")  # fmt: skip
    for size in ((2, 3), (8, 9), (1, 1), (4, 5)):
        target = {"target_size_height": size[0], "target_size_width": size[1]}
        yield Case("resize_nearest_neighbor", {"x": x, **target}, f"{size}")
        for mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS",
                     "UNALIGN_CORNERS"):  # fmt: skip
            yield Case("resize_bilinear", {"x": x, **target, "sampling_mode": mode},
                       f"{size}-{mode}")  # fmt: skip
            for how in ("LINEAR", "NEAREST_NEIGHBOR"):
                given = {"x": x, "shape": list(size), "resized_dims": C(np.uint32(2)),
                         "sampling_mode": mode, "interpolation_mode": how}  # fmt: skip
                yield Case("resize", given, f"{size}-{mode}-{how}")


def quantized() -> Iterator[Case]:
    x = np.array([[0, 1.5, -2.5, 300], [0.4, -0.6, np.inf, -np.inf]], np.float32)
    vector = {"scale": C(np.array([0.5, 2], np.float32)), "axis": 0}
    for dtype in (np.int8, np.uint8):
        zero = {"zero_point": C(np.array(3, dtype))}
        name = str(np.dtype(dtype))
        word = {"output_dtype": name}
        yield Case("quantize", {"input": x, "scale": 0.5, **word}, name)
        yield Case("quantize", {"input": x, "scale": 0.5, **word, **zero}, name + "-zero")
        zero = {"zero_point": C(np.array([3, 5], dtype))}
        yield Case("quantize", {"input": x, **word, **vector, **zero}, name + "-axis")
        levels = seeded(2, 4, dtype=dtype)
        yield Case("dequantize", {"input": levels, **vector, **zero}, name + "-axis")
        yield Case("dequantize", {"input": levels, "scale": C(np.float16(0.3))}, name + "-half")


def constants() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    bytes_ = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    affine = {"quantized_data": C(bytes_), "axis": 0,
              "zero_point": C(rng.integers(-9, 9, 4).astype(np.int8)),
              "scale": C(rng.random(4).astype(np.float16))}  # fmt: skip
    yield Case("constexpr_affine_dequantize", affine)
    yield Case("constexpr_cast", {"source_val": C(seeded(3, 4, dtype=np.float16)),
                                  "output_dtype": "fp32"})  # fmt: skip
    for bits in (1, 2, 4, 6, 8):
        lut = seeded(2**bits, dtype=np.float16)
        index = rng.integers(0, 2**bits, 24).astype(np.uint8)
        given = {"indices": C(pack(index, bits) if bits < 8 else index), "lut": C(lut),
                 "shape": C(np.array([4, 6], np.uint32))}  # fmt: skip
        yield Case("constexpr_lut_to_dense", given, f"ios16-{bits}", opset="CoreML6")
    nibbles = rng.integers(0, 16, (4, 6)).astype(ml_dtypes.uint4)
    lut = seeded(2, 1, 16, 1, dtype=np.float16)
    yield Case("constexpr_lut_to_dense", {"indices": C(nibbles), "lut": C(lut)}, "blocks")
    lut = seeded(1, 3, 16, 2, dtype=np.float32)
    yield Case("constexpr_lut_to_dense",
               {"indices": C(nibbles), "lut": C(lut), "vector_axis": 0}, "vectors")  # fmt: skip
    mask = rng.random(24) < 0.4
    data = seeded(int(mask.sum()), dtype=np.float16)
    packed = {"nonzero_data": C(data), "mask": C(np.packbits(mask, bitorder="little")),
              "shape": C(np.array([4, 6], np.uint32))}  # fmt: skip
    yield Case("constexpr_sparse_to_dense", packed, "ios16", opset="CoreML6")
    for data in (nibbles, rng.integers(-8, 8, (4, 6)).astype(ml_dtypes.int4), bytes_):
        for offset in (False, True):
            given = {"data": C(data), "scale": C(seeded(2, 3, dtype=np.float16))}
            if offset:
                given["offset"] = C(rng.integers(0, 7, (2, 3)).astype(data.dtype))
            label = f"{data.dtype}-{offset}"
            yield Case("constexpr_blockwise_shift_scale", given, label)


def all_cases() -> Iterator[Case]:
    yield from recurrent()
    yield from resizing()
    yield from quantized()
    yield from constants()
