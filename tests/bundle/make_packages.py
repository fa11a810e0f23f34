"""Packages by coremltools, for `test_coremltools.py`: run as a program, it writes them to argv[1].

Programs of random chains over ops of every family; control flow, states, ranges and enumerated
shapes by hand.
"""

import logging
import random
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import coremltools as ct  # noqa: E402
from coremltools.converters.mil import mil  # noqa: E402
from coremltools.converters.mil.mil import Builder as mb  # noqa: E402, N813
from coremltools.converters.mil.mil import types  # noqa: E402

TARGETS = {
    6: ct.target.iOS15,
    7: ct.target.iOS16,
    8: ct.target.iOS17,
    9: ct.target.iOS18,
}
UNARY = [
    "relu",
    "sigmoid",
    "tanh",
    "exp",
    "floor",
    "abs",
    "sqrt",
    "erf",
    "cos",
    "softsign",
    "sign",
    "square",
    "ceil",
    "atan",
]
BINARY = ["add", "sub", "mul", "maximum", "minimum", "real_div"]


def step(rng, x, data):
    """One more op on a tensor of [2, 3, 4]."""
    match rng.randrange(10):
        case 0 | 1:
            return getattr(mb, rng.choice(UNARY))(x=x)
        case 2:
            return getattr(mb, rng.choice(BINARY))(x=x, y=data(rng.choice([(4,), (2, 3, 4), ()])))
        case 3:
            return mb.matmul(x=x, y=data((4, 4)))
        case 4:
            return mb.softmax(x=x, axis=rng.choice([-1, 0, 1]))
        case 5:
            halves = mb.split(x=x, num_splits=2, axis=rng.choice([0, 2]))
            return mb.concat(values=list(halves)[::-1], axis=0 if halves[0].shape[0] == 1 else 2)
        case 6:
            back = mb.transpose(x=x, perm=[2, 0, 1])
            return mb.reshape(x=back, shape=[2, 3, 4])
        case 7:
            picked = mb.gather(x=x, indices=np.array([1, 0], np.int32), axis=0)
            return mb.cast(x=mb.cast(x=picked, dtype="fp16"), dtype="fp32")
        case 8:
            return mb.select(cond=mb.greater(x=x, y=np.float32(0.25)), a=x, b=data((4,)))
        case _:
            mean = mb.reduce_mean(x=x, axes=[rng.randrange(3)], keep_dims=True)
            return mb.sub(x=x, y=mean)


def chain(seed, version):
    rng, numbers = random.Random(seed), np.random.default_rng(seed)

    def data(shape):
        return numbers.normal(size=shape).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((2, 3, 4))], opset_version=TARGETS[version])
    def program(x):
        for _ in range(rng.randint(1, 12)):
            x = step(rng, x, data)
        return mb.identity(x=x), mb.reduce_sum(x=x, axes=[0, 1])

    return program, {}


def looping(version):
    @mb.program(
        input_specs=[mb.TensorSpec((2,)), mb.TensorSpec((1,), dtype=types.int32)],
        opset_version=TARGETS[version],
    )
    def program(x, n):
        limit = mb.squeeze(x=n)

        def grow(i, s):
            inner = mb.cond(
                pred=mb.less(x=i, y=2),
                _true_fn=lambda: mb.add(x=s, y=1.0),
                _false_fn=lambda: mb.mul(x=s, y=2.0),
            )
            return mb.add(x=i, y=1), inner

        out = mb.while_loop(
            _cond=lambda i, s: mb.less(x=i, y=limit), _body=grow, loop_vars=(np.int32(0), x)
        )
        return out[1]

    return program, {}


def keeping():
    @mb.program(
        input_specs=[
            mb.TensorSpec((1, 4), dtype=types.fp16),
            mb.StateTensorSpec((1, 4), dtype=types.fp16),
        ],
        opset_version=ct.target.iOS18,
    )
    def program(x, kept):
        old = mb.read_state(input=kept)
        new = mb.add(x=old, y=x)
        return mb.coreml_update_state(state=kept, value=new)

    return program, {}


def flexible(kind, version):
    symbol = mil.get_new_symbol()

    @mb.program(input_specs=[mb.TensorSpec((symbol, 4))], opset_version=TARGETS[version])
    def program(x):
        return mb.softmax(x=mb.add(x=x, y=np.ones(4, np.float32)), axis=-1)

    shape = ct.Shape((ct.RangeDim(1, 8, 2), 4))
    if kind == "enumerated":
        shape = ct.EnumeratedShapes([(2, 4), (4, 4)], default=(2, 4))
    return program, {"inputs": [ct.TensorType("x", shape)]}


def convert(program, options, version, path):
    model = ct.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=TARGETS[version],
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
        pass_pipeline=ct.PassPipeline.EMPTY,
        **options,
    )
    model.save(str(path))


def main(directory, count):
    for seed in range(count):
        version = 6 + seed % 4
        convert(*chain(seed, version), version, directory / f"chain{seed}-{version}.mlpackage")
    for version in TARGETS:
        convert(*looping(version), version, directory / f"loop-{version}.mlpackage")
        for kind in ("ranged", "enumerated"):
            path = directory / f"{kind}-{version}.mlpackage"
            convert(*flexible(kind, version), version, path)
    convert(*keeping(), 9, directory / "state-9.mlpackage")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
