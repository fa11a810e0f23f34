"""Bad files, full disks, broken caches: what is said, and that nothing half is left."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from coremlc.bundle import read_bundle, write
from coremlc.cli import cli
from coremlc.compiler import compile_graph
from coremlc.errors import (
    CoremlcError,
    FormatError,
    MachineError,
    RefusalsError,
    UsageError,
)
from coremlc.ops.refused import REFUSED
from tests.conftest import FIXTURES
from tests.frontend.files import adding, refusing, weighted

EINSUM = FIXTURES / "einsum" / "graph.pb"


def left(directory: Path) -> list[str]:
    """All files below, locks left out."""
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


FILES = {
    "garbage": (lambda path: path.write_bytes(b"garbage" * 9), FormatError, "not a graph.pb"),
    "empty": (lambda path: path.write_bytes(b""), FormatError, "not a graph.pb"),
    "cut": (lambda path: path.write_bytes(cut(path.read_bytes())), CoremlcError, "error: "),
    "missing": (lambda path: path.unlink(), FormatError, "graph.pb"),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), FormatError, "graph.pb"),
    "no weights": (
        lambda path: path.with_suffix(".safetensors").unlink(), FormatError, "is missing",
    ),
    "cut weights": (
        lambda path: path.with_suffix(".safetensors").write_bytes(b"x"), FormatError, "1 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_bad_files(case, tmp_path, cache_dir):
    damage, kind, says = FILES[case]
    path = weighted().save(tmp_path)
    damage(path)
    output = tmp_path / "model.mlmodelc"
    with pytest.raises(kind) as caught:
        compile_graph(path, output=output)
    assert says in str(caught.value)
    assert "\n  where: " in str(caught.value)
    assert "\n  fix:   " in str(caught.value)
    assert not output.exists()
    assert left(cache_dir) == []
    result = CliRunner().invoke(cli, ["compile", str(path)])
    assert result.exit_code == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_refused_graph_leaves_nothing(tmp_path, cache_dir, monkeypatch):
    monkeypatch.setitem(REFUSED, "Neg", "only in this test")
    path = refusing().save(tmp_path)
    for name in ("a.mlmodelc", "a.mlpackage"):
        with pytest.raises(RefusalsError):
            compile_graph(path, output=tmp_path / name)
        assert not (tmp_path / name).exists()
    assert left(cache_dir) == []
    assert left(tmp_path) == ["graph.pb"]


class TestOutputs:
    """-o: what is in the way, and what is left when writing fails."""

    def test_a_bundle_is_replaced(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        compile_graph(adding().save(tmp_path), output=output)
        before = (output / "model.mil").read_bytes()
        compile_graph(adding("Float32", 5).save(tmp_path), output=output)
        assert (output / "model.mil").read_bytes() != before
        assert "5" in str(read_bundle(output).description.inputs[0])

    def test_a_directory_that_is_no_bundle_stays(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        output.mkdir()
        (output / "thesis.txt").write_text("mine")
        with pytest.raises(CoremlcError) as caught:
            compile_graph(adding().save(tmp_path), output=output)
        assert str(output) in str(caught.value)
        assert (output / "thesis.txt").read_text() == "mine"

    def test_a_file_stays(self, tmp_path):
        output = tmp_path / "m.mlmodelc"
        output.write_text("mine")
        with pytest.raises(CoremlcError):
            compile_graph(adding().save(tmp_path), output=output)
        assert output.read_text() == "mine"

    def test_no_directory(self, tmp_path):
        path = adding().save(tmp_path)
        output = tmp_path / "nowhere" / "m.mlmodelc"
        with pytest.raises(CoremlcError) as caught:
            compile_graph(path, output=output)
        assert "nowhere" in str(caught.value)
        assert caught.value.exit_code in (2, 3)
        result = CliRunner().invoke(cli, ["compile", str(path), "-o", str(output)])
        assert result.exit_code == caught.value.exit_code
        assert "Traceback" not in result.stderr

    @pytest.mark.parametrize("suffix", [".mlmodelc", ".mlpackage"])
    def test_what_was_there_stays_if_writing_fails(self, suffix, tmp_path, monkeypatch):
        output = tmp_path / "out" / f"m{suffix}"
        output.parent.mkdir()
        path = adding().save(tmp_path)
        compile_graph(path, output=output)
        before = {name: (output / name).read_bytes() for name in left(output)}

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(write, "model_to_bytes", full)
        with pytest.raises(MachineError, match="No space left"):
            compile_graph(path, output=output, use_cache=False)
        assert {name: (output / name).read_bytes() for name in left(output)} == before
        assert os.listdir(output.parent) == [output.name]

    def test_another_suffix(self, tmp_path):
        with pytest.raises(UsageError, match="names no bundle"):
            compile_graph(adding().save(tmp_path), output=tmp_path / "model.onnx")
        assert left(tmp_path) == ["graph.pb"]


class TestCaches:
    """A cache that can't be written is told of; the bundle is there all the same."""

    def compiled(self, tmp_path):
        report = compile_graph(adding().save(tmp_path))
        assert report.cache == "miss"
        assert read_bundle(Path(report.bundle)).text
        shutil.rmtree(Path(report.bundle).parent)
        return report.warnings

    def test_a_file_in_its_place(self, tmp_path, monkeypatch):
        (tmp_path / "cache").write_text("not a directory")
        monkeypatch.setenv("COREMLC_CACHE", str(tmp_path / "cache"))
        (warning,) = self.compiled(tmp_path)
        assert str(tmp_path / "cache") in warning
        assert (tmp_path / "cache").read_text() == "not a directory"

    def test_no_permission(self, tmp_path, cache_dir):
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        cache_dir.chmod(0o500)
        assert self.compiled(tmp_path)
        assert os.listdir(cache_dir) == []

    def test_no_space(self, tmp_path, cache_dir, monkeypatch):
        def full(directory):
            if cache_dir in Path(directory).parents:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("coremlc.bundle.files.sync_directory", full)
        (warning,) = self.compiled(tmp_path)
        assert "No space left" in warning
        assert left(cache_dir) == []

    def test_no_space_anywhere(self, tmp_path):
        """Every file over 2000 bytes fails, as on a full disk."""
        path = weighted().save(tmp_path)
        script = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700));"
            "from coremlc.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "compile", str(path)],
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        assert "error: " in done.stderr
        assert "fix:" in done.stderr
        assert left(tmp_path) == ["graph.pb", "graph.safetensors"]

    def test_a_broken_off_compile_leaves_nothing(self, tmp_path, cache_dir, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(write, "model_mil", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compile_graph(adding().save(tmp_path))
        assert left(cache_dir) == []
        monkeypatch.undo()


def coremlc(*args: object, code: int, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "coremlc", *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_process_tells_errors_and_codes(tmp_path):
    """Once for real: stdout is empty, stderr has three parts, the code is right."""
    (tmp_path / "bad.pb").write_bytes(b"garbage")
    done = coremlc("compile", tmp_path / "bad.pb", code=1)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "error: not a graph.pb: the protobuf does not parse"
    assert lines[1] == f"  where: in {tmp_path / 'bad.pb'}"
    assert lines[2].startswith("  fix:   ")
    assert len(lines) == 3
    coremlc("compile", code=2)
    report = json.loads(coremlc("compile", EINSUM, "--json", code=0).stdout)
    assert report["cache"] == "miss"
