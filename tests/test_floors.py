"""house.md, section 2: a module imports its own room and lower floors only; and the bans."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import coremlc

ROOT = Path(coremlc.__file__).parent
FLOORS = [
    {"errors", "dtypes", "chunks", "durable", "stamps", "__init__"},
    {"targets"},
    {"ir", "mil"},
    {"ops"},
    {"frontend", "passes", "lower"},
    {"bundle"},
    {"cache", "engine", "baseline"},
    {"report", "port", "arrays"},
    {"foreign"},
    {"signature", "compare"},
    {"runner", "doctor", "ops_table"},
    {"check"},
    {"compiler", "packages"},
    {"model", "locate"},
    {"inspection", "bench", "goldens", "verification"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
API = ROOT / "__init__.py"  # stands on the ground for its version, reaches up when it is called
MODULES = sorted(p for p in ROOT.rglob("*.py") if not p.name.endswith("_pb2.py") and p != API)
ONLY = {  # package -> the only places that import it
    "onnx": ("engine/ort/",),
    "onnxruntime": ("engine/ort/",),
    "llvmlite": ("engine/fused/",),
    "jax": ("baseline/",),
    "jaxlib": ("baseline/",),
    "coremltools": ("mil/proto.py", "engine/coreml.py", "bundle/apple.py"),
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_imports_lower_floors_only(path):
    mine = room(path)
    assert mine in FLOOR, f"{mine} has no floor: give it one here and in docs/design"
    for name in imports(path):
        top, _, rest = name.partition(".")
        theirs = rest.split(".")[0]
        if top != "coremlc" or theirs not in FLOOR:
            continue
        assert theirs == mine or FLOOR[theirs] < FLOOR[mine], (
            f"{mine} (floor {FLOOR[mine]}) imports {name} (floor {FLOOR[theirs]})"
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_bans(path):
    place = path.relative_to(ROOT).as_posix()
    for name in imports(path):
        if room(path) in ("engine", "mil"):
            assert not name.startswith(("coremlc.ops", "coremlc.ir")), (
                "engine and mil never see ops or ir: else agreement of witnesses proves nothing"
            )
        allowed = ONLY.get(name.split(".")[0])
        assert allowed is None or place.startswith(allowed), f"{place} may not import {name}"
        assert ".frontend.graph_pb2" not in name or room(path) == "frontend", place
