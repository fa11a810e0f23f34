r"""manifest.json: what an entry holds, so that damage is seen before it is used.

manifest := "coremlc-entry 1 " sha256(body) "\n" body
body     := JSON {key, parts{tag: text}, info{}, files{path: {size, sha256}}}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coremlc.cache.key import Key
from coremlc.stamps import Stamp

NAME = "manifest.json"
LOCAL = "local"
"""The directory of what this machine knows of an entry: no part of it, and never relied upon."""
_STAMPS = "stamps.json"
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


def stamps(root: Path) -> dict[str, Stamp]:
    """The stamps of an entry's files as they are now."""
    return {name: Stamp.of(root / name) for name in _walk(root)}


def check(root: Path, manifest: Manifest, proved: Mapping[str, Stamp]) -> dict[str, Stamp]:
    """DamageError unless the files are exactly those of the manifest, byte for byte.

    Gives their stamps. A file that has the one it had when its bytes were `proved` is not read.
    """
    found = stamps(root)
    for name in sorted(manifest.files.keys() ^ found.keys()):
        raise DamageError(f"{name} is {'not part of it' if name in found else 'missing'}")
    for name, due in manifest.files.items():
        path = root / name
        if not stat.S_ISREG(path.lstat().st_mode):
            raise DamageError(f"{name} is no plain file")
        if found[name].size != due.size:
            raise DamageError(f"{name} has {found[name].size} bytes, not {due.size}")
        if found[name] != proved.get(name) and _sha256(path) != due.sha256:
            raise DamageError(f"{name} has other bytes")
    return found


def read_stamps(root: Path) -> dict[str, Stamp]:
    """Stamps that files had when they were verified, and that prove it; empty where none do."""
    file = root / LOCAL / _STAMPS
    try:
        noted = file.stat().st_mtime_ns
        found = {name: Stamp(*row) for name, row in json.loads(file.read_bytes()).items()}
        return {name: stamp for name, stamp in found.items() if stamp.is_proof(noted)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_stamps(root: Path, found: Mapping[str, Stamp]) -> None:
    """Note the stamps that files had before their bytes were found right; as far as one may."""
    file = root / LOCAL / _STAMPS
    scratch = file.with_name(secrets.token_hex(8))
    with contextlib.suppress(OSError):
        file.parent.mkdir(exist_ok=True)
        scratch.write_text(json.dumps(found))
        scratch.replace(file)


def _walk(root: Path) -> Iterator[str]:
    """Paths of all of the bundle that is no directory; links are not followed."""
    for directory, names, files in os.walk(root, onerror=_raise):
        if Path(directory) == root and LOCAL in names:
            names.remove(LOCAL)
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
