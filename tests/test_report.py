"""Reports: JSON that every reader accepts, tables that a pipe can take."""

from __future__ import annotations

import json

import pytest

from coremlc.report import (
    CompileReport,
    ExpectReport,
    Latency,
    OutputDifference,
    columns,
    facts,
    plain,
)


def test_latency():
    found = Latency.of([3.0, 1.0, 2.0, 4.0])
    assert (found.n, found.min, found.p50, found.max, found.mean) == (4, 1.0, 2.5, 4.0, 2.5)
    assert found.p90 == pytest.approx(3.7)
    assert Latency.of([2.0]).p99 == 2.0


def test_numbers_that_json_lacks_are_null():
    odd = OutputDifference("y", float("nan"), float("inf"), 1, 1)
    assert json.dumps(plain({"a": (odd.max_abs, 1.5)}), allow_nan=False) == '{"a": [null, 1.5]}'


def test_compile_report_keys_are_a_promise():
    report = CompileReport("g", "k", "hit", "b", "iOS18", "fp32", 1, 2, 3, ("w",), {"read": 1.0}, 2)
    assert " ".join(json.loads(report.json())) == (
        "graph key cache bundle target precision nodes mil_ops weights_bytes warnings stages_ms"
        " total_ms"
    )


def test_tables_do_not_wrap_or_interpret_what_they_show():
    path = "/a/very/long/path" * 30
    assert path in facts([("path", path)])
    assert "f32[red]x[/red]" in columns(("type",), [("f32[red]x[/red]",)])
    assert "\x1b" not in facts([("a", "b")])


def test_expect_report_is_plain_data():
    difference = OutputDifference("y", 0.0, 0.0, 0, 4)
    assert ExpectReport(True, (difference,)).ok
