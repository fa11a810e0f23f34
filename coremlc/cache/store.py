"""Store: entries on disk. Whatever goes wrong with it, a compile goes on without it.

ROOT/v1/entries/ab/abcd.../manifest.json, model.mlmodelc/      published by one rename
ROOT/v1/entries/ab/abcd.../local/                              what this machine knows of it
ROOT/v1/tmp/RANDOM/                                            being filled; swept by age
ROOT/v1/quarantine/abcd.../                                    the last damaged entry of a key
ROOT/v1/locks/abcd....lock                                     advisory: right without it
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from coremlc.cache.key import Key
from coremlc.cache.manifest import (
    LOCAL,
    NAME,
    DamageError,
    Manifest,
    check,
    describe,
    read_stamps,
    stamps,
    write_stamps,
)
from coremlc.cache.place import cache_root
from coremlc.durable import sync_directory, sync_tree
from coremlc.errors import MachineError, UsageError
from coremlc.stamps import Stamp

BUNDLE = "model.mlmodelc"
_STALE_SECONDS = 24 * 3600
_LOCK_SECONDS = 120.0

_log = logging.getLogger(__name__)
Warn: TypeAlias = Callable[[str], None]
Make: TypeAlias = Callable[[Path], Mapping[str, Any]]
"""Writes the bundle at the path and tells what a later hit shall know of it (JSON)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle that was stored, or one that could not be."""

    root: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        return self.manifest.key.digest

    @property
    def bundle(self) -> Path:
        return self.root / BUNDLE

    @property
    def info(self) -> Mapping[str, Any]:
        """What `make` told when the entry was made."""
        return self.manifest.info


@dataclass(frozen=True, slots=True)
class Outcome:
    """An entry, and how it was come by."""

    entry: Entry
    hit: bool
    stored: bool
    warnings: tuple[str, ...] = ()


class Store:
    """The entries under a root directory; several processes may use it at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = cache_root() if root is None else root
        self._home = self.root / "v1"

    def path(self, digest: str) -> Path:
        """Where the entry of a key lies, if it is there."""
        return self._home / "entries" / digest[:2] / digest

    def obtain(self, key: Key, make: Make) -> Outcome:
        """The entry of a key; made, stored and verified if it is not there.

        `make` is called again, with another path, if what it wrote could not be stored.
        """
        warnings: list[str] = []
        found = self.get(key.digest, warnings.append)
        if found is not None:
            return Outcome(found, hit=True, stored=True, warnings=tuple(warnings))
        with self._lock(key.digest):
            found = self.get(key.digest, warnings.append)  # another process may have been faster
            if found is not None:
                return Outcome(found, hit=True, stored=True, warnings=tuple(warnings))
            entry = self.put(key, make, warnings.append)
            stored = entry is not None
            if entry is None:
                entry, _ = _make(_elsewhere(), key, make)
        return Outcome(entry, hit=False, stored=stored, warnings=tuple(warnings))

    def get(
        self, digest: str, warn: Warn = _log.warning, *, thorough: bool = False
    ) -> Entry | None:
        """The verified entry, or None. A damaged one is moved to quarantine.

        thorough: read files too that are as they were when they were last found right.
        """
        root = self.path(digest)
        try:
            manifest = Manifest.from_bytes((root / NAME).read_bytes(), digest)
            _verify(root, manifest, thorough=thorough)
        except (FileNotFoundError, NotADirectoryError):
            if (root / NAME).exists():  # else it was never there, or has just been evicted
                self._quarantine(digest, "a file vanished", warn)
            return None
        except DamageError as damage:
            self._quarantine(digest, str(damage), warn)
            return None
        except OSError as error:  # too many open files, no permission: the entry may be good
            warn(f"the cache can't be read, compiling without it: {error}")
            return None
        with contextlib.suppress(OSError):  # best effort: a hit never fails for its bookkeeping
            os.utime(root / NAME)
        return Entry(root, manifest)

    def put(self, key: Key, make: Make, warn: Warn = _log.warning) -> Entry | None:
        """Make and publish an entry; None, and a warning, if the cache can't hold it."""
        stage = self._home / "tmp" / secrets.token_hex(16)
        try:
            stage.mkdir(parents=True)
            self._sweep()
        except OSError as error:
            warn(f"the cache {self.root} can't be written, the bundle is not stored: {error}")
            return None
        keep = False
        try:
            entry, found = _make(stage, key, make)
            published = self._publish(entry, found, warn)
            keep = published is entry
        except (OSError, MachineError) as error:
            what = error.what if isinstance(error, MachineError) else str(error)
            warn(f"the bundle could not be stored in the cache {self.root}: {what}")
            return None
        finally:
            if not keep:
                shutil.rmtree(stage, ignore_errors=True)
        return published

    def find(self, prefix: str, *, thorough: bool = False) -> Entry:
        """The verified entry whose key begins so; UsageError if it is not exactly one."""
        digests = [d for d in self.digests() if d.startswith(prefix.lower())]
        if len(digests) != 1:
            count = f"{len(digests)} entries" if digests else "no entry"
            raise UsageError(
                f"the cache has {count} whose key begins with {prefix!r}",
                fix="see the keys with: coremlc cache ls",
            )
        found = self.get(digests[0], thorough=thorough)
        if found is None:
            raise UsageError(
                f"the cache entry {digests[0]} was damaged and is set aside",
                fix="compile its graph again",
            )
        return found

    def digests(self) -> list[str]:
        """Keys of all entries, sorted; some may be gone when they are asked for."""
        found: list[str] = []
        for shelf in _names(self._home / "entries"):
            found += [d for d in _names(self._home / "entries" / shelf) if len(d) == 64]
        return sorted(found)

    def peek(self, digest: str) -> tuple[Entry, float] | None:
        """An entry and when it was last used, its files not verified; None if it is gone."""
        root = self.path(digest)
        try:
            used = (root / NAME).stat().st_mtime
            return Entry(root, Manifest.from_bytes((root / NAME).read_bytes(), digest)), used
        except (OSError, DamageError):
            return None

    def _publish(self, entry: Entry, found: Mapping[str, Stamp], warn: Warn) -> Entry:
        """Rename into place; who loses a race uses the winner's if he sees it whole, or his own."""
        final = self.path(entry.key)
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            entry.root.rename(final)
        except OSError:
            if not final.exists():
                raise
            winner = self.get(entry.key, warn)
            return entry if winner is None else winner
        _settle_later(final, found)
        return Entry(final, entry.manifest)

    def _quarantine(self, digest: str, why: str, warn: Warn) -> None:
        warn(f"the cache entry {digest[:12]} is damaged ({why}); it is set aside and made anew")
        aside = self._home / "quarantine" / digest
        with contextlib.suppress(OSError):  # another process may be doing the same
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(parents=True, exist_ok=True)
            self.path(digest).rename(aside)

    def _sweep(self) -> None:
        """Remove what killed processes left behind."""
        for name in _names(self._home / "tmp"):
            left = self._home / "tmp" / name
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self, digest: str) -> Iterator[None]:
        """So that many processes don't compile the same graph; without it they merely do."""
        import filelock  # late: hits need none

        lock = filelock.FileLock(self._home / "locks" / f"{digest}.lock", timeout=_LOCK_SECONDS)
        held = False
        try:
            (self._home / "locks").mkdir(parents=True, exist_ok=True)
            lock.acquire()
            held = True
        except (OSError, NotImplementedError) as error:  # filelock.Timeout is an OSError
            _log.info("no lock on %s: %s", digest, error)
        try:
            yield
        finally:
            if held:
                lock.release()


def local_of(bundle: Path) -> Path | None:
    """Where what this machine knows of a bundle may lie, if the bundle is one of the cache."""
    root = bundle.absolute().parent
    is_entry = bundle.name == BUNDLE and root == Store().path(root.name)
    return root / LOCAL if is_entry else None


def _verify(root: Path, manifest: Manifest, *, thorough: bool) -> None:
    """DamageError unless the entry is whole; what had to be read this time is noted."""
    proved = {} if thorough else read_stamps(root)
    found = check(root, manifest, proved)
    if found != proved:
        _settle_later(root, found)


def _make(root: Path, key: Key, make: Make) -> tuple[Entry, dict[str, Stamp]]:
    """Fill a directory with a bundle and its manifest; its stamps, too."""
    info = make(root / BUNDLE)
    found = stamps(root)
    manifest = Manifest(key, info, describe(root))
    (root / NAME).write_bytes(manifest.to_bytes())
    return Entry(root, manifest), found


def _settle_later(root: Path, found: Mapping[str, Stamp]) -> None:
    """Settle an entry while the caller goes on; the process ends when that is done."""
    try:
        threading.Thread(target=_settle, args=(root, found), name="coremlc-settle").start()
    except RuntimeError:  # no thread to be had
        _settle(root, found)


def _settle(root: Path, found: Mapping[str, Stamp]) -> None:
    """Make an entry safe on the disk, then note the stamps of its files.

    A stamp may not outlive the bytes that it stands for. Until then hits read them.
    """
    with contextlib.suppress(OSError):
        sync_tree(root)
        sync_directory(root.parent)
        write_stamps(root, found)


def _elsewhere() -> Path:
    """A directory for a bundle that the cache can't hold."""
    try:
        return Path(tempfile.mkdtemp(prefix="coremlc-"))
    except OSError as error:
        raise MachineError(
            f"neither the cache nor a temporary directory can be written: {error}",
            fix="free disk space, or set COREMLC_CACHE or TMPDIR to a directory that you may write",
        ) from None


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []
