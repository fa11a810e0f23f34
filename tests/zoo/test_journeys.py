"""Every page of docs/journeys does what it says: its Python prints its text."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from zoo.models import ROOT

PAGES = sorted((ROOT / "docs" / "journeys").glob("*.md"))
PARAMETERS = [
    pytest.param(
        page, id=page.stem, marks=[pytest.mark.zoo] if "out/zoo" in page.read_text() else []
    )
    for page in PAGES
]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


def needed(page):
    return [ROOT / p for p in re.findall(r"out/zoo/[\w-]+/bundle.mlmodelc", page.read_text())]


@pytest.mark.parametrize("page", PARAMETERS)
def test_a_journey_ends_where_it_says(page, tmp_path, monkeypatch):
    if not all(path.exists() for path in needed(page)):
        pytest.skip(f"make zoo has not made {needed(page)[0].parent.name}")
    for name in ("fixtures", "out"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)  # for what it writes
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec("\n".join(blocks(page, "python")), {})
    (told,) = blocks(page, "text")
    assert printed.getvalue().strip() == told.strip()
