"""What `make bench` times: graphs by name, and the ratio to XLA that each shall reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parent.parent.parent
FIXTURES, SYNTHETIC, ZOO = ROOT / "fixtures", ROOT / "out" / "bench", ROOT / "out" / "zoo"
BATCHES = ROOT / "out" / "zoo-batches"
RESULTS = ROOT / "benchmarks" / "results.json"

Kind = Literal["synthetic", "zoo", "fixture"]

BARS = {
    "encoder-6x128x384": 0.86,
    "encoder-6x16x384": 0.60,
    "encoder-2x512x768": 0.95,
    "conv-nchw": 0.42,
    "conv-nhwc": 0.46,
    "depthwise": 0.05,
    "softmax-heads": 0.4,
    "softmax-rows": 0.4,
    "layer-norm": 0.75,
    "mlp-784-b1": 0.7,
    "mlp-tiny": 0.3,
    "embedding": 0.6,
    "scatter-add-1k": 1.1,
    "scatter-add-10k": 1.1,
    "elementwise-20": 1.2,
    "select": 2.0,
    "reduce-sum-axis0": 1.0,
    "int-matmul": 1.5,
    "log": 1.5,
    "loop-100": 4.0,
}
"""Largest ratio to XLA on two cores (issue 7); the others have none of their own."""
ZOO_BAR = 1.0
ZOO_MEAN_BAR = 0.55
"""Geometric mean of the zoo's ratios."""
EXPERT_BAR = 1.03
"""Ratio to ONNX Runtime on the model as an expert wrote it, or as it was shipped."""


@dataclass(frozen=True, slots=True)
class Case:
    """A graph with vectors.npz beside it."""

    name: str
    kind: Kind
    folder: Path

    @property
    def graph(self) -> Path:
        return self.folder / "graph.pb"

    @property
    def vectors(self) -> Path:
        return self.folder / "vectors.npz"

    @property
    def model(self) -> str:
        """Its name without the batch."""
        return re.sub(r"-b\d+$", "", self.name)

    @property
    def bar(self) -> float | None:
        """Of the ratio to XLA."""
        return ZOO_BAR if self.kind == "zoo" else BARS.get(self.name)


def all_cases() -> list[Case]:
    """Those that have been made; of a model that is fixture and zoo, the zoo's."""
    zoo = [*_in(ZOO, "zoo"), *_in(BATCHES, "zoo")]
    known = {case.name for case in zoo}
    fixtures = [case for case in _in(FIXTURES, "fixture") if case.name not in known]
    return [*_in(SYNTHETIC, "synthetic"), *fixtures, *zoo]


def _in(root: Path, kind: Kind) -> Iterator[Case]:
    for graph in sorted(root.glob("*/graph.pb")):
        yield Case(graph.parent.name, kind, graph.parent)
