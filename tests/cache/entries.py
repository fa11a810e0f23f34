"""What the cache's tests store."""

from __future__ import annotations

from pathlib import Path

from coremlc.cache import Key

KEY = Key.of({"graph": b"a graph"})
CONTENT = {
    "coremldata.bin": b"\x01" * 100,
    "model.mil": b"program(1.3)",
    "weights/weight.bin": bytes(range(256)) * 400,
}


def make(path: Path) -> dict[str, object]:
    """Writes a bundle, as compile does."""
    for name, data in CONTENT.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return {"graph": "a.pb", "nodes": 3}


def content(bundle: Path) -> dict[str, bytes]:
    files = (p for p in bundle.rglob("*") if p.is_file())
    return {p.relative_to(bundle).as_posix(): p.read_bytes() for p in files}
