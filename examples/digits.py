"""The whole road on a real model: compile `fixtures/digits`, run it on 100 images, count.

Run by `make run`. A second run finds the bundle in the cache.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

import coremlc
from coremlc.arrays import read_npz
from coremlc.errors import CoremlcError
from coremlc.report import facts, latency_table
from coremlc.runner import RunOptions, run_model

FIXTURE = Path(__file__).parent.parent / "fixtures" / "digits"


def main() -> int:
    """Exit code 0 if the model reads every image as GoMLX does."""
    compiled = coremlc.compile(FIXTURE / "graph.pb")
    click.echo(f"{compiled.report.table()}\n")

    arrays = read_npz(FIXTURE / "vectors.npz")
    with coremlc.load(compiled.bundle) as model:
        logits = model(image=arrays["in.image"])["logits"]
    read, gomlx, labels = logits.argmax(1), arrays["out.logits"].argmax(1), arrays["labels"]
    count = len(labels)
    same = int(np.count_nonzero(read == gomlx))
    report = run_model(
        compiled.bundle, RunOptions([str(FIXTURE / "vectors.npz")], warmup=20, repeat=200)
    )
    rows = [
        ("images", f"{count} handwritten digits that it was not trained on"),
        ("accuracy", f"{np.count_nonzero(read == labels)} of {count} right"),
        ("GoMLX", f"{np.count_nonzero(gomlx == labels)} of {count} right; {same} read alike"),
        ("logits", f"at most {np.abs(logits - arrays['out.logits']).max():.1e} from GoMLX's"),
        ("engine", f"{report.engine} on {report.compute_units.used}"),
    ]
    click.echo(f"{facts(rows)}\n\n{latency_table({f'{count} images': report.latency_ms})}")
    return 0 if same == count else 4


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CoremlcError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
