"""Same graph, same bytes and the same key: in any directory, under any hash seed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from coremlc import compiler, targets
from coremlc.compiler import Recipe, compile_graph, key_of
from tests.conftest import FIXTURES
from tests.e2e.fixtures import SMALL
from tests.frontend.files import adding

SCRIPT = """
import json, sys
from pathlib import Path
from coremlc.compiler import compile_graph
for graph in sys.argv[1:]:
    output = Path(graph).with_suffix(".mlmodelc")
    report = compile_graph(Path(graph), output=output)
    compile_graph(Path(graph), output=Path(graph).with_suffix(".mlpackage"))
    print(json.dumps([report.key, report.cache]))
"""


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def compiled_in(directory: Path, seed: str) -> tuple[list, dict[str, bytes]]:
    """Keys and bytes, of copies of all fixtures, by a process of its own with an own cache."""
    graphs = []
    for name in SMALL:
        (directory / name).mkdir(parents=True)
        for file in ("graph.pb", "graph.safetensors"):
            if (FIXTURES / name / file).exists():
                shutil.copy(FIXTURES / name / file, directory / name / file)
        graphs.append(str(directory / name / "graph.pb"))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *graphs],
        env={**os.environ, "PYTHONHASHSEED": seed, "COREMLC_CACHE": str(directory / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    bundles = {}
    for name in SMALL:
        for suffix in ("mlmodelc", "mlpackage"):
            found = contents(directory / name / f"graph.{suffix}")
            bundles |= {f"{name}.{suffix}/{path}": data for path, data in found.items()}
    return [json.loads(line) for line in done.stdout.splitlines()], bundles


def test_two_directories_two_hash_seeds(tmp_path):
    keys, first = compiled_in(tmp_path / "a", "1")
    same_keys, second = compiled_in(tmp_path / "some where else", "2")
    assert keys == same_keys
    assert [state for _, state in keys] == ["miss"] * len(SMALL)
    assert len({key for key, _ in keys}) == len(SMALL)
    assert first.keys() == second.keys()
    assert [path for path, data in first.items() if second[path] != data] == []
    assert any(path.endswith("weight.bin") for path in first)


@pytest.mark.parametrize("name", SMALL)
def test_the_second_compile_says_hit(name):
    first = compile_graph(FIXTURES / name / "graph.pb")
    second = compile_graph(FIXTURES / name / "graph.pb")
    assert (first.cache, second.cache) == ("miss", "hit")
    assert (second.key, second.bundle) == (first.key, first.bundle)
    assert second.mil_ops == first.mil_ops


def test_the_cache_holds_what_is_written_without_it(tmp_path):
    graph = FIXTURES / "einsum" / "graph.pb"
    stored = contents(Path(compile_graph(graph).bundle))
    plain = Path(compile_graph(graph, use_cache=False).bundle)
    assert contents(plain) == stored
    shutil.rmtree(plain.parent)
    compile_graph(graph, output=tmp_path / "model.mlmodelc")
    assert contents(tmp_path / "model.mlmodelc") == stored


BASE = Recipe()
CHANGES = {
    "target": replace(BASE, target=targets.get("iOS17")),
    "precision": replace(BASE, precision="fp16"),
    "assume": replace(BASE, assume={"x": (0, 5)}),
    "dims": replace(BASE, dims={"batch": 2}),
    "strict": replace(BASE, strict=True),
}


def test_every_option_is_part_of_the_key(tmp_path):
    graph = adding("Int32").save(tmp_path)
    assert {*CHANGES} == {*Recipe.__dataclass_fields__}
    keys = {name: key_of(graph, recipe).digest for name, recipe in CHANGES.items()}
    keys["none"] = key_of(graph, BASE).digest
    keys["assume other"] = key_of(graph, replace(BASE, assume={"x": (0, 6)})).digest
    keys["dims other"] = key_of(graph, replace(BASE, dims={"batch": 3})).digest
    assert len(set(keys.values())) == len(keys)


def test_the_order_of_options_is_not(tmp_path):
    graph = adding().save(tmp_path)
    one = Recipe(assume={"a": (0, 1), "b": (2, 3)}, dims={"n": 1, "m": 2})
    two = Recipe(assume={"b": (2, 3), "a": (0, 1)}, dims={"m": 2, "n": 1})
    assert key_of(graph, one).digest == key_of(graph, two).digest


def test_the_place_of_the_graph_is_not(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    first = key_of(adding().save(tmp_path / "one"), BASE).digest
    os.utime(adding().save(tmp_path / "two"), (1, 1))
    assert key_of(tmp_path / "two" / "graph.pb", BASE).digest == first


def test_each_byte_of_the_graph_is(tmp_path):
    path = adding().save(tmp_path)
    data = path.read_bytes()
    keys = {key_of(path, BASE).digest}
    for i in range(0, len(data), 7):
        path.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        keys.add(key_of(path, BASE).digest)
    assert len(keys) == 1 + len(range(0, len(data), 7))


def test_the_compilers_code_is(tmp_path, monkeypatch):
    """One byte more anywhere in the rooms that make the bundle."""
    root = Path(compiler.__file__).parent
    copy = tmp_path / "coremlc"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiler, "__file__", str(copy / "compiler.py"))
    build = compiler._build.__wrapped__
    same = build()
    assert same == build()
    for file in ("lower.py", "ops/gather.py", "passes/rules/algebra.py", "bundle/text.py",
                 "mil/builder.py", "frontend/read.py", "signature.py", "compiler.py"):  # fmt: skip
        before = (copy / file).read_bytes()
        (copy / file).write_bytes(before + b"\n")
        assert build() != same, file
        (copy / file).write_bytes(before)
    (copy / "passes" / "new.py").write_text("")
    assert build() != same
    (copy / "passes" / "new.py").unlink()
    (copy / "cli" / "run.py").write_text("")
    (copy / "engine" / "base.py").write_text("")
    assert build() == same


def test_a_hit_needs_no_weights(tmp_path):
    """The graph's bytes, and so the key, say what the weights were."""
    for file in ("graph.pb", "graph.safetensors"):
        shutil.copy(FIXTURES / "einsum" / file, tmp_path / file)
    graph = tmp_path / "graph.pb"
    assert compile_graph(graph).cache == "miss"
    (tmp_path / "graph.safetensors").unlink()
    assert compile_graph(graph).cache == "hit"
