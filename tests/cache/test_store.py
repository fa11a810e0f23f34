"""The store: what is put is what is got, or it is a miss."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from coremlc.cache import Key, Store
from coremlc.cache.manifest import describe, read_stamps, stamps, write_stamps
from coremlc.errors import CompileError, MachineError, UsageError
from tests.cache.entries import CONTENT, KEY, content, make


def never(path):
    raise AssertionError("a hit must not compile")


def test_a_miss_then_a_hit(tmp_path):
    store = Store(tmp_path)
    miss = store.obtain(KEY, make)
    assert (miss.hit, miss.stored, miss.warnings) == (False, True, ())
    hit = Store(tmp_path).obtain(KEY, never)
    assert (hit.hit, hit.stored, hit.warnings) == (True, True, ())
    assert content(hit.entry.bundle) == CONTENT
    assert hit.entry.info == {"graph": "a.pb", "nodes": 3}
    assert hit.entry.bundle == miss.entry.bundle
    assert os.listdir(tmp_path / "v1" / "tmp") == []


def truncate(bundle):
    file = bundle / "weights" / "weight.bin"
    file.write_bytes(file.read_bytes()[:-1])


def flip(bundle):
    file = bundle / "weights" / "weight.bin"
    data = bytearray(file.read_bytes())
    data[50_000] ^= 1
    file.write_bytes(data)


def empty(bundle):
    (bundle / "model.mil").write_bytes(b"")


def delete(bundle):
    (bundle / "model.mil").unlink()


def add(bundle):
    (bundle / "extra").write_bytes(b"1")


def link(bundle):
    target = bundle.parent.parent / "elsewhere"
    (bundle / "model.mil").replace(target)
    (bundle / "model.mil").symlink_to(target)


def directory(bundle):
    (bundle / "model.mil").unlink()
    (bundle / "model.mil").mkdir()


def manifest_flip(bundle):
    file = bundle.parent / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b"nodes", b"modes"))


def manifest_cut(bundle):
    file = bundle.parent / "manifest.json"
    file.write_bytes(file.read_bytes()[:40])


def manifest_empty(bundle):
    (bundle.parent / "manifest.json").write_bytes(b"")


def whole_bundle(bundle):
    shutil.rmtree(bundle)


DAMAGES = [
    truncate, flip, empty, delete, add, link, directory, manifest_flip, manifest_cut,
    manifest_empty, whole_bundle,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_damage_is_a_miss_and_mended(tmp_path, damage):
    store = Store(tmp_path)
    damage(store.obtain(KEY, make).entry.bundle)

    again = store.obtain(KEY, make)

    assert not again.hit
    assert len(again.warnings) == 1
    assert "is damaged" in again.warnings[0]
    assert content(again.entry.bundle) == CONTENT
    assert (tmp_path / "v1" / "quarantine" / KEY.digest).is_dir()
    assert store.obtain(KEY, never).hit


def test_an_entry_under_a_wrong_name_is_damage(tmp_path):
    store = Store(tmp_path)
    entry = store.obtain(KEY, make).entry
    other = Key.of({"graph": b"another"})
    final = store.path(other.digest)
    final.parent.mkdir(parents=True)
    entry.root.rename(final)
    warnings = []
    assert store.get(other.digest, warnings.append) is None
    assert f"manifest.json is that of {KEY.digest}" in warnings[0]


def test_an_entry_without_a_manifest_is_no_entry(tmp_path):
    """As an interrupted eviction leaves it: the next compile takes the place."""
    store = Store(tmp_path)
    entry = store.obtain(KEY, make).entry
    (entry.root / "manifest.json").unlink()
    again = store.obtain(KEY, make)
    assert content(again.entry.bundle) == CONTENT
    assert not again.hit


def test_a_failed_compile_stores_nothing(tmp_path):
    def fails(path):
        make(path)
        raise CompileError("no", fix="yes")

    store = Store(tmp_path)
    with pytest.raises(CompileError):
        store.obtain(KEY, fails)
    assert store.digests() == []
    assert os.listdir(tmp_path / "v1" / "tmp") == []


def test_an_interrupted_compile_stores_nothing(tmp_path):
    def interrupted(path):
        make(path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path).obtain(KEY, interrupted)
    assert Store(tmp_path).digests() == []
    assert os.listdir(tmp_path / "v1" / "tmp") == []


def test_what_killed_processes_left_is_swept(tmp_path):
    left = tmp_path / "v1" / "tmp" / "left"
    young = tmp_path / "v1" / "tmp" / "young"
    left.mkdir(parents=True)
    young.mkdir()
    (left / "part").write_bytes(b"1")
    os.utime(left, (0, 0))
    Store(tmp_path).obtain(KEY, make)
    assert not left.exists()
    assert young.exists()


def test_the_loser_of_a_race_uses_the_winners_entry(tmp_path):
    store = Store(tmp_path)

    def slow(path):
        store.put(KEY, make)  # another process is faster
        return make(path)

    entry = store.put(KEY, slow)
    assert entry.root == store.path(KEY.digest)
    assert content(entry.bundle) == CONTENT
    assert os.listdir(tmp_path / "v1" / "tmp") == []


def test_the_loser_keeps_his_own_if_the_winners_is_not_whole(tmp_path):
    """As NFS may show it: the name is taken, what is behind it can't be seen yet."""
    store = Store(tmp_path)

    def slow(path):
        final = store.path(KEY.digest)
        final.mkdir(parents=True)
        (final / "something").write_bytes(b"1")
        return make(path)

    entry = store.put(KEY, slow)
    assert content(entry.bundle) == CONTENT


@pytest.mark.parametrize("root", ["/dev/null", "/dev/null/cache", "file"])
def test_a_cache_that_can_not_be_written_is_no_obstacle(tmp_path, root):
    (tmp_path / "file").write_text("")
    outcome = Store(tmp_path / root).obtain(KEY, make)
    assert (outcome.hit, outcome.stored) == (False, False)
    assert any("not stored" in warning for warning in outcome.warnings)
    assert content(outcome.entry.bundle) == CONTENT
    shutil.rmtree(outcome.entry.root)


def test_neither_cache_nor_temporary_directory(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")
    with pytest.raises(MachineError, match="neither the cache nor"):
        Store(Path("/dev/null")).obtain(KEY, make)


def test_too_many_open_files_does_not_condemn_an_entry(tmp_path):
    resource = pytest.importorskip("resource")
    store = Store(tmp_path)
    entry = store.obtain(KEY, make).entry
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    warnings = []
    for spare in range(3):  # fails at opening the manifest, at walking, at hashing
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, hard))
        try:
            found = store.get(KEY.digest, warnings.append)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert found is None or spare > 0
    assert warnings
    assert all("can't be read" in warning for warning in warnings)
    assert entry.root.is_dir()
    assert store.obtain(KEY, never).hit


def test_files_that_vanish_while_the_store_is_walked(tmp_path):
    store = Store(tmp_path)
    entry = store.obtain(KEY, make).entry
    digests = store.digests()
    shutil.rmtree(entry.root)
    assert [store.peek(digest) for digest in digests] == [None]
    assert store.get(KEY.digest, pytest.fail) is None
    shutil.rmtree(tmp_path)
    assert store.digests() == []


def test_find_by_prefix(tmp_path):
    store = Store(tmp_path)
    entry = store.obtain(KEY, make).entry
    store.obtain(Key.of({"graph": b"another"}), make)
    assert store.find(KEY.digest[:10].upper()).key == entry.key
    with pytest.raises(UsageError, match="2 entries"):
        store.find("")
    with pytest.raises(UsageError, match="no entry"):
        store.find("zz")


def test_equal_keys_give_equal_manifests(tmp_path):
    roots = [Store(tmp_path / name).obtain(KEY, make).entry.root for name in ("a", "b")]
    first, second = ((root / "manifest.json").read_bytes() for root in roots)
    assert first == second
    assert describe(roots[0]) == describe(roots[1])


def settled(entry):
    """The entry, once it is safe on the disk and its files are older than a tick of the clock."""
    for _ in range(2):  # the first stamps may have been noted in that tick
        wait_for_settling()
        time.sleep(0.06)
        assert Store(entry.root.parents[3]).get(entry.key) is not None
    wait_for_settling()
    return entry


def wait_for_settling():
    for thread in threading.enumerate():
        if thread.name == "coremlc-settle":
            thread.join()


def note_now(entry):
    """Say that the files were found right as they are now."""
    write_stamps(entry.root, stamps(entry.root))


def test_nothing_is_trusted_before_it_is_safe_on_the_disk(tmp_path, monkeypatch):
    """A crash may leave names without bytes, but no stamps of them."""

    def fails(handle):
        raise OSError(5, "input/output error")

    monkeypatch.setattr("os.fsync", fails)
    entry = Store(tmp_path).obtain(KEY, make).entry
    wait_for_settling()
    assert read_stamps(entry.root) == {}
    flip(entry.bundle)
    assert not Store(tmp_path).obtain(KEY, make).hit


def test_without_threads_the_entry_is_settled_at_once(tmp_path, monkeypatch):
    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr("coremlc.cache.store.threading", SimpleNamespace(Thread=NoThread))
    entry = Store(tmp_path).obtain(KEY, make).entry
    assert (entry.root / "local" / "stamps.json").exists()


def test_a_file_that_has_its_stamp_is_not_read_again(tmp_path):
    entry = settled(Store(tmp_path).obtain(KEY, make).entry)
    flip(entry.bundle)
    time.sleep(0.06)
    note_now(entry)
    assert Store(tmp_path).obtain(KEY, never).hit


def test_thorough_reads_it_all_the_same(tmp_path):
    entry = settled(Store(tmp_path).obtain(KEY, make).entry)
    flip(entry.bundle)
    time.sleep(0.06)
    note_now(entry)
    with pytest.raises(UsageError, match="damaged"):
        Store(tmp_path).find(KEY.digest, thorough=True)


def test_a_stamp_noted_in_the_tick_of_the_change_proves_nothing(tmp_path):
    entry = settled(Store(tmp_path).obtain(KEY, make).entry)
    flip(entry.bundle)
    note_now(entry)
    assert not Store(tmp_path).obtain(KEY, make).hit


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path):
    entry = settled(Store(tmp_path).obtain(KEY, make).entry)
    file = entry.bundle / "weights" / "weight.bin"
    was = file.stat()
    flip(entry.bundle)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert not Store(tmp_path).obtain(KEY, make).hit


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": 1}', '{"a": [1]}', '{"a": ["", "", "", ""]}']
)
def test_stamps_that_can_not_be_read_prove_nothing(tmp_path, text):
    entry = settled(Store(tmp_path).obtain(KEY, make).entry)
    (entry.root / "local" / "stamps.json").write_text(text)
    assert Store(tmp_path).obtain(KEY, never).hit
    flip(entry.bundle)
    assert not Store(tmp_path).obtain(KEY, make).hit


def test_a_copied_cache_is_verified_once_and_then_trusted(tmp_path):
    Store(tmp_path / "a").obtain(KEY, make)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    entry = settled(Store(tmp_path / "b").obtain(KEY, never).entry)
    assert read_stamps(entry.root) == stamps(entry.root)
    assert len(read_stamps(entry.root)) == len(CONTENT)
