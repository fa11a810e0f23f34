"""Bundles of other makers, and damaged ones, through the commands."""

import json
import os
import struct

import numpy as np
import pytest

from coremlc.bundle import read_bundle, write_mlmodelc, write_mlpackage
from coremlc.bundle.verify import _references
from coremlc.mil.description import Feature
from coremlc.runner import EngineOptions, load
from tests.bundle import builds
from tests.bundle.test_apple_tool import xcrun
from tests.cli.test_commands import as_json, invoke
from tests.samples import EXPORT, MOBIUS, ROOT, needs_samples

__all__ = ["xcrun"]
engines = pytest.mark.parametrize("engine", ["onnxruntime", "reference"])


# compile: what Xcode's coremlcompiler does


@pytest.mark.parametrize("version", [6, 7, 8, 9, 10])
def test_a_package_is_compiled(version, tmp_path):
    package, bundle = tmp_path / "sum.mlpackage", tmp_path / "my-sum.mlmodelc"
    write_mlpackage(package, builds.weighted(version))
    report = as_json("compile", package, "-o", bundle)
    assert report["bundle"] == str(bundle)
    assert (
        report["target"] == {6: "iOS15", 7: "iOS16", 8: "iOS17", 9: "iOS18", 10: "iOS26"}[version]
    )
    assert (report["mil_ops"], report["cache"]) == (1, "off")
    (content,) = json.loads((bundle / "metadata.json").read_text())
    assert content["generatedClassName"] == "my_sum"
    read = read_bundle(bundle)
    assert read.header.format == (9 if version > 8 else 5)
    assert read.dialect == ("1.3" if version > 8 else "1.0")
    if version == 10:
        assert "func main<ios19>" in read.text
        assert content["availability"]["iOS"] == "19.0"
    assert as_json("inspect", bundle, "--verify")["ok"] is True


def test_without_a_path_a_package_goes_to_the_cache(tmp_path):
    package = tmp_path / "sum.mlpackage"
    write_mlpackage(package, builds.weighted(8))
    first, second = (as_json("compile", package) for _ in range(2))
    assert (first["cache"], second["cache"]) == ("miss", "hit")
    assert first["bundle"] == second["bundle"]
    model = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    assert as_json("compile", model, "-o", tmp_path / "bare.mlmodelc")["mil_ops"] == 1


@needs_samples
def test_a_real_package_becomes_apples_bundle(tmp_path):
    package = MOBIUS / "unified_int8.mlpackage"
    as_json("compile", package, "-o", tmp_path / "unified_int8.mlmodelc")
    for name in ("model.mil", "weights/weight.bin", "analytics/coremldata.bin"):
        theirs = (MOBIUS / "unified_int8.mlmodelc" / name).read_bytes()
        assert (tmp_path / "unified_int8.mlmodelc" / name).read_bytes() == theirs


@pytest.mark.parametrize(
    ("args", "code", "what"),
    [
        (["-o", "m.mlpackage"], 2, "a package becomes a .mlmodelc"),
        (["-o", "m.mlmodelc", "--target", "iOS16"], 2, "which is compiled as it is"),
        (["--writer", "apple"], 2, "--writer apple needs a path"),
        (["-o", "m.mlmodelc", "--writer", "apple"], 3, "part of Xcode on a Mac"),
    ],
)
def test_what_a_package_can_not_be_told(args, code, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    write_mlpackage(tmp_path / "sum.mlpackage", builds.weighted(8))
    assert what in invoke("compile", "sum.mlpackage", *args, code=code).stderr
    assert os.listdir(tmp_path) == ["sum.mlpackage"]


def test_apples_writer_is_compared_with_ours(fixtures, tmp_path, xcrun):
    xcrun("(made / 'metadata.json').write_text('[{}]')\n")
    bundle = tmp_path / "m.mlmodelc"
    result = invoke("compile", fixtures / "einsum" / "graph.pb", "-o", bundle, "--writer", "apple")
    assert "Apple's bundle differs from ours: metadata.json: " in result.stderr
    assert '"coremlc-version", "9.9"' in (bundle / "model.mil").read_text()


# inspect


def test_what_is_unproven_is_told(tmp_path):
    write_mlmodelc(tmp_path / "s.mlmodelc", builds.stateful())
    report = as_json("inspect", tmp_path / "s.mlmodelc")
    assert report["states"] == {"k": "state<fp16[1, 4]>"}
    assert any("state entries" in what for what in report["unproven"])
    assert "unproven" in invoke("inspect", tmp_path / "s.mlmodelc").stdout
    write_mlmodelc(tmp_path / "p.mlmodelc", builds.weighted(7))
    assert as_json("inspect", tmp_path / "p.mlmodelc")["unproven"] == []


def test_damage_is_listed_and_an_exit_code(tmp_path):
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, builds.weighted(8))
    assert "is whole" in invoke("inspect", path, "--verify").stdout
    weights = path / "weights" / "weight.bin"
    weights.write_bytes(weights.read_bytes()[:150])
    metadata = path / "metadata.json"
    metadata.write_text(metadata.read_text()[:50])
    report = as_json("inspect", path, "--verify", code=1)
    assert report["ok"] is False
    assert [{"what", "place"} == set(problem) for problem in report["problems"]] == [True] * 2
    result = invoke("inspect", path, "--verify", code=1)
    assert "the file at 150 bytes" in result.stdout
    assert "is damaged" in result.stderr
    assert "Traceback" not in result.stderr


def test_ops_that_make_no_sense_are_damage(tmp_path):
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, builds.weighted(9))
    text = (path / "model.mil").read_text()
    (path / "model.mil").write_text(text.replace("tensor<fp32, [16]> y =", "tensor<fp32, [1]> y ="))
    (problem,) = as_json("inspect", path, "--verify", code=1)["problems"]
    assert problem == {
        "what": "its result is fp32[16], the program says fp32[1]",
        "place": "MIL op add -> %y",
    }
    assert "its result is fp32[16]" in invoke("run", path, "--random", "0", code=1).stderr


# run


@engines
def test_several_functions(engine, tmp_path):
    path = tmp_path / "f.mlmodelc"
    write_mlmodelc(path, builds.two_functions())
    second = as_json("run", path, "--random", 0, "--engine", engine)
    assert [o["shape"] for o in second["outputs"]] == [[16]]
    first = as_json("run", path, "--random", 0, "--engine", engine, "--function", "first")
    assert [o["shape"] for o in first["outputs"]] == [[1, 4]]
    result = invoke("run", path, "--random", 0, "--function", "third", code=2)
    assert "--function first or second" in result.stderr


@engines
def test_flexible_shapes(engine, tmp_path):
    path = tmp_path / "f.mlmodelc"
    write_mlmodelc(path, builds.flexible(ranges=((1, 8), (4, 4))))
    given = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    np.save(tmp_path / "x.npy", given)
    report = as_json("run", path, "-i", f"x={tmp_path / 'x.npy'}", "-o", tmp_path / "out.npz",
                     "--engine", engine)  # fmt: skip
    assert report["outputs"][0]["shape"] == [3, 4]
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["y"], np.maximum(given, 0))
    assert as_json("run", path, "--random", 0)["outputs"][0]["shape"] == [1, 4]


@engines
def test_a_state_is_kept_between_calls(engine, tmp_path):
    path = tmp_path / "s.mlmodelc"
    write_mlmodelc(path, builds.stateful())
    assert as_json("run", path, "--random", 0, "--repeat", 3, "--engine", engine)["outputs"]
    values = np.array([[1, 2, 3, 4]], np.float16)
    with load(path, EngineOptions(engine=engine)) as model:
        once = model(v=values)["y"]
        twice = model(v=values)["y"]
        model.executable.reset()
        np.testing.assert_array_equal(model(v=values)["y"], once)
    assert once.shape == twice.shape == (1, 4)


@engines
def test_an_optional_input_has_its_default(engine, tmp_path):
    from dataclasses import replace

    model = builds.weighted(8)
    x = Feature("x", "fp32", (16,), is_optional=True, default=2.0)
    model = replace(model, description=replace(model.description, inputs=(x,)))
    write_mlmodelc(tmp_path / "o.mlmodelc", model)
    with load(tmp_path / "o.mlmodelc", EngineOptions(engine=engine)) as loaded:
        np.testing.assert_array_equal(loaded()["y"], np.arange(16) + 2)
        np.testing.assert_array_equal(loaded(x=np.zeros(16, np.float32))["y"], np.arange(16))


@needs_samples
@pytest.mark.parametrize(
    "path",
    [
        *sorted(MOBIUS.glob("*.mlmodelc")),
        MOBIUS / "unified_int8.mlpackage",
        MOBIUS / "unified_palette_2bit.mlpackage",
        ROOT / "apple__coremltools" / "add_model.mlmodelc",
        ROOT / "FluidInference__FluidAudio" / "TransposeEncoder.mlmodelc",
        *sorted(p.parent for p in EXPORT.glob("flexible-[ew]*/input.mlmodelc/model.mil")),
        EXPORT / "fp16-subnormal-cast" / "input.mlmodelc",
        EXPORT / "quantized-constexpr" / "input.mlmodelc",
    ],
    ids=lambda path: path.parent.name + "-" + path.name,
)
def test_real_bundles_simply_run(path):
    for engine in ("onnxruntime", "reference"):
        report = as_json("run", path, "--random", 0, "--repeat", 1, "--engine", engine)
        assert report["outputs"]


def put_weights(bundle):
    """Half floats of our own where the text refers to a weight file, which did not come with it."""
    refs = [*_references(read_bundle(bundle).program)]
    assert all(kind.dtype == "fp16" for _, kind in refs)
    if not refs:
        return
    file = bundle / refs[0][0].path.removeprefix("@model_path/")
    file.parent.mkdir()
    numbers = np.random.default_rng(1)
    with file.open("wb") as out:
        out.write(struct.pack("<II56x", len(refs), 2))
        for ref, kind in refs:
            data = numbers.normal(size=kind.shape, scale=0.1).astype(np.float16).tobytes()
            out.seek(ref.offset)
            out.write(struct.pack("<IIQQQ32x", 0xDEADBEEF, 1, len(data), ref.offset + 64, 0))
            out.write(data)


@needs_samples
@pytest.mark.parametrize("path", sorted(ROOT.glob("751K*/*.mil")), ids=lambda path: path.stem)
def test_texts_of_apples_optimiser_run_too(path, tmp_path):
    """Their buffers are taken for the tensors that they hold."""
    bundle = tmp_path / "m.mlmodelc"
    bundle.mkdir()
    (bundle / "model.mil").write_bytes(path.read_bytes())
    put_weights(bundle)
    found = []
    for engine in ("onnxruntime", "reference"):
        with load(bundle, EngineOptions(engine=engine, threads=1)) as model:
            numbers = np.random.default_rng(0)
            features = {
                port.name: numbers.normal(size=port.sizes).astype(port.dtype.numpy)
                if port.dtype.kind == "float"
                else np.zeros(port.sizes, port.dtype.numpy)
                for port in model.signature.inputs
            }
            found.append(model(features))
    assert found[0].keys() == found[1].keys()
    for name, array in found[0].items():
        np.testing.assert_allclose(array, found[1][name], rtol=5e-3, atol=5e-3)
