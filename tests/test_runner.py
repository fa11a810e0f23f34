"""Running: inputs from files, comparing, saving."""

from __future__ import annotations

import os

import ml_dtypes
import numpy as np
import pytest

from coremlc import dtypes
from coremlc.arrays import read_npy, read_npz, save, write_npy, write_npz
from coremlc.compare import difference
from coremlc.errors import FormatError, MachineError, UsageError
from coremlc.port import Port
from coremlc.runner import RunOptions, given_inputs, random_array, vectors
from coremlc.signature import Signature


def port(name, dtype="Float32", shape=(2,), stated=None):
    kind = "int32" if dtypes.BY_NAME[dtype].kind in ("bool", "int", "uint") else "fp32"
    names = (f"{name}_re", f"{name}_im") if dtypes.BY_NAME[dtype].is_complex else (name,)
    return Port(name, dtypes.BY_NAME[dtype], shape, names, kind, "input", stated)


F = np.float32
SAME = {
    "equal": (F([1, 2]), F([1, 2])),
    "within relative": (F([1e6]), F([1e6 * (1 + 9e-6)])),
    "within absolute": (F([0]), F([9e-7])),
    "NaN": (F([np.nan, 1]), F([np.nan, 1])),
    "infinities": (F([np.inf, -np.inf]), F([np.inf, -np.inf])),
    "signed zero": (F([0.0]), F([-0.0])),
    "empty": (F([]), F([])),
    "rank 0": (F(1), F(1)),
    "complex": (np.complex64([1 + 1j]), np.complex64([1 + 1.000001j])),
    "bfloat16": (np.array([1], ml_dtypes.bfloat16), np.array([1.0078125], ml_dtypes.bfloat16)),
    "bool": (np.array([True]), np.array([True])),
    "int64": (np.int64([2**53 + 1]), np.int64([2**53 + 1])),
}
DIFFERENT = {
    "beyond relative": (F([1e6]), F([1e6 * (1 + 2e-5)])),
    "beyond absolute": (F([0]), F([2e-6])),
    "NaN for a number": (F([np.nan]), F([1])),
    "a number for NaN": (F([1]), F([np.nan])),
    "a number for infinity": (F([3e38]), F([np.inf])),
    "the other infinity": (F([np.inf]), F([-np.inf])),
    "infinity for a number": (F([np.inf]), F([3e38])),
    "dtype": (F([1]), np.float64([1])),
    "shape": (F([1]), F([[1]])),
    "one of int64": (np.int64([2**53 + 1]), np.int64([2**53])),
    "bool": (np.array([True]), np.array([False])),
    "uint8": (np.uint8([0]), np.uint8([255])),
}


@pytest.mark.parametrize("case", SAME)
def test_same(case):
    assert difference("y", *SAME[case]).mismatched == 0


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case):
    assert difference("y", *DIFFERENT[case]).mismatched == 1


def test_how_different():
    found = difference("y", F([1, 2, 3]), F([1, 4, 3]))
    assert (found.max_abs, found.max_rel, found.mismatched, found.count) == (2.0, 0.5, 1, 3)
    assert difference("y", np.uint8([0]), np.uint8([255])).max_abs == 255


def test_a_stated_tolerance_replaces_that_of_the_dtype():
    assert difference("y", F([1]), F([1.5]), (1.0, 0.0)).mismatched == 0


ARRAYS = {
    "f": F([[1, 2]]),
    "scalar": np.float64(3),
    "i": np.int64([-1]),
    "b": np.array([True]),
    "c": np.complex64([1j]),
    "empty": np.zeros((0, 3), np.uint8),
    "a/b": F([1]),
    "file": F([2]),
}


def test_npz_round_trip_is_deterministic(tmp_path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    write_npz(tmp_path / "b.npz", ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as numpys:
        for found in (read_npz(tmp_path / "a.npz"), numpys):
            assert set(found) == set(ARRAYS)
            for name, array in ARRAYS.items():
                assert found[name].dtype == array.dtype
                np.testing.assert_array_equal(found[name], array)


def test_outputs_in_a_directory_have_plain_and_different_names(tmp_path):
    arrays = {name: F([i]) for i, name in enumerate(["x", "X", "a/b", "a_b", "../up", "", "."])}
    paths = save(tmp_path / "out", arrays)
    assert all(path.parent == tmp_path / "out" for path in paths.values())
    assert len({str(path).casefold() for path in paths.values()}) == len(arrays)
    for name, path in paths.items():
        np.testing.assert_array_equal(read_npy(path), arrays[name])
    assert not any(name.endswith(".part") for name in os.listdir(tmp_path / "out"))


def test_a_file_that_can_not_be_finished_is_not_left(tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(MachineError, match=r"can't write .*x\.npy"):
            write_npy(tmp_path / "x.npy", np.zeros(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr'", b"text"])
def test_garbage_npy(tmp_path, data):
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(FormatError, match="no arrays of numpy can be read"):
        read_npy(tmp_path / "x.npy")


def test_vectors_by_side(tmp_path):
    write_npz(tmp_path / "v.npz", {"in.x": F([1]), "out.y": F([2]), "labels": F([3])})
    write_npz(tmp_path / "plain.npz", {"x": F([1]), "labels": F([3])})
    known = {"x": port("x")}
    assert set(vectors(tmp_path / "v.npz", "in", known)) == {"x"}
    assert set(vectors(tmp_path / "v.npz", "out", known)) == {"y"}
    assert set(vectors(tmp_path / "plain.npz", "in", known)) == {"x", "labels"}
    write_npz(tmp_path / "dots.npz", {"in.x": F([1])})
    assert set(vectors(tmp_path / "dots.npz", "in", {"in.x": port("in.x")})) == {"in.x"}
    with pytest.raises(UsageError, match="neither NAME"):
        vectors(tmp_path / "x.npy", "in", known)


def test_later_inputs_win_and_random_fills_the_rest(tmp_path):
    one = Signature((port("x"), port("ids", "Int64", (50,), (3, 5))), ())
    write_npz(tmp_path / "a.npz", {"x": F([1, 1])})
    np.save(tmp_path / "x.npy", F([2, 2]))
    sources = [str(tmp_path / "a.npz"), f"x={tmp_path / 'x.npy'}"]
    found = given_inputs(one, RunOptions(sources, random=1))
    np.testing.assert_array_equal(found["x"], F([2, 2]))
    assert set(found["ids"].tolist()) == {3, 4, 5}


def test_bfloat16_stands_as_bytes_in_numpys_files(tmp_path):
    x = np.array([1.5, -2], ml_dtypes.bfloat16)
    write_npz(tmp_path / "a.npz", {"x": x})
    one = Signature((port("x", "BFloat16"),), ())
    found = given_inputs(one, RunOptions([str(tmp_path / "a.npz")]))
    assert found["x"].dtype == x.dtype
    np.testing.assert_array_equal(found["x"], x)


@pytest.mark.parametrize("name", sorted(dtypes.BY_NAME))
def test_random_values_fit_every_dtype(name):
    one = port("x", name, (3, 2))
    values = random_array(one, np.random.default_rng(0))
    assert values.dtype == dtypes.BY_NAME[name].numpy
    one.encode(values)
