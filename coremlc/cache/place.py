"""Where the cache lies."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "COREMLC_CACHE"


def cache_root() -> Path:
    """`$COREMLC_CACHE`, or the user's cache directory of the system."""
    stated = os.environ.get(VARIABLE)
    if stated:
        return Path(stated).absolute()
    import platformdirs  # late: reading the variable is enough for most tests and servers

    return platformdirs.user_cache_path("coremlc", appauthor=False)
