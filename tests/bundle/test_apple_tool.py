"""`--writer apple`, with a stand-in for `xcrun`: no Mac takes part."""

import json
import os
import sys

import pytest

from coremlc.bundle import compile_package, compile_with_apple, read_bundle, write_mlpackage
from coremlc.bundle.apple import differences
from coremlc.errors import FormatError, MachineError
from tests.bundle import builds

TOOL = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
assert sys.argv[1:3] == ["coremlcompiler", "compile"], sys.argv
if {refusal!r}:
    sys.stderr.write({refusal!r})
    sys.exit(1)
from coremlc.bundle import compile_package
source, target = Path(sys.argv[3]), Path(sys.argv[4])
made = target / (source.stem + ".mlmodelc")
compile_package(source, made, coremlc_version="9.9", mil_version="8.8")
"""


@pytest.fixture
def xcrun(tmp_path, monkeypatch):
    """Puts an `xcrun` on the path: our own writer under other version numbers, and what it adds."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def put(more="", refusal=""):
        tool = tmp_path / "bin" / "xcrun"
        tool.parent.mkdir(exist_ok=True)
        text = TOOL.format(python=sys.executable, root=os.getcwd(), refusal=refusal)
        tool.write_text(text + more)
        tool.chmod(0o755)

    return put


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "m.mlpackage"
    write_mlpackage(path, builds.weighted(8, user_defined={"k": "v"}))
    return path


def test_without_apples_tool(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match="part of Xcode on a Mac") as caught:
        compile_with_apple(package, tmp_path / "m.mlmodelc")
    assert "drop --writer apple" in caught.value.fix
    assert caught.value.exit_code == 3


def test_an_equal_bundle(package, tmp_path, xcrun):
    xcrun()
    target = tmp_path / "other-name.mlmodelc"
    assert compile_with_apple(package, target) == ()
    assert '{"coremlc-version", "9.9"}' in read_bundle(target).text
    (content,) = json.loads((target / "metadata.json").read_text())
    assert content["generatedClassName"] == "other_name"


def test_differences_are_told(package, tmp_path, xcrun):
    xcrun(
        "text = (made / 'model.mil').read_text()\n"
        "(made / 'model.mil').write_text(text.replace(' = add', ' = mul'))\n"
        "(made / 'new.txt').write_text('new')\n"
        "meta = (made / 'metadata.json').read_text()\n"
        "(made / 'metadata.json').write_text(meta.replace('predict', 'guess'))\n"
        "(made / 'analytics' / 'coremldata.bin').unlink()\n"
    )
    found = compile_with_apple(package, tmp_path / "m.mlmodelc")
    assert [what.split(":")[0] for what in found] == [
        "analytics/coremldata.bin",
        "metadata.json",
        "model.mil",
        "new.txt",
    ]
    assert found[1] == "metadata.json: method is 'predict', Apple's 'guess'"
    assert "line 6 is " in found[2]
    assert " = mul" in found[2]
    assert (tmp_path / "m.mlmodelc" / "new.txt").exists()


def test_a_refusal_is_told_in_apples_words(package, tmp_path, xcrun):
    xcrun(refusal="coremlcompiler: error: compiler error: no.")
    with pytest.raises(FormatError, match=r"compiler error: no\."):
        compile_with_apple(package, tmp_path / "m.mlmodelc")
    assert not (tmp_path / "m.mlmodelc").exists()


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("coremldata.bin", lambda d: d[:4] + b"\x09" + d[5:], "format is 5, Apple's 9"),
        ("coremldata.bin", lambda d: d.replace(b"\x0a\x01x", b"\x0a\x01q"), "descriptions differ"),
        ("weights/weight.bin", lambda d: d[:-1] + b"\x7f", "differ from byte 191 on"),
        ("metadata.json", lambda d: d.replace(b'"0"', b'"1"'), "isUpdatable is '0', Apple's '1'"),
        ("metadata.json", lambda d: json.dumps([dict(sorted(json.loads(d)[0].items()))]).encode(),
         "another order"),
    ],
)  # fmt: skip
def test_each_kind_of_difference(package, tmp_path, name, change, what):
    ours, theirs = tmp_path / "a" / "m.mlmodelc", tmp_path / "b" / "m.mlmodelc"
    for path in (ours, theirs):
        path.parent.mkdir()
        compile_package(package, path)
    assert list(differences(ours, theirs)) == []
    (theirs / name).write_bytes(change((theirs / name).read_bytes()))
    (found,) = differences(ours, theirs)
    assert what in found


@pytest.mark.coreml
def test_apples_compiler_writes_what_we_write(tmp_path):
    """On a Mac: every feature, byte for byte but for what the fault list names."""
    models = [builds.weighted(8), builds.two_functions(), builds.stateful()]
    models.append(builds.flexible(ranges=((1, 4), (4, 4))))
    for i, model in enumerate(models):
        write_mlpackage(tmp_path / f"m{i}.mlpackage", model)
        found = compile_with_apple(tmp_path / f"m{i}.mlpackage", tmp_path / f"m{i}.mlmodelc")
        assert found == ()
