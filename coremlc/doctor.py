"""What this machine can do: one check a line, each with its fix."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from coremlc import __version__
from coremlc.cache import Store
from coremlc.report import Report, columns

State = Literal["ok", "note", "bad"]
_LEAST_FREE = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    """ok; note: something is not there that some uses need; bad: coremlc can't work."""
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport(Report):
    """All of them."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.state != "bad" for check in self.checks)

    def table(self) -> str:
        rows = [(c.name, c.state, c.what, c.fix and f"fix: {c.fix}") for c in self.checks]
        return columns(("check", "", "found", ""), rows)


def examine() -> DoctorReport:
    """Look at everything; never raises."""
    checks = [_python(), *_packages(), _onnxruntime(), _core_ml(), *_cache(), _temporary()]
    return DoctorReport((*checks, _processors()))


def _python() -> Check:
    machine = f"{platform.system()} {platform.machine()}"
    return Check("coremlc", "ok", f"{__version__} on Python {platform.python_version()}, {machine}")


def _packages() -> Iterable[Check]:
    """Requirements of the distribution that is installed, by name."""
    try:
        requirements = metadata.requires("coremlc") or []
    except metadata.PackageNotFoundError:
        yield Check("package", "note", "coremlc is not installed", "pip install coremlc")
        return
    names = [_name(line) for line in requirements if "extra ==" not in line]
    missing = [name for name in names if not _version(name)]
    for name in missing:
        yield Check(name, "bad", "not installed", f"pip install {name}")
    found = ", ".join(f"{name} {_version(name)}" for name in names if name not in missing)
    yield Check("packages", "ok", found)


def _onnxruntime() -> Check:
    try:
        importlib.import_module("coremlc.engine.ort.executable")  # loads its native library
    except ImportError as error:
        fix = "pip install --force-reinstall onnx onnxruntime"
        return Check("onnxruntime", "bad", str(error), fix)
    return Check("onnxruntime", "ok", f"engine onnxruntime {_version('onnxruntime')}, CPU")


def _core_ml() -> Check:
    if sys.platform != "darwin":
        return Check(
            "Core ML",
            "note",
            f"not on {platform.system()}: bundles run on onnxruntime, on the CPU",
            "run on a Mac to use its GPU and Neural Engine",
        )
    return Check("Core ML", "ok", f"macOS {platform.mac_ver()[0]}")


def _cache() -> Iterable[Check]:
    store = Store()
    root = store.root
    problem = _unwritable(root)
    if problem:
        fix = "set COREMLC_CACHE to a directory that you may write; until then nothing is cached"
        yield Check("cache", "note", f"{root}: {problem}", fix)
        return
    digests = store.digests()
    damaged = [digest for digest in digests if store.peek(digest) is None]
    size = sum(peeked[0].manifest.size_bytes for d in digests if (peeked := store.peek(d)))
    what = f"{root}: {len(digests)} entries, {size / 1e6:.1f} MB"
    if damaged:
        yield Check(
            "cache", "note", f"{what}, {len(damaged)} damaged", "they are made anew when due"
        )
    else:
        yield Check("cache", "ok", what)
    yield _free("cache disk", root)


def _temporary() -> Check:
    try:
        place = Path(tempfile.gettempdir())
    except OSError as error:
        return Check("temporary", "bad", str(error), "set TMPDIR to a directory you may write")
    return _free("temporary", place)


def _free(name: str, place: Path) -> Check:
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    state: State = "ok" if free >= _LEAST_FREE else "note"
    fix = "" if state == "ok" else "free disk space: weights are copied into bundles"
    return Check(name, state, f"{free / 1e9:.1f} GB free", fix)


def _processors() -> Check:
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return Check("processors", "ok", f"{count}")


def _unwritable(root: Path) -> str:
    """Why no file can be made there; empty if one can."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"0")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _name(requirement: str) -> str:
    for i, char in enumerate(requirement):
        if not (char.isalnum() or char in "-_."):
            return requirement[:i]
    return requirement


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
