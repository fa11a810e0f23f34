"""coremldata.bin: a fixed header around the model description; analytics/coremldata.bin."""

from __future__ import annotations

import base64
import hashlib
import struct
from dataclasses import dataclass, replace

from coremlc.bundle.versions import specification
from coremlc.errors import FormatError
from coremlc.mil.description import Metadata, ModelDescription, description_to_bytes

_ML_PROGRAM = 502
_VARIANT = b"generic"
_PAYLOAD = 0x53
_FIX = "fetch or make the bundle again"


@dataclass(frozen=True, slots=True)
class CoreMLData:
    """What a coremldata.bin says."""

    model_type: int
    format: int
    specification_version: int
    description: bytes
    """A serialized ModelDescription."""
    trailer: bytes


def coremldata(description: ModelDescription, specification_version: int) -> bytes:
    """The bytes of a bundle's coremldata.bin; the user's metadata sorted by key."""
    if description.metadata is None:
        description = replace(description, metadata=Metadata())
    payload = description_to_bytes(description)
    header = struct.pack(
        "<I3QQ7s3QQQ",
        _ML_PROGRAM,
        specification(specification_version).format,
        0,
        0,
        len(_VARIANT),
        _VARIANT,
        specification_version,
        0,
        0,
        0,
        len(payload),
    )
    record = struct.pack("<I12x", _ML_PROGRAM)
    return header + payload + record * max(1, len(description.functions))


def parse_coremldata(data: bytes) -> CoreMLData:
    """FormatError if it isn't one of an ML Program."""
    if len(data) < _PAYLOAD + 16:
        raise FormatError(f"{len(data)} bytes are no coremldata.bin", fix=_FIX)
    kind, major, _, _, length, variant, version, _, _, empty, size = struct.unpack(
        "<I3QQ7s3QQQ", data[:_PAYLOAD]
    )
    if kind != _ML_PROGRAM:
        raise FormatError(
            f"a model of type {kind}, not an ML Program ({_ML_PROGRAM})",
            fix="coremlc reads ML Programs only; pipelines and neural networks are none",
        )
    if length != len(_VARIANT) or variant != _VARIANT or empty:
        raise FormatError(f"a variant {variant!r} of {length} bytes", fix=_FIX)
    if _PAYLOAD + size + 16 > len(data):
        raise FormatError(f"the description has {size} bytes, the file {len(data)}", fix=_FIX)
    end = _PAYLOAD + size
    return CoreMLData(kind, major, version, data[_PAYLOAD:end], data[end:])


def analytics(model_bytes: bytes, model_name: str = "model") -> bytes:
    """The bytes of analytics/coremldata.bin for the bytes of a `model.mlmodel`."""
    digest = base64.b64encode(hashlib.sha256(model_bytes).digest()).decode()
    sections = {
        "NeuralNetworkModelDetails": {"containsCustomLayer": "0", "modelDimension": "0"},
        "SpecificationDetails": {"modelHash": digest, "modelName": model_name},
    }
    out = b""
    for name, entries in sections.items():
        out += _string(name) + struct.pack("<Q", len(entries))
        for key, value in entries.items():
            out += _string(key) + _string(value)
    return out


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
