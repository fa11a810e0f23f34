"""Writes benchmarks/ZOO.md: size, times and differences of the models in out/zoo.

Run: python -m zoo.results
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from zoo.models import MODELS, ROOT, ZOO

ENGINES = ("onnxruntime", "reference")
HEAD = """# The zoo

Made by `make zoo LARGE=1 && python -m zoo.results`, on Linux with 2 shared cores: orders of magnitude. Milliseconds; latency is the
median of 5 runs. Difference: the largest from GoMLX's Go backend (TOO MUCH: beyond 3 times GoMLX's own).

| model | nodes | MIL ops | weights, MB | compile | load | onnxruntime | reference | difference: onnxruntime | reference |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
"""  # noqa: E501


def main() -> int:
    """The command line."""
    rows = []
    for model in MODELS:
        if (ZOO / model.name / "recipe.json").exists():
            print(model.name, flush=True)
            rows.append(_row(model.name))
    (ROOT / "benchmarks" / "ZOO.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return 0


def _row(name: str) -> str:
    folder = ZOO / name
    with tempfile.TemporaryDirectory(dir=ZOO) as work:
        bundle = Path(work) / "x.mlmodelc"
        compiled = _coremlc("compile", folder / "graph.pb", "-o", bundle, "--no-cache")
        runs = [
            _coremlc(
                "run", bundle, "--expect", folder / "vectors.npz", "--engine", e, "--repeat", "5"
            )
            for e in ENGINES
        ]
    latency = [f"{run['latency_ms']['p50']:.3g}" for run in runs]
    cells = [
        name, str(compiled["nodes"]), str(compiled["mil_ops"]),
        f"{compiled['weights_bytes'] / 1e6:.1f}", f"{compiled['total_ms']:.0f}",
        f"{runs[0]['load_ms']:.0f}", *latency, *map(_difference, runs),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _difference(run: dict[str, Any]) -> str:
    outputs = run["expect"]["outputs"]
    most = max(o["max_abs"] for o in outputs)
    return f"{most:.1e}" if run["expect"]["ok"] else f"{most:.1e}, TOO MUCH"


def _coremlc(*arguments: str | Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "coremlc", *map(str, arguments), "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 4):
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())
