"""Rewrite rules by family. A rule returns the simpler value, or None for "no match"."""

from __future__ import annotations

from coremlc.ir.op import Op
from coremlc.passes.rules import (
    algebra,
    broadcast,
    control,
    movement,
    products,
    regroup,
    shuffle,
    sink,
    windows,
)
from coremlc.passes.rules.rule import Rule

RULES: dict[type[Op], tuple[Rule, ...]] = {}
"""Rules by the op kind at their root, in the order in which they are tried."""

for _family in (movement, broadcast, algebra, shuffle, sink, regroup, products, windows, control):
    for _kinds, _rule in _family.RULES:
        for _kind in _kinds:
            RULES[_kind] = (*RULES.get(_kind, ()), _rule)
