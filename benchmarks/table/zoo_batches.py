"""Makes models of the zoo again at another batch size, in out/zoo-batches; they share its files.

Run: python -m benchmarks.table.zoo_batches
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.table.cases import BATCHES, ZOO
from zoo import build
from zoo.inputs import Arrays
from zoo.models import BY_NAME, GoModel, OnnxModel
from zoo.packages import FetchError


@dataclass(frozen=True, slots=True)
class Batch:
    """A model's inputs, cut or repeated."""

    model: str
    size: int
    axes: Mapping[str, int] = field(default_factory=dict)
    """Where an input's batch is; else it is axis 0."""

    def made(self) -> OnnxModel | GoModel:
        model = BY_NAME[self.model]
        return replace(model, name=f"{self.model}-b{self.size}", inputs=lambda: self._of(model))

    def _of(self, model: OnnxModel | GoModel) -> Arrays:
        return {name: self._sized(name, x) for name, x in model.inputs().items()}

    def _sized(self, name: str, x: np.ndarray) -> np.ndarray:
        axis = self.axes.get(name, 0)
        return np.take(x, np.arange(self.size) % x.shape[axis], axis)


WANTED = (
    Batch("basic-pitch", 4),
    Batch("silero", 8, {"state": 1}),
    Batch("magika", 8),
    Batch("ocr-direction", 8),
    Batch("ocr-recogniser", 4),
    Batch("ocr-detector", 2),
    Batch("g2p", 1),
    Batch("efficientnet", 1),
    Batch("minilm", 1),
)
"""In the zoo itself g2p has 4 words, EfficientNet 2 photographs, MiniLM 3 sentences; others 1."""


def main() -> int:
    """Make those whose model is in the zoo."""
    failed = []
    for batch in WANTED:
        if not (ZOO / batch.model / "graph.pb").exists():
            continue
        model = batch.made()
        try:
            build.graph(model, ZOO, BATCHES / model.name, lambda step, m=model: print(m.name, step))
        except (build.BuildError, FetchError) as error:
            print(f"{model.name} FAILED: {error}", file=sys.stderr)
            failed.append(model.name)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
