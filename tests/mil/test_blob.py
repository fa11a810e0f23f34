import io
import struct
import tracemalloc

import numpy as np
import pytest

from coremlc.errors import FormatError
from coremlc.mil.arrays import STORAGE, pack, unpack
from coremlc.mil.blob import BlobFile, BlobPlan
from coremlc.mil.program import BlobRef, Literal
from coremlc.mil.types import TensorType
from coremlc.mil.weights import WEIGHT_PATH, place_weights
from tests.mil import programs
from tests.samples import MOBIUS, named, needs_samples

BLOB_DTYPES = sorted(dtype for dtype, row in STORAGE.items() if row.blob_code is not None)


def random_array(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    row = STORAGE[dtype]
    if row.maximum:
        return rng.integers(row.minimum, row.maximum, shape, endpoint=True).astype(row.numpy)
    return rng.normal(size=shape).astype(row.numpy)


def written(plan, path):
    with path.open("wb") as file:
        plan.write(file)
    assert path.stat().st_size == plan.size_bytes
    return BlobFile(path)


@needs_samples
@pytest.mark.parametrize("path", sorted(MOBIUS.rglob("weight.bin")), ids=named)
def test_real_weights_are_written_as_they_were(path):
    """F: records read, placed again, written: the same bytes."""
    blob, plan = BlobFile(path), BlobPlan()
    for record in blob.records():
        array = blob.array(record.offset, TensorType(record.dtype, (blob.elements(record),)))
        plan._by_head.clear()  # equal constants are stored apart in these files
        assert plan.place(array, record.dtype) == record.offset
    out = io.BytesIO()
    plan.write(out)
    assert out.getvalue() == path.read_bytes()


@pytest.mark.parametrize("dtype", BLOB_DTYPES)
def test_round_trip(dtype, tmp_path):
    arrays = [random_array(dtype, shape, i) for i, shape in enumerate([(3, 5), (), (8,), (0,)])]
    plan = BlobPlan()
    offsets = [plan.place(array, dtype) for array in arrays]
    blob = written(plan, tmp_path / "w.bin")
    assert [record.offset for record in blob.records()] == offsets
    for offset, array in zip(offsets, arrays, strict=True):
        again = blob.array(offset, TensorType(dtype, array.shape))
        assert again.dtype == array.dtype
        assert not again.flags.writeable
        np.testing.assert_array_equal(
            again.view(np.uint8), array.view(np.uint8)
        ) if array.ndim else None
        assert again.tobytes() == array.tobytes()


def test_coremltools_writes_the_same_bytes(tmp_path):
    """Every dtype its storage library takes, in one file."""
    import subprocess
    import sys

    dtypes = [d for d in BLOB_DTYPES if not d.startswith(("bf", "fp8"))]
    plan = BlobPlan()
    for i, dtype in enumerate(dtypes):
        array = random_array(dtype, 11 + i, i)
        plan.place(array, dtype)
        plain = array.view(np.uint16) if dtype == "fp16" else array
        if STORAGE[dtype].is_packed:
            plain = array.astype(np.int8 if dtype == "int4" else np.uint8)
        np.save(tmp_path / f"{dtype}.npy", plain)
    written(plan, tmp_path / "ours.bin")
    code = f"""
import warnings; warnings.simplefilter('ignore')
import numpy as np
from coremltools.libmilstoragepython import _BlobStorageWriter as Writer
writer = Writer('theirs.bin')
for dtype in {dtypes!r}:
    word = 'float' if dtype == 'fp32' else dtype
    getattr(writer, f'write_{{word}}_data')(np.load(f'{{dtype}}.npy'))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "ours.bin").read_bytes() == (tmp_path / "theirs.bin").read_bytes()


def test_equal_arrays_are_stored_once():
    plan = BlobPlan()
    a = random_array("fp32", (4, 4))
    assert plan.place(a, "fp32") == plan.place(a, "fp32") == plan.place(a.copy().T.copy().T, "fp32")
    assert plan.place(a + 1, "fp32") != plan.place(a, "fp32")
    zeros = np.zeros(16, np.uint8)
    assert plan.place(zeros, "uint8") != plan.place(zeros.view(np.int8), "int8")
    assert len(plan.placed) == 4


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "uint4", "fp16"])
def test_arrays_in_any_layout(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr("coremlc.chunks.CHUNK", 64)
    base = random_array(dtype, (30, 40))
    views = [base.T, base[::2, ::-1], np.broadcast_to(base[:1], (7, 40)), base[3:, 5:]]
    plan = BlobPlan()
    offsets = [plan.place(view, dtype) for view in views]
    blob = written(plan, tmp_path / "w.bin")
    for offset, view in zip(offsets, views, strict=True):
        assert blob.array(offset, TensorType(dtype, view.shape)).tobytes() == view.tobytes()


def test_writing_mapped_weights_takes_little_memory(tmp_path):
    path = tmp_path / "in.npy"
    np.save(path, np.ones(16_000_000, np.float32))
    mapped = np.load(path, mmap_mode="r")
    tracemalloc.start()
    plan = BlobPlan()
    plan.place(mapped, "fp32")
    plan.place(mapped[1:], "fp32")
    plan.place(np.broadcast_to(np.float32(2), (4000, 4000)), "fp32")
    blob = written(plan, tmp_path / "w.bin")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64e6
    assert blob.array(64, TensorType("fp32", (16_000_000,)))[-1] == 1


def test_packing_is_least_significant_first():
    assert pack(np.array([1, 2, 3], np.uint8), 4).tolist() == [0x21, 0x03]
    assert unpack(np.array([0xF8], np.uint8), "int4", 2).astype(int).tolist() == [-8, -1]


# Damage


def small_file(tmp_path):
    plan = BlobPlan()
    plan.place(random_array("fp32", 16), "fp32")
    plan.place(random_array("uint4", 15), "uint4")
    written(plan, tmp_path / "w.bin")
    return tmp_path / "w.bin"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: b"", "0 bytes are no weight file"),
        (lambda d: d[:100], "no blob can be at offset 64"),
        (lambda d: d[:150], "ends at 192, the file at 150 bytes"),
        (lambda d: d[:4] + b"\1" + d[5:], "blob storage version 1"),
        (lambda d: d[:64] + b"\0" + d[65:], "no blob at offset 64"),
        (lambda d: d[:68] + b"\xff" + d[69:], "unknown dtype 255"),
        (lambda d: d[:72] + struct.pack("<Q", 2**63) + d[80:], "ends at"),
        (lambda d: d[:80] + struct.pack("<Q", 2**64 - 1) + d[88:], "ends at"),
        (lambda d: d[:68] + b"\1" + d[69:], "is fp16, the program says"),
    ],
)
def test_damage_is_told(change, what, tmp_path):
    path = small_file(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FormatError, match=what) as caught:
        BlobFile(path).array(64, TensorType("fp32", (16,)))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("offset", "type_", "what"),
    [
        (63, TensorType("fp32", (16,)), "no blob can be at offset 63"),
        (0, TensorType("fp32", (16,)), "no blob can be at offset 0"),
        (2**62, TensorType("fp32", (16,)), "no blob can be"),
        (64, TensorType("fp32", (15,)), r"has 64 bytes, fp32\[15\] takes 60"),
        (64, TensorType("fp32", (None,)), "unknown size"),
        (192, TensorType("uint4", (16,)), r"has 8 bytes, uint4\[16\] takes 8"),
    ],
)
def test_references_that_do_not_fit(offset, type_, what, tmp_path):
    with pytest.raises(FormatError, match=what):
        BlobFile(small_file(tmp_path)).array(offset, type_)


def test_a_missing_file(tmp_path):
    with pytest.raises(FormatError, match="no such weight file"):
        BlobFile(tmp_path / "none.bin")


# Placing


def placed(dtype, size, version):
    op = programs.const("c", dtype, np.ones(size))
    program, plan = place_weights(
        programs.program((), (op,), op.outputs), specification_version=version
    )
    return program.functions["main"].block.ops[0].attributes["val"].data, plan


@pytest.mark.parametrize(
    ("dtype", "size", "version", "is_placed"),
    [
        ("fp32", 10, 6, True),
        ("fp32", 9, 6, False),
        ("fp16", 10, 7, True),
        ("int8", 10, 7, True),
        ("uint8", 10, 8, True),
        ("int32", 10, 8, False),
        ("int32", 10, 9, True),
        ("int16", 10, 8, False),
        ("uint16", 10, 9, True),
        ("bool", 100, 9, False),
        ("uint4", 10, 9, True),
        ("int64", 100, 9, False),
    ],
)
def test_what_is_placed(dtype, size, version, is_placed):
    data, plan = placed(dtype, size, version)
    assert (data == BlobRef(WEIGHT_PATH, 64)) if is_placed else isinstance(data, np.ndarray)
    assert bool(plan) == is_placed


def test_placing_leaves_the_program_alone():
    op = programs.const("c", "fp32", np.ones(20))
    program = programs.program((), (op,), op.outputs)
    place_weights(program, specification_version=8)
    assert isinstance(program.functions["main"].block.ops[0].attributes["val"], Literal)
    assert isinstance(op.attributes["val"].data, np.ndarray)


def test_placing_reaches_nested_blocks_and_constexpr():
    weight = programs.const("c", "int8", np.ones(20))
    inner = programs.Op(
        "constexpr_blockwise_shift_scale",
        {"data": (weight.attributes["val"],)},
        (programs.Value("w", weight.outputs[0].type),),
    )
    block = programs.Block((weight, inner), inner.outputs)
    outer = programs.Op("cond", {}, (), {}, (block, block))
    program, plan = place_weights(programs.program((), (outer,), ()), specification_version=9)
    (again,) = program.functions["main"].block.ops
    assert again.blocks[1].ops[0].attributes["val"].data == BlobRef(WEIGHT_PATH, 64)
    assert again.blocks[0].ops[1].inputs["data"][0].data == BlobRef(WEIGHT_PATH, 64)
    assert len(plan.placed) == 1
