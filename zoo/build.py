"""From a package to a compiled bundle, step by step; what is done already is not done again."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo import exact
from zoo.models import ROOT, GoModel, OnnxModel
from zoo.packages import fetch

GO = ROOT / "go"
Say = Callable[[str], None]


class BuildError(Exception):
    """A step failed; its output has been shown."""


def build(model: OnnxModel | GoModel, folder: Path, say: Say) -> Path:
    """The folder with graph.pb, vectors.npz and bundle.mlmodelc of a model."""
    target = folder / model.name
    graph(model, folder, target, say)
    say("compile")  # each time: the compiler may be another
    part, bundle = target / "part.mlmodelc", target / "bundle.mlmodelc"
    shutil.rmtree(part, ignore_errors=True)
    _run(sys.executable, "-m", "coremlc", "compile", target / "graph.pb", "-o", part, "-q")
    shutil.rmtree(bundle, ignore_errors=True)
    part.rename(bundle)
    return target


def graph(model: OnnxModel | GoModel, folder: Path, target: Path, say: Say) -> None:
    """graph.pb, its weights and vectors.npz in `target`."""
    say("fetch")
    file = fetch(model.file, folder)
    for other in model.also:
        fetch(other, folder)
    given = model.inputs()
    recipe = _recipe(model, given)
    stamp = target / "recipe.json"
    if stamp.exists() and stamp.read_text() == recipe:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    np.savez(target / "inputs.npz", **given)  # type: ignore[arg-type]
    if isinstance(model, OnnxModel):
        _from_onnx(model, file, target, say)
    else:
        if model.weights is not None:
            np.savez(target / "weights.npz", **model.weights(file))  # type: ignore[arg-type]
            file = target / "weights.npz"
        say("build by GoMLX")
        said = _run(
            tool(folder, "zoo"), "-file", file, "-inputs", target / "inputs.npz",
            "-out", target / "graph.pb", model.maker, *model.arguments,
        )  # fmt: skip
        for line in said.splitlines():
            say(line)
    stamp.write_text(recipe)


def _from_onnx(model: OnnxModel, file: Path, target: Path, say: Say) -> None:
    say("prepare")
    options = [f"--rename={old}={new}" for old, new in model.rename.items()]
    options += [f"--constant={name}={value}" for name, value in model.constants.items()]
    script = GO / "onnx" / "prepare.py"
    say(_run(sys.executable, script, file, target, "--inputs", target / "inputs.npz", *options))
    say("import")
    said = _run(
        tool(target.parent, "coremlc-onnx"), "-model", target / "prepared.onnx",
        "-reference", target / "reference.npz", "-out", target / "graph.pb", "-name", model.name,
    )  # fmt: skip
    for line in said.splitlines():
        say(line)
    say("evaluate in float64")
    for name, most in exact.add_tolerances(target).items():
        say(f"{name}: GoMLX is {most:.2g} off")


def tool(folder: Path, name: str) -> Path:
    """A program of go/onnx, built once a process."""
    path = folder / "bin" / name
    if path not in _built:
        _run(GO / "onnx" / "patch.sh")
        _run("go", "build", "-o", path.resolve(), f"./cmd/{name}", cwd=GO / "onnx")
        _built.add(path)
    return path


_built: set[Path] = set()


def _recipe(model: OnnxModel | GoModel, given: dict[str, np.ndarray]) -> str:
    """What the graph depends on, as text."""
    sources = [p for f in ("record", "export", "onnx", "onnx/cmd/*") for p in GO.glob(f"{f}/*.go")]
    sources += [GO / "onnx" / name for name in ("prepare.py", "go.mod", "patch.sh")]
    sources.append(ROOT / "zoo" / "exact.py")
    code = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(sources))).hexdigest()
    values = {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in sorted(given.items())}
    how: list[object] = [model.name]
    if isinstance(model, OnnxModel):
        how += [model.rename, model.constants]
    else:
        how += [model.maker, *model.arguments]
    return json.dumps({"file": model.file.sha256, "code": code, "inputs": values, "how": how})


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    words = [str(c) for c in command]
    done = subprocess.run(words, cwd=cwd or ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-4000:]
        raise BuildError(f"{' '.join(words)}\n{output}")
    return done.stdout.strip()
