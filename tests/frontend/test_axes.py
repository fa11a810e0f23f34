"""Sizes of named axes that follow from others, and slices to the end of such an axis."""

from __future__ import annotations

from pathlib import Path

import pytest

from coremlc.errors import CoremlcError, UsageError
from coremlc.frontend import read
from coremlc.ir.types import TensorType
from tests.frontend.files import File


def result(path: Path, dims: dict[str, int]) -> TensorType:
    return read(path, dims).main.results[0].type


def axes(*names: str) -> File:
    file = File()
    file.pb.required_features.append("dynamic_axes")
    for name in names:
        file.pb.axes.add(name=name, min=1)
    return file


def reshaped(*shape: int | str) -> File:
    """`x: f32[batch,length,6]`, shaped so that one axis is new."""
    file = axes("batch", "length", "tokens", "rest")
    x = file.input("x", "Float32", "batch", "length", 6)
    dims = [{"name": d} if isinstance(d, str) else {"static": d} for d in shape]
    file.result(file.node("DynamicReshape", (x,), "Float32", *shape, dimensions=dims))
    return file


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (("tokens", 6), (10, 6)),
        (("tokens", 3), (20, 3)),
        (("length", "tokens"), (5, 12)),
        (("tokens",), (60,)),
    ],
)
def test_a_reshape_sizes_the_axis_that_it_names(shape, wanted, tmp_path: Path) -> None:
    path = reshaped(*shape).save(tmp_path)
    assert result(path, {"batch": 2, "length": 5}).shape == wanted


def test_the_size_is_used_from_then_on(tmp_path: Path) -> None:
    file = reshaped("tokens", 6)
    y = file.node("Neg", (file.last,), "Float32", "tokens", 6)
    file.result(y, "z")
    assert result(file.save(tmp_path), {"batch": 2, "length": 5}).shape == (10, 6)


def test_a_stated_size_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    path = reshaped("tokens", 6).save(tmp_path)
    with pytest.raises(CoremlcError, match="DynamicReshape"):
        result(path, {"batch": 2, "length": 5, "tokens": 9})


@pytest.mark.parametrize("shape", [("tokens", "rest"), ("tokens", 7)])
def test_what_does_not_follow_is_asked_for(shape, tmp_path: Path) -> None:
    path = reshaped(*shape).save(tmp_path)
    with pytest.raises(UsageError, match="axis 'tokens' has no size"):
        result(path, {"batch": 2, "length": 5})


def test_a_size_that_follows_must_be_allowed(tmp_path: Path) -> None:
    file = reshaped("tokens", 6)
    file.pb.axes[2].max = 9
    with pytest.raises(UsageError, match="axis 'tokens' of size 10"):
        result(file.save(tmp_path), {"batch": 2, "length": 5})


def test_a_slice_to_the_end_of_a_named_axis(tmp_path: Path) -> None:
    file = axes("batch")
    x = file.input("x", "Float32", "batch", 3)
    cut = {"starts": [0, 0], "limits": [-1, 2], "strides": [1, 1]}
    file.result(file.node("Slice", (x,), "Float32", "batch", 2, **cut))
    assert result(file.save(tmp_path), {"batch": 4}).shape == (4, 2)
