"""Ops of the dialect on operands that they accept, for every opset."""

import ml_dtypes
import numpy as np
import pytest

from coremlc.mil.builder import Builder
from coremlc.mil.dialect import DIALECT
from coremlc.mil.dialect.opsets import ORDER
from coremlc.mil.types import StateType, TensorType

OPSET_NAMES = ["ios15", "ios16", "ios17", "ios18"]


def t(text):
    """`T` from `fp32[2, ?]`."""
    dtype, _, dims = text.rstrip("]").partition("[")
    sizes = [d.strip() for d in dims.split(",") if d.strip()]
    return TensorType(dtype, tuple(None if d == "?" else int(d) for d in sizes))


def build(kind, opset, given):
    """One op on inputs of the given types (`t(...)` values), constants for the rest."""
    m = Builder(opset)
    inputs = []

    def place(item):
        if not isinstance(item, TensorType | StateType):
            return item
        inputs.append(m.input(f"in_{len(inputs)}", item))
        return inputs[-1]

    bound = {
        name: [place(item) for item in value]
        if isinstance(value, list) and any(isinstance(v, TensorType) for v in value)
        else place(value)
        for name, value in given.items()
    }
    results = m.emit(kind, bound)
    (op,) = [op for op in m._root if op.kind == kind]
    return m, op, inputs, [value.type for value in results]


def cases(*rows, since="ios15", until="ios18"):
    """(kind, opset, given) for every opset of each row."""
    return [
        pytest.param(kind, opset, given, id=f"{kind}-{opset}-{i}")
        for i, (kinds, given) in enumerate(rows)
        for kind in kinds.split()
        for opset in OPSET_NAMES
        if ORDER[max(since, DIALECT[kind].since)] <= ORDER[opset] <= ORDER[until]
    ]


X = t("fp32[2, 3, 4]")
FLOAT_UNARY = (
    "acos asin atan atanh ceil cos cosh erf exp floor round sin sinh sqrt tan tanh abs exp2 sign "
    "square relu relu6 sigmoid silu softplus softsign identity"
)
BINARY = "add floor_div maximum minimum mod mul pow real_div sub"
COMPARE = "equal greater greater_equal less less_equal not_equal"
REDUCE = (
    "reduce_l1_norm reduce_l2_norm reduce_log_sum reduce_log_sum_exp reduce_max reduce_mean "
    "reduce_min reduce_prod reduce_sum reduce_sum_square"
)

ELEMENTWISE = cases(
    (FLOAT_UNARY, {"x": X}),
    (FLOAT_UNARY, {"x": t("fp16")}),
    (FLOAT_UNARY, {"x": t("fp32[?, 3]")}),
    ("abs exp2 sign square identity", {"x": t("int32[5]")}),
    ("logical_not", {"x": t("bool[2]")}),
    ("inverse log rsqrt", {"x": X, "epsilon": 0.0}),
    ("threshold elu leaky_relu thresholded_relu", {"x": t("fp16[2]"), "alpha": 0.5}),
    ("clamped_relu linear_activation scaled_tanh sigmoid_hard", {"x": X, "alpha": 1, "beta": 2.5}),
    ("clip", {"x": X, "alpha": 0.0, "beta": 6.0}),
    ("prelu", {"x": t("fp32[1, 3, 2, 2]"), "alpha": [0.1, 0.2, 0.3]}),
    ("softplus_parametric", {"x": X, "alpha": [1.0] * 3, "beta": [1.0] * 3}),
    ("gelu", {"x": X, "mode": "TANH_APPROXIMATION"}),
    ("gelu", {"x": t("fp16[4]")}),
    ("softmax", {"x": X}),
    ("softmax", {"x": X, "axis": 1}),
    (f"{BINARY} {COMPARE}", {"x": X, "y": t("fp32[2, 3, 4]")}),
    (f"{BINARY} {COMPARE}", {"x": X, "y": t("fp32[3, 1]")}),
    (f"{BINARY} {COMPARE}", {"x": t("int32[2, 1]"), "y": t("int32[4, 1, 3]")}),
    (f"{BINARY} {COMPARE}", {"x": t("fp16"), "y": t("fp16")}),
    (f"{BINARY} {COMPARE}", {"x": X, "y": 2.0}),
    (f"{BINARY} {COMPARE}", {"x": t("fp32[?, 3]"), "y": t("fp32[1]")}),
    (f"{BINARY} {COMPARE}", {"x": t("fp32[?, 3]"), "y": t("fp32[4, 1]")}),
    ("logical_and logical_or logical_xor", {"x": t("bool[2, 1]"), "y": t("bool[3]")}),
    ("select", {"cond": t("bool[2, 3]"), "a": t("fp32[2, 3]"), "b": t("fp32[2, 3]")}),
    ("select", {"cond": t("bool[3]"), "a": t("bool[2, 3]"), "b": t("bool[1, 3]")}),
    ("select", {"cond": t("bool"), "a": t("int32"), "b": t("int32[4]")}),
    ("cast", {"x": X, "dtype": "int32"}),
    ("cast", {"x": t("bool"), "dtype": "fp16"}),
)
SMALL_INTS = cases(
    ("cast", {"x": t("int8[3]"), "dtype": "uint16"}),
    ("identity", {"x": t("uint8[3]")}),
    ("reshape", {"x": t("int16[6]"), "shape": [2, 3]}),
    ("concat", {"values": [t("int8[2]"), t("int8[3]")], "axis": 0}),
    ("gather", {"x": t("uint8[4, 3]"), "indices": t("int16[2]"), "axis": 0}),
    ("topk", {"x": t("int8[4]"), "k": 2, "output_indices_dtype": "uint16"}),
    ("sliding_windows", {"x": t("bool[9]"), "axis": 0, "size": 3}),
    ("reduce_argmax", {"x": X, "output_dtype": "uint16"}),
    ("matmul", {"x": t("fp32[2, 3]"), "y": np.ones((3, 2), np.float16)}),
    ("layer_norm", {"x": t("fp16[2, 3]"), "axes": [1], "epsilon": np.float32(1e-12)}),
    since="ios17",
)
REDUCTIONS = cases(
    (REDUCE, {"x": X}),
    (REDUCE, {"x": X, "axes": [-1]}),
    (REDUCE, {"x": t("int32[2, 3, 4]"), "axes": [0, -1], "keep_dims": True}),
    (REDUCE, {"x": t("fp16[5]"), "axes": [0]}),
    (REDUCE, {"x": t("fp32[?, 4]"), "axes": [1]}),
    ("reduce_argmax reduce_argmin", {"x": X}),
    ("reduce_argmax reduce_argmin", {"x": X, "axis": 0, "keep_dims": True}),
    ("reduce_argmax reduce_argmin", {"x": t("int32[?, 7]"), "axis": 1}),
)
MOVEMENT = cases(
    ("reshape", {"x": X, "shape": [6, 4]}),
    ("reshape", {"x": X, "shape": [-1, 2]}),
    ("reshape", {"x": X, "shape": [0, 0, -1]}),
    ("reshape", {"x": X, "shape": t("int32[2]")}),
    ("reshape_like", {
        "x": X, "ref_tensors": [t("fp32[6, 9]"), t("int32[4, 7]")],
        "begins": [np.int32(0), np.int32(0)], "ends": [np.int32(1), np.int32(1)],
        "end_masks": [np.bool_(False), np.bool_(False)],
    }),
    ("transpose", {"x": X, "perm": [2, 0, 1]}),
    ("transpose", {"x": t("bool[?, 4]"), "perm": [-1, 0]}),
    ("expand_dims", {"x": X, "axes": [0, -1]}),
    ("expand_dims", {"x": t("fp32"), "axes": [0]}),
    ("squeeze", {"x": t("fp32[1, 3, 1]")}),
    ("squeeze", {"x": t("fp32[1, 3, 1]"), "axes": [-1]}),
    ("squeeze", {"x": t("fp32[1]"), "axes": [0]}),
    ("flatten2d", {"x": X}),
    ("flatten2d", {"x": X, "axis": -1}),
    ("flatten2d", {"x": X, "axis": 0}),
    ("concat", {"values": [X, t("fp32[2, 5, 4]")], "axis": 1}),
    ("concat", {"values": [X, X, X], "axis": -1}),
    ("concat", {"values": [t("bool[2]"), t("bool[1]")], "axis": 0}),
    ("concat", {"values": [t("fp32"), t("fp32")], "axis": 0}),
    ("concat", {"values": [t("fp32[?, 2]"), t("fp32[3, 2]")], "axis": 0}),
    ("concat", {"values": [X, X], "axis": 1, "interleave": True}),
    ("stack", {"values": [X, X], "axis": 0}),
    ("stack", {"values": [t("int32"), t("int32"), t("int32")], "axis": 0}),
    ("stack", {"values": [X, X], "axis": -1}),
    ("split", {"x": X, "num_splits": 2, "axis": 2}),
    ("split", {"x": X, "split_sizes": [1, 2], "axis": 1}),
    ("split", {"x": X, "split_sizes": [1, 3], "num_splits": 2, "axis": -1}),
    ("tile", {"x": X, "reps": [1, 2, 3]}),
    ("tile", {"x": t("bool[?, 2]"), "reps": [1, 2]}),
    ("tile", {"x": X, "reps": t("int32[3]")}),
    ("pad", {"x": X, "pad": [0, 1, 2, 3]}),
    ("pad", {"x": X, "pad": [1, 1], "mode": "reflect"}),
    ("pad", {"x": t("fp16[2]"), "pad": [1, 1], "mode": "constant", "constant_val": 1.5}),
    ("pad", {"x": X, "pad": t("int32[6]")}),
    ("reverse", {"x": X, "axes": [-1, 0]}),
    ("reverse", {"x": X}),
    ("reverse_sequence", {"x": X, "lengths": t("int32[2]"), "seq_axis": 1, "batch_axis": 0}),
    ("space_to_depth depth_to_space", {"x": t("fp32[1, 8, 4, 6]"), "block_size": 2}),
    ("pixel_shuffle", {"x": t("fp32[1, 8, 4, 6]"), "upscale_factor": 2}),
    ("pixel_unshuffle", {"x": t("fp32[1, 3, 4, 6]"), "downscale_factor": np.uint32(2)}),
    ("space_to_batch", {
        "x": t("fp32[2, 4, 6, 8]"), "block_shape": [2, 3], "paddings": [[1, 1], [2, 2]],
    }),
    ("batch_to_space", {
        "x": t("fp32[12, 4, 2, 3]"), "block_shape": [2, 3], "crops": [[0, 0], [1, 2]],
    }),
)  # fmt: skip
SLICING = cases(
    ("slice_by_index", {"x": X, "begin": [0, 1, 1], "end": [2, 3, 4]}),
    ("slice_by_index", {"x": X, "begin": [0, 0, 0], "end": [2, 3, 4], "stride": [1, 2, 3]}),
    ("slice_by_index", {"x": X, "begin": [0, -2, -1], "end": [2, -1, 4]}),
    ("slice_by_index", {"x": t("fp16[9]"), "begin": [2], "end": [0], "end_mask": [True]}),
    ("slice_by_index", {
        "x": X, "begin": [1, 0, 0], "end": [0, 0, 0], "end_mask": [True] * 3,
        "squeeze_mask": [True, False, False],
    }),
    ("slice_by_index", {
        "x": X, "begin": [0, 0, 3], "end": [0, 0, 0], "stride": [1, 1, -1],
        "begin_mask": [True, True, False], "end_mask": [True, True, False],
    }),
    ("slice_by_index", {
        "x": X, "begin": [0, 0, 0], "end": [0, 0, 0], "stride": [-1, -2, -3],
        "begin_mask": [True] * 3, "end_mask": [True] * 3,
    }),
    ("slice_by_index", {"x": X, "begin": t("int32[3]"), "end": t("int32[3]")}),
    ("slice_by_index", {"x": t("fp32[?, 4]"), "begin": [0, 1], "end": [1, 3]}),
    ("slice_by_index", {"x": t("bool[5]"), "begin": [2], "end": [3], "squeeze_mask": [True]}),
    ("slice_by_size", {"x": X, "begin": [0, 1, 2], "size": [2, -1, 1]}),
    ("slice_by_size", {"x": X, "begin": t("int32[3]"), "size": [2, 1, 1]}),
    ("slice_by_size", {"x": X, "begin": t("int32[3]"), "size": [-1, 1, 1]}),
    ("slice_by_size", {"x": X, "begin": [0, 0, 0], "size": t("int32[3]")}),
    ("slice_update", {"x": X, "update": t("fp32[2, 1, 4]"), "begin": [0, 1, 0], "end": [2, 2, 4]}),
    ("slice_update", {"x": t("int8[4]"), "update": t("int8[3]"), "begin": [0], "end": [3]}),
    ("sliding_windows", {"x": X, "axis": -1, "size": 2, "stride": 2}),
    ("sliding_windows", {"x": t("fp32[1, 10]"), "axis": 1, "size": 4}),
    ("shape", {"x": X}),
    ("shape", {"x": t("bool[?, ?]")}),
    ("range_1d", {"start": 0, "end": 10, "step": 3}),
    ("range_1d", {"start": 5.0, "end": 0.0, "step": -0.5}),
    ("range_1d", {"start": 0, "end": t("int32"), "step": 1}),
    ("fill", {"shape": [2, 3], "value": 1.5}),
    ("fill", {"shape": [2, 3], "value": 7}),
    ("fill", {"shape": [2, 3]}),
    ("fill", {"shape": t("int32[3]"), "value": np.float16(1)}),
    ("fill_like", {"ref_tensor": X, "value": 7}),
    ("one_hot", {"indices": t("int32[2, 3]"), "one_hot_vector_size": 5}),
    ("one_hot", {"indices": t("int32[2]"), "one_hot_vector_size": 5, "axis": 0, "on_value": 1.0,
        "off_value": 0.0}),
    ("one_hot", {"indices": t("int32[2]"), "one_hot_vector_size": t("int32"), "on_value": True,
        "off_value": False}),
    ("non_zero", {"x": X}),
    ("band_part", {"x": t("bool[3, 3]"), "lower": 0, "upper": -1}),
    ("cumsum", {"x": t("int32[3, 3]"), "axis": 1, "exclusive": True}),
    ("argsort", {"x": X, "axis": 1}),
    ("topk", {"x": X, "k": 2}),
    ("topk", {"x": t("fp32[?, 9]"), "k": 3, "axis": -1, "ascending": True}),
)  # fmt: skip
GATHER = cases(
    ("gather", {"x": X, "indices": t("int32[5]"), "axis": 1}),
    ("gather", {"x": X, "indices": t("int32"), "axis": -1}),
    ("gather", {"x": t("int32[4]"), "indices": t("int32[2, 2]")}),
    ("gather", {"x": t("fp32[4]"), "indices": t("int32")}),
    ("gather", {"x": t("fp32[?, 4]"), "indices": t("int32[?]")}),
    ("gather_nd", {"x": X, "indices": t("int32[5, 2]")}),
    ("gather_nd", {"x": X, "indices": t("int32[5, 6, 3]")}),
    ("gather_along_axis", {"x": X, "indices": t("int32[2, 7, 4]"), "axis": 1}),
    ("scatter", {"data": X, "indices": t("int32[5]"), "updates": t("fp32[2, 5, 4]"), "axis": 1}),
    ("scatter_nd", {"data": X, "indices": t("int32[5, 2]"), "updates": t("fp32[5, 4]"),
        "mode": "update"}),
    ("scatter_along_axis", {"data": X, "indices": t("int32[2, 7, 4]"),
        "updates": t("fp32[2, 7, 4]"), "axis": 1}),
)  # fmt: skip
GATHER_BATCHED = cases(
    ("gather", {"x": X, "indices": t("int32[2, 5]"), "axis": 1, "batch_dims": 1}),
    ("gather", {"x": X, "indices": t("uint16[2, 5]"), "axis": 2, "batch_dims": 1}),
    ("gather_nd", {"x": X, "indices": t("int32[2, 5, 1]"), "batch_dims": 1}),
    ("gather_nd", {"x": X, "indices": t("int16[2, 2]"), "batch_dims": 1}),
    ("topk", {"x": X, "k": 2, "return_indices": False, "sort": False}),
    since="ios16",
)
W = np.ones((6, 3, 3, 3), np.float32)
IMAGE = t("fp32[1, 3, 9, 8]")
LINEAR = cases(
    ("matmul", {"x": t("fp32[2, 3]"), "y": t("fp32[3, 4]")}),
    ("matmul", {"x": t("fp32[3]"), "y": t("fp32[3, 4]")}),
    ("matmul", {"x": t("int32[5, 3, 2]"), "y": t("int32[4, 3]"), "transpose_x": True,
        "transpose_y": True}),
    ("matmul", {"x": t("fp16[?, 1, 2, 3]"), "y": t("fp16[7, 3, 4]")}),
    ("linear", {"x": X, "weight": np.ones((5, 4), np.float32)}),
    ("linear", {"x": X, "weight": np.ones((5, 4), np.float32), "bias": [0.0] * 5}),
    ("einsum", {"values": [t("fp32[2, 3, 4, 5]"), t("fp32[2, 5, 4, 6]")],
        "equation": "nchw,nwhu->nchu"}),
    ("einsum", {"values": [t("fp32[3, 4, 5]"), t("fp32[5, 1, 6]")], "equation": "chw,whr->chr"}),
    ("scaled_dot_product_attention", {"query": t("fp32[1, 2, 7, 8]"), "key": t("fp32[1, 2, 5, 8]"),
        "value": t("fp32[1, 2, 5, 3]")}),
    ("scaled_dot_product_attention", {"query": t("fp16[1, 7, 8]"), "key": t("fp16[1, 5, 8]"),
        "value": t("fp16[1, 5, 8]"), "attn_mask": t("bool[1, 7, 5]")}),
    ("conv", {"x": IMAGE, "weight": W}),
    ("conv", {"x": IMAGE, "weight": W, "bias": [0.0] * 6, "strides": [2, 3], "pad_type": "same"}),
    ("conv", {"x": IMAGE, "weight": W, "pad_type": "custom", "pad": [1, 2, 0, 1], "dilations": [2,
        1]}),
    ("conv", {"x": t("fp16[2, 4, 9]"), "weight": np.ones((4, 2, 3), np.float16), "groups": 2}),
    ("conv", {"x": t("fp32[?, 3, 9, ?]"), "weight": W}),
    ("conv", {"x": IMAGE, "weight": t("fp32[6, 3, 3, 3]")}),
    ("conv_transpose", {"x": t("fp32[1, 6, 4, 5]"), "weight": W}),
    ("conv_transpose", {"x": t("fp32[1, 6, 4, 5]"), "weight": W, "strides": [2, 2],
        "pad_type": "same"}),
    ("conv_transpose", {"x": t("fp32[1, 6, 4, 5]"), "weight": W, "strides": [2, 1],
        "pad_type": "custom", "pad": [1, 1, 0, 1], "groups": 2}),
    ("conv_transpose", {"x": t("fp32[1, 6, 4, 5]"), "weight": W, "strides": [2, 2],
        "pad_type": "same", "output_shape": [1, 3, 7, 9]}),
    ("max_pool avg_pool l2_pool", {"x": IMAGE, "kernel_sizes": [2, 3], "pad_type": "valid"}),
    ("max_pool avg_pool l2_pool", {"x": IMAGE, "kernel_sizes": [2, 3], "strides": [2, 2],
        "pad_type": "same"}),
    ("max_pool avg_pool l2_pool", {"x": IMAGE, "kernel_sizes": [2, 3], "strides": [3, 2],
        "pad_type": "custom", "pad": [1, 1, 1, 1], "ceil_mode": True}),
    ("avg_pool", {"x": IMAGE, "kernel_sizes": [2, 3], "pad_type": "valid",
        "exclude_padding_from_average": True}),
)  # fmt: skip
NORM = cases(
    ("layer_norm", {"x": X, "axes": [-1], "gamma": [1.0] * 4, "beta": [0.0] * 4, "epsilon": 1e-5}),
    ("layer_norm", {"x": X, "axes": [1, 2], "gamma": np.ones((3, 4), np.float32),
        "beta": np.ones((3, 4), np.float32), "epsilon": 1e-5}),
    ("batch_norm", {"x": IMAGE, "mean": [0.0] * 3, "variance": [1.0] * 3, "epsilon": 1e-5}),
    ("instance_norm", {"x": IMAGE, "gamma": [1.0] * 3, "beta": [0.0] * 3, "epsilon": 1e-5}),
    ("l2_norm", {"x": X, "epsilon": 1e-6}),
    ("local_response_norm", {"x": IMAGE, "size": 3, "alpha": 1e-4, "beta": 0.5, "k": 1.0}),
)  # fmt: skip
SAMPLE = {
    "sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": 0.0,
    "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True,
}  # fmt: skip
RESIZE = cases(
    ("upsample_nearest_neighbor upsample_bilinear", {"x": IMAGE, "scale_factor_height": 2,
        "scale_factor_width": 3}),
    ("upsample_nearest_neighbor upsample_bilinear", {"x": IMAGE, "scale_factor_height": 1.5,
        "scale_factor_width": 2.0}),
    ("resize_nearest_neighbor resize_bilinear", {"x": IMAGE, "target_size_height": 5,
        "target_size_width": 7}),
    ("resize", {"x": IMAGE, "shape": [1, 3, 4, 0], "resized_dims": np.uint32(2)}),
    ("resize", {"x": IMAGE, "shape": t("int32[2]"), "resized_dims": np.uint32(2)}),
    ("crop", {"x": IMAGE, "crop_height": [1, 2], "crop_width": [0, 1]}),
    ("affine", {"x": IMAGE, "transform_matrix": t("fp32[1, 6]"), "output_height": 4,
        "output_width": 5, **SAMPLE}),
    ("resample", {"x": IMAGE, "coordinates": t("fp32[1, 4, 5, 2]"), **SAMPLE}),
)  # fmt: skip
CROP_RESIZE = [
    *cases(("crop_resize", {"x": IMAGE, "roi": t("fp32[2, 5, 1, 1, 1]"), "target_height": 4,
        "target_width": 5}), until="ios16"),
    *cases(("crop_resize", {"x": IMAGE, "boxes": t("fp32[2, 4]"), "box_indices": [0, 0],
        "target_height": 4, "target_width": 5}), since="ios17"),
]  # fmt: skip


def rnn_case(gates, states=1, **more):
    ones = np.ones
    cell = {"initial_c": t("fp32[2, 5]")} if states == 2 else {}
    return {
        "x": t("fp32[6, 2, 3]"), "initial_h": t("fp32[2, 5]"), **cell,
        "weight_ih": ones((gates * 5, 3), np.float32),
        "weight_hh": ones((gates * 5, 5), np.float32), **more,
    }  # fmt: skip


BIDIRECTIONAL = {
    **rnn_case(4), "initial_h": t("fp32[2, 10]"), "initial_c": t("fp32[2, 10]"),
    "weight_ih_back": np.ones((20, 3), np.float32), "weight_hh_back": np.ones((20, 5), np.float32),
    "direction": "bidirectional", "output_sequence": True,
}  # fmt: skip
RECURRENT = cases(
    ("lstm", rnn_case(4, 2)),
    ("lstm", rnn_case(4, 2, output_sequence=True, bias=[0.0] * 20)),
    ("lstm", BIDIRECTIONAL),
    ("gru", rnn_case(3)),
    ("gru", rnn_case(3, direction="reverse", output_sequence=True)),
    ("rnn", rnn_case(1, bias=[0.0] * 5)),
)
QUANT = cases(
    ("quantize", {"input": X, "scale": np.float32(0.1), "output_dtype": "int8"}),
    ("quantize", {"input": X, "scale": [0.1] * 3, "zero_point": np.zeros(3, np.uint8), "axis": 1,
        "output_dtype": "uint8"}),
    ("dequantize", {"input": t("int8[2, 3]"), "scale": np.float16(0.1)}),
    ("dequantize", {"input": t("uint8[2, 3]"), "scale": np.ones(3, np.float32),
        "zero_point": np.zeros(3, np.uint8), "axis": 1}),
)  # fmt: skip
RANDOM = cases(
    ("random_bernoulli", {"shape": [2, 3], "prob": 0.5}),
    ("random_normal", {"shape": [2, 3], "mean": 0.0, "stddev": np.float32(1)}),
    ("random_uniform", {"shape": t("int32[2]"), "low": np.float16(0), "high": 1.0}),
    ("random_categorical", {"x": t("fp32[2, 3]"), "size": 4}),
)
NMS_16 = cases(
    ("non_maximum_suppression", {
        "boxes": t("fp32[2, 9, 4]"), "scores": t("fp32[2, 9, 3]"), "iou_threshold": 0.5,
        "score_threshold": 0.1, "max_boxes": 5,
    }),
    until="ios16",
)  # fmt: skip
NMS_17 = cases(
    ("non_maximum_suppression", {
        "boxes": t("fp32[2, 4, 9]"), "scores": t("fp32[2, 3, 9]"), "iou_threshold": 0.5,
        "max_boxes": 5,
    }),
    since="ios17",
)  # fmt: skip
STATE = cases(("read_state", {"input": StateType(t("fp16[2, 3]"))}))
ALL = [
    *ELEMENTWISE, *SMALL_INTS, *REDUCTIONS, *MOVEMENT, *SLICING, *GATHER, *GATHER_BATCHED, *LINEAR,
    *NORM, *RESIZE, *CROP_RESIZE, *RECURRENT, *QUANT, *RANDOM, *NMS_16,
    *NMS_17, *STATE,
]  # fmt: skip
U4, I4 = ml_dtypes.uint4, ml_dtypes.int4
MASK = np.array([[1, 0], [1, 1]], np.uint8)
CONSTEXPR = [
    ("constexpr_affine_dequantize", "ios16", {"quantized_data": np.ones((2, 3), np.int8),
        "scale": np.ones(3, np.float16), "zero_point": np.int8(1), "axis": 1}),
    ("constexpr_cast", "ios16", {"source_val": np.ones((2, 3), np.float16),
        "output_dtype": "fp32"}),
    ("constexpr_cast", "ios18", {"source_val": np.ones((2, 3), np.float16),
        "output_dtype": "fp32"}),
    ("constexpr_lut_to_dense", "ios16", {"indices": np.ones(3, np.uint8), "lut": np.ones(16,
        np.float32), "shape": np.array([2, 3], np.uint32)}),
    ("constexpr_sparse_to_dense", "ios17", {"nonzero_data": np.ones(3, np.float16),
        "mask": np.array([7], np.uint8), "shape": np.array([2, 3], np.uint32)}),
    ("constexpr_blockwise_shift_scale", "ios18", {"data": np.ones((4, 6), I4), "scale": np.ones((2,
        1), np.float16), "offset": np.ones((2, 1), I4)}),
    ("constexpr_lut_to_dense", "ios18", {"indices": np.ones((4, 6), U4), "lut": np.ones((2, 1, 16,
        1), np.float16)}),
    ("constexpr_lut_to_dense", "ios18", {"indices": np.ones((4, 6), U4), "lut": np.ones((2, 1, 16,
        3), np.float16), "vector_axis": 1}),
    ("constexpr_sparse_to_dense", "ios18", {"nonzero_data": np.ones(3, np.float16), "mask": MASK}),
    ("constexpr_lut_to_sparse", "ios18", {"indices_mask": MASK, "indices_nonzero_data": np.ones(3,
        U4), "lut": np.ones((1, 1, 16, 1), np.float32)}),
    ("constexpr_sparse_blockwise_shift_scale", "ios18", {"data_mask": MASK,
        "nonzero_data": np.ones(3, np.int8), "scale": np.ones((2, 1), np.float16)}),
]  # fmt: skip
