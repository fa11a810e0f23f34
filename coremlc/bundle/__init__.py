"""Core ML bundles on disk: write, read, compile a package, find damage."""

from coremlc.bundle.apple import compile_with_apple
from coremlc.bundle.read import Bundle, read_bundle
from coremlc.bundle.unproven import unproven
from coremlc.bundle.verify import Problem, verify_bundle
from coremlc.bundle.write import compile_package, write_mlmodelc, write_mlpackage

__all__ = [
    "Bundle",
    "Problem",
    "compile_package",
    "compile_with_apple",
    "read_bundle",
    "unproven",
    "verify_bundle",
    "write_mlmodelc",
    "write_mlpackage",
]
