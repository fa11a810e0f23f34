from dataclasses import replace

import numpy as np
import pytest

from coremlc.mil.program import BlobRef, Literal, Value
from coremlc.mil.types import BufferType, StateType, TensorType
from coremlc.mil.wellformed import faults
from tests.bundle import builds
from tests.mil import programs

TYPE = TensorType("fp32", (4,))


def told(program):
    return [str(e) for function in program.functions.values() for e in faults(function)]


def one(op, *more, inputs=(), outputs=None):
    return programs.program(inputs, (op, *more), op.outputs if outputs is None else outputs)


@pytest.mark.parametrize(
    "program",
    [
        programs.nested(),
        programs.stateful(),
        builds.weighted().program,
        builds.two_functions().program,
        builds.flexible(ranges=((1, 4), (4, 4))).program,
    ],
)
def test_sound_programs(program):
    assert told(program) == []


def test_a_value_that_is_read_before_it_is_defined():
    late = programs.const("late", "fp32", np.zeros(4))
    early = programs.op("relu", "y", TYPE, x=late.outputs[0])
    (fault,) = told(one(early, late))
    assert "%late is read before it is defined" in fault
    assert "MIL op relu -> %y" in fault


def test_a_result_of_another_type():
    x = Value("x", TYPE)
    op = programs.op("relu", "y", TensorType("fp32", (5,)), x=x)
    (fault,) = told(one(op, inputs=(x,)))
    assert "its result is fp32[4], the program says fp32[5]" in fault
    unknown = programs.op("relu", "y", TensorType("fp32", (None,)), x=x)
    assert told(one(unknown, inputs=(x,))) == []


def test_what_an_op_is_not_given():
    x = Value("x", TYPE)
    (fault,) = told(one(programs.op("add", "y", TYPE, x=x), inputs=(x,)))
    assert "y is missing" in fault
    state = Value("s", StateType(TYPE))
    (fault,) = told(one(programs.op("relu", "y", TYPE, x=state), inputs=(state,)))
    assert "x is state<fp32[4]>" in fault
    (fault,) = told(one(programs.op("no_such_op", "y", TYPE, x=state), inputs=(state,)))
    assert "takes a state" in fault


def test_ops_that_the_dialect_lacks_are_not_judged():
    x = Value("x", TYPE)
    assert told(one(programs.op("no_such_op", "y", TYPE, x=x), inputs=(x,))) == []


def test_constants_and_blocks():
    held = programs.const("c", "fp32", np.zeros(4))
    assert "without a value" in told(one(replace(held, attributes={})))[0]
    x = Value("x", TensorType("bool"))
    assert "0 blocks" in told(one(programs.op("cond", "y", TYPE, pred=x), inputs=(x,)))[0]
    blob = Literal(TYPE, BlobRef("@model_path/w.bin", 64))
    assert told(one(replace(held, attributes={"val": blob}))) == []


def test_features_of_types_that_are_no_arrays():
    buffer = Value("b", BufferType("pixel_buffer", "fp16", ()))
    problems = told(programs.program((buffer,), (), (buffer,)))
    assert [p.splitlines()[0] for p in problems] == [
        "error: pixel_buffer is no type of an input",
        "error: pixel_buffer is no type of an output",
    ]
