"""Finished functions, written as protobuf, are read by coremltools' MIL front end.

It infers every type again, and rebuilds the blocks; this is the last step before Core ML itself.
"""

import logging
import warnings

import numpy as np
import pytest

from coremlc.mil.builder import Builder
from coremlc.mil.program import Program
from coremlc.mil.proto import program_to_proto
from coremlc.mil.types import TensorType
from tests.mil.dialect_cases import ALL, CONSTEXPR, OPSET_NAMES, build

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # it warns at import that it cannot run models on Linux
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.proto import Model_pb2

    logging.disable(logging.NOTSET)

VERSIONS = {"ios15": 6, "ios16": 7, "ios17": 8, "ios18": 9}


def reloaded(function, opset):
    """The function as coremltools reads it."""
    spec = Model_pb2.Model(specificationVersion=VERSIONS[opset])
    spec.mlProgram.CopyFrom(program_to_proto(Program({"main": function})))
    for value in function.inputs:
        feature = spec.description.input.add(name=value.name)
        if isinstance(value.type, TensorType):
            feature.type.multiArrayType.dataType = 65568
            feature.type.multiArrayType.shape.extend(d or 1 for d in value.type.shape)
    for value in function.block.outputs:
        spec.description.output.add(name=value.name)
    return load(spec, VERSIONS[opset], "").functions["main"]


def is_loadable(given):
    """It takes no rank-0 inputs."""
    flat = [i for v in given.values() for i in (v if isinstance(v, list) else [v])]
    return not any(isinstance(v, TensorType) and not v.shape for v in flat)


@pytest.mark.parametrize("opset", OPSET_NAMES)
def test_every_op_is_read_back(opset):
    rows = [case.values for case in ALL if is_loadable(case.values[2])]
    rows += [row for row in CONSTEXPR if not row[0].endswith("to_sparse")]
    read = 0
    for kind, of, given in rows:
        if of != opset or kind == "constexpr_sparse_blockwise_shift_scale":
            continue
        m, op, inputs, _ = build(kind, opset, given)
        if not inputs:
            m.input("unused", TensorType("fp32", (1,)))
        function = m.finish([(f"out_{i}", value) for i, value in enumerate(op.outputs)])
        theirs = reloaded(function, opset)
        assert [var.name for var in theirs.outputs] == [v.name for v in function.block.outputs]
        read += 1
    assert read > 250


@pytest.mark.parametrize("opset", OPSET_NAMES)
def test_nested_blocks_are_read_back(opset):
    m = Builder(opset)
    x = m.input("x", TensorType("fp32", (2, 3)))

    def body(i, v):
        (w,) = m.cond(
            pred=m.greater(x=m.reduce_sum(x=v), y=0.0),
            true=lambda: (m.mul(x=v, y=np.full((2, 3), 2, np.float32)),),
            false=lambda: (x,),
        )
        return m.add(x=i, y=1), w

    i, y = m.while_loop(cond=lambda i, _: m.less(x=i, y=10), body=body, loop_vars=(0, x))
    theirs = reloaded(m.finish([("count", i), ("y", y)]), opset)
    assert [op.op_type for op in theirs.operations if op.op_type != "const"] == ["while_loop"]
    assert [(var.name, tuple(var.shape)) for var in theirs.outputs] == [
        ("count", ()),
        ("y", (2, 3)),
    ]
