"""Mutated bundles: read, verified and loaded without a traceback, a hang or much memory.

Run by `make fuzz-bundles`. Everything but a CoremlcError is a finding: it is printed with the seed
that makes it again (`--seed SEED --count 1`), and the exit code is 1.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from coremlc.bundle import read_bundle, verify_bundle, write_mlmodelc, write_mlpackage
from coremlc.errors import CoremlcError
from coremlc.inspection import inspect
from coremlc.runner import EngineOptions, load
from tests.bundle import builds
from tests.mil import programs
from tests.samples import MOBIUS, ROOT

HANG_S = 20
LIMIT_MB = 2048
ROOM = 6 << 30
"""Address space: a run-away ends in a MemoryError, not in the machine's."""
TOKENS = (
    *b"4294967296 -1 0 99999999999999999999 [ (((((( ? ... nan state< tensor<int4,[3]>".split(),
    b'"',
    b"\xff" * 8,
)


class HangError(Exception):
    """One bundle took too long."""


def sources(room: Path) -> list[Path]:
    """Bundles and packages of every feature; the real samples too, where they are."""
    models = {
        "two": builds.two_functions(),
        "state": builds.stateful(),
        "shapes": builds.flexible(enumerated=((1, 4), (2, 4))),
        "ranges": builds.flexible(ranges=((1, 4), (4, 4))),
        "nested": replace(builds.weighted(9), program=programs.nested()),
        "weights": builds.weighted(7, user_defined={"k": "v"}),
    }
    found = []
    for name, model in models.items():
        for suffix, write in ((".mlmodelc", write_mlmodelc), (".mlpackage", write_mlpackage)):
            write(room / f"{name}{suffix}", model)
            found.append(room / f"{name}{suffix}")
    for name in ("unified_palette_2bit.mlmodelc", "unified_int8.mlpackage"):
        if (MOBIUS / name).is_dir():
            shutil.copytree(MOBIUS / name, room / name, copy_function=shutil.copyfile)
            found.append(room / name)
    for text in sorted((ROOT / "751K__ANE-M6-analytics").glob("*.mil")):
        bundle = room / f"{text.stem}.mlmodelc"
        bundle.mkdir()
        shutil.copyfile(text, bundle / "model.mil")
        found.append(bundle)
    for path in room.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return found


def mutate(data: bytes, rng: random.Random) -> bytes:
    """One to five changes: bytes, bits, pieces lost, doubled, moved, tokens put in, a cut end."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        if not out:
            break
        at = rng.randrange(len(out))
        match rng.randrange(7):
            case 0:
                out[at] = rng.randrange(256)
            case 1:
                out[at] ^= 1 << rng.randrange(8)
            case 2:
                del out[at : at + rng.randint(1, 30)]
            case 3:
                out[at:at] = out[max(0, at - rng.randint(1, 50)) : at]
            case 4:
                source = rng.randrange(len(out))
                out[at : at + 8] = out[source : source + 8]
            case 5:
                token = rng.choice(TOKENS)
                out[at : at + rng.randint(0, len(token))] = token
            case _ if rng.random() < 0.2:
                del out[at:]
            case _:
                out[at] = rng.choice(b"0123456789")
    return bytes(out)


def read(path: Path) -> None:
    """Every part."""
    bundle = read_bundle(path)
    _ = bundle.model, bundle.user_defined


def run(name: Any) -> Callable[[Path], None]:
    """Each function once, on ones, if its inputs are small."""

    def act(path: Path) -> None:
        for function in read_bundle(path).program.functions:
            options = EngineOptions(engine=name, threads=1, function=function)
            with load(path, options) as model:
                features = {}
                for port in model.signature.inputs:
                    shape = port.sizes or ()
                    if np.prod(np.array(shape, float)) > 1e6:
                        return
                    features[port.name] = np.ones(shape, port.dtype.numpy)
                model(features)

    return act


ACTS: dict[str, Callable[[Path], Any]] = {
    "verify": verify_bundle,
    "read": read,
    "inspect": lambda path: inspect(str(path)),
    "reference": run("reference"),
    "onnxruntime": run("onnxruntime"),
}


@contextmanager
def limited() -> Iterator[None]:
    """HangError after a while."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise HangError(f"more than {HANG_S} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANG_S)
    try:
        yield
    finally:
        signal.alarm(0)


def attempt(path: Path, seed: int, found: collections.Counter[str]) -> str:
    """What became of a bundle: `whole`, `refused` by any of the acts, or `broken`."""
    state = "whole"
    for name, act in ACTS.items():
        try:
            with limited():
                problems = act(path)
            if name == "verify" and problems:
                state = "refused"
        except CoremlcError:
            state = "refused"
            if name == "read":  # what reads it later is refused alike
                break
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{name}: {type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
            if not found[key]:
                print(f"--- seed {seed}, {path.name}", file=sys.stderr)
                traceback.print_exc(limit=-6)
            found[key] += 1
            return "broken"
    return state


def fuzz(seed: int, count: int) -> dict[str, Any]:
    """Mutate, one seed for each bundle; the figures."""
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, resource.RLIM_INFINITY))
    found: collections.Counter[str] = collections.Counter()
    states: collections.Counter[str] = collections.Counter()
    slowest = (0.0, 0)
    with tempfile.TemporaryDirectory() as room:
        bundles = sources(Path(room))
        whole = {path: builds.files_of(path) for path in bundles}
        for at in range(seed, seed + count):
            rng = random.Random(at)
            path = rng.choice(bundles)
            name = rng.choice(sorted(whole[path]))
            begin = time.process_time()
            (path / name).write_bytes(mutate(whole[path][name], rng))
            states[attempt(path, at, found)] += 1
            (path / name).write_bytes(whole[path][name])
            slowest = max(slowest, (time.process_time() - begin, at))
    return {
        "bundles": count,
        "states": states,
        "findings": found,
        "slowest_cpu_s": round(slowest[0], 3),
        "slowest_seed": slowest[1],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "cpu_s": round(time.process_time(), 1),
    }


def merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of several processes as one."""
    slowest = max(parts, key=lambda part: part["slowest_cpu_s"])
    adders = ("bundles", "states", "findings", "cpu_s")
    sums = {key: sum((p[key] for p in parts[1:]), parts[0][key]) for key in adders}
    peak = max(part["peak_rss_mb"] for part in parts)
    return {**slowest, **sums, "peak_rss_mb": peak, "cpu_s": round(sums["cpu_s"], 1)}


def main() -> int:
    """Run the jobs, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    given = parser.parse_args()
    starts = [given.seed + given.count * i // given.jobs for i in range(given.jobs + 1)]
    spans = [(a, b - a) for a, b in itertools.pairwise(starts)]
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=1) as pool:
        figures = {"seed": given.seed, **merged(pool.starmap(fuzz, spans, chunksize=1))}
    text = json.dumps(figures, indent=2) + "\n"
    print(text, end="")
    if given.json is not None:
        given.json.write_text(text)
    return 1 if figures["findings"] or figures["peak_rss_mb"] > LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
