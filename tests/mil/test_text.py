import random
import re
import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coremlc.errors import FormatError
from coremlc.mil.program import Literal, Value
from coremlc.mil.text import dialect_of, parse_program, print_program
from coremlc.mil.types import BufferType, ListType, TensorType
from coremlc.mil.wire import program_to_bytes
from tests.mil import programs
from tests.samples import named, needs_samples, texts


def tree(program):
    """The protobuf bytes: equal trees, equal bytes, NaN included."""
    return program_to_bytes(program)


def body(*lines, inputs="tensor<fp32, [2]> x", outputs="x"):
    ops = "".join(f"            {line}\n" for line in lines)
    head = f"program(1.3)\n{{\n    func main<ios17>({inputs}) {{\n"
    return f"{head}{ops}        }} -> ({outputs});\n}}"


def val(literal_text):
    """The literal that a const's `val` is read as."""
    type_ = literal_text[: literal_text.index("(")]
    out = "tensor<fp32, [2]>" if type_.startswith(("list", "dict")) else type_
    parsed = parse_program(body(f"{out} c = const()[val = {literal_text}];"))
    return parsed.functions["main"].block.ops[0].attributes["val"]


# A: every real text


@needs_samples
@pytest.mark.parametrize("path", texts(), ids=named)
def test_every_real_text_prints_as_it_was(path):
    text = path.read_text()
    printed = print_program(parse_program(text), dialect=dialect_of(text))
    assert printed == text.removesuffix("\n")  # one sample was given a final newline


# Golden


@pytest.mark.parametrize(
    ("case", "dialect"),
    [
        ("nested", "1.0"),
        ("nested", "1.3"),
        ("stateful", "1.3"),
        ("varied", "1.0"),
        ("varied", "1.3"),
    ],
)
def test_golden(case, dialect, golden):
    printed = print_program(getattr(programs, case)(), dialect=dialect)
    golden(f"mil/{case}-{dialect}.mil", printed)
    assert print_program(parse_program(printed), dialect=dialect) == printed


# Round trips


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs.programs(), st.sampled_from(["1.0", "1.3"]))
def test_a_printed_program_is_read_as_itself(program, dialect):
    text = print_program(program, dialect=dialect)
    again = parse_program(text)
    assert print_program(again, dialect=dialect) == text
    assert print_program(again, dialect="1.3") == print_program(program, dialect="1.3")


def test_a_read_program_has_the_same_protobuf():
    for case in (programs.nested(), programs.stateful()):
        assert tree(parse_program(print_program(case, dialect="1.3"))) == tree(case)


@pytest.mark.parametrize("dtype", ["fp16", "fp32", "fp64", "bf16"])
def test_floats_print_exactly(dtype):
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 256, 8000, np.uint8).view(programs.STORAGE[dtype].numpy)
    with np.errstate(invalid="ignore"):
        array = bits[~np.isnan(bits.astype(np.float64))]
    op = programs.const("c", dtype, array)
    text = print_program(programs.program((), (op,), op.outputs), dialect="1.3")
    (again,) = parse_program(text).functions["main"].block.ops
    assert again.attributes["val"].data.tobytes() == array.tobytes()
    assert re.search(r"0x1\.[0-9a-f]*0p|0x0\.", text) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, "0x0p+0"),
        (-0.0, "-0x0p+0"),
        (1.0, "0x1p+0"),
        (-(2.0**-17) * 1.3125, "-0x1.5p-17"),
        (2.0**-149, "0x1p-149"),
        (np.inf, "inf"),
        (-np.inf, "-inf"),
        (np.nan, "nan"),
    ],
)
def test_spelling_of_floats(number, expected):
    op = programs.const("c", "fp32", number)
    text = print_program(programs.program((), (op,), op.outputs), dialect="1.3")
    assert f"fp32({expected})" in text


def test_subnormal_of_fp64_is_normalised():
    op = programs.const("c", "fp64", 2.0**-1074)
    text = print_program(programs.program((), (op,), op.outputs), dialect="1.3")
    assert "fp64(0x1p-1074)" in text


# Liberal in white space and spelling


def test_white_space_means_nothing():
    text = print_program(programs.nested(), dialect="1.3")
    loose = re.sub(r" *([()\[\]{}<>,;=]) *", r" \1\n\t", text).replace("- >", "->")
    assert tree(parse_program(loose)) == tree(parse_program(text))
    tight = re.sub(r"\s*([()\[\]{}<>,;=])\s*", r"\1", text)
    assert tree(parse_program(tight)) == tree(parse_program(text))


def test_both_dialects_in_one_text():
    mixed = body('tensor<string, []> c = const()[val = string("a")];')
    assert parse_program(mixed).functions["main"].block.ops[0].outputs[0].type == TensorType(
        "string"
    )


def test_a_value_may_be_named_like_a_type():
    parsed = parse_program(body("fp32 string = relu(x = x);", "fp32 y = relu(x = string);"))
    first, second = parsed.functions["main"].block.ops
    assert second.inputs["x"] == (first.outputs[0],)


def test_results_in_parentheses_are_read():
    parsed = parse_program(body("(fp32 a, fp32 b) = split(x = x);", outputs="b"))
    assert [v.name for v in parsed.functions["main"].block.ops[0].outputs] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("int32(0x10)", 16),
        ("bool(1)", True),
        ("fp32(1.5)", 1.5),
        ("fp32(-inf)", -np.inf),
        ("fp16(0x1p-24)", 2.0**-24),
        ("uint64(18446744073709551615)", 2**64 - 1),
        ("tensor<int4, [3]>([-8, 7, 0])", [-8, 7, 0]),
        ("tensor<int32, [0]>([])", []),
        ("tensor<int32, [2, 0]>([[], []])", [[], []]),
        ("tensor<int32, [?, 2]>([[1, 2], [3, 4], [5, 6]])", [[1, 2], [3, 4], [5, 6]]),
    ],
)
def test_literals(text, data):
    np.testing.assert_array_equal(val(text).data.astype(np.float64), np.array(data, np.float64))


def test_a_list_of_tensors():
    literal = val("list<tensor<int32, [2]>, ?>([[1, 4], [4, 4]])")
    assert literal.type == ListType(TensorType("int32", (2,)))
    assert [member.data.tolist() for member in literal.data] == [[1, 4], [4, 4]]


# Strict in meaning


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("program(2.0)\n{\n}", "dialect '2.0'", "line 1, column 9"),
        (body("fp32 y = relu(x = z);"), "'z' is not defined before its use", "line 4, column 31"),
        (body("fp32 x = relu(x = x);", "fp32 x = relu(x = x);"), "'x' is defined twice", "line 5"),
        (body("fp33 y = relu(x = x);"), "'fp33' is not a type", "line 4, column 13"),
        (body("fp32 y = relu(x = x, x = x);"), "parameter 'x' is given twice", "column 34"),
        (body("fp16 y = const()[val = fp16(65536)];"), "65536 is outside fp16", "line 4"),
        (body("fp16 y = const()[val = fp16(0x1p-26)];"), "is outside fp16", "line 4"),
        (body("fp32 y = const()[val = fp32(0x1p+999999999999)];"), "too large", "line 4"),
        (body("int8 y = const()[val = int8(128)];"), "128 is outside int8", "line 4"),
        (body("int8 y = const()[val = int8(1.5)];"), "'1.5' is not an integer", "line 4"),
        (
            body("fp32 y = const()[val = tensor<fp32, [2]>([1])];"),
            "not those of shape [2]",
            "column 54",
        ),
        (
            body("fp32 y = const()[val = tensor<fp32, [2, 2]>([1, 2, 3, 4])];"),
            "brackets are not those of shape [2, 2]",
            "line 4",
        ),
        (
            body("fp32 y = const()[val = tensor<fp32, [999999999999, 0]>([])];"),
            "brackets are not those",
            "line 4",
        ),
        (body('fp32 y = const()[val = list<string, 2>(["a"])];'), "1 members of 2", "line 4"),
        (body("fp32 y = relu(x = x)[a = string(3)];"), "expected a string", "line 4"),
        (body("fp32 y = relu(x = x)"), "expected ';' or a block, found '}'", "line 5"),
        (body('fp32 y = relu(x = x)[a = string("b];'), "unexpected '\"'", "line 4"),
        (body(outputs="q"), "'q' is not defined", "line 4"),
        (body() + "x", "expected the end of the file", "line 5"),
        ("", "expected 'program', found the end of the file", "line 1, column 1"),
        (body("é"), "unexpected 'é'", "line 4, column 13"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, what, where):
    with pytest.raises(FormatError) as caught:
        parse_program(text)
    assert what in str(caught.value)
    assert where in str(caught.value.where)


def test_a_branch_does_not_define_for_what_follows():
    text = print_program(programs.nested(), dialect="1.3").replace("(y, s_out)", "(a, s_out)")
    with pytest.raises(FormatError, match="'a' is not defined"):
        parse_program(text)


@pytest.mark.parametrize(
    "deep",
    [
        "list<" * 5000 + "int32" + ", 1>" * 5000 + " c = const();",
        "fp32 c = const()[val = tensor<fp32, [1]>(" + "[" * 100000 + "];",
        "fp32 y = cond(x = x) " + "{" * 5000,
        "fp32 y = cond(x = x) " + "{ fp32 y = cond(x = x) " * 5000,
    ],
)
def test_depth_is_bounded(deep):
    with pytest.raises(FormatError):
        parse_program(body(deep))


def test_damaged_texts_give_format_errors():
    seed = 11
    rng = random.Random(seed)
    whole = [print_program(f(), dialect="1.3") for f in (programs.nested, programs.varied)]
    marks = '()[]{}<>,;="\\?-.x0 \n'
    for _ in range(3000):
        text = list(rng.choice(whole))
        for _ in range(rng.randint(1, 3)):
            text.append(" ")  # never empty
            at = rng.randrange(len(text))
            match rng.randrange(4):
                case 0:
                    text[at] = rng.choice(marks)
                case 1:
                    del text[at : at + rng.randint(1, 20)]
                case 2:
                    text.insert(at, rng.choice(marks) * rng.randint(1, 3))
                case _:
                    del text[at + 1 :]
        with suppress(FormatError):
            parse_program("".join(text))


def test_time_is_linear():
    def seconds(text):
        start = time.perf_counter()
        with pytest.raises(FormatError):
            parse_program(text)
        return time.perf_counter() - start

    for piece in ("[", '"a\\', "tensor<", "x = ", "(", "fp32 y = relu(x = x)[", "{ "):
        assert seconds(body(piece * 200_000)) < 10  # 0.1 s on a quiet core


def test_twenty_thousand_ops_print_in_a_second():
    x = Value("x", TensorType("fp32", (1, 3)))
    ops, last = [], x
    for i in range(10_000):
        ops.append(programs.const(f"c{i}", "fp32", [1.5, -0.125, 0]))
        ops.append(programs.op("add", f"v{i}", x.type, x=last, y=ops[-1].outputs[0]))
        last = ops[-1].outputs[0]
    program = programs.program((x,), ops, (last,))
    start = time.perf_counter()
    text = print_program(program, dialect="1.3")
    assert time.perf_counter() - start < 10  # 0.4 s on a quiet core
    assert text.count("\n") == 20_000 + 4


def test_names_that_text_cannot_hold_are_refused():
    x = Value("a/b", TensorType("fp32"))
    with pytest.raises(FormatError, match="'a/b' can't stand in MIL text"):
        print_program(programs.program((x,), (), (x,)), dialect="1.3")


def test_states_need_dialect_1_3():
    with pytest.raises(FormatError, match=r"a state in MIL dialect 1\.0"):
        print_program(programs.stateful(), dialect="1.0")


def test_optimised_texts_have_no_package_form():
    x = Value("x", BufferType("tensor_buffer", "fp16", (("shape", (2,)),)))
    with pytest.raises(FormatError, match="tensor_buffer has no place in a package"):
        program_to_bytes(programs.program((x,), (), (x,)))


def test_decimal_floats_in_dicts():
    literal = Literal(
        programs.DictType(programs.STRING, TensorType("fp64")),
        tuple(
            (programs.text(key), Literal(TensorType("fp64"), np.array(number)))
            for key, number in (("b", 0.0), ("a", 8.192e-05))
        ),
    )
    text = print_program(programs.program((), (), (), rates=literal), dialect="1.3")
    assert '({{"a", 8.1920000000000002e-05}, {"b", 0}})' in text
