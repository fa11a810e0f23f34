"""Arrays in files: `.npy` and `.npz`, read with clear errors and written whole or not at all."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeVar

import ml_dtypes
import numpy as np
import numpy.typing as npt

from coremlc.errors import FormatError, MachineError, UsageError, Where

Array: TypeAlias = "npt.NDArray[Any]"
T = TypeVar("T")


def read_npy(path: Path) -> Array:
    """One array; FormatError if the file is none."""
    return _read(path, _array)


def read_npz(path: Path) -> dict[str, Array]:
    """All arrays of a zip file, by name."""
    return _read(path, _arrays)


def write_npy(path: Path, array: Array) -> None:
    """One array."""
    _write(path, lambda file: np.lib.format.write_array(file, _plain(array), allow_pickle=False))


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """A zip file of the arrays; equal arrays give equal bytes."""
    _write(path, lambda file: _write_zip(file, arrays))


def as_bfloat16(array: Array) -> Array:
    """Numpy's files have no bfloat16: it stands there as two plain bytes."""
    is_bare = array.dtype.kind == "V" and array.dtype.itemsize == 2 and array.dtype.names is None
    return array.view(ml_dtypes.bfloat16) if is_bare else array


def check_output(path: Path) -> None:
    """UsageError if outputs can't be put there; better said before a long run."""
    if path.suffix != ".npz" and path.is_file():
        raise UsageError(f"{path} is a file", fix="give a directory, or a name that ends in .npz")
    if path.suffix == ".npz" and path.is_dir():
        raise UsageError(f"{path} is a directory", fix="give the name of a file")
    if not path.absolute().parent.is_dir():
        parent = path.absolute().parent
        raise UsageError(f"there is no directory {parent}", fix=f"make it first: mkdir -p {parent}")


def save(path: Path, arrays: Mapping[str, Array]) -> dict[str, Path]:
    """Into one `.npz`, or as `.npy` files in a directory; where each array went."""
    if path.suffix == ".npz":
        check_output(path)
        write_npz(path, arrays)
        return dict.fromkeys(arrays, path)
    make_directory(path)
    paths = {name: path / file for name, file in _file_names(arrays).items()}
    for name, file in paths.items():
        write_npy(file, arrays[name])
    return paths


def make_directory(path: Path) -> None:
    """One whose parent is there; itself may be there too."""
    check_output(path)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def _file_names(arrays: Mapping[str, Array]) -> dict[str, str]:
    """A plain file name for each name, all different even where case does not count."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for name in arrays:
        stem = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".-")[:200] or "output"
        unique, count = stem, 0
        while unique.casefold() in taken:
            count += 1
            unique = f"{stem}_{count}"
        taken.add(unique.casefold())
        names[name] = f"{unique}.npy"
    return names


def _read(path: Path, read: Callable[[IO[bytes]], T]) -> T:
    where = Where(file=str(path))
    try:
        with path.open("rb") as file:
            return read(file)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", fix="check the name", where=where) from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory", fix="give a file", where=where) from None
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        reason = str(error).split("\n", 1)[0]
        raise FormatError(
            f"no arrays of numpy can be read: {reason}",
            fix="write it with numpy.save or numpy.savez, without pickled objects",
            where=where,
        ) from None
    except OSError as error:
        raise MachineError(
            f"can't read: {error.strerror}", fix="check its permissions", where=where
        ) from None


def _array(file: IO[bytes]) -> Array:
    out: Array = np.lib.format.read_array(file, allow_pickle=False)
    return out


def _arrays(file: IO[bytes]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                arrays[name.removesuffix(".npy")] = _array(member)
    return arrays


def write_text(path: Path, text: str) -> None:
    """A text in UTF-8."""
    _write(path, lambda file: file.write(text.encode()))


def _write(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with part.open("wb") as file:
                write(file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def _write_zip(file: IO[bytes], arrays: Mapping[str, Array]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # its default date is a constant
            with archive.open(member, "w", force_zip64=True) as out:
                np.lib.format.write_array(out, _plain(array), allow_pickle=False)


def _plain(array: Array) -> Array:
    """In a dtype that numpy's format has: those of ml_dtypes become bytes."""
    if array.dtype.isbuiltin == 1:
        return array
    return array.view(np.dtype(f"V{array.dtype.itemsize}"))


def unwritable(path: Path, error: OSError) -> MachineError:
    """What to tell when nothing can be written there."""
    return MachineError(
        f"can't write {path}: {error.strerror or error}",
        fix="free disk space, get permission to write there, or give another path",
    )
