import json
import random
import shutil
import subprocess
import sys
from contextlib import suppress

import pytest

from coremlc.bundle import read_bundle, verify_bundle, write_mlmodelc, write_mlpackage
from coremlc.errors import CoremlcError, FormatError, UsageError
from tests.bundle import builds
from tests.samples import ROOT, bundles, named, needs_samples


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, builds.weighted(8, user_defined={"k": "v"}))
    return path


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "m.mlpackage"
    write_mlpackage(path, builds.weighted(8))
    return path


@needs_samples
@pytest.mark.parametrize("path", bundles(), ids=named)
def test_real_bundles_are_whole(path):
    assert verify_bundle(path) == []
    read = read_bundle(path)
    assert read.description.inputs
    assert dict(read.user_defined) == dict(read.description.user_defined)


@needs_samples
def test_bundles_of_a_text_only():
    path = ROOT / "FluidInference__FluidAudio" / "TransposeEncoder.mlmodelc"
    bundle = read_bundle(path)
    assert list(bundle.program.functions) == ["main"]
    with pytest.raises(FormatError, match=r"coremldata\.bin is missing"):
        _ = bundle.description


def test_running_needs_no_protobuf(bundle):
    code = (
        "import sys; from pathlib import Path; from coremlc.bundle import read_bundle\n"
        f"b = read_bundle(Path({str(bundle)!r}))\n"
        "b.array(b.program.functions['main'].block.ops[0].attributes['val'])\n"
        "assert b.user_defined == {'k': 'v'} and b.specification_version == 8\n"
        "assert 'google.protobuf' not in sys.modules and 'coremltools' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_bare_model_file(package, tmp_path):
    data = package / "Data" / "com.apple.CoreML"
    bundle = read_bundle(data / "model.mlmodel")
    assert bundle.weights_root == data
    assert verify_bundle(data / "model.mlmodel") == []
    (package / "Manifest.json").unlink()
    assert read_bundle(package).specification_version == 8


def test_nothing_there(tmp_path):
    with pytest.raises(UsageError, match="there is no"):
        read_bundle(tmp_path / "none.mlmodelc")
    (tmp_path / "e.mlmodelc").mkdir()
    with pytest.raises(FormatError, match=r"model\.mil is missing"):
        _ = read_bundle(tmp_path / "e.mlmodelc").program


def cut(name, size):
    def change(path):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[:size])

    return change


def swap(name, old, new):
    def change(path):
        data = (path / name).read_bytes()
        assert old in data
        (path / name).write_bytes(data.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: shutil.rmtree(p / "weights"), "no such weight file"),
        (lambda p: (p / "model.mil").unlink(), "model.mil is missing"),
        (lambda p: (p / "coremldata.bin").unlink(), "coremldata.bin is missing"),
        (cut("weights/weight.bin", 150), "the file at 150 bytes"),
        (cut("weights/weight.bin", 0), "0 bytes are no weight file"),
        (cut("model.mil", 300), "expected"),
        (cut("coremldata.bin", 60), "60 bytes are no coremldata.bin"),
        (cut("coremldata.bin", 110), "the description has"),
        (cut("metadata.json", 50), "no metadata"),
        (swap("metadata.json", b'"k" : "v"', b'"k" : "w"'), "metadata differ"),
        (swap("metadata.json", b'Version" : 8', b'Version" : 9'), "specification version 9"),
        (swap("model.mil", b"[16]", b"[15]"), "takes 60"),
        (swap("model.mil", b"uint64, []>(64)", b"uint64, []>(128)"), "no blob at offset 128"),
        (swap("model.mil", b"> x)", b"> z)"), "'x' is not defined"),
        (swap("model.mil", b"weights/weight", b"../weight"), "leaves the bundle"),
        (swap("model.mil", b"program(1.0)", b"program(1.3)"), "dialect 1.3, the version's is 1.0"),
        (swap("model.mil", b"add(", b"\xff\xff("), "is not UTF-8"),
        (swap("coremldata.bin", b"\x0a\x01x", b"\x0a\x01q"), "input 'q' is in the description"),
        (swap("coremldata.bin", b"generic", b"pipelin"), "a variant"),
        (swap("coremldata.bin", b"\xf6\x01", b"\xca\x00"), "type 202, not an ML Program"),
    ],
)
def test_damage_is_found(bundle, change, what):
    change(bundle)
    problems = verify_bundle(bundle)
    assert any(what in str(problem) for problem in problems), problems


def test_damage_in_a_package_is_found(package):
    data = package / "Data" / "com.apple.CoreML"
    (data / "weights" / "weight.bin").unlink()
    assert "no such weight file" in str(verify_bundle(package)[0])
    (package / "Manifest.json").write_text('{"itemInfoEntries": []}')
    assert "names no root model" in str(verify_bundle(package)[0])
    manifest = {"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": "../../x"}}}
    (package / "Manifest.json").write_text(json.dumps(manifest))
    assert "outside the package" in str(verify_bundle(package)[0])


def test_mutated_bundles_never_break_the_reader(tmp_path):
    """No traceback, whatever byte changes; `make fuzz-bundles` does more."""
    rng = random.Random(5)
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, builds.two_functions())
    whole = builds.files_of(path)
    for _ in range(300):
        name = rng.choice(sorted(whole))
        data = bytearray(whole[name])
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (path / name).write_bytes(bytes(data[: rng.choice((None, rng.randrange(len(data))))]))
        problems = verify_bundle(path)
        assert all(problem.what for problem in problems)
        with suppress(CoremlcError):
            _ = read_bundle(path).model
        (path / name).write_bytes(whole[name])
    assert verify_bundle(path) == []
