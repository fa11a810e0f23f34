"""Models for bundle tests."""

import shutil
import struct
from dataclasses import replace

import numpy as np

from coremlc.mil.description import Feature, FunctionDescription, Metadata, ModelDescription
from coremlc.mil.model import Model, model_to_bytes
from coremlc.mil.program import Program, Value
from coremlc.mil.types import StateType, TensorType
from tests.mil import programs


def weighted(version=8, size=16, user_defined=None):
    """x + w, w of `size` elements."""
    type_ = TensorType("fp32", (size,))
    x = Value("x", type_)
    weight = programs.const("w", "fp32", np.arange(size))
    total = programs.op("add", "y", type_, x=x, y=weight.outputs[0])
    opset = f"CoreML{version - 1}"
    description = ModelDescription(
        (Feature("x", "fp32", (size,)),),
        (Feature("y", "fp32", (size,)),),
        metadata=Metadata(user_defined=user_defined or {}),
    )
    program = programs.program((x,), (weight, total), total.outputs, opset)
    return Model(program, description, version)


def flexible(**flexibility):
    """relu of an input of several shapes."""
    type_ = TensorType("fp32", (None, 4))
    x = Value("x", type_)
    y = programs.op("relu", "y", type_, x=x)
    description = ModelDescription(
        (Feature("x", "fp32", (1, 4), **flexibility),), (Feature("y", "fp32"),)
    )
    return Model(programs.program((x,), (y,), y.outputs), description, 9)


def two_functions():
    """A program of two functions with an input each."""
    first, second = flexible(ranges=((1, 4), (4, 4))), weighted(9)
    program = Program(
        {
            "first": first.program.functions["main"],
            "second": second.program.functions["main"],
        }
    )
    described = tuple(
        FunctionDescription(name, model.description.inputs, model.description.outputs)
        for name, model in (("first", first), ("second", second))
    )
    return Model(program, ModelDescription(functions=described, default_function="second"), 9)


def stateful():
    """The program of states, described."""
    program = programs.stateful()
    description = ModelDescription(
        (Feature("v", "fp16", (1, 4)),),
        (Feature("y", "fp16", (1, 4)),),
        (Feature("k", "fp16", (1, 4), kind="state"),),
    )
    assert any(isinstance(v.type, StateType) for v in program.functions["main"].inputs)
    return Model(program, description, 9)


def files_of(bundle):
    """Every file's bytes by relative path."""
    return {
        str(path.relative_to(bundle)): path.read_bytes()
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }


def whole_package(package, real, into):
    """A sample package with its weights, which some share with their bundle."""
    copy = into / package.name
    shutil.copytree(package, copy)
    weights = copy / "Data/com.apple.CoreML/weights/weight.bin"
    if not weights.exists():
        weights.parent.mkdir(exist_ok=True)
        shutil.copy(real / "weights/weight.bin", weights)
    return copy


def only_the_program(bundle, model):
    """The model's bytes with this bundle's function and nothing a compiler adds."""
    (function,) = bundle.program.functions.values()
    inputs = tuple(sorted(function.inputs, key=lambda value: value.name))
    program = Program({"main": replace(function, inputs=inputs, attributes={})})
    return model_to_bytes(replace(model, program=program))


def sorted_map(coremldata):
    """coremldata.bin with the entries of the user's map sorted, and their keys as they stood.

    Read from the wire: the entries are the field 100 messages (`a2 06`) of the metadata field.
    """
    (size,) = struct.unpack_from("<Q", coremldata, 0x4B)
    payload = coremldata[0x53 : 0x53 + size]
    fields = list(_fields(payload))
    entries, keys = [], []
    out = b""
    for number, body, raw in fields:
        if number != 100:
            out += raw
            continue
        inner = b""
        for inner_number, inner_body, inner_raw in _fields(body):
            if inner_number == 100:
                entries.append(inner_raw)
                keys.append(next(_fields(inner_body))[1].decode())
            else:
                inner += inner_raw
        entries = [raw for _, raw in sorted(zip(keys, entries, strict=True))]
        inner += b"".join(entries)
        out += raw[: len(raw) - len(body)] + inner
    return coremldata[:0x53] + out + coremldata[0x53 + size :], keys


def _fields(data):
    """(number, body, whole bytes) of each length-delimited field."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        assert tag & 7 == 2, "only submessages and strings stand here"
        length, at = _varint(data, at)
        yield tag >> 3, data[at : at + length], data[start : at + length]
        at += length


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
