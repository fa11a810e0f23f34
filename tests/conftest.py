"""Fixtures of all tests."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.golden import golden

__all__ = ["golden"]
FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory, monkeypatch):
    """No test sees the user's cache, or another test's."""
    path = tmp_path_factory.getbasetemp() / "caches" / secrets.token_hex(8)
    path.mkdir(parents=True)  # mktemp would look at all its elder siblings, 11,000 times
    monkeypatch.setenv("COREMLC_CACHE", str(path))
    return path


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES
