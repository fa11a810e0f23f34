"""Convolutions of few output channels: the same numbers by fewer, fuller steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from coremlc.engine.base import Model
from coremlc.engine.ort import neighbours
from coremlc.engine.ort.geometry import Geometry
from coremlc.engine.ort.neighbours import Neighbours
from coremlc.engine.ort.translate import planned
from coremlc.engine.specialize import no_array
from coremlc.mil.program import Program
from tests.engine.cases import seeded
from tests.engine.programs import C, agree, one_op, run_all


@pytest.fixture(autouse=True)
def little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "LEAST_WORK", 1)
    monkeypatch.setattr(neighbours, "LANES", 8)


def convolution(out: int, kernel: tuple[int, int], **given: Any) -> tuple[Program, dict[str, Any]]:
    x = seeded(2, 4, 19, 23)
    weight = C(seeded(out, 4, *kernel, seed=1, scale=0.3))
    inputs = {"x": x, "weight": weight, "bias": C(seeded(out, seed=2)), **given}
    return one_op("conv", inputs)


def kinds(program: Program) -> list[str]:
    model = onnx.ModelProto.FromString(planned(Model(program.functions["main"], no_array)).onnx)
    return [node.op_type for node in model.graph.node]


CUSTOM = {"pad_type": "custom", "pad": [2, 0, 1, 3]}
SAME = {"pad_type": "same"}


@pytest.mark.parametrize("given", [{}, CUSTOM, SAME, {"strides": [2, 3], **CUSTOM}], ids=str)
@pytest.mark.parametrize("kernel", [(3, 3), (1, 9), (7, 2), (5, 1)], ids=str)
@pytest.mark.parametrize("out", [1, 3, 8])
@pytest.mark.parametrize("spoil", [1.0, np.nan])
def test_the_numbers_stay(
    out: int, kernel: tuple[int, int], given: dict[str, Any], spoil: float
) -> None:
    program, features = convolution(out, kernel, **given)
    features["x"][1, 2, 4, 5] = spoil
    (want,), (got,) = run_all(program, features, threads=2)
    agree(got, want)
    assert np.isnan(got).any() == np.isnan(spoil)


@pytest.mark.parametrize("width", [9, 60], ids=["few places", "many places"])
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_one_axis_may_be_two(width: int, groups: int, dtype: Any) -> None:
    x = seeded(2, 6, width, dtype=dtype)
    weight = C(seeded(6, 6 // groups, 5, seed=1, scale=0.3, dtype=dtype))
    inputs = {"x": x, "weight": weight, "groups": groups, "strides": [2], **SAME}
    program, features = one_op("conv", inputs)
    (want,), (got,) = run_all(program, features, threads=2)
    agree(got, want)
    shown = kinds(program)
    assert ("Reshape" in shown) == (width == 9 or groups == 6)


def test_it_is_worth_it_for_few_channels() -> None:
    assert "If" in kinds(convolution(1, (3, 3))[0])
    assert "If" not in kinds(convolution(17, (3, 3))[0])
    assert "If" not in kinds(convolution(1, (3, 3), dilations=[2, 1])[0])


@pytest.mark.parametrize(
    ("sizes", "weight", "axis", "count"),
    [
        ((172, 264), (1, 8, 5, 5), 0, 16),
        ((172, 264), (8, 8, 3, 39), 1, 3),
        ((1, 44098), (1, 1, 1, 256), 1, 24),
        ((172, 264), (17, 8, 5, 5), 0, 0),
    ],
    ids=str,
)
def test_the_longer_side_of_a_kernel_wastes_less(
    sizes: tuple[int, int], weight: tuple[int, ...], axis: int, count: int
) -> None:
    geometry = Geometry((1, weight[1], *sizes), weight, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    found = Neighbours.of(geometry)
    assert (found is None) == (count == 0)
    assert found is None or (found.axis, found.count) == (axis, count)
