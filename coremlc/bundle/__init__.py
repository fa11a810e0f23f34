"""Core ML bundles on disk: write, read, compile a package, find damage.

Each name's module is imported when the name is first used: a run never needs the writer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coremlc.bundle.apple import compile_with_apple as compile_with_apple
    from coremlc.bundle.read import Bundle as Bundle
    from coremlc.bundle.read import entry_name as entry_name
    from coremlc.bundle.read import read_bundle as read_bundle
    from coremlc.bundle.verify import Problem as Problem
    from coremlc.bundle.verify import verify_bundle as verify_bundle
    from coremlc.bundle.write import compile_package as compile_package
    from coremlc.bundle.write import write_mlmodelc as write_mlmodelc
    from coremlc.bundle.write import write_mlpackage as write_mlpackage

_PLACES = {
    "Bundle": "read",
    "Problem": "verify",
    "compile_package": "write",
    "compile_with_apple": "apple",
    "entry_name": "read",
    "read_bundle": "read",
    "verify_bundle": "verify",
    "write_mlmodelc": "write",
    "write_mlpackage": "write",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(import_module(f"coremlc.bundle.{_PLACES[name]}"), name)
