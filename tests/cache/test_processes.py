"""Several processes at once, some of them killed; and disks that are full."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coremlc.cache import Store
from tests.cache.entries import CONTENT, KEY, content, make

ROOT = Path(__file__).parent.parent.parent
PUT = """
import sys, time
from pathlib import Path
from coremlc.cache import Store
from tests.cache.entries import KEY, make

def slow(path):
    out = make(path)
    time.sleep(0.05)
    return out

store = Store(Path(sys.argv[1]))
outcome = store.obtain(KEY, slow) if sys.argv[2] == "obtain" else None
entry = store.put(KEY, slow) if outcome is None else outcome.entry
print("hit" if outcome is not None and outcome.hit else "made", entry.bundle)
"""


def start(root, how):
    command = [sys.executable, "-c", PUT, str(root), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_one_of_many_compiles_and_the_others_wait(tmp_path):
    processes = [start(tmp_path, "obtain") for _ in range(4)]
    words = sorted(p.communicate()[0].split()[0] for p in processes)
    assert words == ["hit", "hit", "hit", "made"]
    assert content(Store(tmp_path).find(KEY.digest).bundle) == CONTENT


def test_without_locks_all_succeed(tmp_path):
    processes = [start(tmp_path, "put") for _ in range(4)]
    assert all(p.communicate()[0].startswith("made") for p in processes)
    assert all(p.returncode == 0 for p in processes)
    assert content(Store(tmp_path).find(KEY.digest).bundle) == CONTENT


@pytest.mark.slow
def test_killed_processes_leave_no_half_entry(tmp_path):
    for i in range(12):
        process = start(tmp_path, "put")
        time.sleep(0.02 * i)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        warnings = []
        found = Store(tmp_path).get(KEY.digest, warnings.append)
        assert warnings == []
        if found is not None:
            assert content(found.bundle) == CONTENT
            shutil.rmtree(found.root)


def test_a_lock_that_is_held_for_ever_only_delays(tmp_path, monkeypatch):
    import filelock

    monkeypatch.setattr("coremlc.cache.store._LOCK_SECONDS", 0.1)
    path = tmp_path / "v1" / "locks" / f"{KEY.digest}.lock"
    path.parent.mkdir(parents=True)
    with filelock.FileLock(path):
        outcome = Store(tmp_path).obtain(KEY, make)
    assert outcome.stored
    assert content(outcome.entry.bundle) == CONTENT


def test_a_full_disk_leaves_nothing_and_the_compile_goes_on(tmp_path):
    """The limit of file sizes stands for a full disk: both fail in the middle of a write.

    It is lifted when the bundle goes to the temporary directory, which is another disk.
    """
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(path):
        in_cache = path.is_relative_to(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000 if in_cache else hard, hard))
        return make(path)

    try:
        outcome = Store(tmp_path).obtain(KEY, limited)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    assert (outcome.hit, outcome.stored) == (False, False)
    assert "could not be stored" in outcome.warnings[0]
    assert content(outcome.entry.bundle) == CONTENT
    assert Store(tmp_path).digests() == []
    assert os.listdir(tmp_path / "v1" / "tmp") == []
    shutil.rmtree(outcome.entry.root)


def mounted(options, root, code):
    """Run code in a mount namespace of its own, with a small disk at root."""
    script = f"mount -t tmpfs -o {options} none {root} && exec {sys.executable} -c '{code}' {root}"
    command = ["unshare", "-rm", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.parametrize("options", ["size=64k", "size=1m,ro"])
def test_a_real_full_or_read_only_disk(tmp_path, options):
    probe = mounted(options, tmp_path, "print(1)")
    if probe.returncode != 0:
        pytest.skip(f"can't mount here: {probe.stderr.strip()}")
    code = """
import sys, shutil
from pathlib import Path
from coremlc.cache import Store
from tests.cache.entries import CONTENT, KEY, content, make
outcome = Store(Path(sys.argv[1])).obtain(KEY, make)
assert not outcome.stored and not outcome.hit, outcome
assert content(outcome.entry.bundle) == CONTENT
assert Store(Path(sys.argv[1])).digests() == []
shutil.rmtree(outcome.entry.root)
print(*outcome.warnings)
"""
    found = mounted(options, tmp_path, code)
    assert found.returncode == 0, found.stderr
    assert "stored" in found.stdout
