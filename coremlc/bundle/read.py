"""Reading bundles: any maker's `.mlmodelc`, `.mlpackage` or `.mlmodel` of an ML Program.

The readers of texts and protobufs are imported when they are needed: a plan that an engine has kept
of the bundle needs none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coremlc.bundle.files import reading, resolve
from coremlc.bundle.package import model_file
from coremlc.errors import FormatError, UsageError
from coremlc.mil.blob import BlobFile
from coremlc.mil.program import Array, BlobRef, Literal, Program
from coremlc.mil.types import TensorType

if TYPE_CHECKING:
    from coremlc.bundle.coremldata import CoreMLData
    from coremlc.mil.description import ModelDescription
    from coremlc.mil.model import Model


class Bundle:
    """A model on disk; its parts are read when first asked for, weights stay mapped."""

    def __init__(self, root: Path) -> None:
        self.root = root
        """What was asked for."""
        self._blobs: dict[str, BlobFile] = {}

    @property
    def weights_root(self) -> Path:
        """What `@model_path` stands for."""
        raise NotImplementedError

    @property
    def program(self) -> Program:
        """The program; its large constants are BlobRefs."""
        raise NotImplementedError

    @property
    def description(self) -> ModelDescription:
        """Features and metadata."""
        raise NotImplementedError

    @property
    def specification_version(self) -> int:
        raise NotImplementedError

    @property
    def user_defined(self) -> Mapping[str, str]:
        """The user's metadata."""
        return self.description.user_defined

    @property
    def is_described(self) -> bool:
        """Whether there is a description; a model.mil on its own runs too."""
        return True

    @property
    def has_optional(self) -> bool:
        """Whether there may be inputs that need not be given."""
        return any(f.is_optional for f in self.description.default.inputs)

    @property
    def dialect(self) -> str:
        """Of model.mil; empty for a package."""
        return ""

    @cached_property
    def model(self) -> Model:
        """Everything together, as the writers take it."""
        from coremlc.mil.model import Model

        return Model(self.program, self.description, self.specification_version)

    def make_runnable(self) -> None:
        """Change the program where it is in a form that only Apple's runtime takes."""

    def array(self, literal: Literal | BlobRef) -> Array:
        """The array of a literal: a view of the mapped file, flat if only a reference is given."""
        ref = literal if isinstance(literal, BlobRef) else literal.data
        if isinstance(ref, BlobRef):
            blob = self.blob(ref.path)
            if isinstance(literal, Literal) and isinstance(literal.type, TensorType):
                return blob.array(ref.offset, literal.type)
            record = blob.record(ref.offset)
            return blob.array(ref.offset, TensorType(record.dtype, (blob.elements(record),)))
        if isinstance(ref, np.ndarray):
            return ref
        if isinstance(ref, str):
            out: Array = np.array(ref, object)
            return out
        raise FormatError("a list, tuple or dict is no array", fix="ask for its members")

    def blob(self, path: str) -> BlobFile:
        """The mapped weight file of a BLOBFILE path."""
        file = self._blobs.get(path)
        if file is None:
            file = self._blobs[path] = BlobFile(resolve(self.weights_root, path))
        return file


class CompiledBundle(Bundle):
    """A `.mlmodelc`."""

    @property
    def weights_root(self) -> Path:
        return self.root

    @cached_property
    def text(self) -> str:
        """model.mil as it stands."""
        file = self.root / "model.mil"
        with reading(file):
            try:
                return file.read_bytes().decode()
            except UnicodeDecodeError as error:
                raise FormatError(
                    f"byte {error.start} is not UTF-8", fix="fetch or make the bundle again"
                ) from None

    @cached_property
    def program(self) -> Program:
        from coremlc.mil.text import parse_program

        text = self.text
        with reading(self.root / "model.mil"):
            return parse_program(text)

    def make_runnable(self) -> None:
        """Take buffers, as Apple's optimiser prints them, for the tensors that they hold."""
        from coremlc.mil.buffers import has_buffers, without_buffers

        if has_buffers(self.program):
            self.program = without_buffers(self.program)

    @cached_property
    def description(self) -> ModelDescription:
        from coremlc.mil.description import description_from_bytes

        data = self.header.description
        with reading(self.root / "coremldata.bin"):
            return description_from_bytes(data)

    @cached_property
    def header(self) -> CoreMLData:
        """coremldata.bin, its description still serialized."""
        from coremlc.bundle.coremldata import parse_coremldata

        file = self.root / "coremldata.bin"
        with reading(file):
            return parse_coremldata(file.read_bytes())

    @property
    def specification_version(self) -> int:
        return self.header.specification_version

    @property
    def dialect(self) -> str:
        from coremlc.mil.text import dialect_of

        with reading(self.root / "model.mil"):
            return dialect_of(self.text)

    @property
    def is_described(self) -> bool:
        return (self.root / "coremldata.bin").is_file()

    @property
    def has_optional(self) -> bool:
        file = self.root / "metadata.json"
        if file.is_file():  # needs no protobuf
            with reading(file):
                return b'"isOptional" : "1"' in file.read_bytes()
        return self.is_described and super().has_optional

    @cached_property
    def user_defined(self) -> Mapping[str, str]:
        """From metadata.json, which needs no protobuf; from coremldata.bin where there is none."""
        file = self.root / "metadata.json"
        if not file.is_file():
            return self.description.user_defined if self.is_described else {}
        with reading(file):
            return _user_defined(file.read_bytes())


class PackageBundle(Bundle):
    """A `.mlpackage`, or a bare `.mlmodel`."""

    def __init__(self, root: Path, file: Path) -> None:
        super().__init__(root)
        self.file = file

    @property
    def weights_root(self) -> Path:
        return self.file.parent

    @cached_property
    def model(self) -> Model:
        from coremlc.mil.model import model_from_bytes

        with reading(self.file):
            return model_from_bytes(self.file.read_bytes())

    @property
    def program(self) -> Program:
        return self.model.program

    @property
    def description(self) -> ModelDescription:
        return self.model.description

    @property
    def specification_version(self) -> int:
        return self.model.specification_version


def read_bundle(path: Path) -> Bundle:
    """The bundle at a path, told by what it holds rather than by its name."""
    if (path / "Manifest.json").is_file() and not (path / "model.mil").is_file():
        return PackageBundle(path, model_file(path))
    if path.is_dir() and not (path / "Data").is_dir():
        return CompiledBundle(path)
    return PackageBundle(path, model_file(path))


def entry_name(bundle: Bundle, wanted: str | None = None) -> str:
    """The function to run: the wanted one, the only one, the model's default, `main`.

    Raises:
        UsageError: there is no such function, or several and none of them stands out.
    """
    known = bundle.program.functions
    if wanted is not None and wanted not in known:
        raise UsageError(
            f"the model has no function {wanted!r}",
            fix=f"choose one: --function {' or '.join(known)}",
        )
    if wanted is not None or len(known) == 1:
        return wanted if wanted is not None else next(iter(known))
    default = bundle.description.default_function if bundle.is_described else ""
    for name in (default, "main"):
        if name in known:
            return name
    raise UsageError(
        f"the model has {len(known)} functions and no default",
        fix=f"choose one: --function {' or '.join(known)}",
    )


def _user_defined(data: bytes) -> dict[str, str]:
    try:
        (content,) = json.loads(data)
        found = content.get("userDefinedMetadata", {})
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise FormatError(
            "no metadata as Core ML's compiler writes them", fix="fetch or make the bundle again"
        ) from None
