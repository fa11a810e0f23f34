"""Named axes: their sizes, given, by default and from others; slices to the end of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from coremlc.errors import CoremlcError, UsageError
from coremlc.frontend import read
from coremlc.ir.types import TensorType
from tests.frontend.files import File, refused


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


def named_axes(*, default=0, low=1, high=8, sizes=()):
    file = File()
    file.pb.required_features.append("dynamic_axes")
    file.pb.axes.add(name="batch", min=low, max=high, sizes=sizes, default=default)
    file.pb.axes.add(name="length", min=1, default=3)
    x = file.input("x", "Float32", "batch", 2)
    z = file.input("z", "Float32", "length", 2)
    y = file.node("Concatenate", (x, z), "Float32", "=batch+length", 2, axis=0)
    shaped = file.node("Reshape", (y,), "Float32", "=batch+length", 2, 1, dimensions=[-1, 2, 1])
    file.result(shaped)
    return file


def test_named_axes_take_the_size_given(tmp_path):
    path = named_axes().save(tmp_path)
    graph = read(path, {"batch": 4})
    assert [str(p.type) for p in graph.main.parameters] == ["f32[4,2]", "f32[3,2]"]
    assert str(graph.main.results[0].type) == "f32[7,2,1]"
    graph = read(path, {"batch": 1, "length": 1})
    assert str(graph.main.results[0].type) == "f32[2,2,1]"


def test_named_axes_have_defaults(tmp_path):
    path = named_axes(default=5).save(tmp_path)
    assert str(read(path).main.results[0].type) == "f32[8,2,1]"


def test_a_named_axis_without_a_size(tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, "axis 'batch' has no size", "--dim batch=N", "parameter 'x'", kind=UsageError)


@pytest.mark.parametrize("size", [0, 9, -1])
def test_a_size_out_of_range(size, tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, f"axis 'batch' of size {size}", "use 1..8", kind=UsageError, dims={"batch": size})


def test_a_size_that_is_not_listed(tmp_path):
    path = named_axes(sizes=[1, 4]).save(tmp_path)
    refused(path, "axis 'batch' of size 2", "use [1, 4]", kind=UsageError, dims={"batch": 2})
    assert read(path, {"batch": 4})


def test_a_size_of_no_axis(tmp_path):
    path = named_axes().save(tmp_path)
    refused(path, "no axis 'bach'", "batch, length", kind=UsageError, dims={"bach": 2})


@pytest.mark.parametrize(
    "symbol", ["nowhere", "=batch+nowhere", "", "=", "²", "=batch+" + "9" * 5000]
)
def test_a_symbol_that_is_no_axis(symbol, tmp_path):
    file = named_axes(default=2)
    file.main.parameters[0].value.shape.dims[0].symbol = symbol
    refused(file.save(tmp_path), "parameter 'x'", kind=CoremlcError)
