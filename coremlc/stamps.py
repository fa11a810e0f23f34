"""Stamps: signs that a file is still the one that was read, so that it need not be read again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_SECOND_NS = 10**9
_TICK_NS = 50 * 10**6
"""Some ticks of the clock that file systems take their times from."""


class Stamp(NamedTuple):
    """What a file system tells of a file; a program that changes the file can't set it back."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @staticmethod
    def of(path: Path) -> Stamp:
        """The stamp of a file, or of a link itself, as it is now."""
        info = path.lstat()
        return Stamp(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)

    def is_proof(self, noted_ns: int) -> bool:
        """Whether a file that still has this stamp has not changed since it was noted.

        A file that had changed just then may have changed again in the same tick of the clock.
        Clocks of whole seconds are not trusted, nor systems without a time of last change.
        """
        is_fine = os.name == "posix" and self.changed_ns % _SECOND_NS != 0
        return is_fine and self.changed_ns + _TICK_NS < noted_ns
