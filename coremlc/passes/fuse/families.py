"""All fusion rules, by the op kind at their root, in the order in which they are tried."""

from __future__ import annotations

from coremlc.ir.op import Op
from coremlc.passes.fuse import activations, norms, reductions, softmax
from coremlc.passes.fuse.rule import FuseRule

RULES: dict[type[Op], tuple[FuseRule, ...]] = {}

for _family in (reductions, softmax, norms, activations):
    for _kinds, _rule in _family.RULES:
        for _kind in _kinds:
            RULES[_kind] = (*RULES.get(_kind, ()), _rule)
