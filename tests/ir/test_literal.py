"""TensorData: equal by dtype, dims and bytes; a splat is one element."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from coremlc.dtypes import BY_SHORT, F32, I32
from coremlc.ir.literal import TensorData


def data(values: object, dtype: str = "f32", shape: tuple[int, ...] | None = None) -> TensorData:
    array = np.array(values).astype(BY_SHORT[dtype].numpy)
    return TensorData(BY_SHORT[dtype], array if shape is None else array.reshape(shape))


def splat(value: float, *dims: int) -> TensorData:
    return TensorData(F32, np.broadcast_to(np.float32(value), dims))


def test_equal_contents_are_equal():
    a, b = data([1, 2, 3]), data([1, 2, 3])
    assert a == b
    assert hash(a) == hash(b)
    assert {a: 1}[b] == 1


@pytest.mark.parametrize(
    "other",
    [data([1, 2, 4]), data([1, 2]), data([1, 2, 3], "i32"), data([1, 2, 3], shape=(3, 1)), "x"],
    ids=repr,
)
def test_other_contents_are_not(other):
    assert data([1, 2, 3]) != other


def test_zeros_differ_by_sign():
    assert data([0.0, 1.0]) != data([-0.0, 1.0])
    assert splat(0.0, 4) != splat(-0.0, 4)


def test_equal_nans_are_equal():
    assert data([np.nan, 1.0]) == data([np.nan, 1.0])


def test_splats():
    assert splat(2, 3, 4).is_splat
    assert data(5).is_splat
    assert data([[5]]).is_splat
    assert not data([5, 5]).is_splat
    assert not data([]).is_splat
    assert not splat(2, 0, 3).is_splat
    assert splat(2, 3, 4) == splat(2, 3, 4)
    assert splat(2, 3, 4) != splat(2, 4, 3)
    assert splat(2, 3, 4) != splat(3, 3, 4)


def test_a_splat_may_be_huge():
    huge = splat(1.5, 1 << 20, 1 << 15)
    assert huge.digest == hashlib.sha256(np.float32(1.5).tobytes()).digest()
    assert hash(huge) == hash(splat(1.5, 1 << 20, 1 << 15))


def test_the_digest_is_of_the_elements_in_order():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert TensorData(F32, array).digest == hashlib.sha256(array.tobytes()).digest()
    turned = TensorData(F32, array.T)
    assert turned.digest == hashlib.sha256(array.T.copy().tobytes()).digest()
    assert turned == TensorData(F32, array.T.copy())


def test_a_digest_that_is_known_is_not_computed():
    known = hashlib.sha256(b"elsewhere").digest()
    assert TensorData(F32, np.zeros(4, np.float32), known).digest == known


def test_large_constants_are_told_apart_by_their_heads(monkeypatch):
    monkeypatch.setattr("coremlc.ir.literal.sha256", None)  # reading them whole would fail
    a, b = np.zeros((2, 100, 100), np.float32)
    b[0, 0] = 1
    known = {TensorData(F32, a): "a"}
    assert TensorData(F32, b) not in known


def test_equal_heads_decide_nothing():
    a, b = np.zeros((2, 100, 100), np.float32)
    b[99, 99] = 1
    assert hash(TensorData(F32, a)) == hash(TensorData(F32, b))
    assert TensorData(F32, a) != TensorData(F32, b)
    assert TensorData(F32, b.T) == TensorData(F32, b)


def test_a_view_of_the_same_elements_is_not_read(monkeypatch):
    monkeypatch.setattr("coremlc.ir.literal.sha256", pytest.fail)
    big = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    assert TensorData(F32, big) == TensorData(F32, big.reshape(100, 100))
    assert TensorData(F32, big.T) == TensorData(F32, big.transpose(1, 0))


def test_other_views_of_the_same_memory_are_not_equal():
    big = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    assert TensorData(F32, big) != TensorData(F32, big.T)
    assert TensorData(F32, big[:50]) != TensorData(F32, big[50:])


def test_the_dtype_is_the_arrays():
    with pytest.raises(AssertionError):
        TensorData(I32, np.zeros(2, np.float32))


def test_repr_is_short():
    assert repr(splat(1, 2, 3)) == "TensorData(f32[2,3])"
