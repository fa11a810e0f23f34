"""Many cases in one test: thousands of tests of a millisecond cost pytest more than they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def about(case: object) -> Iterator[None]:
    """What fails inside says which case it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in {case}")
        raise
