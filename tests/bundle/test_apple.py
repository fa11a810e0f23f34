"""Acceptance tests B to E and G of the bundle facts: our bytes are Apple's."""

import json
from dataclasses import replace

import pytest

from coremlc.bundle import compile_package, read_bundle, write_mlmodelc
from coremlc.bundle.coremldata import coremldata
from coremlc.bundle.metadata import class_name_of, metadata_json
from coremlc.bundle.slots import slot_order, string_hash
from coremlc.mil.text import print_program
from tests.bundle.builds import files_of, only_the_program, sorted_map, whole_package
from tests.samples import EXPORT, bundles, named, needs_samples, packages

EXPORTED = ("fp16-subnormal-cast", "quantized-constexpr", "flexible-weighted-legacy")


@pytest.fixture
def compiled(request, tmp_path):
    """A sample package compiled by us, and Apple's bundle of it."""
    package = request.param
    real = package.with_suffix(".mlmodelc")
    source = whole_package(package, real, tmp_path)
    compile_package(source, tmp_path / real.name)
    return tmp_path / real.name, real, source


each_package = pytest.mark.parametrize("compiled", packages(), ids=named, indirect=True)


@needs_samples
@each_package
def test_a_compiled_package_is_apples_bundle(compiled):
    ours, real, source = compiled
    mine, theirs = files_of(ours), files_of(real)
    assert mine.keys() == theirs.keys()
    for name in ("model.mil", "weights/weight.bin", "analytics/coremldata.bin"):
        assert mine[name] == theirs[name], name
    sorted_theirs, keys = sorted_map(theirs["coremldata.bin"])
    assert mine["coremldata.bin"] == sorted_theirs
    model = read_bundle(source).model
    order = {key: model.description.user_defined[key] for key in keys}
    text = metadata_json(model, class_name_of(real.stem), order)
    assert text == theirs["metadata.json"].decode()
    assert json.loads(mine["metadata.json"]) == json.loads(theirs["metadata.json"])


@needs_samples
@pytest.mark.parametrize("bundle", bundles(), ids=named)
def test_a_read_bundle_is_written_as_it_was(bundle, tmp_path):
    """Any bundle, from itself: text, description and metadata, without its package."""
    read = read_bundle(bundle)
    assert print_program(read.program, dialect=read.dialect) == read.text.removesuffix("\n")
    data, keys = sorted_map((bundle / "coremldata.bin").read_bytes())
    assert coremldata(read.description, read.specification_version) == data
    order = {key: read.description.user_defined[key] for key in keys}
    text = metadata_json(read.model, class_name_of(bundle.stem), order)
    assert text == (bundle / "metadata.json").read_text().removesuffix("\n")
    write_mlmodelc(tmp_path / bundle.name, read.model, weights_root=bundle)
    again = read_bundle(tmp_path / bundle.name)
    without = (replace(x.program, attributes={}) for x in (read, again))
    texts = [print_program(program, dialect=read.dialect) for program in without]
    assert texts[0] == texts[1]


@needs_samples
@pytest.mark.parametrize("name", EXPORTED)
def test_a_bare_model_of_spec_9(name, tmp_path):
    """G: the files whose digests Apple's compiler output has."""
    folder = EXPORT / name
    source = tmp_path / "input.mlmodel"
    source.write_bytes((folder / "input.rebuilt.mlmodel").read_bytes())
    weights = folder / "input.mlmodelc" / "weights"
    if weights.is_dir():
        (tmp_path / "weights").mkdir()
        target = tmp_path / "weights" / "weights.bin"
        target.write_bytes((weights / "weights.bin").read_bytes())
    versions = {"coremlc_version": "3600.25.1", "mil_version": "3600.16.1"}
    compile_package(source, tmp_path / "input.mlmodelc", **versions)
    ours, theirs = files_of(tmp_path / "input.mlmodelc"), files_of(folder / "input.mlmodelc")
    assert theirs.keys() <= ours.keys()
    assert {key: ours[key] for key in theirs} == theirs


@needs_samples
def test_the_program_of_a_bundle_is_that_of_its_package():
    """H: text -> program -> protobuf is the package's, apart from what the compiler adds."""
    for package in packages():
        text = read_bundle(package.with_suffix(".mlmodelc"))
        stored = read_bundle(package)
        trees = [only_the_program(bundle, stored.model) for bundle in (text, stored)]
        assert trees[0] == trees[1]


def test_the_hash_of_strings():
    """Short, of whole groups of four, and long enough to be sampled."""
    assert string_hash("") == 0
    assert string_hash("a") == (1 * 257 + 97) * 3
    assert string_hash("x" * 96) != string_hash("x" * 97)
    assert string_hash("a" * 32 + "b" * 100 + "a" * 32) == string_hash(
        "a" * 32 + "b" * 50 + "b" * 50 + "a" * 32
    )


def test_slots_keep_every_key():
    keys = [f"key{i}" for i in range(500)]
    assert sorted(slot_order(keys)) == sorted(keys)
    assert slot_order(keys) == slot_order(keys)
