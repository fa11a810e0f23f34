"""Running: a bundle becomes a callable model; a model, inputs and expectations become a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc import arrays as files
from coremlc import dtypes, engine
from coremlc.bundle import Bundle, read_bundle
from coremlc.cache import local_of
from coremlc.compare import difference
from coremlc.engine import ComputeUnits, EngineName, Executable, Used
from coremlc.errors import InputError, UsageError, Where
from coremlc.port import Port
from coremlc.report import (
    ComputeUnitsReport,
    ExpectReport,
    Latency,
    OutputDifference,
    OutputReport,
    RunReport,
)
from coremlc.signature import Signature

Array: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where to run, and how."""

    engine: EngineName = "auto"
    compute_units: ComputeUnits = "all"
    strict_units: bool = False
    threads: int | None = None
    function: str | None = None
    """Of a model of several; None for its default."""


class Model:
    """A loaded bundle: arrays in by input name, arrays out by output name, in GoMLX dtypes."""

    def __init__(self, bundle: Bundle, executable: Executable, function: str | None = None) -> None:
        self.bundle = bundle.root
        self.signature = Signature.of_bundle(bundle, function)
        self.executable = executable

    def __call__(
        self, arrays: Mapping[str, object] | None = None, /, **named: object
    ) -> dict[str, Array]:
        """Run once. Inputs whose names are no identifiers come in a mapping.

        Raises:
            InputError: an input is missing, unknown, or of a wrong dtype, shape or value.
        """
        given = named if arrays is None else {**arrays, **named}
        return self.signature.decode(self.executable.run(self.signature.encode(given)))

    @property
    def engine(self) -> str:
        return self.executable.engine

    @property
    def used(self) -> Used:
        """Where it really runs."""
        return self.executable.used

    @property
    def load_ms(self) -> float:
        return self.executable.load_ms

    def close(self) -> None:
        """Give back what the engine holds."""
        self.executable.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def load(bundle: Path | str, options: EngineOptions | None = None) -> Model:
    """Load a `.mlmodelc`, of ours or of another maker."""
    how = EngineOptions() if options is None else options
    path = Path(bundle)
    if not path.exists():
        raise UsageError(f"there is no bundle {path}", fix="check the path")
    content = read_bundle(path)
    executable = engine.load(
        content,
        engine=how.engine,
        compute_units=how.compute_units,
        strict_units=how.strict_units,
        threads=how.threads,
        function=how.function,
        local=local_of(path),
    )
    return Model(content, executable, how.function)


Defaults: TypeAlias = "Callable[[], Mapping[str, Array]]"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to feed, how often, and what to do with what comes out."""

    inputs: Sequence[str] = ()
    """`x=x.npy` or `all.npz`, later ones win."""
    random: int | None = None
    """The seed of random values for inputs that are not given."""
    expect: Path | None = None
    """A `.npz` of expected outputs, and of inputs if none are given."""
    output: Path | None = None
    """A directory, or a `.npz`."""
    warmup: int = 1
    repeat: int = 10


def run_model(
    bundle: Path,
    options: RunOptions,
    engine_options: EngineOptions | None = None,
    *,
    model: str | None = None,
    key: str | None = None,
    defaults: Defaults = dict,
) -> RunReport:
    """Load, run and time a bundle; `model` and `key` are what the report shall call it.

    defaults: called for the values of inputs that nobody gives, if there are any.
    """
    how = EngineOptions() if engine_options is None else engine_options
    if options.output is not None:
        files.check_output(options.output)
    with load(bundle, how) as loaded:
        features = loaded.signature.encode(given_inputs(loaded.signature, options, defaults))
        first_ms, raw, samples = _timed_runs(loaded.executable, features, options)
        outputs = loaded.signature.decode(raw)
    expect = None
    if options.expect is not None:
        expect = compare_outputs(loaded.signature, outputs, options.expect)
    paths = {} if options.output is None else files.save(options.output, outputs)
    return RunReport(
        model=str(bundle) if model is None else model,
        key=key,
        engine=loaded.engine,
        compute_units=ComputeUnitsReport(
            how.compute_units, loaded.used.compute_units, loaded.used.note
        ),
        load_ms=loaded.load_ms,
        first_ms=first_ms,
        latency_ms=Latency.of(samples),
        outputs=tuple(_output(port, outputs, paths) for port in loaded.signature.outputs),
        expect=expect,
    )


def given_inputs(
    signature: Signature, options: RunOptions, defaults: Defaults = dict
) -> dict[str, Array]:
    """Inputs from files, else the expectations' file, then saved variables, then random ones."""
    ports = {port.name: port for port in signature.inputs}
    arrays: dict[str, Array] = {}
    sources = list(options.inputs)
    if options.expect is not None and not sources:
        arrays.update(vectors(options.expect, "in", ports))
    for source in sources:
        name, separator, path = source.partition("=")
        if separator and not Path(source).exists():
            arrays[name] = files.read_npy(Path(path))
        else:
            arrays.update(vectors(Path(source), "in", ports))
    if any(port.role == "variable" and name not in arrays for name, port in ports.items()):
        arrays = {**defaults(), **arrays}
    if options.random is not None:
        random = np.random.default_rng(options.random)
        arrays |= {n: random_array(p, random) for n, p in ports.items() if n not in arrays}
    for name, port in ports.items():
        if name in arrays and port.dtype.name == "BFloat16":
            arrays[name] = files.as_bfloat16(arrays[name])
    return arrays


def vectors(path: Path, side: str, known: Collection[str]) -> dict[str, Array]:
    """The arrays of a `.npz` whose names begin with `in.`, `out.` or `tolerance.`.

    All of them are inputs, and outputs, if no name begins with `in.` or `out.`.
    """
    if path.suffix != ".npz":
        raise UsageError(
            f"{str(path)!r} is neither NAME=FILE.npy nor a .npz file",
            fix=f"name the input: {next(iter(known), 'x')}={path}",
        )
    arrays = files.read_npz(path)
    if any(name.startswith(("in.", "out.")) and name not in known for name in arrays):
        start = f"{side}."
        return {n.removeprefix(start): x for n, x in arrays.items() if n.startswith(start)}
    return {} if side == "tolerance" else arrays


def random_array(port: Port, random: np.random.Generator) -> Array:
    """Values that the port takes: integers in their range, floats of a normal distribution."""
    shape = port.sizes
    if shape is None:
        raise InputError(
            f"{port} has no fixed shape to fill with random values",
            fix=f"give it: -i {port.name}={port.name}.npy",
            where=Where(f"input {port.name!r}"),
        )
    dtype = port.dtype
    if dtype.kind == "bool":
        return random.integers(0, 2, shape).astype(np.bool_)
    if dtype.is_integer:
        low, high = port.limits
        if port.range is None:
            low, high = max(low, -100), min(high, 100)
        return random.integers(low, high, shape, endpoint=True).astype(dtype.numpy)
    if dtype.is_complex:
        parts = random.normal(size=(2, *shape))
        return np.asarray(parts[0] + 1j * parts[1]).astype(dtype.numpy)
    return np.asarray(random.normal(size=shape)).astype(dtype.numpy)


def compare_outputs(
    signature: Signature, outputs: Mapping[str, Array], expected: Path
) -> ExpectReport:
    """Every expected output against the one that came out.

    An array `tolerance.NAME` of the file, [relative, absolute], replaces that of the dtype.
    """
    ports = {port.name: port for port in signature.outputs}
    arrays = vectors(expected, "out", ports)
    unknown = [name for name in arrays if name not in ports]
    if unknown or not arrays:
        what = ", ".join(map(repr, unknown)) or "no output at all"
        raise InputError(
            f"{expected} expects {what}",
            fix=f"the model's outputs are {', '.join(map(repr, ports))}; name them out.NAME",
        )
    wider = vectors(expected, "tolerance", ports)
    found = tuple(
        _difference(ports[name], outputs[name], array, wider.get(name))
        for name, array in arrays.items()
    )
    return ExpectReport(not any(d.mismatched for d in found), found)


def _difference(port: Port, got: Array, expected: Array, wider: Array | None) -> OutputDifference:
    due = files.as_bfloat16(expected) if port.dtype is dtypes.BY_NAME["BFloat16"] else expected
    if wider is None:
        return difference(port.name, got, due)
    relative, absolute = wider.tolist()
    return difference(port.name, got, due, (relative, absolute))


def _output(port: Port, outputs: Mapping[str, Array], paths: Mapping[str, Path]) -> OutputReport:
    path = paths.get(port.name)
    return OutputReport(
        port.name, port.dtype.name, outputs[port.name].shape, None if path is None else str(path)
    )


def _timed_runs(
    executable: Executable, features: Mapping[str, Array], options: RunOptions
) -> tuple[float, dict[str, Array], list[float]]:
    """Milliseconds and outputs of the first run, milliseconds of the repeated ones."""
    start = time.perf_counter()
    outputs = executable.run(features)
    first_ms = (time.perf_counter() - start) * 1e3
    for _ in range(options.warmup):
        executable.run(features)
    samples = [_timed(executable, features) for _ in range(options.repeat)]
    return first_ms, outputs, samples if samples else [first_ms]


def _timed(executable: Executable, features: Mapping[str, Array]) -> float:
    start = time.perf_counter()
    executable.run(features)
    return (time.perf_counter() - start) * 1e3
