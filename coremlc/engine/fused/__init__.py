"""Regions of elementwise ops as one loop each, compiled by LLVM: what ONNX Runtime does not fuse.

Only `kernel` and what it imports need llvmlite (`coremlc[jit]`); `partition` says what to compile.
"""
