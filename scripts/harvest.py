"""Collects the graphs of GoMLX's own tests, with their inputs and outputs: `make harvest`.

GoMLX's sources are copied out of Go's module cache, and three files changed so that the tests run
on the backend of go/harvest. Each top-level test runs in a process of its own, as a failing one
often takes its process down. What was run is not run again (tests.json), so this can be stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOMLX = "github.com/gomlx/gomlx"
OURS = "github.com/coremlc/coremlc/go/harvest"
PARTS = ("backends", "core", "internal", "ml", "support", "ui")
SLOW = ("ml/layers/kan", "ml/layers/vnn")
SECONDS = 1800
JUDGE = f"{sys.executable} -m benchmarks.harvest.answer"
"""Runs what GoMLX's Go backend can't."""
REASONS = ROOT / "benchmarks" / "harvest" / "tests.json"
"""Why tests fail on the Go backend. `"cure": "always"`: the judge runs all of the test, as that
backend is wrong there and does not say so."""
FLAGS = {"core/graph:TestDotGeneralDTypes": ["-dot_general_dtypes"]}
"""By which tests are not skipped."""


@dataclass(frozen=True)
class Test:
    """One top-level test of a package."""

    package: str
    name: str
    binary: Path
    directory: Path

    @property
    def key(self) -> str:
        return f"{self.package}:{self.name}"


class Harvest:
    """The directory of the archive, and the work in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.graphs = root / "graphs"
        self.source = root / "src" / "gomlx"
        self.binaries = root / "bin"
        self.results = root / "tests.json"
        self.lock = Lock()
        self.reasons = json.loads(REASONS.read_text())
        self.done: dict[str, Any] = {}
        if self.results.exists():
            self.done = json.loads(self.results.read_text())
        work = str(root / "src" / "go.work")
        self.env = {**os.environ, "GOWORK": work, "GOMLX_NO_AUTO_INSTALL": "1"}

    def go(self, *arguments: str, directory: Path) -> str:
        done = subprocess.run(
            ["go", *arguments], cwd=directory, env=self.env, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(f"go {' '.join(arguments)} failed")
        return done.stdout.strip()

    def copy_source(self) -> None:
        """GoMLX of the version that go.mod names, on our backend."""
        self.env["GOWORK"] = "off"
        asked = ("list", "-m", "-f", "{{.Dir}} {{.Version}}", GOMLX)
        cached, version = self.go(*asked, directory=ROOT / "go").split()
        self.env["GOWORK"] = str(self.root / "src" / "go.work")
        mark = self.source / ".version"
        if mark.exists() and mark.read_text() == version:
            return
        shutil.rmtree(self.source, ignore_errors=True)
        self.source.mkdir(parents=True)
        for name in (*PARTS, "LICENSE", "go.mod", "go.sum"):
            copy = shutil.copytree if (Path(cached) / name).is_dir() else shutil.copy
            copy(Path(cached) / name, self.source / name)  # type: ignore[operator]
        for path in [self.source, *self.source.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        self._inject()
        (self.source.parent / "go.work").write_text(
            f"go 1.26.5\n\nuse ./gomlx\nuse {ROOT / 'go'}\n"
        )
        mark.write_text(version)

    def _inject(self) -> None:
        xla = '"github.com/gomlx/go-xla/compute/xla"'
        for name in ("support/testutil/testutil.go", "core/graph/graph_test.go"):
            _edit(self.source / name, {xla: f'_ "{OURS}"', "xla.AutoInstall()": "error(nil)"})
        go = '_ "github.com/gomlx/compute/gobackend"'
        _edit(self.source / "backends/default/default.go", {go: f'{go}\n\t_ "{OURS}"'})

    def build(self, *, quick: bool) -> list[Test]:
        """Test binaries, and the tests in them."""
        self.binaries.mkdir(parents=True, exist_ok=True)
        listed = self.go(
            *("list", "-tags", "noxla", "-f"),
            "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}",
            *("./core/...", "./ml/..."),
            directory=self.source,
        )
        rows = [line.split() for line in listed.splitlines() if line]
        rows.append([OURS, str(ROOT / "go" / "harvest")])
        tests: list[Test] = []
        for package, directory in rows:
            short = package.removeprefix(GOMLX + "/")
            if not (quick and short in SLOW):
                tests += self._tests(package, short, Path(directory))
        return tests

    def _tests(self, package: str, short: str, directory: Path) -> list[Test]:
        binary = self.binaries / f"{short.replace('/', '_')}.test"
        flags = ("test", "-c", "-tags", "noxla", "-ldflags=-w -s", "-vet=off", "-o", str(binary))
        self.go(*flags, package, directory=self.source)
        listed = subprocess.run(
            [binary, "-test.list", "."], cwd=directory, env=self.env, capture_output=True, text=True
        )
        names = re.findall(r"^((?:Test|Example)\w*)$", listed.stdout, re.MULTILINE)
        if package == OURS:
            names = ["TestCompute", "TestMore"]
        return [Test(short, name, binary, directory) for name in names]

    def run(self, test: Test) -> None:
        always = self.reasons.get(test.key, {}).get("cure") == "always"
        env = self.env | {
            "GOMLX_BACKEND": "harvest",
            "COREMLC_HARVEST_DIR": str(self.graphs),
            "COREMLC_HARVEST_PACKAGE": test.package,
            "COREMLC_HARVEST_TEST": test.name,
            "COREMLC_HARVEST_JUDGE": JUDGE,
            "COREMLC_HARVEST_ALWAYS": "1" if always else "",
            "PYTHONPATH": str(ROOT),
        }
        start = time.monotonic()
        command = [str(test.binary), "-test.run", f"^{test.name}$", "-test.v"]
        try:
            done = subprocess.run(
                [*command, "-test.timeout", f"{SECONDS}s", *FLAGS.get(test.key, [])],
                cwd=test.directory,
                env=env,
                timeout=SECONDS + 20,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, failed = done.stdout.decode(errors="replace"), done.returncode != 0
        except subprocess.TimeoutExpired:
            output, failed = "timeout", True
        skipped = re.search(rf"^--- SKIP: {test.name}\b", output, re.MULTILINE)
        result = "failed" if failed else "skipped" if skipped else "passed"
        seconds = round(time.monotonic() - start, 1)
        why = _why(output) if failed else ""
        row = {"result": result, "seconds": seconds, "why": why, "cases": _cases(output)}
        with self.lock:
            self.done[test.key] = row
            part = self.results.with_suffix(".part")
            part.write_text(json.dumps(self.done, indent=1, sort_keys=True) + "\n")
            part.replace(self.results)
        if failed or seconds > 20:
            say(f"{test.key} {result} in {seconds} s {row['why']}")


def _edit(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for old, new in changes.items():
        if old not in text:
            sys.exit(f"{path} does not hold {old}: GoMLX has changed, see scripts/harvest.py")
        text = text.replace(old, new)
    path.write_text(text)


def _why(output: str) -> str:
    """The line that tells most of a failure."""
    for pattern in (r"^panic: (.*)", r"^timeout", r"Error:\s+(.*)", r"^\s+\w+_test\.go:\d+: (.*)"):
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            return found.group(found.lastindex or 0)[:300]
    return output.strip()[-300:]


def _cases(output: str) -> dict[str, list[str]]:
    """The graphs that each case built: a subtest without subtests, or one that built some."""
    graphs: dict[str, list[str]] = {}
    case = ""
    for line in output.splitlines():
        if begins := re.match(r"=== (?:RUN|CONT|NAME) +(\S+)", line):
            case = begins[1]
            graphs.setdefault(case, [])
        elif kept := re.search(r"harvest: ([0-9a-f]{16})$", line):
            graphs.setdefault(case, []).append(kept[1])
    groups = {name[: i.start()] for name in graphs for i in re.finditer("/", name)}
    return {
        name: sorted(set(found)) for name, found in graphs.items() if found or name not in groups
    }


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Collect, or go on collecting."""
    parser = argparse.ArgumentParser(description=__doc__)
    place = os.environ.get("COREMLC_HARVEST", ROOT / "out" / "harvest")
    parser.add_argument("--output", type=Path, default=place)
    parser.add_argument("--quick", action="store_true", help=f"without {', '.join(SLOW)}")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--again", default="", metavar="REGEX", help="run these tests once more")
    options = parser.parse_args()
    if shutil.which("go") is None:
        sys.exit("make harvest needs Go; see go/README.md")
    harvest = Harvest(Path(options.output).resolve())
    harvest.copy_source()
    say("building the test binaries")
    tests = harvest.build(quick=options.quick)
    again = re.compile(options.again) if options.again else None
    due = [t for t in tests if t.key not in harvest.done or (again and again.search(t.key))]
    say(f"{len(tests)} tests, {len(due)} to run")
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(harvest.run, due))
    results = [harvest.done[t.key]["result"] for t in tests]
    count = {r: results.count(r) for r in sorted(set(results))}
    graphs = list(harvest.graphs.glob("*/graph.pb"))
    vectors = list(harvest.graphs.glob("*/vectors-*.npz"))
    say(f"tests {count}; {len(graphs)} graphs, {len(vectors)} vectors in {harvest.graphs}")


if __name__ == "__main__":
    main()
