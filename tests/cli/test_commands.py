"""Commands on real graphs: what they print, and the JSON that is promised."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import coremlc
from coremlc.arrays import read_npz, write_npz
from coremlc.cli import cli


def invoke(*args, code=0):
    result = CliRunner().invoke(cli, [str(arg) for arg in args])
    assert result.exit_code == code, result.stderr
    return result


def as_json(*args, code=0):
    return json.loads(invoke(*args, "--json", code=code).stdout)


@pytest.fixture
def graph(fixtures):
    return fixtures / "einsum" / "graph.pb"


@pytest.fixture
def expected(fixtures):
    return fixtures / "einsum" / "vectors.npz"


COMPILE_KEYS = (
    "graph", "key", "cache", "bundle", "target", "precision", "nodes", "mil_ops", "weights_bytes",
    "warnings", "stages_ms", "total_ms",
)  # fmt: skip
RUN_KEYS = "model key engine compute_units load_ms first_ms latency_ms outputs expect"


def test_compile_json(graph):
    first = as_json("compile", graph)
    assert tuple(first) == COMPILE_KEYS
    assert first["cache"] == "miss"
    assert set(first["stages_ms"]) == {"read", "verify", "passes", "lower", "write"}
    assert os.path.isfile(os.path.join(first["bundle"], "model.mil"))

    second = as_json("compile", graph)
    assert second["cache"] == "hit"
    told_again = {*COMPILE_KEYS} - {"cache", "stages_ms", "total_ms"}
    assert all(first[name] == second[name] for name in told_again)

    assert as_json("compile", graph, "--no-cache")["cache"] == "off"
    assert as_json("compile", graph, "--target", "ios16")["target"] == "iOS16"


def test_compile_for_people(graph):
    text = invoke("compile", graph).stdout
    assert text.splitlines()[0].split() == ["graph", str(graph)]
    assert "\x1b" not in text
    assert "miss" in text


def test_compile_several_gives_one_object_each(fixtures):
    graphs = [fixtures / name / "graph.pb" for name in ("einsum", "digits")]
    text = invoke("compile", *graphs, "--json").stdout
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(text)
    second, _ = decoder.raw_decode(text[end:].lstrip())
    assert [first["graph"], second["graph"]] == [str(graph) for graph in graphs]


@pytest.mark.parametrize("suffix", ["mlmodelc", "mlpackage"])
def test_compile_to_a_path_and_run_from_there(graph, expected, tmp_path, suffix):
    path = tmp_path / f"model.{suffix}"
    assert as_json("compile", graph, "-o", path)["bundle"] == str(path)
    report = as_json("run", path, "--expect", expected)
    assert report["expect"]["ok"]
    assert report["model"] == str(path)


def test_run_json(graph, expected):
    report = as_json("run", graph, "--expect", expected, "--repeat", "3")
    assert " ".join(report) == RUN_KEYS
    assert list(report["compute_units"]) == ["requested", "used", "note"]
    assert list(report["latency_ms"]) == ["n", "min", "p50", "p90", "p95", "p99", "max", "mean"]
    assert report["latency_ms"]["n"] == 3
    assert list(report["outputs"][0]) == ["name", "dtype", "shape", "path"]
    assert report["expect"]["ok"]
    names = ["name", "max_abs", "max_rel", "mismatched", "count"]
    assert list(report["expect"]["outputs"][0])[:5] == names


@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_run_agrees_with_gomlx(graph, expected, engine):
    text = invoke("run", graph, "--expect", expected, "--engine", engine).stdout
    assert text.rstrip().endswith("as expected")
    assert engine in text


def test_run_by_key(graph, expected):
    key = as_json("compile", graph)["key"]
    report = as_json("run", key[:12], "--expect", expected)
    assert report["key"] == key
    assert report["expect"]["ok"]


def test_run_with_expectations_that_are_not_met(graph, expected, tmp_path):
    arrays = read_npz(expected)
    arrays["out.integers"] = arrays["out.integers"] + 1
    wrong = tmp_path / "wrong.npz"
    write_npz(wrong, arrays)
    result = invoke("run", graph, "--expect", wrong, code=4)
    assert "DIFFERENT" in result.stdout
    assert "error: output 'integers' is not as expected" in result.stderr
    assert not json.loads(invoke("run", graph, "--expect", wrong, "--json", code=4).stdout)[
        "expect"
    ]["ok"]


def test_run_saves_outputs_in_gomlx_dtypes(graph, expected, tmp_path):
    arrays = read_npz(expected)
    report = as_json("run", graph, "-i", expected, "-o", tmp_path / "out")
    for output in report["outputs"]:
        np.testing.assert_allclose(
            np.load(output["path"]), arrays[f"out.{output['name']}"], rtol=1e-5, atol=1e-5
        )
    invoke("run", graph, "-i", expected, "-o", tmp_path / "out.npz")
    assert set(read_npz(tmp_path / "out.npz")) == {o["name"] for o in report["outputs"]}


def test_run_with_single_files_and_random_values(graph, tmp_path):
    np.save(tmp_path / "u.npy", np.zeros(3, np.float32))
    invoke("run", graph, "-i", f"u={tmp_path / 'u.npy'}", "--random", 7, "-o", tmp_path / "a.npz")
    invoke("run", graph, "-i", f"u={tmp_path / 'u.npy'}", "--random", 7, "-o", tmp_path / "b.npz")
    first, second = read_npz(tmp_path / "a.npz"), read_npz(tmp_path / "b.npz")
    assert not first["outer"].any()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_units_that_are_not_there(graph):
    args = ("--engine", "onnxruntime", "--compute-units", "cpu-and-ne")
    report = as_json("run", graph, "--random", 0, *args)
    assert report["compute_units"]["requested"] == "cpu-and-ne"
    assert report["compute_units"]["used"] == "cpu-only"
    assert "Neural Engine" in report["compute_units"]["note"]
    args = (*args, "--strict-units")
    assert "error:" in invoke("run", graph, "--random", 0, *args, code=3).stderr


BAD = {
    "no such model": (["run", "nowhere.pb"], 2, "there is no nowhere.pb"),
    "no such key": (["run", "abcdef"], 2, "no entry whose key begins with 'abcdef'"),
    "no such graph": (["compile", "nowhere.pb"], 1, "nowhere.pb"),
    "no such target": (["compile", "G", "--target", "iOS19"], 2, "'iOS19' is not one of"),
    "no inputs": (["run", "G"], 1, "input 'a' is missing"),
    "no such input file": (["run", "G", "-i", "a=none.npy"], 2, "there is no file none.npy"),
    "an input file of no name": (["run", "G", "-i", "none.npy"], 2, "neither NAME=FILE.npy nor"),
    "a garbage npz": (["run", "G", "-i", "T/garbage.npz"], 1, "no arrays of numpy can be read"),
    "a truncated npz": (["run", "G", "-i", "T/cut.npz"], 1, "no arrays of numpy can be read"),
    "a pickle": (["run", "G", "-i", "a=T/pickle.npy"], 1, "no arrays of numpy can be read"),
    "a wrong dtype": (["run", "G", "-i", "T/f64.npz"], 1, "f64 (float64) where f32[3,2,5,4,2]"),
    "an unknown output": (["run", "G", "--random", "0", "--expect", "T/out.npz"], 1, "'zzz'"),
    "no directory": (["run", "G", "--random", "0", "-o", "T/a/b"], 2, "mkdir -p"),
    "a file for a directory": (["run", "G", "--random", "0", "-o", "T/cut.npz/x"], 2, "mkdir"),
    "an empty range": (["compile", "G", "--assume", "ids=3..1"], 2, "is no range"),
    "no range": (["compile", "G", "--assume", "ids"], 2, "is no range"),
    "two bundles, one path": (["compile", "G", "G", "-o", "x.mlmodelc"], 2, "-o takes one graph"),
    "a stage of a bundle": (["inspect", "T/b.mlmodelc", "--stage", "read"], 2, "has no stages"),
    "no such stage": (["inspect", "G", "--stage", "x"], 2, "there is no stage 'x'"),
    "an output path of no kind": (["compile", "G", "-o", "T/x"], 2, ".mlmodelc"),
    "an op of no name": (["ops", "Adds"], 2, "did you mean 'Add'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_what_and_how_to_fix_it(case, graph, expected, tmp_path):
    (tmp_path / "garbage.npz").write_bytes(b"garbage")
    (tmp_path / "cut.npz").write_bytes(expected.read_bytes()[:3000])
    (tmp_path / "b.mlmodelc").mkdir()
    np.save(tmp_path / "pickle.npy", np.array([{}]), allow_pickle=True)
    doubles = {n: x.astype(np.float64) for n, x in read_npz(expected).items() if n[:3] == "in."}
    write_npz(tmp_path / "f64.npz", doubles)
    write_npz(tmp_path / "out.npz", {"out.zzz": np.zeros(1)})
    args, code, text = BAD[case]
    words = [a.replace("T/", f"{tmp_path}/") if "T/" in a else a for a in args]
    result = invoke(*[graph if word == "G" else word for word in words], code=code)
    assert text in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_damaged_cache_entry_is_mended_with_a_warning(graph, expected):
    bundle = as_json("compile", graph)["bundle"]
    with open(os.path.join(bundle, "model.mil"), "a") as file:
        file.write(" ")
    result = invoke("run", graph, "--expect", expected)
    assert "warning: the cache entry" in result.stderr
    assert "is damaged" in result.stderr
    assert invoke("run", graph, "--expect", expected).stderr == ""


def test_quiet_tells_errors_only(graph):
    bundle = as_json("compile", graph)["bundle"]
    shutil.rmtree(bundle)
    assert invoke("compile", graph, "-q").stderr == ""


def test_an_unwritable_cache_is_no_obstacle(graph, expected, monkeypatch):
    monkeypatch.setenv("COREMLC_CACHE", "/dev/null/cache")
    result = invoke("run", graph, "--expect", expected)
    assert "warning: the cache /dev/null/cache can't be written" in result.stderr
    assert "as expected" in result.stdout


def test_inspect(graph):
    report = as_json("inspect", graph)
    assert {"name", "dtype", "shape", "features", "feature_dtype", "range"} == {
        *report["inputs"][0]
    }
    assert report["ops"]["matmul"] > 0
    assert "const" not in report["ops"]
    assert "matmul" in invoke("inspect", graph).stdout
    assert "DotGeneral" in invoke("inspect", graph, "--text").stdout
    assert "DotGeneral" not in invoke("inspect", graph, "--stage", "decompose").stdout
    key = as_json("compile", graph)["key"]
    assert invoke("inspect", key, "--text").stdout.startswith("program(1.3)")


def test_cache_commands(graph, cache_dir):
    assert invoke("cache", "path").stdout == f"{cache_dir}\n"
    assert as_json("cache", "ls") == {"path": str(cache_dir), "entries": [], "size_bytes": 0}
    key = as_json("compile", graph)["key"]
    (entry,) = as_json("cache", "ls")["entries"]
    assert entry["key"] == key
    assert entry["graph"] == "einsum"
    assert key[:12] in invoke("cache", "ls").stdout
    info = as_json("cache", "info", key[:10])
    assert info["parts"]["target"] == "str:iOS18"
    assert "model.mlmodelc/model.mil" in info["files"]
    assert "part of the key" in invoke("cache", "info", key[:10]).stdout


def test_verbose_tells_stages_and_twice_what_was_fused(fixtures):
    compile_anew = ["compile", fixtures / "tiny-llama" / "graph.pb", "--no-cache"]
    told = [invoke(*compile_anew, *flags).stderr for flags in ([], ["-v"], ["-vv"])]
    assert told[0] == ""
    stages = re.findall(r"^(\w+): [0-9.]+ ms$", told[1], re.MULTILINE)
    assert stages == ["read", "passes", "verify", "lower", "write"]
    assert "fused" not in told[1]
    assert re.search(r"^gated at .*transformer.go:\d+: fused$", told[2], re.MULTILINE)


def test_ops():
    report = as_json("ops")
    assert list(report) == ["ops", "summary"]
    keys = "name how meaning reason group dtypes exactness targets mil_ops refusals"
    assert all(" ".join(row) == keys for row in report["ops"])
    assert {row["how"] for row in report["ops"]} == {"lowered", "decomposed", "declined"}
    assert all(bool(row["reason"]) == (row["how"] == "declined") for row in report["ops"])
    table = invoke("ops", "--target", "ios15").stdout
    assert report["summary"] in table
    assert re.search(r"Abs +lowered +I F C +rounded +1 +iOS15\+ +\(x: N", table)


def test_one_op():
    report = as_json("ops", "Bitcast")
    assert list(report) == ["op", "attributes", "text"]
    assert report["op"]["refusals"][0]["case"] == "f64"
    table = invoke("ops", "bitcast").stdout
    for told in ("target_dtype: DType", "u8, u16", "exactness   exact", "Core ML has no such bits"):
        assert told in table


def test_doctor():
    report = as_json("doctor")
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["onnxruntime"] == "ok"
    assert states["cache"] == "ok"
    assert all(check["fix"] for check in report["checks"] if check["state"] != "ok")


def test_doctor_tells_of_an_unwritable_cache(monkeypatch):
    monkeypatch.setenv("COREMLC_CACHE", "/dev/null/cache")
    assert "COREMLC_CACHE" in invoke("doctor").stdout


def test_python_api(graph, expected):
    model = coremlc.compile(graph, target="iOS18")
    arrays = read_npz(expected)
    inputs = {name[3:]: x for name, x in arrays.items() if name.startswith("in.")}
    assert {port.name for port in model.signature.inputs} == {*inputs}
    assert model.key == model.report.key
    with coremlc.load(model.bundle, compute_units="cpu-only") as run:
        outputs = run(**inputs)
        again = run(inputs)
    np.testing.assert_array_equal(outputs["integers"], arrays["out.integers"])
    np.testing.assert_array_equal(again["integers"], arrays["out.integers"])


VERIFY_KEYS = ("model", "engine", "against", "ok", "outputs", "first")


def test_verify_json(graph, expected):
    told = as_json("verify", graph, "--vectors", expected, "--engine", "reference")
    assert tuple(told) == VERIFY_KEYS
    assert told["ok"]
    assert told["first"] is None
    assert set(told["outputs"][0]) == {"name", "max_abs", "max_rel", "mismatched", "count", "note"}


def test_verify_exits_with_4_where_outputs_differ(fixtures, tmp_path):
    """A tolerance of zero: no two float engines of digits are that close."""
    graph = fixtures / "digits" / "graph.pb"
    how = ("--tolerance", 0, "--bisect", tmp_path / "first")
    result = invoke("verify", graph, "--engine", "reference", *how, code=4)
    assert "DIFFERENT" in result.stdout
    assert "first node" in result.stdout
    assert f"report it with {tmp_path / 'first' / 'graph.pb'}" in result.stderr
