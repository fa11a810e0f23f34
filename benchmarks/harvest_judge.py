"""Judges one harvested graph: compiles it, runs it on an engine, compares with what GoMLX computed.

Each graph is judged twice: `plain`, as it was recorded, and `free`, with the constants and iotas of
its main function turned into inputs, since over half of the graphs have no inputs and would only
test the folder.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from coremlc import arrays as files
from coremlc import dtypes
from coremlc.compare import difference
from coremlc.compiler import Recipe, build_model, uncollected
from coremlc.dtypes import DType
from coremlc.engine.base import load_program
from coremlc.errors import CoremlcError, RefusalsError, RefusedError, UsageError
from coremlc.frontend import read
from coremlc.ir import evaluate
from coremlc.ir.graph import Builder, Function, Graph, Input, Value, substitute, walk
from coremlc.ops.iota import Iota
from coremlc.ops.leaves import Constant
from coremlc.runner import random_array
from coremlc.signature import KEY, Signature
from coremlc.targets import DEFAULT

Array: TypeAlias = "npt.NDArray[Any]"
ENGINES = ("reference", "onnxruntime")
VARIANTS = ("plain", "free")
SEED = 0
SLACK = 3.0
"""How many times GoMLX's own error ours may be."""
ROUNDING = 30.0
"""How many times the error of rounding GoMLX's own may be before it counts as another meaning."""
RANDOM = "RNGBitGenerator"
QUANTIZED = ("FusedQuantizedDense", "QuantizedEmbeddingLookup")
INT32 = dtypes.I32.limits


@dataclass
class Verdict:
    """What became of one graph, in one variant, on one engine."""

    graph: str
    variant: str
    engine: str
    status: str
    """passed, refused, failed; unjudged where there is nothing to compare with; same where the
    variant is."""
    judge: str = ""
    """Whose outputs were compared: `gomlx`, or `numpy` where the Go backend has none."""
    why: str = ""
    by_conditioning: bool = False
    """Passed only since GoMLX's own float result is that uncertain."""


@dataclass(frozen=True)
class Vector:
    """Arrays of one execution."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]


@dataclass
class Case:
    """One directory of the archive."""

    path: Path
    origin: Mapping[str, Any] = field(default_factory=dict)
    vectors: list[Mapping[str, Array]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name

    @staticmethod
    def load(path: Path) -> Case:
        origin = json.loads((path / "origin.json").read_text())
        vectors = [files.read_npz(p) for p in sorted(path.glob("vectors-*.npz"))]
        return Case(path, origin, vectors)

    def read(self, vector: Mapping[str, Array]) -> Graph:
        """The graph, its named axes of the sizes that the vector has."""
        dims: dict[str, int] = {}
        for name, axes in symbols(self.path / "graph.pb").items():
            shape = vector[f"in.{name}"].shape if f"in.{name}" in vector else ()
            dims |= {s: shape[i] if i < len(shape) else 2 for i, s in axes.items()}
        return read(self.path / "graph.pb", dims)


def symbols(path: Path) -> dict[str, dict[int, str]]:
    """The named axes of each parameter of the main function."""
    from coremlc.frontend import graph_pb2 as pb

    file = pb.GraphFile.FromString(path.read_bytes())
    found: dict[str, dict[int, str]] = {}
    for p in file.functions[file.main].parameters:
        axes = {i: d.symbol for i, d in enumerate(p.value.shape.dims) if d.symbol}
        if axes:
            found[p.name] = axes
    return found


def judge(case: Case, engines: Sequence[str] = ENGINES, seconds: int = 60) -> list[Verdict]:
    """Verdicts of a graph: one for each variant and engine, and for numpy's rules (`evaluate`)."""
    verdicts: list[Verdict] = []
    for variant in VARIANTS:
        found = {e: Verdict(case.name, variant, e, "") for e in ("evaluate", *engines)}
        for vector in case.vectors or [{}]:
            _Trial(case, vector, variant, found, seconds).run()
        verdicts += found.values()
    return verdicts


@dataclass
class _Trial:
    """One vector through one variant of a graph."""

    case: Case
    vector: Mapping[str, Array]
    variant: str
    found: dict[str, Verdict]
    seconds: int
    graph: Graph | None = None
    given: dict[str, Array] = field(default_factory=dict)
    wanted: dict[str, Array] = field(default_factory=dict)
    """What is due: GoMLX's outputs, else those of numpy's rules."""
    judge: str = "gomlx"

    def run(self) -> None:
        if not self._attempt(list(self.found), self._prepare):
            return
        assert self.graph is not None
        truths = _Truths(self.graph, self.given, self.wanted)
        self._attempt(["evaluate"], lambda: self._evaluate(truths))
        engines = [e for e in self.found if e != "evaluate"]
        built: list[Any] = []
        if self._attempt(engines, lambda: built.append(self._build())):
            for engine in engines:
                self._attempt([engine], lambda e=engine: self._run(built[0], e, truths))  # type: ignore[misc]
        for verdict in self.found.values():
            verdict.judge = self.judge
            verdict.status = verdict.status or "passed"

    def _attempt(self, engines: Sequence[str], act: Callable[[], None]) -> bool:
        verdict = _attempt(act, self.seconds)
        for engine in engines if verdict is not None else []:
            _worsen(self.found[engine], *verdict)  # type: ignore[misc]
        return verdict is None

    def _prepare(self) -> None:
        graph = self.case.read(self.vector)
        given, self.wanted = _arrays(graph, self.vector)
        if any(node.op.kind == RANDOM for node in walk(graph.main)):
            self.wanted = {}  # the Go backend draws by PCG, XLA and coremlc by Philox
        if self.variant == "free":
            graph, given = _freed(graph, given)
        self.graph, self.given = _stated(graph, given), given

    def _evaluate(self, truths: _Truths) -> None:
        assert self.graph is not None
        if self.variant == "free" and self.wanted:
            raise _SameError
        if any(node.op.evaluate is None for node in walk(self.graph.main)):
            raise _UnjudgedError("an op has no numpy rule")
        results = evaluate.run(self.graph.main, list(self.given.values()))
        outputs = dict(zip(_names(self.graph), results, strict=True))
        if self.wanted:
            _compare(self.graph, outputs, self.wanted, truths, self.found["evaluate"])
            return
        self.judge = "numpy"
        self.wanted.update(outputs)

    def _build(self) -> Any:
        assert self.graph is not None
        with uncollected():
            return build_model(self.graph, Recipe()).model

    def _run(self, model: Any, engine: str, truths: _Truths) -> None:
        assert self.graph is not None
        outputs = _run(model, engine, self.given)
        if not self.wanted:
            raise _UnjudgedError("neither GoMLX nor numpy has outputs")
        _compare(self.graph, outputs, self.wanted, truths, self.found[engine])


_ORDER = ("", "same", "passed", "unjudged", "refused", "failed")


def _worsen(verdict: Verdict, status: str, why: str) -> None:
    if _ORDER.index(status) > _ORDER.index(verdict.status):
        verdict.status, verdict.why = status, why


class _SameError(Exception):
    """The variant does not differ from the plain one."""


class _UnjudgedError(Exception):
    """There is nothing to compare with."""


class _DifferentError(Exception):
    """Outputs differ."""


def _attempt(act: Callable[[], None], seconds: int) -> tuple[str, str] | None:
    try:
        with _deadline(seconds):
            act()
    except _SameError:
        return "same", ""
    except _UnjudgedError as error:
        return "unjudged", str(error)
    except _DifferentError as error:
        return "failed", str(error)
    except RefusalsError as error:
        return "refused", _reason(error.refusals[0])
    except (RefusedError, UsageError) as error:
        return "refused", _reason(error)
    except CoremlcError as error:
        return "failed", f"{type(error).__name__}: {error.what} [{error.where}]"
    except Exception as error:
        text = str(error).split("\n", 1)[0][:300]
        return "failed", f"{type(error).__name__}: {text} {_place(error)}"
    return None


def _place(error: Exception) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/coremlc/" in file:
            place = f"[{file.rsplit('/coremlc/', 1)[1]}:{trace.tb_lineno}]"
        trace = trace.tb_next
    return place


def _reason(error: CoremlcError) -> str:
    """A refusal without the sizes and names that differ from graph to graph."""
    what = "" if error.where is None else str(error.where.what).split(" '")[0]
    return f"{what}: {re.sub(r'[0-9]+', 'N', error.what)}"


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not done in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _names(graph: Graph) -> list[str]:
    return [o.name for o in graph.outputs]


def _arrays(graph: Graph, vector: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and outputs in the graph's dtypes; random inputs and no outputs without a vector."""
    if vector or not graph.inputs:
        given = {i.name: vector[f"in.{i.name}"] for i in graph.inputs}
        parameters = zip(graph.inputs, graph.main.parameters, strict=True)
        given = {i.name: _cast(given[i.name], v.type.dtype) for i, v in parameters}
    else:
        rng = np.random.default_rng(SEED)
        ports = Signature.of_graph(graph, DEFAULT).inputs
        given = {port.name: random_array(port, rng) for port in ports}
    results = zip(_names(graph), graph.main.results, strict=True)
    return given, {
        name: _cast(vector[f"out.{name}"], value.type.dtype) for name, value in results if vector
    }


def _cast(x: Array, dtype: DType) -> Array:
    return files.as_bfloat16(x) if dtype.name == "BFloat16" else x


def _freed(graph: Graph, given: dict[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """With the leaves of the main function as inputs of any value, but for quantized weights."""
    weights = {o for n in graph.main.nodes if n.op.kind in QUANTIZED for o in n.operands}
    g = Builder()
    g.parameters = list(graph.main.parameters)
    inputs, given = list(graph.inputs), dict(given)
    mapped: dict[Value, Value] = {}
    nodes = []
    for node in graph.main.nodes:
        if isinstance(node.op, Constant | Iota) and node.results[0] not in weights:
            name = f"leaf{len(mapped)}"
            value = g.parameter(node.results[0].type)
            mapped[node.results[0]] = value
            given[name] = np.array(node.op.evaluate())
            inputs.append(Input(name))
        else:
            nodes.append(node)
    if not mapped:
        raise _SameError
    main = Function(graph.main.parameters, tuple(nodes), graph.main.results, graph.main.name)
    main = substitute(main, mapped)
    main = Function(tuple(g.parameters), main.nodes, main.results, main.name)
    return replace(graph, main=main, inputs=tuple(inputs)), given


def _stated(graph: Graph, given: Mapping[str, Array]) -> Graph:
    """With the full range stated of integer inputs that need more than an int32."""
    inputs = []
    for i in graph.inputs:
        x = given[i.name]
        if (
            x.dtype.kind in "iu"
            and x.size
            and not INT32[0] <= int(x.min()) <= int(x.max()) <= INT32[1]
        ):
            i = replace(i, range=dtypes.BY_NUMPY[x.dtype].limits)
        inputs.append(i)
    return replace(graph, inputs=tuple(inputs))


def _run(model: Any, engine: str, given: Mapping[str, Array]) -> dict[str, Array]:
    signature = Signature.from_json(model.description.metadata.user_defined[KEY])
    with load_program(model.program, engine=engine) as loaded:  # type: ignore[arg-type]
        return signature.decode(loaded.run(signature.encode(given)))


Truth: TypeAlias = tuple[Array, Array, Array]
"""The output in float64; how far from it GoMLX's is, and one that is rounded after each op."""


class _Truths:
    """The outputs in float64, and how far right computations may be from them."""

    def __init__(
        self, graph: Graph, given: Mapping[str, Array], wanted: Mapping[str, Array]
    ) -> None:
        self._graph = graph
        self._given = list(given.values())
        self._wanted = wanted
        self._known: dict[str, Truth] | None = None

    def of(self, name: str) -> Truth | None:
        """None if the graph can't be evaluated."""
        if self._known is None:
            self._known = {}
            try:
                exact = precise(self._graph.main, self._given, _as_double)
                single = precise(self._graph.main, self._given, _as_single)
            except TimeoutError:
                raise
            except Exception:
                return None
            for output, e, s in zip(self._graph.outputs, exact, single, strict=True):
                w = self._wanted[output.name]
                with np.errstate(all="ignore"):
                    self._known[output.name] = e, _distance(w, e), _distance(s, e)
        return self._known.get(name)


def _distance(x: Array, y: Array) -> Array:
    kind = np.complex128 if y.dtype.kind == "c" else np.float64
    out: Array = np.abs(x.astype(kind) - y.astype(kind))
    return out


def _as_double(x: Array, dtype: DType) -> Array:
    if dtype.is_float or dtype.is_complex:
        return x.astype(dtypes.working(dtype), copy=False)
    return x.astype(dtype.numpy, copy=False)


def _as_single(x: Array, dtype: DType) -> Array:
    """As the target computes: float64 in float32."""
    narrow = {"Float64": np.float32, "Complex128": np.complex64}
    x = x.astype(narrow.get(dtype.name, dtype.numpy), copy=False)
    return _as_double(x, dtype)


def precise(
    function: Function,
    inputs: Sequence[Array],
    rounded: Callable[[Array, DType], Array],
    outer: Mapping[Value, Array] | None = None,
) -> list[Array]:
    """`evaluate.run`, with another rounding of the results of each op."""
    values: dict[Value, Array] = dict(outer or {})
    for p, x in zip(function.parameters, inputs, strict=True):
        values[p] = rounded(x, p.type.dtype)
    for node in function.nodes:
        operands = [values[o] for o in node.operands]
        if node.op.kind == "Bitcast":
            operands = [
                x.astype(o.type.dtype.numpy) for x, o in zip(operands, node.operands, strict=True)
            ]
        given: list[object] = list(operands)
        if node.op.bodies:
            given.insert(0, lambda body, *xs: precise(body, xs, rounded, values))
        with np.errstate(all="ignore"):
            out = node.op.evaluate(*given)
            results = out if isinstance(out, tuple) else (out,)
            for r, v in zip(results, node.results, strict=True):
                values[v] = rounded(np.asarray(r), v.type.dtype)
    return [values[r] for r in function.results]


def _compare(
    graph: Graph,
    got: Mapping[str, Array],
    wanted: Mapping[str, Array],
    truths: _Truths,
    verdict: Verdict,
) -> None:
    complaints = []
    for name, want in wanted.items():
        x = got[name]
        found = difference(name, x, want)
        if not found.mismatched:
            continue
        near = _is_near(x, want, truths.of(name))
        if near:
            verdict.by_conditioning = True
            continue
        complaints.append(
            f"{name}: {found.mismatched} of {found.count} {want.dtype} differ, by up to "
            f"{found.max_abs:.3g} ({found.max_rel:.3g} relative) {found.note} {_first(x, want)}"
        )
    if complaints:
        raise _DifferentError("; ".join(complaints[:3]))


def _first(x: Array, want: Array) -> str:
    """The first element that differs."""
    if x.shape != want.shape or x.dtype != want.dtype:
        return ""
    tolerance = dtypes.BY_NUMPY[want.dtype].tolerance
    with np.errstate(all="ignore"):
        a, b = x.ravel(), want.ravel()
        wide = dtypes.working(dtypes.BY_NUMPY[want.dtype])
        close = np.isclose(a.astype(wide), b.astype(wide), *tolerance, equal_nan=True)
    at = np.flatnonzero(~close if a.dtype.kind != "b" else a != b)
    return f"first {a[at[0]]!r}, want {b[at[0]]!r} at {at[0]}" if at.size else ""


def _is_near(x: Array, want: Array, truth: Truth | None) -> bool:
    """Whether floats are as near to the truth as GoMLX's are, up to SLACK.

    No, if GoMLX's are farther from it than rounding explains: then one of the two means another.
    """
    dtype = dtypes.BY_NUMPY[want.dtype]
    if truth is None or x.shape != want.shape or not (dtype.is_float or dtype.is_complex):
        return False
    exact, gomlx, rounding = truth
    if exact.shape != want.shape:
        return False
    relative, absolute = dtype.tolerance
    with np.errstate(all="ignore"):
        wide = dtypes.working(dtype)
        a, b = x.astype(wide), want.astype(wide)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        error = np.maximum(gomlx, rounding)
        allowed = absolute + relative * np.abs(exact) + np.maximum(SLACK * error, _most(error))
        explained = absolute + relative * _most(np.abs(exact)) + _most(rounding)
        if _most(np.where(b == exact, 0.0, gomlx)) > ROUNDING * explained:
            return False
        return bool(np.all(same | (_distance(a, exact) <= allowed)))


def _most(x: Array) -> float:
    return float(np.max(x[np.isfinite(x)], initial=0.0))
