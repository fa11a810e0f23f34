"""The cache of compiled bundles: keyed by content, verified at every hit, never an obstacle."""

from coremlc.cache.key import Key, Part
from coremlc.cache.place import cache_root
from coremlc.cache.store import Entry, Outcome, Store, local_of

__all__ = ["Entry", "Key", "Outcome", "Part", "Store", "cache_root", "local_of"]
