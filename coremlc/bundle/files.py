"""Files of a bundle on disk: atomic directories, safe paths, errors a user can act on."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from coremlc.durable import sync_directory, sync_tree
from coremlc.errors import CoremlcError, FormatError, MachineError, UsageError, Where

_CHUNK = 1 << 22
_MARKS = ("model.mil", "coremldata.bin", "Manifest.json")
MODEL_PATH = "@model_path/"

_FIXES = {
    errno.ENOSPC: "free some disk space, or write to another disk",
    errno.EDQUOT: "free some of your disk quota, or write to another disk",
    errno.EROFS: "write to a directory that isn't read-only",
    errno.EACCES: "get permission to write there, or give another path",
    errno.EPERM: "get permission to write there, or give another path",
    errno.ENAMETOOLONG: "give a shorter name",
}


@contextmanager
def staged(target: Path, *, replace: bool) -> Iterator[Path]:
    """A directory to fill, which becomes `target` when all went well and vanishes when not."""
    with writing(target):
        _check_target(target, replace=replace)
    stage = target.parent / f".coremlc-{secrets.token_hex(8)}.tmp"
    with writing(target):
        stage.mkdir()
    try:
        with writing(target):
            yield stage
            sync_tree(stage)
            _publish(stage, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """OSErrors become errors that say what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"can't write {target.name}: {error.strerror or error}",
            fix=_FIXES.get(error.errno or 0, "check the disk and the path"),
            where=Where(file=str(target)),
        ) from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """OSErrors become errors that say what to do; other errors get the file's name."""
    try:
        yield
    except FileNotFoundError as error:
        missing = Path(error.filename or path)
        raise FormatError(
            f"{missing.name} is missing",
            fix="give the whole bundle; a copy may have been cut short",
            where=Where(file=str(missing)),
        ) from None
    except OSError as error:
        raise MachineError(
            f"can't read {path.name}: {error.strerror or error}",
            fix="check the path and its permissions",
            where=Where(file=str(path)),
        ) from None
    except CoremlcError as error:
        place = Where() if error.where is None else error.where
        if not place.file:
            error.where = Where(place.what, place.source, str(path))
        raise


def is_bundle(path: Path) -> bool:
    """Whether a directory looks like a .mlmodelc or .mlpackage."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def resolve(root: Path, blob_path: str) -> Path:
    """Where `@model_path/weights/weight.bin` lies; FormatError if that is outside the bundle."""
    inner = PurePosixPath(blob_path.removeprefix(MODEL_PATH))
    if not blob_path.startswith(MODEL_PATH) or inner.is_absolute() or ".." in inner.parts:
        raise FormatError(
            f"the weight path {blob_path!r} leaves the bundle",
            fix=f"a weight path begins with {MODEL_PATH} and stays inside",
        )
    return root / inner


def copy(source: Path, target: Path) -> None:
    """A file's bytes, a chunk at a time; metadata are not copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("wb") as write:
        shutil.copyfileobj(read, write, _CHUNK)


def _check_target(target: Path, *, replace: bool) -> None:
    parent = target.parent
    if not parent.is_dir():
        raise UsageError(f"there is no directory {parent}", fix=f"make it first: mkdir -p {parent}")
    if not target.name or not (target.exists() or target.is_symlink()):
        return
    if not replace:
        raise UsageError(f"{target} exists", fix="give another path, or ask to replace it")
    if target.is_symlink() or not is_bundle(target):
        raise UsageError(
            f"{target} exists and is no bundle", fix="give another path, or remove it yourself"
        )


def _publish(stage: Path, target: Path) -> None:
    """Rename into place; a bundle that stood there comes back if that fails."""
    if not target.exists():
        stage.rename(target)
        sync_directory(target.parent)
        return
    old = target.parent / f".coremlc-{secrets.token_hex(8)}.old"
    target.rename(old)
    try:
        stage.rename(target)
    except BaseException:
        old.rename(target)
        raise
    sync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)
