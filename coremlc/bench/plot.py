"""A bench as a picture (extra [report])."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coremlc.bench.report import BenchReport
from coremlc.errors import MachineError, UsageError

FORMATS = (".svg", ".png", ".pdf")
ROW_INCHES, WIDTH_INCHES = 0.3, 8.0


def plotter(path: Path) -> Callable[[BenchReport], None]:
    """Writes the picture of a report; what could hinder it is found before anything is timed.

    Raises:
        UsageError: the format is unknown.
        MachineError: matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise UsageError(f"a plot in {path}", fix=f"name it {', '.join('*' + f for f in FORMATS)}")
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise MachineError(
            "matplotlib, which draws plots, is not installed", fix="pip install 'coremlc[report]'"
        ) from None
    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "coremlc"  # the same report, the same bytes
    return lambda report: _draw(report, path)


def _draw(report: BenchReport, path: Path) -> None:
    """A row for each run: its median, and a line from the minimum to the 90th percentile."""
    from matplotlib import pyplot

    runs = report.runs[::-1]
    size = (WIDTH_INCHES, 1.2 + ROW_INCHES * len(runs))
    figure, axes = pyplot.subplots(figsize=size, layout="constrained")
    engines = list(dict.fromkeys(run.engine for run in report.runs))
    for i, run in enumerate(runs):
        color, ms = f"C{engines.index(run.engine)}", run.latency_ms
        axes.hlines(i, ms.min, ms.p90, color, linewidth=2)
        axes.plot(ms.p50, i, "o", color=color)
    axes.set_yticks(range(len(runs)), [f"{r.model}  {r.engine}" for r in runs], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("latency, ms: minimum, median, 90th percentile")
    axes.set_title(f"{report.machine.processor}, {report.threads} threads", fontsize=9)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
