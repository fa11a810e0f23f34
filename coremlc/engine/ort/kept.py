r"""Kept plans: what ONNX Runtime's passes made of a bundle, so that the next load needs none.

file := "coremlc-plan " sha256(rest) "\n" head "\n" the optimized ONNX model
head := JSON {made_of{}, inputs{name: [dtype, shape]}, outputs{}, states{}, one_thread}

All that the model depends on stands in `made_of`: where any of it differs, the file is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

import coremlc
from coremlc.engine import fused
from coremlc.engine.base import Options, Used
from coremlc.engine.ort.executable import OrtExecutable
from coremlc.engine.ort.plan import Plan
from coremlc.errors import RefusedError
from coremlc.mil.types import TensorType
from coremlc.stamps import Stamp

NAME = "onnxruntime.plan"
MAX_BYTES = 32 << 20
"""Of a plan: what ONNX Runtime turned or folded lies in it, and is hashed at each load."""
_MAGIC = "coremlc-plan"
_CPU_LINES = ("model name", "flags", "CPU part", "CPU implementer", "Features", "cpu", "isa")
"""Of /proc/cpuinfo: what the makers and the instructions of CPUs are called there."""
_CODE = ("engine", "mil")
"""The rooms of ours that decide what becomes of a program."""


class Shelf:
    """Where the plan of one bundle's default function is kept; as the bundle is from now on."""

    def __init__(self, bundle: Path, local: Path, cpu: str) -> None:
        self._bundle = bundle
        self._file = local / NAME
        self._made_of = _made_of(bundle, cpu)

    @staticmethod
    def of(bundle: Path, local: Path) -> Shelf | None:
        """None where the CPU, which ONNX Runtime lays weights out for, can't be told."""
        cpu = _cpu()
        return None if cpu is None else Shelf(bundle, local, cpu)

    def load(self, options: Options, used: Used) -> OrtExecutable | None:
        """The executable of the plan that is kept; None if there is none, or another's."""
        plan = self._read()
        if plan is None or not plan.onnx:
            return None
        try:
            return OrtExecutable(plan, options, used)
        except RefusedError:  # nor would it load the next time
            self._write(replace(plan, onnx=b""))
            return None

    def keep(self, plan: Plan, options: Options, used: Used) -> OrtExecutable:
        """The executable of a plan, which is kept for the next time if that can be."""
        if self._read() is not None:  # too large, or not readable
            return OrtExecutable(plan, options, used)
        try:
            with self._scratch() as file:
                executable = OrtExecutable(plan, options, used, optimized=file)
                self._write(replace(plan, onnx=_readable(file)))
        except (RefusedError, OSError):  # perhaps the disk is full
            return OrtExecutable(plan, options, used)
        return executable

    def _read(self) -> Plan | None:
        """What is kept; its model is empty if it is not worth another try."""
        try:
            noted = self._file.stat().st_mtime_ns
            data = self._file.read_bytes()
            start, _, rest = data.partition(b"\n")
            if start.decode("latin-1") != f"{_MAGIC} {hashlib.sha256(rest).hexdigest()}":
                return None
            head, _, onnx = rest.partition(b"\n")
            content = json.loads(head)
            if content["made_of"] != self._made_of:
                return None
            if not all(Stamp(*s).is_proof(noted) for s in content["made_of"]["bundle"].values()):
                return None
            return Plan(
                onnx,
                _kinds(content["inputs"]),
                _kinds(content["outputs"]),
                _kinds(content["states"]),
                content["one_thread"],
                self._bundle,
                is_optimized=True,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _write(self, plan: Plan) -> None:
        content = {
            "made_of": self._made_of,
            "inputs": _rows(plan.inputs),
            "outputs": _rows(plan.outputs),
            "states": _rows(plan.states),
            "one_thread": plan.one_thread,
        }
        rest = json.dumps(content).encode() + b"\n" + plan.onnx
        start = f"{_MAGIC} {hashlib.sha256(rest).hexdigest()}\n".encode()
        with contextlib.suppress(OSError), self._scratch() as file:
            file.write_bytes(start + rest)
            file.replace(self._file)

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A file in a directory of its own, in the same file system."""
        self._file.parent.mkdir(exist_ok=True)
        directory = self._file.parent / secrets.token_hex(8)
        directory.mkdir()
        try:
            yield directory / "new"
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _readable(file: Path) -> bytes:
    """The model that ONNX Runtime wrote, in a form that it reads; empty if it is too large."""
    from coremlc.engine.ort.shadows import without_shadows  # imports onnx, as planning did

    return without_shadows(file.read_bytes()) if file.stat().st_size <= MAX_BYTES else b""


def _made_of(bundle: Path, cpu: str) -> dict[str, Any]:
    """What a plan depends on, as JSON gives it back."""
    room = Path(coremlc.__file__).parent
    code = [path for name in _CODE for path in (room / name).rglob("*.py")]
    return {
        "versions": [coremlc.__version__, ort.__version__, np.__version__],
        "code": hashlib.sha256(json.dumps(_stamps(room, code)).encode()).hexdigest(),
        "fuses": fused.is_available(),
        "cpu": cpu,
        "bundle": _stamps(bundle, [path for path in bundle.rglob("*") if path.is_file()]),
    }


def _stamps(root: Path, files: list[Path]) -> dict[str, list[int]]:
    return {path.relative_to(root).as_posix(): [*Stamp.of(path)] for path in sorted(files)}


def _cpu() -> str | None:
    """What tells CPUs with different instructions apart; None where that is not known."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            first = file.read(1 << 14).partition("\n\n")[0]
    except OSError:
        return None
    lines = [line for line in first.splitlines() if line.startswith(_CPU_LINES)]
    return f"{platform.machine()} {hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _rows(kinds: Mapping[str, TensorType]) -> dict[str, list[Any]]:
    return {name: [kind.dtype, list(kind.shape)] for name, kind in kinds.items()}


def _kinds(rows: Mapping[str, list[Any]]) -> dict[str, TensorType]:
    return {name: TensorType(dtype, tuple(shape)) for name, (dtype, shape) in rows.items()}
