"""results.svg: each model's ratio to XLA, and its bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.table import report
from benchmarks.table.cases import RESULTS

HEIGHT, WIDTH = 0.2, 9.0
"""Inches of a row, and of the picture."""
GOOD, BAD = "#3b7dd8", "#d8663b"


def write(results: Mapping[str, Any]) -> None:
    """Nothing, if matplotlib (coremlc[report]) is not installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: pip install 'coremlc[report]'")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "coremlc"  # the same picture, the same bytes
    from matplotlib import pyplot

    found = [(r["name"], report.ratio(r, "xla"), r["bar"]) for r in reversed(results["rows"])]
    rows = [(name, ratio, bar) for name, ratio, bar in found if ratio is not None]
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1 + HEIGHT * len(rows)), layout="constrained")
    places = range(len(rows))
    colors = [BAD if ratio > (1 if bar is None else bar) else GOOD for _, ratio, bar in rows]
    axes.hlines(places, [1] * len(rows), [ratio for _, ratio, _ in rows], colors, linewidth=4)
    barred = [(bar, i) for i, (_, _, bar) in enumerate(rows) if bar is not None]
    axes.plot(*zip(*barred, strict=True), "k|", label="bar")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(places, [name for name, _, _ in rows], fontsize=7)
    axes.margins(y=0.01)
    axes.set_xlabel("latency over XLA's; left of 1 coremlc is faster")
    axes.legend(loc="lower right")
    figure.savefig(RESULTS.with_name("results.svg"), metadata={"Date": None})
    pyplot.close(figure)
