import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coremlc.bundle import (
    compile_package,
    read_bundle,
    verify_bundle,
    write_mlmodelc,
    write_mlpackage,
)
from coremlc.bundle.files import staged
from coremlc.bundle.histogram import op_name, precision_name
from coremlc.bundle.metadata import class_name_of
from coremlc.errors import FormatError, MachineError, UsageError
from coremlc.mil.description import Feature
from coremlc.mil.program import BlobRef
from coremlc.mil.text import print_program
from coremlc.mil.types import TensorType
from tests.bundle import builds
from tests.mil import programs


def metadata(bundle):
    (content,) = json.loads((bundle / "metadata.json").read_text())
    return content


# What is written


@pytest.mark.parametrize("version", [6, 7, 8, 9, 10])
def test_a_bundle_is_read_as_it_was_written(version, tmp_path):
    path = tmp_path / "sum.mlmodelc"
    write_mlmodelc(path, builds.weighted(version, user_defined={"k": "v"}))
    assert sorted(builds.files_of(path)) == [
        "analytics/coremldata.bin",
        "coremldata.bin",
        "metadata.json",
        "model.mil",
        "weights/weight.bin",
    ]
    bundle = read_bundle(path)
    assert bundle.specification_version == version
    assert bundle.dialect == ("1.3" if version > 8 else "1.0")
    assert bundle.user_defined == {"k": "v"} == bundle.description.user_defined
    weight, total = bundle.program.functions["main"].block.ops
    assert weight.attributes["val"].data == BlobRef("@model_path/weights/weight.bin", 64)
    np.testing.assert_array_equal(bundle.array(weight.attributes["val"]), np.arange(16))
    assert bundle.array(weight.attributes["val"].data).shape == (16,)
    assert total.inputs["y"][0] is weight.outputs[0]
    assert verify_bundle(path) == []


def test_small_constants_stay_in_the_text(tmp_path):
    write_mlmodelc(tmp_path / "s.mlmodelc", builds.weighted(size=9))
    assert not (tmp_path / "s.mlmodelc" / "weights").exists()
    bundle = read_bundle(tmp_path / "s.mlmodelc")
    (weight, _) = bundle.program.functions["main"].block.ops
    assert bundle.array(weight.attributes["val"]).tolist() == list(range(9))


def test_equal_models_give_equal_bytes_anywhere(tmp_path):
    """In another process, with another hash seed."""
    code = (
        "import sys; sys.path.insert(0, '.'); from pathlib import Path\n"
        "from tests.bundle.builds import *; from coremlc.bundle import *\n"
        "m = weighted(user_defined={'b': '1', 'a': '2', 'c': '3'})\n"
        "write_mlmodelc(Path(sys.argv[1]) / 'm.mlmodelc', m)\n"
        "write_mlpackage(Path(sys.argv[1]) / 'm.mlpackage', m)\n"
    )
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", code, tmp_path / seed],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
    assert builds.files_of(tmp_path / "1") == builds.files_of(tmp_path / "2")


def test_a_package_compiles_to_the_bundle(tmp_path):
    """Writing a package and compiling it, or writing the bundle at once: the same bytes."""
    for i, model in enumerate((builds.weighted(8), builds.two_functions(), builds.stateful())):
        package, direct = tmp_path / f"{i}.mlpackage", tmp_path / f"{i}.mlmodelc"
        write_mlpackage(package, model)
        write_mlmodelc(direct, model)
        expected = builds.files_of(direct)
        compile_package(package, direct, replace_existing=True)
        assert builds.files_of(direct) == expected
        assert verify_bundle(package) == verify_bundle(direct) == []
        back = tmp_path / f"{i}-back.mlpackage"
        write_mlpackage(back, read_bundle(direct).model, weights_root=direct)
        texts = [print_program(read_bundle(p).program, dialect="1.3") for p in (package, back)]
        assert texts[0] == texts[1]


def test_coremltools_opens_our_package(tmp_path):
    write_mlpackage(tmp_path / "m.mlpackage", builds.weighted(8))
    code = (
        "import warnings; warnings.simplefilter('ignore'); import coremltools as ct\n"
        "m = ct.models.MLModel('m.mlpackage', skip_model_load=True)\n"
        "assert m.get_spec().description.input[0].name == 'x'\n"
        "assert m.weights_dir.endswith('weights')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("flexibility", "header", "entry"),
    [
        (
            {"ranges": ((1, 4), (4, 4))},
            " [FlexibleShapeInformation = tuple<tuple<string, dict<string, tensor<int32, [?]>>>, "
            "tuple<string, dict<string, list<tensor<int32, [2]>, ?>>>>"
            '((("DefaultShapes", {{"x", [1, 4]}}), ("RangeDims", {{"x", [[1, 4], [4, 4]]}})))] {',
            {"shapeRange": "[[1, 4], [4, 4]]", "shapeFlexibility": "1...4 × 4"},
        ),
        (
            {"enumerated": ((1, 4), (2, 4))},
            " [FlexibleShapeInformation = tuple<tuple<string, dict<string, tensor<int32, [?]>>>, "
            "tuple<string, dict<string, dict<string, tensor<int32, [?]>>>>>"
            '((("DefaultShapes", {{"x", [1, 4]}}), ("EnumeratedShapes", {{"',
            {"enumeratedShapes": "[[1, 4], [2, 4]]", "shapeFlexibility": "1 × 4 | 2 × 4"},
        ),
    ],
)
def test_flexible_shapes(flexibility, header, entry, tmp_path):
    write_mlmodelc(tmp_path / "f.mlmodelc", builds.flexible(**flexibility))
    bundle = read_bundle(tmp_path / "f.mlmodelc")
    assert f"tensor<fp32, [?, 4]> x){header}" in bundle.text
    assert bundle.description.inputs == (Feature("x", "fp32", (1, 4), **flexibility),)
    (schema,) = metadata(tmp_path / "f.mlmodelc")["inputSchema"]
    assert schema["hasShapeFlexibility"] == "1"
    assert {key: schema[key] for key in entry} == entry
    (output,) = metadata(tmp_path / "f.mlmodelc")["outputSchema"]
    assert (output["formattedType"], output["shape"]) == ("MultiArray (Float32)", "[]")
    assert verify_bundle(tmp_path / "f.mlmodelc") == []


def test_several_functions(tmp_path):
    write_mlmodelc(tmp_path / "f.mlmodelc", builds.two_functions())
    text = read_bundle(tmp_path / "f.mlmodelc").text
    assert text.index("func first<ios17>") < text.index("func second<ios18>")
    assert text.count("FlexibleShapeInformation") == 1
    content = metadata(tmp_path / "f.mlmodelc")
    assert [f["name"] for f in content["functions"]] == ["first", "second"]
    assert content["defaultFunctionName"] == "second"
    assert content["inputSchema"] == content["functions"][1]["inputSchema"]


def test_states(tmp_path):
    write_mlmodelc(tmp_path / "s.mlmodelc", builds.stateful())
    bundle = read_bundle(tmp_path / "s.mlmodelc")
    assert (
        "func main<ios18>(state<tensor<fp16, [1, 4]>> k, tensor<fp16, [1, 4]> v) {" in bundle.text
    )
    assert [state.name for state in bundle.description.states] == ["k"]
    (schema,) = metadata(tmp_path / "s.mlmodelc")["stateSchema"]
    assert schema["formattedType"] == "State (Float16 1 × 4)"


def test_build_info_is_merged(tmp_path):
    model = replace(builds.weighted(), program=programs.varied())
    write_mlpackage(tmp_path / "v.mlpackage", model, weights_root=weights_for_varied(tmp_path))
    versions = {"coremlc_version": "1.2.3", "mil_version": "4.5.6"}
    compile_package(tmp_path / "v.mlpackage", tmp_path / "v.mlmodelc", **versions)
    assert (
        '({{"coremlc-component-MIL", "4.5.6"}, {"coremlc-version", "1.2.3"}, '
        '{"coremltools-version", "9.0"}})]'
    ) in read_bundle(tmp_path / "v.mlmodelc").text


def weights_for_varied(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "weight.bin").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "opset", "name"),
    [
        ("pad", "CoreML8", "Pad"),
        ("reduce_sum", "CoreML7", "Ios16.reduceSum"),
        ("relu", "CoreML5", "Relu"),
        ("relu", "CoreML8", "Ios18.relu"),
        ("matmul", "CoreML8", "Ios18.matmul"),
        ("dequantize", "CoreML9", "Ios19.dequantize"),
        ("while_loop", "CoreML7", "WhileLoop"),
        ("range_1d", "CoreML7", "Range1d"),
        ("expand_dims", "CoreML6", "ExpandDims"),
        ("expand_dims", "CoreML7", "Ios17.expandDims"),
    ],
)
def test_names_of_the_histogram(kind, opset, name):
    assert op_name(kind, opset) == name


def test_small_names():
    assert class_name_of("silero-vad-unified-v6.0.0") == "silero_vad_unified_v6_0_0"
    assert [precision_name(d) for d in ("fp16", "uint8", "int4")] == ["Float16", "UInt8", "Int4"]


# What goes wrong leaves nothing behind


def left(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_missing_parent(tmp_path):
    with pytest.raises(UsageError, match="there is no directory") as caught:
        write_mlmodelc(tmp_path / "no" / "m.mlmodelc", builds.weighted())
    assert "mkdir -p" in caught.value.fix
    assert left(tmp_path) == []


def test_a_file_in_place_of_the_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="there is no directory"):
        write_mlmodelc(tmp_path / "file" / "m.mlmodelc", builds.weighted())
    assert left(tmp_path) == ["file"]


def test_an_existing_target_is_replaced_only_if_asked(tmp_path):
    path = tmp_path / "m.mlmodelc"
    write_mlmodelc(path, builds.weighted(8))
    before = builds.files_of(path)
    with pytest.raises(UsageError, match=r"m\.mlmodelc exists"):
        write_mlmodelc(path, builds.weighted(9))
    assert builds.files_of(path) == before
    write_mlmodelc(path, builds.weighted(9), replace_existing=True)
    assert read_bundle(path).specification_version == 9
    assert left(tmp_path) == ["m.mlmodelc"]


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_only_bundles_are_replaced(kind, tmp_path):
    path = tmp_path / "m.mlmodelc"
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        write_mlmodelc(tmp_path / "other.mlmodelc", builds.weighted())
        path.symlink_to(tmp_path / "other.mlmodelc")
    else:
        path.mkdir()
        (path / "thesis.tex").write_text("precious")
    before = left(tmp_path)
    with pytest.raises(UsageError, match="exists and is no bundle"):
        write_mlmodelc(path, builds.weighted(), replace_existing=True)
    assert left(tmp_path) == before


def test_a_failure_half_way_leaves_nothing(tmp_path):
    bad = replace(
        builds.weighted(), program=programs.program((), (programs.op("a b", "y", None),), ())
    )
    with pytest.raises((FormatError, AssertionError)):
        write_mlmodelc(tmp_path / "m.mlmodelc", bad)
    assert left(tmp_path) == []


def test_a_full_disk(tmp_path):
    def fill():
        with staged(tmp_path / "m.mlmodelc", replace=False) as stage:
            (stage / "half").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(MachineError, match=r"can't write m\.mlmodelc") as caught:
        fill()
    assert "free some disk space" in caught.value.fix
    assert caught.value.exit_code == 3
    assert left(tmp_path) == []


def test_a_real_full_disk(tmp_path):
    """A file system of 64 KB, where mounting one is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine doesn't let us mount a small file system")
    try:
        with pytest.raises(MachineError, match="No space left"):
            write_mlmodelc(disk / "m.mlmodelc", builds.weighted(size=100_000))
        assert left(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_long_name(tmp_path):
    with pytest.raises(MachineError, match="can't write") as caught:
        write_mlmodelc(tmp_path / ("m" * 300), builds.weighted())
    assert "shorter" in caught.value.fix
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["@model_path/../../etc/passwd", "/etc/passwd", "@model_path//etc"]
)
def test_weights_stay_inside_the_bundle(path, tmp_path):
    op = programs.const("c", "fp32", [1])
    op = replace(
        op, attributes={"val": programs.Literal(TensorType("fp32", (1,)), BlobRef(path, 64))}
    )
    model = replace(builds.weighted(), program=programs.program((), (op,), op.outputs))
    with pytest.raises(FormatError, match="leaves the bundle"):
        write_mlmodelc(tmp_path / "m.mlmodelc", model, weights_root=Path("/"))
    assert left(tmp_path) == []


def test_unknown_specification_versions(tmp_path):
    with pytest.raises(UsageError, match="specification version 5"):
        write_mlmodelc(tmp_path / "m.mlmodelc", replace(builds.weighted(), specification_version=5))
