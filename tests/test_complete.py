"""ops.proto, the registry and the refusals name the same ops, with the same attributes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import coremlc.ops  # noqa: F401  (fills the registry)
from coremlc.frontend import ops_pb2
from coremlc.frontend.attributes import STRUCTS
from coremlc.ir.op import REGISTRY
from coremlc.ops.refused import REFUSED

SCHEMA = Path(__file__).parent.parent / "schemas" / "ops.proto"
MESSAGES = {
    f.message_type.name.removesuffix("Attributes"): f.message_type
    for f in ops_pb2.Attributes.DESCRIPTOR.fields
}
PLAIN = set(re.findall(r"^//   (\w+): \(", SCHEMA.read_text(encoding="utf-8"), re.MULTILINE))
OURS = {kind: op for kind, op in REGISTRY.items() if op.gomlx}
WITH_ATTRIBUTES = sorted(OURS.keys() & MESSAGES)


def fields(cls: type) -> list[str]:
    """Bodies are no attributes in the schema: a node names their functions."""
    return [f.name for f in dataclasses.fields(cls) if f.type != "Function"]


def test_the_schema_is_read_whole():
    text = SCHEMA.read_text(encoding="utf-8")
    assert {*MESSAGES} == set(re.findall(r"^message (\w+)Attributes \{$", text, re.MULTILINE))
    assert not MESSAGES.keys() & PLAIN
    assert len(PLAIN) > 60


def test_every_op_is_known_or_refused():
    known, refused = set(OURS), set(REFUSED)
    assert not known & refused
    assert (MESSAGES.keys() | PLAIN) - known - refused == set()


def test_no_name_is_stale():
    """An op of ours that no file can hold is a mistake."""
    listed = MESSAGES.keys() | PLAIN
    assert {*OURS} - listed == set()
    assert {*REFUSED} - listed - {"FusedScaledDotProductAttentionVJP"} == set()


@pytest.mark.parametrize("kind", WITH_ATTRIBUTES)
def test_attributes_are_those_of_the_schema(kind):
    flags = set(OURS[kind].optional)
    assert [n for n in fields(OURS[kind]) if n not in flags] == [
        f.name for f in MESSAGES[kind].fields
    ]


@pytest.mark.parametrize("kind", sorted(OURS.keys() & PLAIN))
def test_ops_without_attributes_have_none(kind):
    expected = {"Constant": ["value"]}.get(kind, [])
    flags = set(OURS[kind].optional)
    assert [n for n in fields(OURS[kind]) if n not in flags] == expected


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_structs_are_those_of_the_schema(name):
    message = ops_pb2.DESCRIPTOR.message_types_by_name[name]
    assert fields(STRUCTS[name]) == [f.name for f in message.fields]


@pytest.mark.parametrize("kind", WITH_ATTRIBUTES)
def test_every_struct_inside_attributes_is_known(kind):
    inside = {f.message_type.name for f in MESSAGES[kind].fields if f.message_type}
    assert inside <= {*STRUCTS, "Shape"}


@pytest.mark.parametrize("kind", sorted(OURS))
def test_optional_operands_are_those_of_the_schema(kind):
    """`bias?` in the signature: one flag each, at the end."""
    text = SCHEMA.read_text(encoding="utf-8").replace("\n// ", " ")
    found = re.search(rf"^//   {kind}: \((.*?)\)|\b{kind}: \((.*?)\) ->", text, re.MULTILINE)
    assert found, kind
    operands = (found[1] or found[2] or "").split(", ")
    count = sum(o.endswith("?") for o in operands)
    flags = OURS[kind].optional
    assert len(flags) in (0, count)
    assert all(o.endswith("?") for o in operands[len(operands) - count :])


def test_refusals_give_reasons():
    assert all(len(reason) > 15 for reason in REFUSED.values())
