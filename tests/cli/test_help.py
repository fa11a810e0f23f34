"""Every command: -h, an example, and what the group makes of errors."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import coremlc
from coremlc.cli import cli
from coremlc.cli.group import COMMANDS
from coremlc.errors import CompileError, DifferenceError, MachineError, UsageError


def walk(command, path=()):
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


ALL = dict(walk(cli))


def invoke(*args):
    return CliRunner().invoke(cli, args)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name):
    short = invoke(*name.split(), "-h")
    assert short.exit_code == 0
    assert short.stdout == invoke(*name.split(), "--help").stdout
    example = re.search(r"Examples?:\n((?: {4,}.*\n)+)", short.stdout)
    assert example is not None
    assert "coremlc" in example[1]
    assert "\b" not in short.stdout


@pytest.mark.parametrize("name", ALL)
def test_every_option_has_help(name):
    for parameter in ALL[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_same_flag_means_the_same():
    seen = {}
    for name, command in ALL.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and name != "":
                for flag in parameter.opts:
                    seen.setdefault(flag, set()).add((parameter.name, parameter.type.name))
    assert {flag: kinds for flag, kinds in seen.items() if len(kinds) > 1} == {}


def test_version():
    assert invoke("--version").stdout == f"coremlc, version {coremlc.__version__}\n"
    command = [sys.executable, "-m", "coremlc", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out == invoke("--version").stdout


def test_a_misspelt_command_is_guessed():
    result = invoke("complie")
    assert result.exit_code == 2
    assert "Did you mean 'compile'?" in result.stderr


ERRORS = {
    CompileError: 1,
    UsageError: 2,
    MachineError: 3,
    DifferenceError: 4,
}


@pytest.fixture
def command(monkeypatch):
    """A command that raises what it is given."""
    raised = []

    @click.command()
    def boom():
        raise raised[0]

    monkeypatch.setitem(COMMANDS, "boom", "tests.cli.test_help:BOOM")
    monkeypatch.setattr(sys.modules[__name__], "BOOM", boom, raising=False)
    return raised


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_errors_are_messages_on_stderr_and_exit_codes(command, kind):
    command.append(kind("it is so", fix="do this"))
    result = invoke("boom")
    assert result.stdout == ""
    assert result.stderr == "error: it is so\n  fix:   do this\n"
    assert result.exit_code == ERRORS[kind]


def test_a_bug_shows_its_trace_and_how_to_report(command):
    command.append(ZeroDivisionError("oh"))
    result = invoke("boom")
    assert result.exit_code == 70
    assert "Traceback" in result.stderr
    assert "this is a bug of coremlc" in result.stderr
    assert "issues/new" in result.stderr


def test_ctrl_c(command):
    command.append(KeyboardInterrupt())
    result = invoke("boom")
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"


def test_out_of_memory(command):
    command.append(MemoryError())
    assert invoke("boom").exit_code == 3


def test_a_reader_that_leaves_early():
    code = "import coremlc.cli as c, sys; sys.argv = ['coremlc', 'ops']; c.main()"
    pipe = f'{sys.executable} -W error -c "{code}" | true'
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {pipe}"], capture_output=True, text=True
    )
    assert result.stderr == ""
    assert result.returncode in (0, 141)


def imported(*args):
    """Top-level modules that a command imports."""
    code = f"""
import sys
from coremlc.cli import cli
try:
    cli({list(args)!r}, prog_name="coremlc")
except SystemExit as stop:
    assert not stop.code, stop.code
print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stderr.splitlines()[-1].split())


HEAVY = {"coremltools", "onnx", "onnxruntime"}


@pytest.mark.parametrize("args", [("--version",), ("-h",), ("cache", "path"), ("run", "-h")])
def test_light_commands_import_nothing_heavy(args):
    assert not imported(*args) & {*HEAVY, "numpy", "google", "rich"}


def test_a_cache_hit_imports_neither_coremltools_nor_onnx(fixtures):
    graph = str(fixtures / "einsum" / "graph.pb")
    assert invoke("compile", graph).exit_code == 0
    assert not imported("compile", graph) & HEAVY


def test_a_run_of_a_cached_graph_imports_no_coremltools(fixtures):
    graph = str(fixtures / "einsum" / "graph.pb")
    assert invoke("compile", graph).exit_code == 0
    assert "coremltools" not in imported("run", graph, "--random", "0", "--repeat", "0")
