"""Fetches, converts and compiles the models of the zoo.

python -m zoo [--large] [--fixtures] [--folder out/zoo] [NAME ...]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from zoo import build, models
from zoo.packages import FetchError


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all but the large ones")
    parser.add_argument("--large", action="store_true", help="those of more than 50 MB too")
    parser.add_argument("--folder", type=Path, default=models.ROOT / "out" / "zoo")
    parser.add_argument(
        "--fixtures", action="store_true", help="make the zoo's part of fixtures/ anew, no more"
    )
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(models.BY_NAME))
    if unknown:
        parser.error(f"no model {', '.join(unknown)}; there are {', '.join(models.BY_NAME)}")
    chosen = [m for m in models.MODELS if _wanted(m, given)]
    failed = [m.name for i, m in enumerate(chosen) if not _make(m, f"{i + 1}/{len(chosen)}", given)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _wanted(model: models.OnnxModel | models.GoModel, given: argparse.Namespace) -> bool:
    if given.fixtures and not model.fixture:
        return False
    return model.name in given.names if given.names else given.large or not model.large


def _make(model: models.OnnxModel | models.GoModel, count: str, given: argparse.Namespace) -> bool:
    begin = time.monotonic()

    def say(step: str) -> None:
        print(f"[{count}] {model.name}: {step}", flush=True)

    try:
        if given.fixtures:
            target = given.folder / model.name
            build.graph(model, given.folder, target, say)
            keep(target, models.ROOT / "fixtures" / model.name)
        else:
            build.build(model, given.folder, say)
    except (build.BuildError, FetchError) as e:
        say(f"FAILED: {e}")
        return False
    say(f"done in {time.monotonic() - begin:.1f} s")
    return True


def keep(source: Path, fixture: Path) -> None:
    """Copies what a fixture consists of."""
    fixture.mkdir(exist_ok=True)
    for name in ("graph.pb", "graph.safetensors", "vectors.npz"):
        if (source / name).exists():
            shutil.copyfile(source / name, fixture / name)


if __name__ == "__main__":
    sys.exit(main())
