"""PyTorch's old .pth files without torch: an unpickler that knows tensors and nothing else."""

from __future__ import annotations

import collections
import pickle
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.inputs import Array, Arrays

DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensors(pickle.Unpickler):
    """Tensors become the arguments that they are built of."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The few names that a dictionary of tensors has."""
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if name == "OrderedDict":
            return collections.OrderedDict
        if name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")

    def persistent_load(self, pid: Any) -> str:
        """A storage: its values stand after the pickles."""
        _, dtype, key, *_ = pid
        self.dtypes[key] = dtype
        return str(key)


def read(path: Path) -> Arrays:
    """The tensors, by name."""
    with path.open("rb") as file:
        for _ in range(3):  # a magic number, a version, facts of the system
            _Tensors(file).load()
        reader = _Tensors(file)
        built = reader.load()
        storages = {}
        for key in _Tensors(file).load():
            (count,) = struct.unpack("<q", file.read(8))
            dtype = reader.dtypes[key]
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {name: _array(storages[s], *rest) for name, (s, *rest) in built.items()}


def _array(storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    steps = [s * storage.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


def kernels_last(path: Path) -> Arrays:
    """The float32 tensors, kernels as [height, width, in, out] and matrices as [in, out]."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}
    return {
        name: np.ascontiguousarray(a.transpose(axes[a.ndim]) if a.ndim in axes else a)
        for name, a in read(path).items()
        if a.dtype == np.float32
    }
