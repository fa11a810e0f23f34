"""Real compiled bundles, kept beside the repository: found here or skipped."""

import os
from pathlib import Path

import pytest

ROOT = Path(
    os.environ.get(
        "COREMLC_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "mlmodelc-samples"
    )
)
MOBIUS = ROOT / "FluidInference__mobius"
EXPORT = ROOT / "rebeckerspecialties__mlmodelc-export"

needs_samples = pytest.mark.skipif(
    not ROOT.is_dir(), reason=f"no samples at {ROOT}; set COREMLC_SAMPLES"
)


def texts() -> list[Path]:
    """Every model.mil, and the texts after Apple's optimiser."""
    return sorted(ROOT.rglob("*.mil"))


def packages() -> list[Path]:
    return sorted(MOBIUS.glob("*.mlpackage"))


def bundles() -> list[Path]:
    """Bundles with all of model.mil, coremldata.bin and metadata.json."""
    return sorted(path.parent for path in ROOT.rglob("metadata.json"))


def models() -> list[Path]:
    return sorted(ROOT.rglob("*.mlmodel"))


def named(path: Path) -> str:
    """A test id: the folder and the name."""
    return "/".join(path.relative_to(ROOT).parts[-3:])
