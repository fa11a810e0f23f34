"""Raise primitives to the ops that they spell: fewer and larger ones, which engines are fast at."""

from coremlc.passes.fuse.fuser import Note, fuse, fuse_with_notes

__all__ = ["Note", "fuse", "fuse_with_notes"]
