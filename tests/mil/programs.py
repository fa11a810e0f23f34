"""Programs for tests: small ones by hand, random ones by hypothesis."""

import numpy as np
from hypothesis import strategies as st

from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import BlobRef, Block, Function, Literal, Op, Program, Value
from coremlc.mil.types import DictType, ListType, StateType, TensorType, TupleType

STRING = TensorType("string")


def text(value):
    return Literal(STRING, value)


def const(name, dtype, data):
    array = np.asarray(data, STORAGE[dtype].numpy)
    literal = Literal(TensorType(dtype, array.shape), array)
    value = Value(name, literal.type, literal)
    return Op("const", {}, (value,), {"name": text(name), "val": literal})


def op(kind, out, type_, **inputs):
    bound = {k: v if isinstance(v, tuple) else (v,) for k, v in inputs.items()}
    return Op(kind, bound, (Value(out, type_),), {"name": text(out)})


def program(inputs, ops, outputs, opset="CoreML7", **attributes):
    block = Block(tuple(ops), tuple(outputs))
    return Program({"main": Function(tuple(inputs), opset, {opset: block}, attributes)})


def nested():
    """The example of facts/mil-text.md: a cond and a while_loop."""
    pair = TensorType("fp32", (2,))
    p, n = Value("p", TensorType("bool")), Value("n", TensorType("int32"))
    x, s0 = Value("x", pair), Value("s0", pair)
    i0, one = const("i0", "int32", 0), const("one", "int32", 1)
    then = op("add", "a", pair, x=x, y=x)
    other = op("mul", "b", pair, x=x, y=x)
    choice = Op(
        "cond",
        {"pred": (p,)},
        (Value("y", pair),),
        {"name": text("y")},
        (Block((then,), then.outputs), Block((other,), other.outputs)),
    )
    i, s = Value("i", n.type), Value("s", pair)
    test = op("less", "c", TensorType("bool"), x=i, y=n)
    i1, s1 = Value("i_1", n.type), Value("s_1", pair)
    step = op("add", "i_n", n.type, x=i1, y=one.outputs[0])
    grow = op("add", "s_n", pair, x=s1, y=s1)
    loop = Op(
        "while_loop",
        {"loop_vars": (i0.outputs[0], s0)},
        (Value("i_out", n.type), Value("s_out", pair)),
        {"name": text("loop")},
        (
            Block((test,), test.outputs, (i, s)),
            Block((step, grow), step.outputs + grow.outputs, (i1, s1)),
        ),
    )
    results = (choice.outputs[0], loop.outputs[1])
    return program((n, p, s0, x), (i0, one, choice, loop), results)


def stateful():
    """A state, read and written; a string with quotes; an op without results."""
    kept = TensorType("fp16", (1, 4))
    k, v = Value("k", StateType(kept)), Value("v", kept)
    write = Op("write_state", {"input": (k,), "data": (v,)}, (), {"name": text('w "quoted" \\ ')})
    read = op("read_state", "y", kept, input=k)
    return program((k, v), (write, read), read.outputs, "CoreML8")


def varied():
    """Every sort of literal, a tuple argument, several results, several functions."""
    x = Value("x", TensorType("fp16", (2, None)))
    floats = const("floats", "fp32", [[0.0, -0.0, 1.5], [np.inf, -np.inf, np.nan]])
    small = const("small", "fp16", [2.0**-24, -(2.0**-14)])
    ints = const("ints", "int32", [-1, 2])
    bits = const("bits", "bool", [True, False])
    weight = Literal(TensorType("int8", (4, 4)), BlobRef("@model_path/weights/weight.bin", 64))
    constexpr = Op(
        "constexpr_affine_dequantize",
        {},
        (Value("w", TensorType("fp16", (4, 4))),),
        {
            "axis": Literal(TensorType("int32"), np.array(0, np.int32)),
            "quantized_data": weight,
            "scale": Literal(TensorType("fp16"), np.array(0.5, np.float16)),
        },
    )
    parts = Op(
        "split",
        {"x": (x,), "num_splits": (Literal(TensorType("int32"), np.array(2, np.int32)),)},
        (Value("l", TensorType("fp16", (1, None))), Value("r", TensorType("fp16", (1, None)))),
        {
            "dict": Literal(
                DictType(STRING, STRING), ((text("b"), text("1")), (text("a"), text("")))
            )
        },
    )
    joined = op("concat", "joined", x.type, values=parts.outputs, axis=ints.outputs[0])
    listed = Literal(ListType(STRING, 2), (text("a"), text('"')))
    paired = Literal(TupleType((STRING, ListType(STRING, 2))), (text("k"), listed))
    ops = (floats, small, ints, bits, constexpr, parts, joined)
    first = program((x,), ops, joined.outputs, listed=listed, paired=paired).functions["main"]
    info = Literal(DictType(STRING, STRING), ((text("coremltools-version"), text("9.0")),))
    return Program({"second": first, "first": first}, {"buildInfo": info})


# Random programs

_DTYPES = sorted(STORAGE)
_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
_STRINGS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)


@st.composite
def arrays(draw, dtype, shape):
    row = STORAGE[dtype]
    size = int(np.prod(shape, dtype=int))
    if row.maximum:
        numbers = st.integers(row.minimum, row.maximum)
    elif dtype == "bool":
        numbers = st.booleans()
    else:
        width = {"fp64": 64, "fp32": 32}.get(dtype, 16)
        numbers = st.floats(width=width)
    drawn = draw(st.lists(numbers, min_size=size, max_size=size))
    wide = np.array(drawn, np.uint64 if dtype == "uint64" else None)
    with np.errstate(all="ignore"):
        return wide.astype(row.numpy).reshape(shape)


@st.composite
def literals(draw, depth=2):
    kind = draw(st.sampled_from(("tensor", "strings", "string", "blob", "list", "tuple", "dict")))
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    if kind == "blob":
        ref = BlobRef(f"@model_path/{draw(_NAMES)}.bin", draw(st.integers(0, 2**63)))
        return Literal(TensorType("fp16", shape), ref)
    if kind == "tensor" or (depth == 0 and kind not in ("string", "strings")):
        dtype = draw(st.sampled_from(_DTYPES))
        return Literal(TensorType(dtype, shape), draw(arrays(dtype, shape)))
    if kind == "strings" and shape:
        size = int(np.prod(shape))
        data = np.empty(size, object)
        data[:] = draw(st.lists(_STRINGS, min_size=size, max_size=size))
        return Literal(TensorType("string", shape), data.reshape(shape))
    if kind in ("string", "strings"):
        return text(draw(_STRINGS))
    members = draw(st.lists(literals(depth=depth - 1), min_size=1, max_size=3))
    if kind == "tuple":
        return Literal(TupleType(tuple(m.type for m in members)), tuple(members))
    same = tuple(m for m in members if m.type == members[0].type)
    if kind == "list":
        length = draw(st.sampled_from((None, len(same))))
        return Literal(ListType(members[0].type, length), same)
    keys = sorted(draw(st.sets(_STRINGS, min_size=len(same), max_size=len(same))))
    pairs = tuple((text(key), value) for key, value in zip(keys, same, strict=True))
    return Literal(DictType(STRING, members[0].type), pairs)


@st.composite
def types(draw):
    shape = draw(st.lists(st.one_of(st.integers(0, 9), st.none()), max_size=3))
    return TensorType(draw(st.sampled_from([*_DTYPES, "string"])), tuple(shape))


@st.composite
def blocks(draw, scope, fresh, depth):
    inputs = tuple(Value(fresh(), draw(types())) for _ in range(draw(st.integers(0, 2))))
    scope = [*scope, *inputs]
    ops = []
    for _ in range(draw(st.integers(0, 3))):
        bindings = st.one_of(st.sampled_from(scope), literals()) if scope else literals()
        groups = st.lists(bindings, min_size=1, max_size=3).map(tuple)
        arguments = draw(st.dictionaries(_NAMES, groups, max_size=2))
        attributes = draw(st.dictionaries(_NAMES, literals(), max_size=2))
        count = draw(st.integers(0, 2)) if depth else 0
        inner = tuple(draw(blocks(scope, fresh, depth - 1)) for _ in range(count))
        outputs = tuple(Value(fresh(), draw(types())) for _ in range(draw(st.integers(0, 2))))
        ops.append(Op("op_" + draw(_NAMES), arguments, outputs, attributes, inner))
        scope += outputs
    results = tuple(draw(st.lists(st.sampled_from(scope), max_size=2))) if scope else ()
    return Block(tuple(ops), results, inputs)


@st.composite
def programs(draw):
    count = iter(range(10**6))

    def fresh():
        return f"v{next(count)}"

    functions = {}
    for name in sorted(draw(st.sets(_NAMES, min_size=1, max_size=2))):
        opset = draw(st.sampled_from(("CoreML5", "CoreML7", "CoreML8", "CoreML9")))
        inputs = tuple(Value(fresh(), draw(types())) for _ in range(draw(st.integers(0, 2))))
        block = draw(blocks(list(inputs), fresh, 2))
        functions[name] = Function(
            inputs,
            opset,
            {opset: Block(block.ops, block.outputs)} if not block.inputs else {opset: block},
            draw(st.dictionaries(_NAMES, literals(), max_size=1)),
        )
    return Program(functions, draw(st.dictionaries(_NAMES, literals(), max_size=1)))
