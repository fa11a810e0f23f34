"""A package by coremltools for every MIL op and target: run as a program, it writes to argv[1].

The inputs are the engines' cases; what a target lacks is skipped, and told as JSON on stdout.
"""

import json
import sys
from pathlib import Path

import numpy as np

from tests.bundle.make_packages import TARGETS, convert, ct, mb, types
from tests.engine.cases import Case
from tests.engine.programs import C
from tests.engine.test_ops import CASES

AT_RUN_TIME = {"float32": types.fp32, "int32": types.int32, "float16": types.fp16}
MORE = [
    Case("random_bernoulli", {"shape": np.array([2, 3], np.int32), "prob": 0.5, "seed": 3}),
    Case("random_categorical", {"x": np.ones((2, 3), np.float32), "size": 4, "seed": 3}),
    Case("random_normal", {"shape": C(np.array([2, 3], np.int32)), "seed": 3}),
    Case("random_uniform", {"shape": C(np.array([2, 3], np.int32)), "seed": 3}),
    Case("affine", {
        "x": np.ones((1, 1, 4, 4), np.float32),
        "transform_matrix": np.ones((1, 6), np.float32),
        "output_height": 3, "output_width": 3, "sampling_mode": "bilinear",
        "padding_mode": "constant", "padding_value": 0.0,
        "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True,
    }),
    Case("crop_resize", {
        "x": np.ones((1, 1, 4, 4), np.float32),
        "roi": np.array([[[[[0]], [[0]], [[0]], [[2]], [[2]]]]], np.float32).reshape(1, 1, 5, 1, 1),
        "target_height": 2, "target_width": 2,
    }),
    Case("resample", {
        "x": np.ones((1, 1, 4, 4), np.float32),
        "coordinates": np.zeros((1, 3, 3, 2), np.float32),
        "sampling_mode": "bilinear", "padding_mode": "constant", "padding_value": 0.0,
        "coordinates_mode": "normalized_minus_one_to_one", "align_corners": True,
    }),
    Case("non_maximum_suppression", {
        "boxes": np.ones((1, 6, 4), np.float32), "scores": np.ones((1, 6, 2), np.float32),
        "iou_threshold": 0.5, "score_threshold": 0.1, "max_boxes": 3,
        "per_class_suppression": False,
    }),
]  # fmt: skip
"""Ops that no engine of ours runs are read and written all the same."""
PER_TARGET = 2
"""Cases of an op that are tried for a target, at most."""


def single(case, version):
    """A program of one op; what a feature can carry is one, all else is constant."""
    features, given = {}, {}

    def plain(name, x):
        if isinstance(x, C):
            return x.value
        if not isinstance(x, np.ndarray) or not x.shape or x.dtype.name not in AT_RUN_TIME:
            return x
        if x.size == 0 or (x.dtype == np.float16 and version < 7):
            return x
        features[name] = mb.TensorSpec(x.shape, dtype=AT_RUN_TIME[x.dtype.name])
        return name

    for name, x in case.inputs.items():
        many = [plain(f"{name}_{i}", item) for i, item in enumerate(x)] if type(x) is tuple else x
        given[name] = many if type(x) is tuple else plain(name, x)

    def body(*values):
        known = dict(zip(features, values, strict=True))

        def bound(x):
            if isinstance(x, list):
                return [bound(item) for item in x]
            return known.get(x, x) if isinstance(x, str) else x

        result = getattr(mb, case.kind)(**{name: bound(x) for name, x in given.items()})
        results = list(result) if isinstance(result, tuple | list) else [result]
        named = zip(results, (r.dtype for r in results), strict=True)
        carried = (types.fp32, types.int32)
        return tuple(r if d in carried else mb.cast(x=r, dtype="fp32") for r, d in named)

    count = len(features)
    names = ", ".join(features)  # coremltools asks the function for its parameters' names
    function = eval(f"lambda {names}: body({names})", {"body": body}) if count else body
    specs = list(features.values())
    return mb.program(input_specs=specs, opset_version=TARGETS[version])(function)


def main(directory, shard, shards):
    made, lacking = {}, {}
    kinds = sorted({case.kind for case in [*CASES, *MORE]})
    for kind in kinds[shard::shards]:
        cases = [case for case in [*CASES, *MORE] if case.kind == kind][:8]
        for version in TARGETS:
            found = 0
            for i, case in enumerate(cases):
                path = directory / f"{kind}-{i}-{version}.mlpackage"
                try:
                    with np.errstate(all="ignore"):
                        convert(single(case, version), {}, version, path)
                except Exception as error:
                    lacking.setdefault(kind, f"{type(error).__name__}: {error}"[:300])
                    continue
                found += 1
                made[kind] = made.get(kind, 0) + 1
                if found == PER_TARGET:
                    break
    never = {kind: why for kind, why in lacking.items() if kind not in made}
    told = {"made": made, "never": never, "coremltools": ct.__version__}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
