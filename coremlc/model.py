"""CompiledModel: what `coremlc.compile` gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from coremlc.report import CompileReport

if TYPE_CHECKING:
    from coremlc.runner import EngineOptions, Model
    from coremlc.signature import Signature


@dataclass(frozen=True)
class CompiledModel:
    """A bundle on disk, and how it came to be."""

    report: CompileReport

    @property
    def key(self) -> str:
        """Its cache key."""
        return self.report.key

    @property
    def bundle(self) -> Path:
        """The `.mlmodelc`."""
        return Path(self.report.bundle)

    @cached_property
    def signature(self) -> Signature:
        """Inputs and outputs as the GoMLX program has them."""
        from coremlc.bundle import read_bundle
        from coremlc.signature import Signature

        return Signature.of_bundle(read_bundle(self.bundle))

    def load(self, options: EngineOptions | None = None) -> Model:
        """Load it, to call it."""
        from coremlc.runner import load

        return load(self.bundle, options)
