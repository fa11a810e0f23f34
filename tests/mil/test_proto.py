import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from coremlc.errors import FormatError
from coremlc.mil.description import (
    Feature,
    FunctionDescription,
    Metadata,
    ModelDescription,
    description_from_bytes,
    description_from_proto,
    description_to_bytes,
    description_to_proto,
)
from coremlc.mil.model import Model, model_from_bytes, model_to_bytes
from coremlc.mil.pb2 import classes
from coremlc.mil.program import Literal
from coremlc.mil.proto import program_from_proto, program_to_proto
from coremlc.mil.text import print_program
from coremlc.mil.types import TensorType
from coremlc.mil.wire import program_to_bytes
from tests.mil import programs
from tests.samples import models, named, needs_samples


def stored(message):
    return message.SerializeToString(deterministic=True)


# Importing


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_coremltools_can_be_imported_before_and_after(first):
    """One class per message, whoever comes first, and our import doesn't bring coremltools."""
    ours = "from coremlc.mil.pb2 import classes; c = classes()"
    theirs = "import warnings; warnings.simplefilter('ignore'); import coremltools as ct"
    lines = [ours, "assert 'coremltools' not in sys.modules", theirs]
    if first == "theirs":
        lines = [theirs, ours]
    check = "assert c.mil.Program is ct.proto.MIL_pb2.Program, c.mil"
    code = "\n".join(["import sys", *lines, check, "ct.proto.FeatureTypes_pb2.FeatureType()"])
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_importing_the_model_imports_no_protobuf():
    code = (
        "import sys, coremlc.mil.model, coremlc.bundle; assert 'google.protobuf' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# Programs


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs.programs())
def test_a_program_survives_the_protobuf(program):
    spec = program_to_proto(program)
    again = program_from_proto(spec)
    assert stored(program_to_proto(again)) == stored(spec)
    assert print_program(again, dialect="1.3") == print_program(program, dialect="1.3")


@pytest.mark.parametrize("case", ["nested", "stateful", "varied"])
def test_small_programs_survive_the_protobuf(case):
    program = getattr(programs, case)()
    again = program_from_proto(program_to_proto(program))
    assert print_program(again, dialect="1.3") == print_program(program, dialect="1.3")


@needs_samples
@pytest.mark.parametrize("path", models(), ids=named)
def test_real_models_are_written_as_they_were(path):
    data = path.read_bytes()
    spec = classes().model.Model()
    spec.ParseFromString(data)
    again = classes().model.Model()
    again.ParseFromString(model_to_bytes(model_from_bytes(data)))
    assert again == spec


@pytest.mark.parametrize("dtype", sorted(programs.STORAGE))
def test_immediate_values_of_every_dtype(dtype):
    row = programs.STORAGE[dtype]
    numbers = [row.minimum, row.maximum, 1] if row.maximum else [0, 1, 1]
    op = programs.const("c", dtype, numbers)
    again = program_from_proto(program_to_proto(programs.program((), (op,), op.outputs)))
    (const,) = again.functions["main"].block.ops
    assert const.outputs[0].literal is const.attributes["val"]
    assert const.attributes["val"].data.dtype == row.numpy
    np.testing.assert_array_equal(
        const.attributes["val"].data.astype(float), np.array(numbers).astype(float)
    )


def test_empty_literals_keep_their_field():
    op = programs.const("c", "int32", np.empty((0, 3)))
    spec = program_to_proto(programs.program((), (op,), op.outputs))
    (operation,) = spec.functions["main"].block_specializations["CoreML7"].operations
    assert operation.attributes["val"].immediateValue.tensor.WhichOneof("value") == "ints"
    assert stored(program_to_proto(program_from_proto(spec))) == stored(spec)


def literal_spec(dtype, shape, **fields):
    """A program whose one constant is stored as told."""
    op = programs.const("c", dtype, np.zeros(shape))
    spec = program_to_proto(programs.program((), (op,), op.outputs))
    (operation,) = spec.functions["main"].block_specializations["CoreML7"].operations
    tensor = operation.attributes["val"].immediateValue.tensor
    for field, values in fields.items():
        if field == "bytes":
            tensor.bytes.values = values
        else:
            getattr(tensor, field).SetInParent()
            getattr(tensor, field).values[:] = values
    return spec


@pytest.mark.parametrize(
    ("dtype", "shape", "fields", "what"),
    [
        ("fp32", (2,), {"floats": [1.0]}, "1 elements for a literal of shape"),
        ("fp32", (2,), {"ints": [1, 2]}, "fp32 literal stored as ints"),
        ("fp32", (2,), {"strings": ["a", "b"]}, "fp32 literal stored as strings"),
        ("fp16", (2,), {"bytes": b"123"}, "3 bytes of fp16"),
        ("uint4", (3,), {"bytes": b"1"}, "1 bytes for 3 of uint4"),
        ("int16", (1,), {"ints": [40000]}, "int16 literal with a larger number"),
    ],
)
def test_literals_that_are_not_of_their_type(dtype, shape, fields, what):
    with pytest.raises(FormatError, match=what):
        program_from_proto(literal_spec(dtype, shape, **fields))


def test_int16_is_read_from_either_field():
    for fields in ({"ints": [-2, 3]}, {"bytes": np.array([-2, 3], "<i2").tobytes()}):
        program = program_from_proto(literal_spec("int16", (2,), **fields))
        assert program.functions["main"].block.ops[0].attributes["val"].data.tolist() == [-2, 3]


def test_undefined_names():
    spec = program_to_proto(programs.nested())
    spec.functions["main"].block_specializations["CoreML7"].outputs[0] = "zz"
    with pytest.raises(FormatError, match="'zz' is not defined"):
        program_from_proto(spec)


# Descriptions


FEATURES = (
    Feature("fixed", "fp32", (1, 3)),
    Feature("ranged", "fp16", (1, 2), ranges=((1, 1), (1, -1)), description="d"),
    Feature("listed", "int32", (2,), enumerated=((1,), (2,)), is_optional=True, default=0),
    Feature("scalar", "int8"),
    Feature("double", "fp64", (1,), is_optional=True, default=0.5),
)


def full_description():
    return ModelDescription(
        inputs=FEATURES,
        outputs=(Feature("label", kind="string"),),
        states=(Feature("k", "fp16", (1, 4), kind="state"),),
        metadata=Metadata("short", "1.0", "me", "MIT", {"b": "2", "a": "1"}),
        predicted_feature="label",
        training_inputs=FEATURES[:1],
    )


def test_descriptions_survive():
    description = full_description()
    assert description_from_proto(description_to_proto(description)) == description
    assert description_from_bytes(description_to_bytes(description)) == description
    several = ModelDescription(
        functions=(FunctionDescription("a", FEATURES), FunctionDescription("b", FEATURES)),
        default_function="b",
    )
    assert description_from_proto(description_to_proto(several)) == several
    assert several.default.name == "b"


def test_what_our_fields_do_not_hold_is_kept():
    spec = classes().model.ModelDescription()
    image = spec.input.add(name="photo")
    image.type.imageType.width = 224
    image.type.imageType.colorSpace = 20
    spec.input.add(name="words").type.sequenceType.stringType.SetInParent()
    description = description_from_proto(spec)
    assert [(f.name, f.kind) for f in description.inputs] == [
        ("photo", "image"),
        ("words", "sequence"),
    ]
    assert description_to_proto(description) == spec


def test_models_are_deterministic():
    def build(keys):
        description = ModelDescription(metadata=Metadata(user_defined={k: k for k in keys}))
        return model_to_bytes(Model(programs.varied(), description, 8))

    assert build("abcdef") == build("fedcba")


def test_maps_are_written_by_key():
    """Also where a key begins with another, which protobuf's own order puts the other way."""
    x = programs.Value("x", TensorType("fp32"))
    op = programs.op("f", "y", TensorType("fp32"), mode_b=x, mode=x, a=x)
    data = program_to_bytes(programs.program((x,), (op,), op.outputs))
    keys = [b"\x0a\x01a\x12", b"\x0a\x04mode\x12", b"\x0a\x06mode_b\x12"]
    assert sorted(map(data.index, keys)) == list(map(data.index, keys))


def test_other_models_are_refused():
    spec = classes().model.Model(specificationVersion=4)
    spec.neuralNetwork.SetInParent()
    with pytest.raises(FormatError, match="type neuralNetwork, not an ML Program"):
        model_from_bytes(stored(spec))


def test_damaged_models_give_format_errors():
    rng = random.Random(3)
    whole = model_to_bytes(Model(programs.varied(), full_description(), 8))
    wrong = 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            model_from_bytes(bytes(data))
        except FormatError:
            wrong += 1
    assert wrong > 500


def test_coremltools_reads_our_programs():
    """Its MIL front end infers every type again."""
    code = """
import warnings; warnings.simplefilter('ignore')
import sys; sys.path.insert(0, '.')
import numpy as np
from coremltools.converters.mil.frontend.milproto.load import load
from coremlc.mil.description import Feature, ModelDescription
from coremlc.mil.model import Model, model_to_bytes
from coremltools.proto import Model_pb2
from tests.mil import programs
from coremlc.mil.types import TensorType
from coremlc.mil.wire import program_to_bytes
from coremlc.mil.program import Value
x = Value('x', TensorType('fp32', (2, 3)))
one = programs.const('one', 'fp32', [1, 2, 3])
y = programs.op('add', 'y', x.type, x=x, y=one.outputs[0])
d = ModelDescription((Feature('x', 'fp32', (2, 3)),), (Feature('y', 'fp32', (2, 3)),))
data = model_to_bytes(Model(programs.program((x,), (one, y), y.outputs), d, 8))
spec = Model_pb2.Model(); spec.ParseFromString(data)
out = load(spec, specification_version=8, file_weights_dir='.')
assert out.functions['main'].outputs[0].shape == (2, 3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_literal_types_with_unknown_sizes():
    literal = Literal(TensorType("int32", (None,)), np.array([1, 2], np.int32))
    program = programs.program((), (), (), shapes=literal)
    again = program_from_proto(program_to_proto(program))
    assert again.functions["main"].attributes["shapes"].data.tolist() == [1, 2]
