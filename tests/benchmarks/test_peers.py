"""The table beside other converters: what stands in a row."""

from __future__ import annotations

import pytest

from benchmarks import peers


@pytest.mark.slow
def test_a_model_has_both_times_and_its_ops(fixtures):
    found = peers.one(fixtures / "lstm" / "graph.pb")
    assert found["nodes"] == 580
    assert 0 < found["ours_ms"] < found["coremltools_ms"]
    assert found["ops"] > 100


def test_a_peer_that_refuses_a_model_is_quoted():
    def refuses():
        raise ValueError("no such op | at all")

    assert peers._or_error(refuses) == "ValueError: no such op / at all"


def test_a_model_that_can_not_be_measured_has_a_row(tmp_path):
    assert peers._row(tmp_path / "model" / "graph.pb") == "| model | CalledProcessError |"
