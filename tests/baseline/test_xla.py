"""The XLA executable: a whole graph, compiled; and what is said if it can't be."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import coremlc.baseline
from coremlc import dtypes
from coremlc.errors import InputError, MachineError, RefusedError
from coremlc.frontend import read
from coremlc.ir.graph import Builder, Graph, Input, Output
from coremlc.ir.op import REGISTRY
from coremlc.ir.types import TensorType
from coremlc.ops.refused import Unsupported
from tests.e2e.fixtures import FIXTURES

F32 = TensorType(dtypes.F32, (2,))


def test_without_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "coremlc.baseline.xla", raising=False)
    monkeypatch.delattr(coremlc.baseline, "xla", raising=False)
    with pytest.raises(MachineError, match="not installed") as error:
        coremlc.baseline.load_xla(Graph(Builder().finish(), (), ()))
    assert "coremlc[xla]" in error.value.fix


@pytest.mark.xla
def test_every_op_has_a_row_or_decomposes():
    from coremlc.baseline.trace import ROWS

    known = [kind for kind, op in REGISTRY.items() if op.gomlx and not op.refused]
    assert not [k for k in known if k not in ROWS and REGISTRY[k].decompose is None]
    assert not [k for k in ROWS if k not in REGISTRY]


@pytest.mark.xla
@pytest.mark.parametrize("name", ["digits", "lstm"])
def test_a_fixture_gives_what_gomlx_computed(name):
    folder = FIXTURES / name
    with np.load(folder / "vectors.npz") as vectors:
        arrays = dict(vectors)
    graph = read(Path(folder / "graph.pb"))
    results = coremlc.baseline.load_xla(graph)(
        {i.name: arrays[f"in.{i.name}"] for i in graph.inputs}
    )
    for output in graph.outputs:
        np.testing.assert_allclose(results[output.name], arrays[f"out.{output.name}"], 1e-4, 1e-5)


@pytest.mark.xla
def test_weights_beyond_what_a_program_holds_are_arguments(monkeypatch):
    from coremlc.baseline import load_xla, xla

    graph = read(FIXTURES / "digits" / "graph.pb")
    image = {"image": np.ones(graph.main.parameters[0].type.shape, np.float32)}
    inside = load_xla(graph)(image)
    monkeypatch.setattr(xla, "MAX_CONSTANTS", 100)
    outside = load_xla(graph)(image)
    for name, array in inside.items():
        np.testing.assert_allclose(outside[name], array, 1e-5, 1e-5)


def _alone(op) -> Graph:
    g = Builder()
    x = g.parameter(F32)
    return Graph(g.finish(g.add(op, x)), (Input("x"),), (Output("y"),))


@pytest.mark.xla
def test_what_has_no_row_is_refused_where_it_stands():
    with pytest.raises(RefusedError, match="no row for Unsupported") as error:
        coremlc.baseline.load_xla(_alone(Unsupported("Strange", (F32,))))
    assert error.value.where is not None


@pytest.mark.xla
def test_inputs_are_checked():
    executable = coremlc.baseline.load_xla(_alone(REGISTRY["Neg"]()))
    with pytest.raises(InputError, match=r"input 'x' is f32\[3\]"):
        executable({"x": np.zeros(3, np.float32)})
