"""What a command imports: what it needs, so that it starts at once. Nothing is timed here."""

import json
import subprocess
import sys
import time

import pytest

from tests.e2e.fixtures import FIXTURES

GRAPH = FIXTURES / "digits" / "graph.pb"
HEAVY = {"coremltools", "google.protobuf", "numpy", "ml_dtypes", "onnx", "onnxruntime", "rich"}


def imported(*arguments):
    """Modules that a process of the command line has imported at its end."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from coremlc.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_version_imports_nothing_heavy():
    assert not imported("--version") & {*HEAVY, "click"}


def test_a_cache_hit_imports_nothing_heavy():
    command = ("compile", GRAPH, "--json")
    imported(*command)
    assert not imported(*command) & HEAVY


@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_a_run_from_the_cache_does_not_import_the_compiler(engine):
    command = ("run", GRAPH, "--random", "0", "--engine", engine, "--json")
    imported(*command)
    modules = imported(*command)
    unneeded = {"coremltools", "coremlc.ops", "coremlc.passes", "coremlc.frontend"}
    assert not modules & {*unneeded, "coremlc.bundle.write", "rich"}
    assert ("onnxruntime" in modules) == (engine == "onnxruntime")


def test_a_run_of_a_kept_plan_imports_neither_onnx_nor_the_recipes():
    command = ("run", GRAPH, "--random", "0", "--json")
    for _ in range(2):
        imported(*command)
        time.sleep(0.06)  # a plan kept in the tick of its bundle's change is not trusted
    unneeded = {"onnx", "coremlc.engine.ort.translate", "coremlc.engine.reference"}
    assert not imported(*command) & {*unneeded, "coremlc.mil.dialect", "coremlc.mil.text"}
