"""Writing bundles: `.mlmodelc`, `.mlpackage`, and from a package to a `.mlmodelc`."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from coremlc.bundle.coremldata import analytics, coremldata
from coremlc.bundle.files import copy, reading, resolve, staged
from coremlc.bundle.histogram import literals
from coremlc.bundle.metadata import class_name_of, metadata_json
from coremlc.bundle.package import PACKAGE_DATA, model_file
from coremlc.bundle.text import model_mil, without_compiler
from coremlc.bundle.versions import COREMLC_VERSION, MIL_VERSION, specification
from coremlc.mil.model import Model, model_from_bytes, model_to_bytes
from coremlc.mil.program import BlobRef, Program, walk
from coremlc.mil.weights import WEIGHT_PATH, place_weights


def write_mlmodelc(
    path: Path,
    model: Model,
    *,
    replace_existing: bool = False,
    weights_root: Path | None = None,
) -> None:
    """A bundle as Apple's compiler writes it; nothing is left at `path` if that fails.

    A program that holds BlobRefs already is written as it is, its weight files copied from
    weights_root; else its large constants go into weights/weight.bin.
    """
    specification(model.specification_version)
    with staged(path, replace=replace_existing) as stage:
        placed = _write_weights(model, stage, weights_root)
        plain = replace(placed, program=without_compiler(placed.program))
        spec_bytes = model_to_bytes(plain)
        _fill(stage, placed, spec_bytes, "model", path.stem, (COREMLC_VERSION, MIL_VERSION))


def write_mlpackage(
    path: Path,
    model: Model,
    *,
    replace_existing: bool = False,
    weights_root: Path | None = None,
) -> None:
    """A package as coremltools writes it, with identifiers that depend on the content only."""
    specification(model.specification_version)
    with staged(path, replace=replace_existing) as stage:
        inside = stage / PACKAGE_DATA
        inside.mkdir(parents=True)
        plain = replace(model, program=without_compiler(model.program))
        placed = _write_weights(plain, inside, weights_root)
        spec_bytes = model_to_bytes(placed)
        (inside / "model.mlmodel").write_bytes(spec_bytes)
        has_weights = (inside / "weights").is_dir()
        (stage / "Manifest.json").write_text(_manifest(spec_bytes, has_weights=has_weights))


def compile_package(
    source: Path,
    target: Path,
    *,
    coremlc_version: str = COREMLC_VERSION,
    mil_version: str = MIL_VERSION,
    replace_existing: bool = False,
) -> None:
    """What `coremlcompiler compile` makes of an ML Program's `.mlpackage` or `.mlmodel`."""
    file = model_file(source)
    with reading(file):
        spec_bytes = file.read_bytes()
        model = model_from_bytes(spec_bytes)
    specification(model.specification_version)
    with staged(target, replace=replace_existing) as stage:
        _copy_weights(model.program, file.parent, stage)
        versions = (coremlc_version, mil_version)
        _fill(stage, model, spec_bytes, file.stem, target.stem, versions)


def blob_paths(program: Program) -> list[str]:
    """The weight files that a program names, sorted."""
    return sorted(
        {
            literal.data.path
            for function in program.functions.values()
            for block in function.blocks.values()
            for op in walk(block)
            for _, literal in literals(op)
            if isinstance(literal.data, BlobRef)
        }
    )


def _fill(
    stage: Path, model: Model, spec_bytes: bytes, name: str, stem: str, versions: tuple[str, str]
) -> None:
    """Everything but the weights."""
    (stage / "model.mil").write_text(model_mil(model, *versions), encoding="utf-8", newline="\n")
    payload = coremldata(model.description, model.specification_version)
    (stage / "coremldata.bin").write_bytes(payload)
    text = metadata_json(model, class_name_of(stem))
    (stage / "metadata.json").write_text(text, encoding="utf-8", newline="\n")
    (stage / "analytics").mkdir()
    (stage / "analytics" / "coremldata.bin").write_bytes(analytics(spec_bytes, name))


def _write_weights(model: Model, stage: Path, weights_root: Path | None) -> Model:
    """Copy or write the weight files; the model whose program refers to them."""
    if blob_paths(model.program):
        _copy_weights(model.program, weights_root, stage)
        return model
    program, plan = place_weights(model.program, specification_version=model.specification_version)
    if plan:
        file = resolve(stage, WEIGHT_PATH)
        file.parent.mkdir()
        with file.open("wb") as out:
            plan.write(out)
    return replace(model, program=program)


def _copy_weights(program: Program, root: Path | None, stage: Path) -> None:
    for path in blob_paths(program):
        assert root is not None, "a program with BlobRefs needs weights_root"
        source = resolve(root, path)
        if not source.is_file():
            with reading(source):
                raise FileNotFoundError(2, "missing", str(source))
        copy(source, resolve(stage, path))


def _manifest(spec_bytes: bytes, *, has_weights: bool) -> str:
    digest = hashlib.sha256(spec_bytes).hexdigest()
    identifier: Callable[[str], str] = lambda what: (  # noqa: E731  (one use, two words)
        str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what}:{digest}")).upper()
    )
    root = identifier("model")
    entries = {
        root: {
            "author": "com.apple.CoreML",
            "description": "CoreML Model Specification",
            "name": "model.mlmodel",
            "path": "com.apple.CoreML/model.mlmodel",
        }
    }
    if has_weights:
        entries[identifier("weights")] = {
            "author": "com.apple.CoreML",
            "description": "CoreML Model Weights",
            "name": "weights",
            "path": "com.apple.CoreML/weights",
        }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": root,
    }
    return json.dumps(manifest, indent=4, sort_keys=True) + "\n"
