"""Any bytes give a valid graph or a CoremlcError: never another exception, never a hang."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coremlc.errors import CoremlcError
from coremlc.frontend import graph_pb2 as pb
from coremlc.frontend import read
from coremlc.ir import verify
from coremlc.ir.graph import Graph
from coremlc.ir.parse import parse_graph
from coremlc.ir.text import print_graph
from tests.conftest import FIXTURES

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/graph.pb"))
SMALL = [name for name in NAMES if (FIXTURES / name / "graph.pb").stat().st_size < 6000]
"""Enough for what runs at every commit."""
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Place:
    """A directory with a fixture's weights, in which graph.pb is written again and again."""

    def __init__(self, name: str) -> None:
        self._directory = tempfile.TemporaryDirectory()
        source = FIXTURES / name
        self.data = (source / "graph.pb").read_bytes()
        self.path = Path(self._directory.name) / "graph.pb"
        weights = source / "graph.safetensors"
        if weights.exists():
            os.symlink(weights, self.path.parent / "graph.safetensors")

    def read(self, data: bytes) -> bool:
        """Whether it is a graph."""
        self.path.write_bytes(data)
        graph = told(lambda: read(self.path))
        if graph is None:
            return False
        verify.check(graph)
        assert print_graph(graph)
        return True


def told(make: Callable[[], Graph]) -> Graph | None:
    """The graph; None if an error tells what is wrong and how to fix it."""
    error: CoremlcError
    try:
        return make()
    except CoremlcError as caught:
        error = caught
    assert error.exit_code in (1, 2)
    assert "\n  fix:   " in str(error)
    return None


PLACES = {name: Place(name) for name in NAMES}


@FAST
@given(st.data())
def test_changed_bytes(data):
    place = PLACES[data.draw(st.sampled_from(SMALL))]
    content = bytearray(place.data)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    place.read(bytes(content))


@FAST
@given(st.data())
def test_truncations_and_splices(data):
    place = PLACES[data.draw(st.sampled_from(SMALL))]
    end = data.draw(st.integers(0, len(place.data)))
    start = data.draw(st.integers(0, len(place.data)))
    place.read(place.data[:end] + place.data[start:])
    place.read(place.data[:end])


@FAST
@given(st.binary(max_size=300))
def test_random_bytes(content):
    PLACES["einsum"].read(content)


INTS = (0, 1, -1, 2, 3, 7, 64, 1 << 31, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63))
WORDS = ("", "Add", "Float32", "Int32", "Int64", "Bool", "Complex64", "Int4", "image", "x" * 300)


def leaves(message: Message) -> list[tuple[Message, object]]:
    """(message, field) of all fields inside that are set."""
    found: list[tuple[Message, object]] = []
    for descriptor, value in message.ListFields():
        found.append((message, descriptor))
        if descriptor.message_type is not None:
            for item in value if descriptor.is_repeated else [value]:
                found += leaves(item)
    return found


def change(message: Message, descriptor, rng: random.Random) -> None:
    """Another value, one more, one less, or nothing."""
    repeated = descriptor.is_repeated
    values = getattr(message, descriptor.name)
    if descriptor.message_type is not None or rng.random() < 0.2:
        if not repeated or len(values) == 0:
            message.ClearField(descriptor.name)
        elif rng.random() < 0.5:
            del values[rng.randrange(len(values))]
        else:
            values.append(values[rng.randrange(len(values))])
        return
    kind = descriptor.cpp_type
    if kind == descriptor.CPPTYPE_STRING:
        is_bytes = descriptor.type == descriptor.TYPE_BYTES
        new = rng.randbytes(rng.choice((0, 4, 32))) if is_bytes else rng.choice(WORDS)
    elif kind == descriptor.CPPTYPE_DOUBLE:
        new = rng.choice((0.0, float("nan"), float("inf"), -1.0))
    elif kind == descriptor.CPPTYPE_BOOL:
        new = rng.random() < 0.5
    else:
        new = rng.choice(INTS)
    try:
        if repeated:
            values[rng.randrange(len(values))] = new
        else:
            setattr(message, descriptor.name, new)
    except ValueError:  # out of the field's range
        message.ClearField(descriptor.name)


def mutate(place: Place, seed: int) -> bool:
    rng = random.Random(seed)
    file = pb.GraphFile.FromString(place.data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        change(*rng.choice(leaves(file)), rng)
    return place.read(file.SerializeToString())


@pytest.mark.parametrize("name", SMALL)
def test_changed_fields(name):
    """Well-formed protobuf that says something else."""
    read_well = sum(mutate(PLACES[name], seed) for seed in range(80))
    assert 0 < read_well < 80


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_changed_fields(name):
    for seed in range(80, 4000):
        mutate(PLACES[name], seed)


TEXTS = {name: print_graph(read(FIXTURES / name / "graph.pb")) for name in SMALL}


@FAST
@given(st.data())
def test_changed_text(data):
    """The reader of the text form: the same promise."""
    text = TEXTS[data.draw(st.sampled_from(SMALL))]
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 20))
    put = data.draw(st.text(alphabet='%(){}[]=,:->#"\\0159fi_ \n', max_size=6))
    graph = told(lambda: parse_graph(text[:at] + put + text[at + cut :]))
    if graph is not None:
        verify.check(graph)
