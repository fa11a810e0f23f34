"""Arrays of any layout, a piece at a time."""

import hashlib
import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from coremlc.chunks import CHUNK, HEAD, chunks, head, same_bytes, sha256

LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: x.T,
    "strided": lambda x: x[::2, ::-1],
    "cut": lambda x: x[3:, 5:],
    "repeated": lambda x: np.broadcast_to(x[:1], (7, 40)),
    "rank0": lambda x: x[0, 0],
    "empty": lambda x: x[:0].T,
}


@pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.complex128, ml_dtypes.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pieces_are_the_elements_in_order(layout, dtype, monkeypatch):
    monkeypatch.setattr("coremlc.chunks.CHUNK", 64)
    base = np.arange(30 * 40).astype(dtype).reshape(30, 40)
    array = np.asarray(LAYOUTS[layout](base))
    pieces = list(chunks(array))
    assert b"".join(p.tobytes() for p in pieces) == array.tobytes()
    assert all(p.flags.c_contiguous and p.ndim == 1 for p in pieces)
    assert sha256(array) == hashlib.sha256(array.tobytes()).digest()
    assert head(array) == array.tobytes()[: HEAD * array.itemsize]


def test_a_digest_takes_the_memory_of_a_piece():
    array = np.broadcast_to(np.arange(4000, dtype=np.float32), (9000, 4000)).T
    tracemalloc.start()
    sha256(array)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * CHUNK * array.itemsize < array.nbytes


def test_same_bytes_knows_zeros_apart():
    x = np.zeros(3 * HEAD, np.float32)
    y = x.copy()
    assert same_bytes(x, y.view(np.int32))
    y[-1] = -0.0
    assert not same_bytes(x, y)
