"""Keys: equal exactly when all parts are; the same in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coremlc.cache import Key

BASE = {
    "format": 1,
    "coremlc": "0.1.0",
    "target": "iOS18",
    "strict": False,
    "assume": {"ids": (0, 30521)},
    "graph": b"graph bytes",
    "weights": ("aa", "bb"),
}
CHANGES = {
    "format": {"format": 2},
    "version": {"coremlc": "0.1.1"},
    "target": {"target": "iOS17"},
    "kind of a value": {"format": "1"},
    "bool is not int": {"strict": 0},
    "a range": {"assume": {"ids": (0, 30522)}},
    "a name": {"assume": {"idz": (0, 30521)}},
    "one range more": {"assume": {"ids": (0, 30521), "mask": (0, 1)}},
    "bytes": {"graph": b"graph bytez"},
    "order of a list": {"weights": ("bb", "aa")},
    "split of a list": {"weights": ("aabb",)},
    "a part more": {"precision": "fp32"},
}

parts = st.recursive(
    st.text() | st.binary() | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_part_changes_the_key(change):
    changed = Key.of({**BASE, **change})
    assert changed.digest != Key.of(BASE).digest
    tag, mine, theirs = changed.difference(Key.of(BASE))
    assert tag
    assert mine != theirs


def test_order_of_parts_does_not_count():
    turned = dict(reversed(BASE.items()))
    assert Key.of(turned).digest == Key.of(BASE).digest
    assert Key.of(turned).difference(Key.of(BASE)) is None


def test_the_explanation_alone_gives_the_key_again():
    key = Key.of(BASE)
    assert Key(json.loads(key.explain())).digest == key.digest


@given(st.dictionaries(st.text(), parts, max_size=3), st.dictionaries(st.text(), parts, max_size=3))
def test_no_two_lists_of_parts_collide(a, b):
    same = Key.of(a).parts == Key.of(b).parts
    assert (Key.of(a).digest == Key.of(b).digest) == same


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_names_with_dots_stay_apart(names):
    nested = Key.of({"assume": names})
    assert len(nested.parts) == len(names)


def test_the_same_key_in_other_processes_and_hash_seeds():
    code = f"from coremlc.cache import Key; print(Key.of({BASE!r}).digest)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {Key.of(BASE).digest}


def test_keys_are_stable_over_versions_of_this_file():
    """A change here empties every user's cache: it must be meant."""
    assert Key.of({"a": 1, "b": b"x"}).digest == (
        "d8b157e5fa56b15650126862aadc5c12c5b819e466c9941aad61855d62fd9427"
    )
