"""The builder: names, blocks, outputs, and how much it does per op."""

import sys

import numpy as np
import pytest

from coremlc.errors import CompileError, ShapeError, UsageError
from coremlc.mil.builder import Builder
from coremlc.mil.dialect import OPSETS, infer_op
from coremlc.mil.program import Literal
from coremlc.mil.types import StateType, TensorType

F = TensorType("fp32", (2, 3))


def fresh(opset="ios17"):
    return started(opset)[0]


def started(opset="ios17", kind=F):
    m = Builder(opset)
    return m, m.input("x", kind)


def kinds(ops):
    return [op.kind for op in ops]


# --- names


def test_names_are_unique_and_sanitized():
    m, x = started()
    names = [
        m.add(x=x, y=x).name,
        m.add(x=x, y=x).name,
        m.add(x=x, y=x, name="model/layer 1.w").name,
        m.add(x=x, y=x, name="model/layer 1.w").name,
        m.add(x=x, y=x, name="1st").name,
        m.add(x=x, y=x, name="").name,
        m.add(x=x, y=x, name="add_2").name,
        m.add(x=x, y=x).name,
        m.add(x=x, y=x, name="a@b").name,
    ]
    assert names == [
        "add_0", "add_1", "model_layer_1_w", "model_layer_1_w_0", "_1st", "_", "add_2", "add_3",
        "a@b",
    ]  # fmt: skip
    assert [op.attributes["name"].data for op in m._root] == names


def test_results_of_one_op_are_numbered():
    m, x = started()
    a, b, c = m.split(x=x, num_splits=3, axis=1)
    assert [v.name for v in (a, b, c)] == ["split_0_0", "split_0_1", "split_0_2"]
    assert m._root[-1].attributes["name"].data == "split_0"


@pytest.mark.parametrize("name", ["x", "1", "a b", ""])
def test_input_name_must_be_new_and_a_mil_name(name):
    m = fresh()
    with pytest.raises(CompileError, match="input name"):
        m.input(name, F)


def test_unknown_op_and_opset():
    m, x = started()
    with pytest.raises(AttributeError, match="MIL has no op 'adds' that coremlc knows"):
        m.adds(x=x)
    with pytest.raises(UsageError) as caught:
        Builder("ios14")
    assert str(caught.value) == (
        "error: unknown opset 'ios14'\n  fix:   use one of ios15, ios16, ios17, ios18, ios26"
    )


# --- blocks


def test_cond_blocks_see_outer_values_and_constants_are_outermost():
    m, x = started()
    p = m.input("p", TensorType("bool"))
    (y,) = m.cond(pred=p, true=lambda: (m.add(x=x, y=3.0),), false=lambda: (x,))
    function = m.finish([("out", y)])
    assert kinds(function.block.ops) == ["const", "cond"]
    op = function.block.ops[-1]
    true, false = op.blocks
    assert kinds(true.ops) == ["add"]
    assert kinds(false.ops) == ["identity"]
    assert false.outputs == false.ops[-1].outputs
    assert infer_op(op, function.opset) == (F,)


def test_while_loop_blocks_have_their_own_inputs():
    m, x = started()
    i, y = m.while_loop(
        cond=lambda i, _: m.less(x=i, y=10),
        body=lambda i, v: (m.add(x=i, y=1), v),
        loop_vars=(0, x),
    )
    assert (i.type, y.type) == (TensorType("int32"), F)
    op = m._root[-1]
    test, body = op.blocks
    names = [value.name for value in (*test.inputs, *body.inputs)]
    assert names == ["while_cond_0", "while_cond_1", "while_body_0", "while_body_1"]
    assert test.outputs[0].type == TensorType("bool")
    assert kinds(body.ops) == ["add", "identity"]
    assert infer_op(op, "ios17") == (TensorType("int32"), F)


def test_result_given_twice_is_two_values():
    m, x = started()
    p = m.input("p", TensorType("bool"))

    def twice():
        y = m.relu(x=x)
        return y, y

    m.cond(pred=p, true=twice, false=lambda: (x, x))
    for block in m._root[-1].blocks:
        assert len({value.name for value in block.outputs}) == 2


def test_value_of_a_closed_block_is_not_visible():
    m, x = started()
    p = m.input("p", TensorType("bool"))
    kept = []

    def keep():
        kept.append(m.relu(x=x))
        return (kept[0],)

    m.cond(pred=p, true=keep, false=lambda: (x,))
    with pytest.raises(CompileError, match=r"%relu_0 is not visible here"):
        m.add(x=kept[0], y=x)
    with pytest.raises(CompileError, match=r"%relu_0 is not visible here"):
        m.finish([("out", kept[0])])


def test_value_of_another_builder_is_not_visible():
    m, x = started()
    _, other = started()
    with pytest.raises(CompileError, match="%x is not visible here"):
        m.add(x=x, y=other)


def test_failing_block_leaves_the_builder_usable():
    m, x = started()
    p = m.input("p", TensorType("bool"))
    with pytest.raises(ShapeError, match=r"results of false\[0\] is fp32\[3\]"):
        m.cond(
            pred=p,
            true=lambda: (m.relu(x=x),),
            false=lambda: (m.reduce_sum(x=x, axes=[0]),),
        )
    with pytest.raises(ShapeError):
        m.cond(pred=p, true=lambda: (m.log(x=x),), false=lambda: (x,))
    assert kinds(m.finish([("out", m.relu(x=x))]).block.ops) == ["const", "relu"]


def test_loop_variables_keep_their_type():
    m, x = started()
    with pytest.raises(ShapeError) as caught:
        m.while_loop(
            cond=lambda v: m.const(True),
            body=lambda v: (m.reduce_sum(x=v, axes=[0]),),
            loop_vars=(x,),
        )
    assert caught.value.what == (
        "while_loop: results of body[0] is fp32[3], loop_vars[0] is fp32[2, 3]"
    )


# --- states and compressed constants


def test_states():
    m = Builder("ios18")
    state = m.input("cache", StateType(TensorType("fp16", (2,))))
    old = m.read_state(input=state)
    m.write_state(input=state, data=m.add(x=old, y=1.0))
    function = m.finish([("out", old)])
    assert kinds(function.block.ops) == ["read_state", "const", "add", "write_state"]
    assert function.block.ops[-1].outputs == ()


def test_constexpr_holds_its_constants_and_is_a_constant():
    m, x = started("ios16")
    p = m.input("p", TensorType("bool"))

    def project():
        weight = m.constexpr_affine_dequantize(
            quantized_data=np.ones((4, 3), np.int8),
            scale=np.float32(0.5),
            zero_point=np.int8(0),
            axis=0,
        )
        return (m.linear(x=x, weight=weight),)

    m.cond(pred=p, true=project, false=project)
    assert kinds(m._root) == ["constexpr_affine_dequantize"] * 2 + ["cond"]
    assert set(m._root[0].attributes) == {"name", "quantized_data", "scale", "zero_point", "axis"}
    assert m._root[0].inputs == {}


# --- finish


def test_outputs_are_renamed():
    m, x = started()
    y = m.relu(x=x)
    z = m.add(x=y, y=y, name="out")
    function = m.finish([("out", y), ("sum", z)])
    assert [value.name for value in function.block.outputs] == ["out", "sum"]
    assert [op.attributes["name"].data for op in function.block.ops] == ["out", "sum"]


def test_other_value_of_an_output_name_gives_way_even_inside_a_block():
    m, x = started()
    p = m.input("p", TensorType("bool"))
    (y,) = m.cond(pred=p, true=lambda: (m.relu(x=x, name="out"),), false=lambda: (x,))
    function = m.finish([("out", y)])
    inner = function.block.ops[-1].blocks[0].ops[0]
    assert function.block.outputs[0].name == "out"
    assert inner.outputs[0].name == inner.attributes["name"].data == "out_0"


def test_input_constant_and_repeated_outputs_pass_through_identity():
    m, x = started()
    y = m.relu(x=x)
    function = m.finish([("a", x), ("b", y), ("c", y), ("d", m.const(1.0))])
    assert kinds(function.block.ops) == ["relu", "const", "identity", "identity", "identity"]
    assert [value.name for value in function.block.outputs] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        (["x"], "output name 'x' is an input's or another output's"),
        (["a", "a"], "output name 'a' is an input's or another output's"),
        (["a b"], "output name 'a b' is not a MIL name"),
        ([], "a function without outputs"),
    ],
)
def test_output_names_must_be_free(outputs, what):
    m, x = started()
    y = m.relu(x=x)
    with pytest.raises(CompileError) as caught:
        m.finish([(name, y) for name in outputs])
    assert caught.value.what == what


@pytest.mark.parametrize(("opset", "coreml"), OPSETS.items())
def test_function_has_the_opset_of_the_protobuf(opset, coreml):
    m, x = started(opset)
    function = m.finish([("y", m.relu(x=x))], {"k": Literal(TensorType("string"), "v")})
    assert (function.opset, list(function.blocks)) == (coreml, [coreml])
    assert function.inputs == (x,)
    assert function.attributes["k"].data == "v"


# --- speed


def calls_of(count):
    """Python calls that `count` equal ops cost, each with a constant operand."""
    m, x = started()
    calls = 0

    def profile(frame, event, arg):
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        for _ in range(count):
            x = m.add(x=x, y=2.0)
    finally:
        sys.setprofile(before)
    return calls


def test_work_per_op_is_small_and_constant():
    first, second = calls_of(100), calls_of(1000)
    assert (second - first) / 900 < 40
    assert second < 10.5 * first
