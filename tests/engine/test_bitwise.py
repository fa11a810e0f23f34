"""Bitwise ands that MIL spells by digits are found again, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.engine.base import Resolver
from coremlc.engine.bitwise import with_bitwise_ands
from coremlc.engine.unroll import folded
from coremlc.mil.builder import Builder
from coremlc.mil.program import Function, Literal, Program, Value
from coremlc.mil.types import TensorType
from coremlc.ops.bitwise import _and_digits
from tests.engine.programs import Maker, run_all, start

EDGES = np.array([0, 1, -1, 2**31 - 1, -(2**31), 0x0F0F0F0F, -0x0F0F0F10, 12345678], np.int32)
X, Y = EDGES[:, None], EDGES[None, :]


def no_blob(literal: object) -> np.ndarray:
    raise AssertionError(literal)


NO_BLOB: Resolver = no_blob


def kinds(function: Function) -> list[str]:
    return [op.kind for op in function.block.ops if op.kind != "const"]


def program(*shapes: tuple[int, ...], known: np.ndarray | None = None) -> Program:
    """The and of inputs of these shapes, or of one and a constant."""
    m = Builder("ios18", spell_defaults=True)
    xs: list[Value] = [m.input(f"x{i}", TensorType("int32", s)) for i, s in enumerate(shapes)]
    if known is not None:
        xs.append(m.const(known))
    return Program({"main": m.finish([("z", _and_digits(m, *xs))])})


@pytest.mark.parametrize("shapes", [((8, 1), (1, 8)), ((8, 8), (8, 8)), ((8, 8), (8,))])
def test_an_and_is_one_op(shapes: tuple[tuple[int, ...], ...]) -> None:
    made = program(*shapes)
    assert kinds(with_bitwise_ands(made.functions["main"], NO_BLOB)) == ["bitwise_and"]
    given = [np.broadcast_to(v, s) for v, s in zip((X, Y), shapes, strict=True) if len(s) == 2]
    given += [EDGES] * (len(shapes) - len(given))
    features = {f"x{i}": np.ascontiguousarray(v) for i, v in enumerate(given)}
    for (result,) in run_all(made, features):
        np.testing.assert_array_equal(result, given[0] & given[1])


def test_digits_of_a_constant_are_read() -> None:
    made = program((8, 1), known=EDGES)
    assert kinds(with_bitwise_ands(made.functions["main"], NO_BLOB)) == ["bitwise_and"]
    for (result,) in run_all(made, {"x0": X.copy()}):
        np.testing.assert_array_equal(result, X & Y)


def test_digits_that_were_computed_before_are_read() -> None:
    """As `folded` leaves them: a constant of eight digits."""
    made = folded(program((8, 1), known=EDGES).functions["main"])
    (op,) = (op for op in with_bitwise_ands(made, NO_BLOB).block.ops if op.kind != "const")
    assert op.kind == "bitwise_and"
    literal = op.inputs["y"][0]
    assert isinstance(literal, Literal)
    np.testing.assert_array_equal(literal.data, EDGES)  # type: ignore[arg-type]


def test_rank_5_stays_as_it_is() -> None:
    made = program((1, 1, 1, 8, 1), (1, 1, 1, 1, 8))
    assert "bitwise_and" not in kinds(with_bitwise_ands(made.functions["main"], NO_BLOB))


def test_another_table_stays_as_it_is() -> None:
    """Near miss: the same ops look up an or."""
    made = program((8, 1), (1, 8)).functions["main"]
    table = next(op for op in made.block.ops if op.kind == "gather").inputs["x"][0]
    assert isinstance(table, Value)
    assert table.literal is not None
    either = np.array([i | j for i in range(16) for j in range(16)], np.int32)
    object.__setattr__(table.literal, "data", either)
    assert "bitwise_and" not in kinds(with_bitwise_ands(made, NO_BLOB))
    for result in start(Program({"main": made}), "onnxruntime").run({"x0": X, "x1": Y}).values():
        np.testing.assert_array_equal(result, X | Y)


def test_functions_without_tables_are_the_same() -> None:
    m = Maker()
    x = m.input("x", EDGES)
    made = m.program(m.add("add", x=x, y=1)).functions["main"]
    assert with_bitwise_ands(made, NO_BLOB) is made
