"""Where the parts of an `.mlpackage` lie."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from coremlc.bundle.files import reading
from coremlc.errors import FormatError, UsageError, Where

PACKAGE_DATA = "Data/com.apple.CoreML"


def model_file(path: Path) -> Path:
    """The `model.mlmodel` of a package, or the path itself if it is a file."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no {path}", fix="give an .mlpackage, .mlmodel or .mlmodelc")
    manifest = path / "Manifest.json"
    if not manifest.is_file():
        return path / PACKAGE_DATA / "model.mlmodel"
    with reading(manifest):
        return path / "Data" / _root_item(manifest.read_bytes())


def _root_item(manifest: bytes) -> PurePosixPath:
    """The path of the root model, relative to Data/."""
    try:
        content = json.loads(manifest)
        path = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
        inner = PurePosixPath(path)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged("names no root model") from None
    if inner.is_absolute() or ".." in inner.parts:
        raise _damaged(f"names a model outside the package: {path}")
    return inner


def _damaged(what: str) -> FormatError:
    return FormatError(
        f"the manifest {what}", fix="make the package again", where=Where(what="Manifest.json")
    )
