"""What every engine is: a loaded bundle that turns features into features."""

from __future__ import annotations

import sys
import time
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from coremlc.errors import (
    CoremlcError,
    InputError,
    MachineError,
    RefusalsError,
    RefusedError,
    UsageError,
    Where,
    at,
)
from coremlc.mil.arrays import STORAGE
from coremlc.mil.program import BlobRef, Function, Literal, Op, Program
from coremlc.mil.types import StateType, TensorType

if TYPE_CHECKING:
    from coremlc.bundle import Bundle
    from coremlc.engine.ort.kept import Shelf

Array: TypeAlias = "npt.NDArray[Any]"
E = TypeVar("E", bound="Executable | None")
Resolver: TypeAlias = Callable[[Literal], Array]
EngineName = typing.Literal["auto", "coreml", "onnxruntime", "reference"]
ComputeUnits = typing.Literal["all", "cpu-only", "cpu-and-gpu", "cpu-and-ne"]


@dataclass(frozen=True, slots=True)
class Used:
    """Where a bundle really runs."""

    compute_units: ComputeUnits
    note: str = ""
    """Why it is not what was asked for; empty when it is."""


@dataclass(frozen=True, slots=True)
class Model:
    """One function of a program, with what its constants need."""

    function: Function
    array: Resolver
    root: Path | None = None
    """What `@model_path` stands for, if the program came from a bundle: blobs lie under it."""

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Features to give, by name; states are the engine's own."""
        return {v.name: v.type for v in self.function.inputs if isinstance(v.type, TensorType)}

    @property
    def outputs(self) -> dict[str, TensorType]:
        return {v.name: v.tensor for v in self.function.block.outputs}


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: asked for by the user, met as far as the machine can."""

    compute_units: ComputeUnits = "all"
    strict_units: bool = False
    threads: int | None = None
    spin: bool = True
    """Let idle worker threads spin: faster on a machine of one's own, slower on a shared one."""
    fuse_from_us: float = 30.0
    """What a compiled loop must save in a run for ONNX Runtime to leave ops to it; inf: never."""


class Executable(ABC):
    """A loaded function; `run` may be called from several threads."""

    engine: str
    used: Used
    load_ms: float = 0.0

    def __init__(self, inputs: Mapping[str, TensorType], outputs: Mapping[str, TensorType]) -> None:
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self._checks = tuple(_Check(name, kind) for name, kind in self.inputs.items())
        self._quick = tuple((c.name, c.dtype, c.shape, c.explain) for c in self._checks)

    def run(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name; the arrays are the caller's own."""
        if len(features) != len(self._checks):
            self._refuse_names(features)
        for name, dtype, shape, explain in self._quick:
            x = features.get(name)
            if type(x) is not np.ndarray or x.dtype is not dtype or x.shape != shape:
                explain(x, features)
        return self._run(features)

    @abstractmethod
    def _run(self, features: Mapping[str, Array]) -> dict[str, Array]: ...

    def close(self) -> None:  # noqa: B027 - nothing to give back is common
        """Give back what the engine holds."""

    def reset(self) -> None:  # noqa: B027 - few models have states
        """Forget the states: the next run starts from zeros."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _refuse_names(self, features: Mapping[str, Array]) -> None:
        extra = sorted(set(features) - set(self.inputs))
        if extra:
            raise InputError(
                f"the model has no input {', '.join(map(repr, extra))}",
                fix=f"its inputs are {', '.join(map(repr, self.inputs))}",
            )


class _Check:
    """One input's contract."""

    def __init__(self, name: str, kind: TensorType) -> None:
        self.name = name
        self.kind = kind
        self.dtype = STORAGE[kind.dtype].numpy
        fixed = all(isinstance(d, int) for d in kind.shape)
        self.shape = kind.shape if fixed else None

    def explain(self, x: Array | None, features: Mapping[str, Array]) -> None:
        where = Where(what=f"input {self.name!r}")
        if x is None:
            given = ", ".join(map(repr, features)) or "none"
            raise InputError(
                f"an input is missing; given: {given}", fix=f"give {self.kind}", where=where
            )
        if not isinstance(x, np.ndarray):
            raise InputError(
                f"{type(x).__name__} is not a numpy array",
                fix="use numpy.asarray",
                where=where,
            )
        if x.dtype != self.dtype:
            raise InputError(
                f"dtype {x.dtype} where {self.dtype} is due",
                fix=f"convert it: x.astype(numpy.{self.dtype})",
                where=where,
            )
        wanted = self.kind.shape
        if ... in wanted:
            return
        fits = len(wanted) == x.ndim and all(
            w is None or w == d for w, d in zip(wanted, x.shape, strict=True)
        )
        if not fits:
            dims = ["?" if w is None else str(w) for w in wanted]
            raise InputError(
                f"shape {list(x.shape)} where [{', '.join(dims)}] is due",
                fix="give an array of that shape",
                where=where,
            )


def where_of(op: Op) -> Where:
    """An op's place, as errors name it."""
    name = op.outputs[0].name if op.outputs else "?"
    return Where(what=f"MIL op {op.kind} -> %{name}")


def unknown_op(op: Op, engine: str, other: str) -> RefusedError:
    """The refusal of an op that an engine has no rule for."""
    return RefusedError(
        f"the {engine} engine does not run MIL op {op.kind!r}",
        fix=f"try --engine {other}, or run the bundle on a Mac with --engine coreml",
        where=where_of(op),
    )


def raise_all(refusals: Iterable[CoremlcError]) -> None:
    """Raise what was refused, everything at once; nothing when nothing was."""
    found = tuple(refusals)
    if len(found) == 1:
        raise found[0]
    if found:
        raise RefusalsError(found)


def zeros(kind: TensorType) -> Array:
    """What a tensor of a fixed shape holds before anything is written to it."""
    return np.zeros([d for d in kind.shape if isinstance(d, int)], STORAGE[kind.dtype].numpy)


def pick_function(program: Program, name: str | None) -> Function:
    """The function to run: the named one, else `main`, else the only one."""
    known = program.functions
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    found = known.get("main" if name is None else name)
    if found is None:
        raise UsageError(
            f"the program has no function {name or 'main'!r}",
            fix=f"choose one of {', '.join(map(repr, known))}",
        )
    return found


def _no_blobs(literal: Literal) -> Array:
    path = literal.data.path if isinstance(literal.data, BlobRef) else "?"
    raise UsageError(f"a constant lies in {path}, but no resolver was given", fix="pass array=...")


def load_program(
    program: Program,
    *,
    array: Resolver = _no_blobs,
    engine: EngineName = "reference",
    options: Options | None = None,
    function: str | None = None,
) -> Executable:
    """Load a program that lies in memory (on a portable engine)."""
    model = Model(pick_function(program, function), array)
    return _start(model, engine, Options() if options is None else options)


def chosen(engine: EngineName) -> EngineName:
    """`auto` is Core ML on a Mac and ONNX Runtime elsewhere."""
    if engine != "auto":
        return engine
    return "coreml" if sys.platform == "darwin" else "onnxruntime"


def load(
    bundle: Bundle | Path,
    *,
    engine: EngineName = "auto",
    compute_units: ComputeUnits = "all",
    strict_units: bool = False,
    threads: int | None = None,
    spin: bool = True,
    function: str | None = None,
    local: Path | None = None,
) -> Executable:
    """Load a `.mlmodelc` bundle on an engine.

    local: a directory where an engine may keep what it made of the bundle, for the next time.

    Raises:
        FormatError: the program makes no sense.
    """
    from coremlc.bundle import read_bundle

    options = Options(compute_units, strict_units, threads, spin)
    engine = chosen(engine)
    content = read_bundle(bundle) if isinstance(bundle, Path) else bundle
    shelf = None
    if engine == "onnxruntime" and function is None and local is not None:
        from coremlc.engine.ort.kept import Shelf

        shelf = Shelf.of(content.root, local)
    if shelf is not None:
        used = _portable_units(options)
        kept = _timed(lambda: shelf.load(options, used))
        if kept is not None:
            return kept
    if engine == "coreml":
        from coremlc.engine.coreml import load_coreml

        return _timed(lambda: load_coreml(content, options, function))
    name = sound_function(content, function)  # which may make another program of it
    body = content.program.functions[name]
    return _start(Model(body, content.array, content.weights_root), engine, options, shelf)


def sound_function(content: Bundle, wanted: str | None) -> str:
    """The name of the function to run, which makes sense.

    Raises:
        CoremlcError: it makes none, or it is not clear which one to run.
    """
    from coremlc.bundle import entry_name
    from coremlc.mil.wellformed import faults

    content.make_runnable()
    name = entry_name(content, wanted)
    with at(Where(file=str(content.root))):
        raise_all(faults(content.program.functions[name]))
    return name


def _start(
    model: Model, engine: EngineName, options: Options, shelf: Shelf | None = None
) -> Executable:
    used = _portable_units(options)
    if engine == "reference":
        from coremlc.engine.reference.executable import ReferenceExecutable

        return _timed(lambda: ReferenceExecutable(model, used))
    if engine == "onnxruntime":
        from coremlc.engine.ort.flexible import FlexibleExecutable
        from coremlc.engine.ort.parts import load_fixed
        from coremlc.engine.specialize import is_flexible

        has_state = any(isinstance(v.type, StateType) for v in model.function.inputs)
        flexible = is_flexible(model.function) and not has_state
        if flexible:
            return _timed(lambda: FlexibleExecutable(model, options, used))
        return _timed(lambda: load_fixed(model, options, used, shelf))
    raise UsageError(f"engine {engine!r} can't load this", fix="use 'onnxruntime' or 'reference'")


def _timed(make: Callable[[], E]) -> E:
    start = time.perf_counter()
    executable = make()
    if executable is not None:
        executable.load_ms = (time.perf_counter() - start) * 1e3
    return executable


def _portable_units(options: Options) -> Used:
    """The portable engines have a CPU only; `all` is met by what there is."""
    if options.compute_units in ("all", "cpu-only"):
        return Used("cpu-only")
    missing = "the GPU" if options.compute_units == "cpu-and-gpu" else "the Neural Engine"
    if options.strict_units:
        raise MachineError(
            f"compute units {options.compute_units!r} need Core ML on a Mac for {missing}",
            fix="drop --strict-units to run on the CPU, or run on a Mac",
        )
    return Used("cpu-only", f"{missing} needs Core ML on a Mac; ran on the CPU")
