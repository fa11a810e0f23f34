r"""manifest.json: what an entry holds, so that damage is seen before it is used.

manifest := "coremlc-entry 1 " sha256(body) "\n" body
body     := JSON {key, parts{tag: text}, info{}, files{path: {size, sha256}}}
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coremlc.cache.key import Key

NAME = "manifest.json"
_MAGIC = "coremlc-entry 1"


class DamageError(Exception):
    """An entry is not what was stored; the message says how."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of an entry."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was stored under a key."""

    key: Key
    info: Mapping[str, Any]
    files: Mapping[str, File]

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files.values())

    def to_bytes(self) -> bytes:
        content = {
            "key": self.key.digest,
            "parts": dict(self.key.parts),
            "info": dict(self.info),
            "files": {n: {"size": f.size, "sha256": f.sha256} for n, f in self.files.items()},
        }
        body = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode()
        return f"{_MAGIC} {hashlib.sha256(body).hexdigest()}\n".encode() + body

    @staticmethod
    def from_bytes(data: bytes, digest: str) -> Manifest:
        """The manifest of the entry named `digest`; DamageError if it is another's, or none."""
        head, _, body = data.partition(b"\n")
        if head.decode("latin-1") != f"{_MAGIC} {hashlib.sha256(body).hexdigest()}":
            raise DamageError(f"{NAME} does not have its own digest")
        try:
            content = json.loads(body)
            key = Key(content["parts"])
            files = {n: File(f["size"], f["sha256"]) for n, f in content["files"].items()}
            info = content["info"]
            found = key.digest
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamageError(f"{NAME} can't be read: {error}") from None
        if found != digest:
            raise DamageError(f"{NAME} is that of {found}")
        return Manifest(key, info, files)


def describe(root: Path) -> dict[str, File]:
    """The files under a directory as they are now, by their paths with slashes."""
    return {name: _file(root / name) for name in sorted(_walk(root))}


def check(root: Path, manifest: Manifest) -> None:
    """DamageError unless the files are exactly those of the manifest, byte for byte."""
    present = set(_walk(root))
    for name in sorted(manifest.files.keys() ^ present):
        raise DamageError(f"{name} is {'not part of it' if name in present else 'missing'}")
    for name, due in manifest.files.items():
        path = root / name
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):
            raise DamageError(f"{name} is no plain file")
        if info.st_size != due.size:
            raise DamageError(f"{name} has {info.st_size} bytes, not {due.size}")
        if _sha256(path) != due.sha256:
            raise DamageError(f"{name} has other bytes")


def _walk(root: Path) -> Iterator[str]:
    """Paths of all that is no directory, the manifest left out; links are not followed."""
    for directory, names, files in os.walk(root, onerror=_raise):
        links = [name for name in names if (Path(directory) / name).is_symlink()]
        for name in (*files, *links):
            path = (Path(directory) / name).relative_to(root).as_posix()
            if path != NAME:
                yield path


def _raise(error: OSError) -> None:
    """Too many open files must not look like missing ones."""
    raise error


def _file(path: Path) -> File:
    return File(path.stat().st_size, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
