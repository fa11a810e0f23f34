"""The fixtures, their vectors, and what is compiled of them, each only once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from coremlc import targets
from coremlc.bundle import Bundle, read_bundle, write_mlmodelc
from coremlc.compare import difference
from coremlc.compiler import Compiled, Recipe, build
from tests.conftest import FIXTURES

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/graph.pb"))
TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
ENGINES = ("reference", "onnxruntime")
SMALL = [name for name in NAMES if (FIXTURES / name / "graph.pb").stat().st_size < 6000]
"""Those that are tested for every target at every commit; the others for the first and the last."""
BOTH = [
    pytest.param(name, target, marks=() if usual else pytest.mark.slow)
    for name in NAMES
    for target in TARGETS
    for usual in [name in SMALL or target in (TARGETS[0], TARGETS[-1])]
]


@dataclass(frozen=True)
class Vectors:
    """Inputs, and what GoMLX made of them."""

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    tolerances: dict[str, tuple[float, float]]
    others: dict[str, np.ndarray]


@cache
def vectors(name: str) -> Vectors:
    with np.load(FIXTURES / name / "vectors.npz") as file:
        arrays = {key: file[key] for key in file.files}

    def of(*starts: str) -> dict[str, np.ndarray]:
        return {
            key.split(".", 1)[1]: x for key, x in arrays.items() if key.split(".", 1)[0] in starts
        }

    tolerances = {key: (float(x[0]), float(x[1])) for key, x in of("tol", "tolerance").items()}
    plain = {key: x for key, x in arrays.items() if "." not in key}
    return Vectors(of("in"), of("out"), tolerances, plain)


@cache
def compiled(name: str, target: str) -> Compiled:
    return build(FIXTURES / name / "graph.pb", Recipe(targets.get(target)))


_BUNDLES: dict[tuple[str, str], Bundle] = {}


def bundle(name: str, target: str, directory: Path) -> Bundle:
    """The bundle on disk, read back."""
    path = directory / f"{name}-{target}.mlmodelc"
    if not path.exists():
        write_mlmodelc(path, compiled(name, target).model)
    return read_bundle(path)


def agree(name: str, got: dict[str, np.ndarray]) -> None:
    """Every output is what GoMLX computed: integers exactly, floats by tolerance."""
    due = vectors(name)
    assert got.keys() == due.outputs.keys()
    found = [
        difference(key, got[key], expected, due.tolerances.get(key))
        for key, expected in due.outputs.items()
    ]
    assert not [f for f in found if f.mismatched]
