"""What the dialect refuses, and the words it says it with."""

import numpy as np
import pytest

from coremlc.errors import RefusedError, ShapeError
from coremlc.mil.dialect import infer_op
from coremlc.mil.program import BlobRef, Literal, Op, Value
from coremlc.mil.types import StateType
from tests.mil.dialect_cases import IMAGE, W, X, build, t

REFUSED = [
    ("add", "ios17", {"x": t("fp32[2]"), "y": t("fp16[2]")},
     "add: y is fp16[2], x is fp32[2]", "same dtype"),
    ("add", "ios17", {"x": t("bool[2]"), "y": t("bool[2]")}, "add: x is bool[2]",
        "fp16, fp32, int32"),
    ("add", "ios17", {"x": t("fp32[2]"), "y": t("fp32[3]")},
     "add: shapes [2] and [3] do not broadcast", "equal or one of them 1"),
    ("add", "ios17", {"x": t("fp32[2]")}, "add: y is missing", "give y"),
    ("add", "ios17", {"x": t("fp32[2]"), "y": 1.0, "z": 1.0}, "add: no parameter z in ios17",
        "it has x, y"),
    ("add", "ios17", {"x": t("fp16[2]"), "y": 1e6}, "add: y: 1000000.0 does not fit fp16", "holds"),
    ("add", "ios17", {"x": t("int32[2]"), "y": 1.5}, "add: y: 1.5 for a parameter of int32",
        "are int32"),
    ("add", "ios17", {"x": t("int32[2]"), "y": 2**31}, "add: y: 2147483648 does not fit int32",
        "2147483647"),
    ("add", "ios17", {"x": t("fp32[2]"), "y": 2**24 + 1}, "add: y: 16777217 does not fit fp32",
        "holds"),
    ("add", "ios17", {"x": t("fp32[2]"), "y": np.ones(2)}, "add: y is fp64[2]", "fp32"),
    ("reshape", "ios17", {"x": X, "shape": [2, 3, 2, 1, 2, 1]},
        "reshape: its result is fp32[2, 3, 2, 1, 2, 1], of rank 6", "0..5"),
    ("reshape", "ios17", {"x": X, "shape": [5, 5]}, "reshape: x is fp32[2, 3, 4] of 24 elements",
        "24 elements"),
    ("reshape", "ios17", {"x": X, "shape": [-1, -1]}, "reshape: shape is [-1, -1]", "at most once"),
    ("reshape", "ios16", {"x": t("int8[2]"), "shape": [2, 1]}, "reshape: x is int8[2]",
        "ios16 takes bool"),
    ("transpose", "ios17", {"x": X, "perm": [0, 1]}, "transpose: perm [0, 1] for fp32[2, 3, 4]",
        "all 3 axes"),
    ("transpose", "ios17", {"x": X, "perm": [0, 1, 1]}, "transpose: perm [0, 1, 1] repeats",
        "once"),
    ("transpose", "ios17", {"x": X, "perm": t("int32[3]")},
        "transpose: perm is %in_1, int32[3], computed", "constant"),
    ("squeeze", "ios17", {"x": X, "axes": [0]}, "squeeze: axis 0 of fp32[2, 3, 4] is not 1",
        "dims of 1"),
    ("concat", "ios17", {"values": [X, t("fp32[2, 3, 5]")], "axis": 0},
        "concat: values[1] is fp32[2, 3, 5]", "except axis 0"),
    ("concat", "ios17", {"values": [X, t("fp16[2, 3, 4]")], "axis": 0},
        "concat: values are fp32[2, 3, 4], fp16[2, 3, 4]", "one dtype"),
    ("split", "ios17", {"x": X, "num_splits": 5, "axis": 0},
        "split: num_splits 5 does not divide 2", "split_sizes"),
    ("split", "ios17", {"x": X, "axis": 0}, "split: num_splits and split_sizes are not given",
        "one of them"),
    ("pad", "ios17", {"x": t("int32[2]"), "pad": [1, 1]}, "pad: x is int32[2]", "fp16, fp32"),
    ("pad", "ios17", {"x": X, "pad": [1, -1]}, "pad: pad is [1, -1]", "slice"),
    ("softmax", "ios17", {"x": X, "axis": 3}, "softmax: axis is 3, for rank 3", "-3..2"),
    ("softmax", "ios17", {"x": X, "axis": [1]}, "softmax: axis is int32[1], of rank 1", "scalar"),
    ("reduce_sum", "ios17", {"x": X, "axes": 1}, "reduce_sum: axes is int32[], of rank 0",
        "rank 1"),
    ("cast", "ios16", {"x": X, "dtype": "int8"}, "cast: dtype is 'int8'",
        "bool, fp16, fp32, int32"),
    ("cast", "ios17", {"x": X, "dtype": "int64"}, "cast: dtype is 'int64'", "int32"),
    ("gelu", "ios17", {"x": X, "mode": "fast"}, "gelu: mode is 'fast'", "EXACT"),
    ("slice_by_index", "ios17", {"x": X, "begin": [3, 0, 0], "end": [4, 1, 1]},
        "slice_by_index: begin 3 of axis 0 is outside fp32[2, 3, 4]", "-2..2"),
    ("slice_by_size", "ios17", {"x": X, "begin": [1, 0, 0], "size": [2, 1, 1]},
        "slice_by_size: begin 1 and size 2", "inside x"),
    ("gather", "ios17", {"x": t("bool[2]"), "indices": t("int32[1]")}, "gather: x is bool[2]",
        "cast it"),
    ("gather", "ios15", {"x": X, "indices": t("int32[1]"), "batch_dims": 0},
        "gather: no parameter batch_dims in ios15", "x, indices, axis"),
    ("gather_nd", "ios17", {"x": X, "indices": t("int32[5, 4]")},
        "gather_nd: indices is int32[5, 4]", "1..3"),
    ("scatter_nd", "ios17", {"data": X, "indices": t("int32[5, 2]"), "updates": t("fp32[5]")},
        "scatter_nd: updates is fp32[5]", "[5, 4]"),
    ("matmul", "ios17", {"x": t("fp32[2, 3]"), "y": t("fp32[2, 3]")},
        "matmul: x is fp32[2, 3], y is fp32[2, 3]: 3 columns meet 2 rows", "transpose_y"),
    ("matmul", "ios17", {"x": t("fp32[2, 3]"), "y": t("fp16[3, 3]")},
        "matmul: x is fp32[2, 3], y is fp16[3, 3]", "cast one"),
    ("linear", "ios17", {"x": X, "weight": np.ones((5, 3), np.float32)},
        "linear: weight is fp32[5, 3], for x fp32[2, 3, 4]", "[5, 4]"),
    ("conv", "ios17", {"x": IMAGE, "weight": np.ones((6, 2, 3, 3), np.float32)},
        "conv: weight is fp32[6, 2, 3, 3]", "[6, 3, 3, 3]"),
    ("conv", "ios17", {"x": IMAGE, "weight": np.ones((6, 3, 10, 3), np.float32)},
        "conv: x is fp32[1, 3, 9, 8], the kernel takes 10 of axis 2", "pad"),
    ("conv", "ios15", {"x": IMAGE, "weight": W, "pad_type": "same_lower"},
        "conv: pad_type is 'same_lower'", "valid, custom, same"),
    ("layer_norm", "ios17", {"x": X, "axes": [-1], "gamma": [1.0], "epsilon": 1e-5},
        "layer_norm: gamma is fp32[1]", "[4]"),
    ("topk", "ios17", {"x": X, "k": 5}, "topk: k 5 on axis 2", "1..4"),
    ("tile", "ios17", {"x": X, "reps": [1, 0, 1]}, "tile: reps is [1, 0, 1]", "per axis"),
    ("select", "ios17", {"cond": t("bool[2, 3]"), "a": t("fp32"), "b": t("fp32[3]")},
        "select: cond is bool[2, 3], a is fp32[], b is fp32[3]", "tile a or b"),
    ("one_hot", "ios17", {"indices": t("int32[2]"), "one_hot_vector_size": 2, "on_value": 1.0},
        "one_hot: one value is fp32, the other int32", "give on_value, off_value"),
    ("log", "ios17", {"x": X}, "log: epsilon is missing, and MIL's default 1e-45 changes numbers",
        "give epsilon"),
    ("inverse", "ios17", {"x": X}, "inverse: epsilon is missing", "give epsilon"),
    ("rsqrt", "ios17", {"x": X}, "rsqrt: epsilon is missing", "give epsilon"),
    ("batch_norm", "ios17", {"x": IMAGE, "mean": [0.0] * 3, "variance": [1.0] * 3},
        "batch_norm: epsilon is missing", "give epsilon"),
    ("clip", "ios17", {"x": X, "alpha": 1.0, "beta": 1.0}, "clip: alpha 1.0 is not below beta 1.0",
        "alpha < beta"),
    ("quantize", "ios17", {"input": X, "scale": [0.1] * 3, "output_dtype": "int8"},
        "quantize: scale is fp32[3], axis is missing", "axis"),
    ("read_state", "ios18", {"input": X}, "read_state: input is fp32[2, 3, 4]", "state"),
    ("add", "ios18", {"x": StateType(X), "y": 1.0}, "add: x is state<fp32[2, 3, 4]>", "cast it"),
    ("scaled_dot_product_attention", "ios18", {"query": X, "key": t("fp32[2, 3, 5]"), "value": X},
        "scaled_dot_product_attention: key is fp32[2, 3, 5]", "[2, 3, 4]"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "opset", "given", "what", "fix"), REFUSED)
def test_refusal_says_what_and_how_to_fix_it(kind, opset, given, what, fix):
    with pytest.raises(ShapeError) as caught:
        build(kind, opset, given)
    assert caught.value.what.startswith(what)
    assert fix in caught.value.fix


def test_op_of_a_later_opset_is_refused():
    with pytest.raises(RefusedError) as caught:
        build("slice_update", "ios17", {"x": X, "update": X, "begin": [0] * 3, "end": [2, 3, 4]})
    assert str(caught.value) == (
        "error: slice_update needs opset ios18, the target has ios17\n"
        "  fix:   compile for ios18 or later"
    )


def test_constant_in_a_blob_has_a_type_and_no_values():
    blob = Literal(t("fp32[5, 4]"), BlobRef("weights/weight.bin", 64))
    op = Op("linear", {"x": (Value("x", X),), "weight": (blob,)}, ())
    assert infer_op(op, "CoreML7") == (t("fp32[2, 3, 5]"),)
    axes = Literal(t("int32[1]"), BlobRef("weights/weight.bin", 64))
    perm = Op("transpose", {"x": (Value("x", X),), "perm": (axes,)}, ())
    with pytest.raises(ShapeError, match="perm is not known"):
        infer_op(perm, "ios17")


def test_operand_of_rank_6_is_refused():
    deep = (Value("x", t("fp32[1, 1, 1, 1, 1, 1]")),)
    with pytest.raises(ShapeError) as caught:
        infer_op(Op("add", {"x": deep, "y": deep}, ()), "ios17")
    assert str(caught.value) == (
        "error: add: x is fp32[1, 1, 1, 1, 1, 1], of rank 6\n"
        "  fix:   Core ML has tensors of rank 0..5: merge or split axes before it"
    )
