"""The `golden` fixture: text compared with tests/golden/NAME, rewritten by `make golden`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).parent / "golden"
Golden: TypeAlias = Callable[[str, str], None]


def compare(name: str, text: str) -> None:
    """Fail with a diff unless the file of that name holds the text."""
    path = ROOT / name
    text = text.rstrip("\n") + "\n"
    if os.environ.get("COREMLC_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    found = path.read_text(encoding="utf-8") if path.is_file() else ""
    if found == text:
        return
    lines = difflib.unified_diff(
        found.splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm=""
    )
    pytest.fail("\n".join([*lines, "", "If this is right: make golden"]), pytrace=False)


@pytest.fixture
def golden() -> Golden:
    return compare
