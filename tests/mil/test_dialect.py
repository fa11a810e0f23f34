"""Our inferred types are those that coremltools infers, and its signatures are ours."""

import logging
import warnings

import numpy as np
import pytest

from coremlc.mil.builder import Builder
from coremlc.mil.dialect import DIALECT, OPSETS, infer_op
from coremlc.mil.program import Literal, Value
from coremlc.mil.text.parse import parse_program
from coremlc.mil.types import StateType, TensorType
from tests.about import about
from tests.mil.dialect_cases import ALL, CONSTEXPR, X, build
from tests.samples import named, needs_samples, texts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # it warns at import that it cannot run models on Linux
    import coremltools as ct
    from coremltools.converters.mil.mil import Builder as CoremltoolsBuilder
    from coremltools.converters.mil.mil import Function, get_new_symbol, types
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry
    from coremltools.converters.mil.mil.types.symbolic import is_symbolic

    logging.disable(logging.NOTSET)

TARGETS = {
    "ios15": ct.target.iOS15,
    "ios16": ct.target.iOS16,
    "ios17": ct.target.iOS17,
    "ios18": ct.target.iOS18,
}
UNKNOWN_TO_US = {
    "_const_symbolic", "classify", "conv_quantized", "list_gather", "list_length", "list_read",
    "list_scatter", "list_write", "make_list",
}  # fmt: skip


# --- signatures


def versions(kind, opset):
    known = SSAOpRegistry.core_ops[kind]
    fitting = [v for v in known if v.value <= TARGETS[opset].value]
    return known[max(fitting, key=lambda v: v.value)] if fitting else None


def test_every_op_of_coremltools_is_known():
    assert set(SSAOpRegistry.core_ops) - set(DIALECT) == UNKNOWN_TO_US
    assert set(DIALECT) - set(SSAOpRegistry.core_ops) == {"write_state"}  # coreml_update_state


@pytest.mark.parametrize("kind", sorted(set(DIALECT) - {"cond", "while_loop", "const"}))
def test_signature_is_that_of_coremltools(kind):
    for opset in TARGETS:
        with about(opset):
            signature_agrees(kind, opset)


def signature_agrees(kind, opset):
    if kind == "write_state":
        assert DIALECT[kind].since == "ios18"
        return
    theirs, ours = versions(kind, opset), DIALECT[kind].signature(opset)
    assert (theirs is None) == (ours is None)
    if theirs is None:
        return
    inputs = theirs.input_spec.input_types
    assert set(ours.params) == set(inputs)
    for name, spec in inputs.items():
        param = ours.params[name]
        assert param.is_optional == spec.optional, name
        if type(spec).__name__ != "TensorInputType":
            continue
        variable = spec.type_domain_id
        domain = theirs.type_domains[variable] if variable else spec.type_domain
        assert param.dtypes == {types.builtin_to_string(d) for d in domain}, name
        assert param.is_const == spec.const, name
        if variable:
            assert param.variable, name


def test_opsets_map_to_coreml():
    assert list(OPSETS.items()) == [
        ("ios15", "CoreML5"),
        ("ios16", "CoreML6"),
        ("ios17", "CoreML7"),
        ("ios18", "CoreML8"),
        ("ios26", "CoreML9"),
    ]


# --- inference


def theirs_of(kind, opset, op, inputs):
    """The types coremltools infers for the same op on the same operands."""
    symbols = {}

    def placeholder(tensor):
        dims = [get_new_symbol() if d is None else d for d in tensor.shape]
        symbols.update(dict.fromkeys(dims))
        return CoremltoolsBuilder.placeholder(
            dims, types.string_to_builtin(tensor.dtype), allow_rank0_input=True
        )

    def data(arg, variables):
        if isinstance(arg, Value) and arg.name in variables:
            return variables[arg.name]
        value = (arg if isinstance(arg, Literal) else arg.literal).data
        return value[()] if isinstance(value, np.ndarray) else value

    specs = {}
    for value in inputs:
        if isinstance(value.type, StateType):
            state = value.type.tensor
            specs[value.name] = CoremltoolsBuilder.state_tensor_placeholder(
                list(state.shape), types.string_to_builtin(state.dtype)
            )
        else:
            specs[value.name] = placeholder(value.type)
    with Function(specs, opset_version=TARGETS[opset]) as function:
        given = {}
        for name, bindings in op.inputs.items():
            items = [data(arg, function.inputs) for arg in bindings]
            variadic = DIALECT[kind].signature(opset).params[name].is_variadic
            given[name] = items if variadic else items[0]
        found = getattr(CoremltoolsBuilder, kind)(**given)
    found = found if isinstance(found, list | tuple) else [found]
    if kind != "read_state":
        check_defaults(kind, opset, found[0].op)
    return [ours_of(var) for var in found]


def check_defaults(kind, opset, op):
    """Our fixed defaults are theirs."""
    theirs = {k: v for k, v in op.default_inputs().items() if v is not None}
    for param in DIALECT[kind].signature(opset).params.values():
        default = theirs.get(param.name)
        if param.default is None or default is None:
            assert param.default is None or param.name in ("output_indices_dtype", "reset_after")
        elif isinstance(default, float | np.floating):
            assert param.default == pytest.approx(default, rel=1e-2, abs=1e-4), param.name
        else:
            assert param.default == default, param.name


def ours_of(var):
    shape = tuple(None if is_symbolic(d) else int(d) for d in var.shape)
    return TensorType(types.builtin_to_string(var.dtype), shape)


def agree(kind, opset, **given):
    _, op, inputs, ours = build(kind, opset, given)
    assert ours == theirs_of(kind, opset, op, inputs)
    assert list(infer_op(op, opset)) == ours


@pytest.mark.parametrize("kind", sorted({case.values[0] for case in ALL}))
def test_inference_agrees_with_coremltools(kind):
    for case in ALL:
        if case.values[0] == kind:
            with about(case.id):
                _, opset, given = case.values
                agree(kind, opset, **given)


def test_every_op_has_a_case():
    covered = {case.values[0] for case in ALL}
    blocks = {"const", "cond", "while_loop", "write_state"}
    rest = {kind for kind in DIALECT if not kind.startswith("constexpr_")} - covered
    assert rest == blocks


def test_slices_agree_with_numpy():
    rng = np.random.default_rng(0)
    for _ in range(300):
        dim = int(rng.integers(1, 6))
        stride = int(rng.choice([-3, -2, -1, 1, 2, 3]))
        begin, end = (int(v) for v in rng.integers(-dim, dim + 1, 2))
        masks = [bool(v) for v in rng.integers(0, 2, 2)]
        given = {
            "x": TensorType("fp32", (dim,)), "begin": [begin], "end": [end], "stride": [stride],
            "begin_mask": masks[:1], "end_mask": masks[1:],
        }  # fmt: skip
        _, _, _, (ours,) = build("slice_by_index", "ios17", given)
        edges = [None if mask else at for mask, at in zip(masks, (begin, end), strict=True)]
        assert ours.shape == np.empty(dim)[slice(*edges, stride)].shape, given


def test_windows_agree_with_coremltools():
    rng = np.random.default_rng(0)
    for _ in range(150):
        k, stride, dilation = (int(v) for v in rng.integers(1, 4, 3))
        pad = [int(v) for v in rng.integers(0, 3, 2)]
        pad_type = str(rng.choice(["valid", "same", "same_lower", "custom"]))
        x = TensorType("fp32", (1, 2, int(rng.integers(9, 14))))
        places = {"strides": [stride], "pad_type": pad_type, "pad": pad}
        weight = np.ones((2, 2, k), np.float32)
        agree("conv", "ios17", x=x, weight=weight, dilations=[dilation], **places)
        if pad_type in ("valid", "custom"):
            ceil = pad[0] == pad[1]
            agree("max_pool", "ios17", x=x, kernel_sizes=[k], ceil_mode=ceil, **places)
            agree("conv_transpose", "ios17", x=x, weight=weight, dilations=[dilation], **places)


def sub_byte(array, dtype):
    """The array as coremltools marks sub-byte ints."""
    return array.astype(types.nptype_from_builtin(types.string_to_builtin(dtype)))


@pytest.mark.parametrize(("kind", "opset", "given"), CONSTEXPR)
def test_constexpr_agrees_with_coremltools(kind, opset, given):
    m = Builder(opset)
    results = m.emit(kind, given)
    (op,) = m._root  # its constants stand in it, as attributes until ios17
    assert bool(op.inputs) == (opset == "ios18" and kind != "")
    theirs = {}
    for name, bindings in (op.inputs or {k: (v,) for k, v in op.attributes.items()}).items():
        dtype, data = bindings[0].type.dtype, bindings[0].data
        is_array = isinstance(data, np.ndarray)
        narrow = is_array and dtype in ("uint1", "uint4", "int4")
        theirs[name] = sub_byte(data, dtype) if narrow else data[()] if is_array else data
    theirs.pop("name", None)
    with Function({}, opset_version=TARGETS[opset]):
        found = getattr(CoremltoolsBuilder, kind)(**theirs)
    found = found if isinstance(found, list | tuple) else [found]
    assert [value.type for value in results] == [ours_of(var) for var in found]
    assert infer_op(op, OPSETS[opset]) == tuple(value.type for value in results)


def test_cond_agrees_with_coremltools():
    m = Builder("ios17")
    x, p = m.input("x", X), m.input("p", TensorType("bool"))
    ours = m.cond(
        pred=p,
        true=lambda: (m.add(x=x, y=1.0), m.reduce_sum(x=x, axes=[0])),
        false=lambda: (x, m.reduce_max(x=x, axes=[0])),
    )
    judge = CoremltoolsBuilder
    specs = {
        "x": judge.placeholder((2, 3, 4)),
        "p": judge.placeholder((), types.bool, allow_rank0_input=True),
    }
    with Function(specs, opset_version=TARGETS["ios17"]) as function:
        a = function.inputs["x"]
        theirs = judge.cond(
            pred=function.inputs["p"],
            _true_fn=lambda: (judge.add(x=a, y=1.0), judge.reduce_sum(x=a, axes=[0])),
            _false_fn=lambda: (judge.identity(x=a), judge.reduce_max(x=a, axes=[0])),
        )
    assert [value.type for value in ours] == [ours_of(var) for var in theirs]


def test_while_loop_agrees_with_coremltools():
    m = Builder("ios17")
    x, n = m.input("x", X), m.input("n", TensorType("int32"))
    ours = m.while_loop(
        cond=lambda i, _: m.less(x=i, y=10),
        body=lambda i, v: (m.add(x=i, y=1), m.mul(x=v, y=2.0)),
        loop_vars=(n, x),
    )
    judge = CoremltoolsBuilder
    specs = {
        "x": judge.placeholder((2, 3, 4)),
        "n": judge.placeholder((), types.int32, allow_rank0_input=True),
    }
    with Function(specs, opset_version=TARGETS["ios17"]) as function:
        theirs = judge.while_loop(
            _cond=lambda i, _: judge.less(x=i, y=10),
            _body=lambda i, v: (judge.add(x=i, y=1), judge.mul(x=v, y=2.0)),
            loop_vars=(function.inputs["n"], function.inputs["x"]),
        )
    assert [value.type for value in ours] == [ours_of(var) for var in theirs]


@needs_samples
@pytest.mark.parametrize("path", texts(), ids=named)
def test_types_in_real_bundles_are_those_we_infer(path):
    of_optimiser = {"tensor_buffer_to_tensor", "tensor_to_tensor_buffer"}
    for function in parse_program(path.read_text()).functions.values():
        made = set()
        for op in function.block.ops:
            if op.kind in of_optimiser:
                continue
            found = infer_op(op, function.opset, made)
            assert found == tuple(value.type for value in op.outputs), op.kind
            if op.kind.startswith("constexpr_"):
                made.update(value.name for value in op.outputs)
