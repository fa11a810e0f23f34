"""The wheel: it builds, holds what it should, and works outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing stale and nothing beside it gets in."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "coremlc", source / "coremlc", ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    command += ["--disable-pip-version-check", "-w", place, source]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = place.glob("*.whl")
    return found


def test_what_it_holds(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    modules = {name for name in names if name.endswith(".py")}
    sources = (p for p in (ROOT / "coremlc").rglob("*.py"))
    assert modules == {p.relative_to(ROOT).as_posix() for p in sources}
    assert "coremlc/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "go/", "fixtures/")) for name in names)


def test_it_works_outside_the_checkout(wheel, tmp_path, fixtures):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", site]
    command += ["--no-compile", "--disable-pip-version-check", wheel]
    subprocess.run(command, check=True, capture_output=True)
    folder = tmp_path / "elsewhere"
    shutil.copytree(fixtures / "einsum", folder)
    environment = {**os.environ, "PYTHONPATH": str(site), "COREMLC_CACHE": str(tmp_path / "cache")}

    def run(command):
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    def coremlc(*args):
        command = [sys.executable, "-W", "error", site / "bin" / "coremlc", *args]
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    where = "import coremlc; print(coremlc.__file__)"
    found = run([sys.executable, "-c", where])
    assert found.stdout.startswith(str(site))
    assert coremlc("--version").startswith("coremlc, version ")
    assert "as expected" in coremlc("run", "graph.pb", "--expect", "vectors.npz")
    assert "hit" in coremlc("compile", "graph.pb")
