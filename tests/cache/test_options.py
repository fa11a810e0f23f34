"""No option of the compiler is missing from the key, and nothing else is in it."""

from __future__ import annotations

import dataclasses
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coremlc import targets
from coremlc.cache.manifest import LOCAL
from coremlc.compiler import Recipe, compile_graph, key_of

ROOT = Path(__file__).parent.parent.parent
NOT_IN_THE_KEY = {"use_cache", "output", "check_passes"}
"""Options that do not change the bundle. Think before adding one."""
CHANGED = {
    "target": targets.get("iOS16"),
    "precision": "fp16",
    "assume": {"m": (0, 3)},
    "dims": {"batch": 2},
    "strict": True,
}


def test_every_option_is_classified():
    options = {*inspect.signature(compile_graph).parameters} - {"graph"}
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert options == fields | NOT_IN_THE_KEY
    assert fields == set(CHANGED)


@pytest.mark.parametrize("name", CHANGED)
def test_every_option_of_the_recipe_changes_the_key(name, fixtures):
    graph = fixtures / "einsum" / "graph.pb"
    changed = dataclasses.replace(Recipe(), **{name: CHANGED[name]})
    found = key_of(graph, changed).difference(key_of(graph, Recipe()))
    assert found is not None
    assert found[0].split(".")[0] == name


def test_same_bytes_at_a_new_path_and_new_bytes_at_the_same_path(fixtures, tmp_path):
    graph = tmp_path / "another name.pb"
    shutil.copy(fixtures / "einsum" / "graph.pb", graph)
    before = key_of(graph, Recipe()).digest
    assert before == key_of(fixtures / "einsum" / "graph.pb", Recipe()).digest
    shutil.copy(fixtures / "digits" / "graph.pb", graph)
    assert key_of(graph, Recipe()).digest != before


@pytest.mark.parametrize("name", ["digits", "einsum", "tables"])
def test_same_graph_same_key_same_bytes(name, fixtures, tmp_path):
    """In two directories, two processes, two hash seeds, two time zones, two caches."""
    found = []
    for seed in ("1", "2"):
        place = tmp_path / seed
        shutil.copytree(fixtures / name, place / "model")
        zone = "UTC" if seed == "1" else "Asia/Tokyo"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        environment["COREMLC_CACHE"] = str(place / "cache")
        command = [sys.executable, "-m", "coremlc", "compile", place / "model" / "graph.pb"]
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
        entries = place / "cache" / "v1" / "entries"
        files = (p for p in entries.rglob("*") if p.is_file() and LOCAL not in p.parts)
        found.append({p.relative_to(entries).as_posix(): p.read_bytes() for p in files})
    assert found[0] == found[1]
    assert len(found[0]) >= 5
